package bridge

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// idSet is a set of ids: numbers, as Odoo's are, and texts. Both are sorted.
type idSet struct {
	numbers []int64
	texts   []string
}

func newIDSet(ids []adapter.ID) *idSet {
	s := &idSet{}
	for _, id := range ids {
		if n, ok := id.Int(); ok {
			s.numbers = append(s.numbers, n)
		} else if !id.IsZero() {
			s.texts = append(s.texts, id.String())
		}
	}
	slices.Sort(s.numbers)
	slices.Sort(s.texts)
	s.numbers, s.texts = slices.Compact(s.numbers), slices.Compact(s.texts)
	return s
}

func (s *idSet) len() int { return len(s.numbers) + len(s.texts) }

func (s *idSet) has(id adapter.ID) bool {
	if n, ok := id.Int(); ok {
		_, found := slices.BinarySearch(s.numbers, n)
		return found
	}
	_, found := slices.BinarySearch(s.texts, id.String())
	return found
}

// add takes ids in, and reports whether any was new.
func (s *idSet) add(ids ...adapter.ID) bool {
	ids = slices.DeleteFunc(slices.Clone(ids), s.has)
	if len(ids) == 0 {
		return false
	}
	more := newIDSet(ids)
	s.numbers = append(s.numbers, more.numbers...)
	s.texts = append(s.texts, more.texts...)
	slices.Sort(s.numbers)
	slices.Sort(s.texts)
	return true
}

// remove takes ids out, and reports whether any was there.
func (s *idSet) remove(ids ...adapter.ID) bool {
	before := s.len()
	less := newIDSet(ids)
	s.numbers = without(s.numbers, less.numbers)
	s.texts = without(s.texts, less.texts)
	return s.len() < before
}

func without[T int64 | string](list, less []T) []T {
	if len(less) == 0 {
		return list
	}
	return slices.DeleteFunc(list, func(v T) bool { _, found := slices.BinarySearch(less, v); return found })
}

// minus are the ids that are not in another set, in their order.
func (s *idSet) minus(other *idSet) []adapter.ID {
	var out []adapter.ID
	for _, n := range s.numbers {
		if _, found := slices.BinarySearch(other.numbers, n); !found {
			out = append(out, adapter.IntID(n))
		}
	}
	for _, t := range s.texts {
		if _, found := slices.BinarySearch(other.texts, t); !found {
			out = append(out, adapter.StringID(t))
		}
	}
	return out
}

// encode writes the set: runs of numbers by gap and length, texts by what they
// share with the one before, all of it deflated.
func (s *idSet) encode() []byte {
	var b []byte
	var runs [][2]int64 // first and last
	for _, n := range s.numbers {
		if k := len(runs) - 1; k >= 0 && runs[k][1] == n-1 {
			runs[k][1] = n
			continue
		}
		runs = append(runs, [2]int64{n, n})
	}
	b = binary.AppendUvarint(b, uint64(len(runs)))
	last := int64(0)
	for _, r := range runs {
		b = binary.AppendVarint(b, r[0]-last)
		b = binary.AppendUvarint(b, uint64(r[1]-r[0])) //nolint:gosec // a run ends behind its beginning
		last = r[1]
	}
	b = binary.AppendUvarint(b, uint64(len(s.texts)))
	before := ""
	for _, t := range s.texts {
		shared := 0
		for shared < len(t) && shared < len(before) && t[shared] == before[shared] {
			shared++
		}
		b = binary.AppendUvarint(b, uint64(shared))
		b = binary.AppendUvarint(b, uint64(len(t)-shared)) //nolint:gosec // shared is no more than the text
		b = append(b, t[shared:]...)
		before = t
	}
	return deflate(b)
}

var errNoIDSet = errors.New("bridge: not a set of ids")

// decodeIDSet reads what encode wrote, of at most so many ids.
func decodeIDSet(b []byte, most int) (*idSet, error) {
	b, err := inflate(b)
	if err != nil {
		return nil, err
	}
	r := bytes.NewReader(b)
	s := &idSet{}
	runs, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, errNoIDSet
	}
	last := int64(0)
	for i := range runs {
		gap, err1 := binary.ReadVarint(r)
		more, err2 := binary.ReadUvarint(r)
		if err1 != nil || err2 != nil || i > 0 && gap < 1 || more >= uint64(most) || s.len()+int(more)+1 > most { //nolint:gosec // compared before
			return nil, errNoIDSet
		}
		last += gap
		s.numbers = append(s.numbers, last)
		for range more {
			last++
			s.numbers = append(s.numbers, last)
		}
	}
	texts, err := binary.ReadUvarint(r)
	if err != nil || texts > uint64(most) { //nolint:gosec // most is positive
		return nil, errNoIDSet
	}
	before := ""
	for i := range texts {
		shared, err1 := binary.ReadUvarint(r)
		rest, err2 := binary.ReadUvarint(r)
		if err1 != nil || err2 != nil || shared > uint64(len(before)) || rest > uint64(r.Len()) { //nolint:gosec // lengths
			return nil, errNoIDSet
		}
		tail := make([]byte, rest)
		if _, err := io.ReadFull(r, tail); err != nil {
			return nil, errNoIDSet
		}
		text := before[:shared] + string(tail)
		if i > 0 && text <= before {
			return nil, errNoIDSet
		}
		s.texts, before = append(s.texts, strings.Clone(text)), text
	}
	if r.Len() > 0 || s.len() > most {
		return nil, errNoIDSet
	}
	return s, nil
}

// inflatedMost bounds what inflate makes of a few bytes.
const inflatedMost = 64 << 20

func deflate(b []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestSpeed)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil // a buffer takes everything
	}
	return out.Bytes()
}

func inflate(b []byte) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), inflatedMost+1))
	if err == nil && len(out) > inflatedMost {
		err = errNoIDSet
	}
	return out, err
}
