package bridge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/bridgecore/bridgecore/adapter"
)

// A cursor is a checksum over what it is good for and all that follows, where
// it stands (JSON, deflated), and the two sets: each as it is while it is small,
// otherwise the hash under which it is kept.

const (
	cursorVersion = 1
	cursorSum     = 12 // bytes
	// cursorLongest is the longest text that is taken for a cursor.
	cursorLongest = 16 << 10
	// cursorInline is how large a set in a cursor may be, in bytes.
	cursorInline = 1536
)

// How a set follows in a cursor.
const (
	setNone byte = iota
	setInline
	setKept
)

// bound is what a cursor is good for.
func (f *follower) bound() []byte {
	words := "own"
	switch {
	case f.universal != nil:
		words = "universal"
	case f.pin != nil:
		words = "as " + f.pin.version
	}
	c := &f.link.config
	b, _ := json.Marshal([]string{c.Tenant, c.ID, c.Kind, f.info.URL, f.info.Database, words, f.query.Model, f.model})
	return b
}

func (f *follower) sum(payload []byte) []byte {
	h := sha256.New()
	h.Write(f.bound())
	h.Write([]byte{0})
	h.Write(payload)
	return h.Sum(nil)[:cursorSum]
}

// cursor writes where the follower stands.
func (f *follower) cursor(ctx context.Context) (string, error) {
	f.note()
	at, err := json.Marshal(f.at)
	if err != nil {
		return "", err
	}
	at = deflate(at)
	payload := []byte{cursorVersion}
	payload = binary.AppendUvarint(payload, uint64(len(at)))
	payload = append(payload, at...)
	var known, told []byte
	if f.known != nil {
		known = f.known.encode()
	}
	if len(f.told.list) > 0 {
		told = f.told.encode()
	}
	for _, set := range [][]byte{known, told} {
		if payload, err = f.appendSet(ctx, payload, set); err != nil {
			return "", err
		}
	}
	return base64.RawURLEncoding.EncodeToString(append(f.sum(payload), payload...)), nil
}

func (f *follower) appendSet(ctx context.Context, b, set []byte) ([]byte, error) {
	switch {
	case set == nil:
		return append(b, setNone), nil
	case len(set) <= cursorInline:
		b = append(b, setInline)
		b = binary.AppendUvarint(b, uint64(len(set)))
		return append(b, set...), nil
	}
	hash := sha256.Sum256(set)
	if err := f.bridge.keep.Put(ctx, f.link.config, hex.EncodeToString(hash[:]), set); err != nil {
		return nil, err
	}
	return append(append(b, setKept), hash[:]...), nil
}

func (f *follower) badCursor() error {
	return &adapter.Error{
		Code: adapter.InvalidArgument, Model: f.query.Model, Field: "cursor", NothingSent: true,
		Message: "the cursor is none that the changes of this model gave, in these words, of this system; begin without one",
	}
}

func (f *follower) oldCursor() error {
	return &adapter.Error{
		Code: adapter.PreconditionFailed, Model: f.query.Model, Field: "cursor", NothingSent: true,
		Message: "the cursor is too old: read everything again, and begin without a cursor",
	}
}

// resume reads a cursor.
func (f *follower) resume(ctx context.Context, cursor string) error {
	if len(cursor) > cursorLongest {
		return f.badCursor()
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < cursorSum+2 {
		return f.badCursor()
	}
	payload := b[cursorSum:]
	if subtle.ConstantTimeCompare(b[:cursorSum], f.sum(payload)) != 1 || payload[0] != cursorVersion {
		return f.badCursor()
	}
	r := bytes.NewReader(payload[1:])
	at, err := part(r)
	if err == nil {
		at, err = inflate(at)
	}
	if err != nil || json.Unmarshal(at, &f.at) != nil {
		return f.badCursor()
	}
	known, err := f.readSet(ctx, r)
	if err != nil {
		return err
	}
	told, err := f.readSet(ctx, r)
	if err != nil {
		return err
	}
	if known != nil {
		if f.known, err = decodeIDSet(known, int(f.bridge.tracked)+MaxChangesLimit); err != nil {
			return f.badCursor()
		}
	}
	if told != nil {
		if f.told, err = decodeTellings(told); err != nil {
			return f.badCursor()
		}
	}
	return nil
}

// part reads what is preceded by its length.
func part(r *bytes.Reader) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil || n > uint64(r.Len()) { //nolint:gosec // a length
		return nil, errNoIDSet
	}
	b := make([]byte, n)
	_, err = r.Read(b)
	return b, err
}

func (f *follower) readSet(ctx context.Context, r *bytes.Reader) ([]byte, error) {
	how, err := r.ReadByte()
	switch {
	case err != nil:
		return nil, f.badCursor()
	case how == setNone:
		return nil, nil
	case how == setInline:
		b, err := part(r)
		if err != nil {
			return nil, f.badCursor()
		}
		return b, nil
	case how != setKept || r.Len() < sha256.Size:
		return nil, f.badCursor()
	}
	hash := make([]byte, sha256.Size)
	_, _ = r.Read(hash)
	b, err := f.bridge.keep.Get(ctx, f.link.config, hex.EncodeToString(hash))
	if errors.Is(err, adapter.ErrNotFound) {
		return nil, f.oldCursor()
	}
	return b, err
}
