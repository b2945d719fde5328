package migrate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
)

// StreamOptions say how [Stream] and [StreamDown] go. The zero value is right.
type StreamOptions struct {
	Workers int // at once; 0 for one a processor
	OnError OnError

	// Residue takes one line for each record that left a residue:
	// {"line":7,"id":12,"model":"contact","kept":[...]}, where line is the
	// record's place in the output, from 0. nil: residues are not kept.
	Residue io.Writer
	// Side takes one line for each side record:
	// {"line":7,"id":12,"model":"m","link":"f","values":{...}}. May be nil.
	Side io.Writer

	// Checkpoint is called between batches, after at least Every records
	// (100,000 where it is 0), when everything before it was written. Flush
	// files in it before the checkpoint is stored. May be nil.
	Checkpoint func(Checkpoint) error
	Every      int64
	// Resume goes on from a checkpoint. The caller has brought the input to
	// Input (going down the residue to Residue, too), and cut every output to
	// its length there.
	Resume *Checkpoint

	// MaxLine bounds the length of a line, in bytes; 64 MiB where it is 0.
	MaxLine int

	// decode keeps the run from rewriting tokens, for tests.
	decode bool
}

// Checkpoint says how far a run got. Its JSON form may be stored; a run that
// goes on from it gives the same bytes as one that was never broken.
type Checkpoint struct {
	Records int64   `json:"records"` // lines read, empty ones not counted
	Written int64   `json:"written"` // records written
	Input   int64   `json:"input"`   // bytes of each, all from the beginning
	Output  int64   `json:"output"`
	Residue int64   `json:"residue"` // written going up, read going down
	Side    int64   `json:"side"`
	Report  *Report `json:"report"`
}

// Stream carries records from NDJSON up to NDJSON: one JSON object a line.
// Where a plan needs a value it decodes that value alone; the rest is copied
// as it was written. It reads ahead, so in should block only as long as a run
// may be kept from ending. Errors, and the report, are as with [Run].
func Stream(ctx context.Context, in io.Reader, out io.Writer, plan *Plan, opts StreamOptions) (*Report, error) {
	if opts.Residue == nil {
		o := plan.opts
		o.NoResidue = true
		plan = plan.with(o)
	}
	return stream(ctx, in, nil, out, plan, opts, (*streamer).up)
}

// StreamDown carries records from NDJSON down to NDJSON. residue holds the
// lines that [Stream] wrote for them, and may be nil; records that it has no
// line for left none.
func StreamDown(ctx context.Context, in, residue io.Reader, out io.Writer, plan *Plan, opts StreamOptions) (*Report, error) {
	if opts.Residue != nil || opts.Side != nil {
		return nil, adapter.Errorf(adapter.InvalidArgument, "going down gives no residue and no side records")
	}
	var lines *residueLines
	if residue != nil {
		lines = &residueLines{in: bufio.NewReaderSize(residue, 1<<16), most: maxLine(opts)}
		if opts.Resume != nil {
			lines.offset = opts.Resume.Residue
		}
	}
	return stream(ctx, in, lines, out, plan, opts, (*streamer).down)
}

func maxLine(o StreamOptions) int {
	if o.MaxLine > 0 {
		return o.MaxLine
	}
	return 64 << 20
}

// chunk is some lines and what became of them.
type chunk struct {
	first    int64 // place of its first record
	lines    []byte
	ends     []int // of the lines
	input    int64 // bytes read up to its end
	residues map[int]json.RawMessage
	kept     int64 // bytes of residue read for records up to its end

	out, residue, side []byte
	residueAt, sideAt  []placed // where the numbers of lines belong
	written            int64
	faults             []RecordFault
	stopped            bool
	tally              *tally
}

// placed is a place in a buffer that the number of an output line belongs to.
type placed struct {
	at   int
	line int64 // counted from the chunk's first
}

// chunkSize is about how many bytes a worker takes at once, mostLines how many
// lines.
const (
	chunkSize = 128 << 10
	mostLines = 512
)

type streamer struct {
	*session
	keys  map[string]*keyInfo
	tick  uint64
	guess []*keyInfo // the fields of the record before, in order
	seen  []*keyInfo // fields of the record at hand that pass
}

// keyInfo is what is known about a field's name.
type keyInfo struct {
	quoted []byte
	name   string
	entry  *entry // nil for a field that no rule names
	unfit  bool
	tick   uint64 // of the record that it was last seen in
	count  int64  // of records in the chunk that have it, and that no operation takes it from
}

func stream(ctx context.Context, in io.Reader, residues *residueLines, out io.Writer, plan *Plan, opts StreamOptions, convert func(*streamer, context.Context, *chunk, StreamOptions)) (*Report, error) {
	report := plan.newReport()
	var at Checkpoint
	if opts.Resume != nil {
		at = *opts.Resume
		if at.Report == nil {
			return report, adapter.Errorf(adapter.InvalidArgument, "the checkpoint has no report")
		}
		b, err := json.Marshal(at.Report)
		if err == nil {
			err = adapter.DecodeJSON(b, report)
		}
		if err != nil {
			return report, err
		}
	}
	reader := &lineReader{in: bufio.NewReaderSize(in, 1<<20), most: maxLine(opts), records: at.Records, offset: at.Input}
	pool := &sync.Pool{New: func() any { return &chunk{} }}
	read := func() (*chunk, bool, error) {
		c, _ := pool.Get().(*chunk)
		c.clear()
		err := reader.fill(c)
		if len(c.ends) == 0 {
			return nil, false, err
		}
		if err == nil && residues != nil {
			err = residues.attach(c)
		}
		return c, true, err
	}
	workers := make([]*streamer, RunOptions{Workers: opts.Workers}.workers())
	for i := range workers {
		workers[i] = &streamer{session: newSession(plan), keys: map[string]*keyInfo{}}
	}
	work := func(w int, c *chunk) {
		c.tally = newTally()
		convert(workers[w], ctx, c, opts)
	}
	every := opts.Every
	if every <= 0 {
		every = 100_000
	}
	last := at.Records
	var first error
	var number []byte
	// put writes a buffer with the numbers of its lines filled in.
	put := func(w io.Writer, b []byte, places []placed, total *int64) error {
		if len(places) == 0 {
			n, err := w.Write(b)
			*total += int64(n)
			return err
		}
		number = number[:0]
		from := 0
		for _, p := range places {
			number = append(number, b[from:p.at]...)
			number = fmt.Append(number, at.Written+p.line)
			from = p.at
		}
		number = append(number, b[from:]...)
		n, err := w.Write(number)
		*total += int64(n)
		return err
	}
	take := func(c *chunk) error {
		defer pool.Put(c)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := put(out, c.out, nil, &at.Output); err != nil {
			return err
		}
		if opts.Residue != nil && len(c.residue) > 0 {
			if err := put(opts.Residue, c.residue, c.residueAt, &at.Residue); err != nil {
				return err
			}
		}
		if opts.Side != nil && len(c.side) > 0 {
			if err := put(opts.Side, c.side, c.sideAt, &at.Side); err != nil {
				return err
			}
		}
		report.take(c.tally, plan)
		at.Written += c.written
		for _, f := range c.faults {
			report.fault(f.Record, f.ID, f.err)
		}
		if c.stopped {
			first = c.faults[len(c.faults)-1].err
			return errStopped
		}
		at.Records = c.first + int64(len(c.ends))
		at.Input = c.input
		if residues != nil {
			at.Residue = c.kept
		}
		if opts.Checkpoint != nil && at.Records-last >= every {
			last = at.Records
			at.Report = report
			return opts.Checkpoint(at)
		}
		return nil
	}
	err := pipeline(ctx, len(workers), read, work, take)
	return report, report.outcome(err, first)
}

func (c *chunk) clear() {
	*c = chunk{
		lines: c.lines[:0], ends: c.ends[:0], out: c.out[:0], residue: c.residue[:0], side: c.side[:0],
		residueAt: c.residueAt[:0], sideAt: c.sideAt[:0], faults: c.faults[:0],
	}
}

// lineReader cuts its input into chunks of whole lines.
type lineReader struct {
	in      *bufio.Reader
	most    int
	records int64
	offset  int64
}

// errLong is the error of a line that is too long.
var errLong = errors.New("the line is too long")

// fill reads lines until the chunk is full or the input ends.
func (r *lineReader) fill(c *chunk) error {
	c.first = r.records
	for len(c.lines) < chunkSize && len(c.ends) < mostLines {
		start := len(c.lines)
		var n int
		var err error
		c.lines, n, err = appendLine(c.lines, r.in, r.most)
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			c.lines = c.lines[:start]
			if errors.Is(err, errLong) {
				return adapter.Errorf(adapter.InvalidArgument, "record %d: a line is longer than %d bytes", r.records, r.most)
			}
			return fmt.Errorf("reading record %d: %w", r.records, err)
		}
		r.offset += int64(n)
		if len(bytes.TrimSpace(c.lines[start:])) == 0 {
			c.lines = c.lines[:start]
		} else {
			c.ends = append(c.ends, len(c.lines))
			r.records++
		}
		c.input = r.offset
		if end {
			return nil
		}
	}
	return nil
}

// appendLine appends the next line and its end; n is its length.
func appendLine(dst []byte, in *bufio.Reader, most int) (line []byte, n int, err error) {
	start := len(dst)
	for {
		part, err := in.ReadSlice('\n')
		dst = append(dst, part...)
		if len(dst)-start > most {
			return dst, len(dst) - start, errLong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return dst, len(dst) - start, err
		}
	}
}

// residueLines gives each record its line of the residue.
type residueLines struct {
	in     *bufio.Reader
	most   int
	offset int64 // bytes read, without the line that was read ahead
	next   int64 // number of that line
	line   json.RawMessage
	end    bool
}

func (r *residueLines) attach(c *chunk) error {
	c.residues = map[int]json.RawMessage{}
	last := c.first + int64(len(c.ends))
	for {
		if r.line == nil && !r.end {
			line, _, err := appendLine(nil, r.in, r.most)
			if err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("reading the residue: %w", err)
			}
			r.end = err != nil
			if len(bytes.TrimSpace(line)) == 0 {
				r.offset += int64(len(line))
				continue
			}
			var head struct {
				Line *int64 `json:"line"`
			}
			if err := json.Unmarshal(line, &head); err != nil || head.Line == nil || *head.Line < r.next {
				return &adapter.Error{Code: adapter.InvalidArgument, Message: "the residue is broken: each line is an object with a rising \"line\"", Err: err}
			}
			r.next, r.line = *head.Line, line
		}
		if r.line == nil || r.next >= last {
			c.kept = r.offset
			return nil
		}
		if r.next >= c.first {
			c.residues[int(r.next-c.first)] = r.line
		}
		r.offset += int64(len(r.line))
		r.line = nil
	}
}

// each runs convert over the lines of a chunk.
func (s *streamer) each(ctx context.Context, c *chunk, opts StreamOptions, convert func(line []byte, i int) (residue bool, err error)) {
	s.tally = c.tally
	start := 0
	for i, end := range c.ends {
		if ctx.Err() != nil {
			return
		}
		line := bytes.TrimRight(c.lines[start:end], "\r\n")
		start = end
		s.tally.begin(c.first + int64(i))
		out, residue, side := len(c.out), len(c.residue), len(c.side)
		residueAt, sideAt := len(c.residueAt), len(c.sideAt)
		left, err := convert(line, i)
		s.tally.end(err == nil, left)
		if err == nil {
			for _, k := range s.seen {
				k.count++
			}
			c.written++
			continue
		}
		c.out, c.residue, c.side = c.out[:out], c.residue[:residue], c.side[:side]
		c.residueAt, c.sideAt = c.residueAt[:residueAt], c.sideAt[:sideAt]
		c.faults = append(c.faults, s.fault(c.first+int64(i), line, err))
		if opts.OnError != Collect {
			c.stopped = true
			return
		}
	}
}

// fault is the account of a refused line.
func (s *streamer) fault(place int64, line []byte, err error) RecordFault {
	var head struct {
		ID adapter.ID `json:"id"`
	}
	_ = json.Unmarshal(line, &head) // a broken line has no id
	if adapter.CodeOf(err) == adapter.Internal {
		e := &adapter.Error{Code: adapter.InvalidArgument, Model: s.plan.model, Message: "the record can't be read: " + err.Error(), Err: err}
		if syntax := new(syntaxError); !errors.As(err, &syntax) {
			e.Message = err.Error()
		}
		err = e
	}
	return RecordFault{Record: place, ID: head.ID, Message: err.Error(), err: err}
}

func (s *streamer) up(ctx context.Context, c *chunk, opts StreamOptions) {
	rewrite := len(s.plan.root.branches) == 0 && !opts.decode
	if rewrite {
		r := s.runner(s.plan.root, &s.plan.opts)
		r.count()
		c.tally.enter(s.plan.root)
	}
	var sides []Side
	s.each(ctx, c, opts, func(line []byte, i int) (bool, error) {
		sides = sides[:0]
		var residue []Kept
		var keep bool
		var model string
		var id []byte
		if rewrite {
			r := s.runners[s.plan.root]
			var err error
			if c.out, id, err = s.rewrite(ctx, r, line, c); err != nil {
				return false, err
			}
			if len(r.side) > 0 {
				if err := s.carry(ctx, r.side, &sides); err != nil {
					return false, err
				}
			}
			residue, keep, model = r.kept, len(r.kept) > 0, s.plan.root.final
			c.tally.run = r
		} else {
			rec, err := decodeFields(line)
			if err != nil {
				return false, err
			}
			got, err := s.session.up(ctx, rec)
			if err != nil {
				return false, err
			}
			if c.out, err = appendObject(c.out, got.Record); err != nil {
				return false, err
			}
			if v, ok := got.Record["id"]; ok {
				if id, err = appendValue(nil, v); err != nil {
					return false, err
				}
			}
			model, sides = got.Model, got.Side
			if got.Residue != nil {
				residue = got.Residue.Kept
				// Going down needs to know which way the record took.
				keep = len(residue) > 0 || len(s.plan.root.branches) > 0
			}
		}
		c.out = append(c.out, '\n')
		var err error
		if keep && opts.Residue != nil {
			c.residue, c.residueAt = head(c.residue, c.residueAt, c.written, id, model)
			c.residue = append(c.residue, `,"kept":`...)
			if c.residue, err = appendKept(c.residue, residue); err != nil {
				return false, err
			}
			c.residue = append(c.residue, "}\n"...)
		}
		for _, side := range sides {
			if opts.Side == nil {
				break
			}
			c.side, c.sideAt = head(c.side, c.sideAt, c.written, id, side.Model)
			if side.Link != "" {
				c.side = appendText(append(c.side, `,"link":`...), side.Link)
			}
			c.side = append(c.side, `,"values":`...)
			if c.side, err = appendObject(c.side, side.Values); err != nil {
				return false, err
			}
			c.side = append(c.side, "}\n"...)
		}
		return len(residue) > 0, nil
	})
	s.settle(c)
}

// head begins a line about a record; its number is filled in when all lines
// before it were counted.
func head(b []byte, places []placed, line int64, id []byte, model string) ([]byte, []placed) {
	b = append(b, `{"line":`...)
	places = append(places, placed{at: len(b), line: line})
	if id != nil {
		b = append(append(b, `,"id":`...), id...)
	}
	if model != "" {
		b = appendText(append(b, `,"model":`...), model)
	}
	return b, places
}

func (s *streamer) down(ctx context.Context, c *chunk, opts StreamOptions) {
	s.each(ctx, c, opts, func(line []byte, i int) (bool, error) {
		rec, err := decodeFields(line)
		if err != nil {
			return false, err
		}
		var residue *Residue
		if c.residues != nil {
			residue = &Residue{}
			if raw := c.residues[i]; raw != nil {
				if err := json.Unmarshal(raw, residue); err != nil {
					return false, fmt.Errorf("the record's residue is broken: %w", err)
				}
			}
		}
		back, err := s.session.down(ctx, rec, residue)
		if err != nil {
			return false, err
		}
		if c.out, err = appendObject(c.out, back.Record); err != nil {
			return false, err
		}
		s.tally.back(back)
		c.out = append(c.out, '\n')
		return !residue.Empty(), nil
	})
}

// mostKeys bounds how many names of fields are remembered.
const mostKeys = 20_000

// info finds what is known about a field's name.
func (s *streamer) info(r *runner, place int, quotedKey, name []byte) *keyInfo {
	if place < len(s.guess) && bytes.Equal(s.guess[place].quoted, quotedKey) {
		return s.guess[place]
	}
	k := s.keys[string(name)]
	if k == nil {
		k = &keyInfo{quoted: slices.Clone(quotedKey), name: string(name), entry: r.p.in[string(name)]}
		k.unfit = k.entry == nil && r.p.fit != nil && !r.p.fit.Has(k.name)
		s.keys[k.name] = k
	}
	switch {
	case place < len(s.guess):
		s.guess[place] = k
	case place == len(s.guess) && place < 1000:
		s.guess = append(s.guess, k)
	}
	return k
}

// rewrite carries a line up by rewriting its tokens, and returns the record's
// id as written, nil where it has none.
func (s *streamer) rewrite(ctx context.Context, r *runner, line []byte, c *chunk) ([]byte, []byte, error) {
	r.reset(ctx)
	out := c.out
	if len(s.keys) > mostKeys {
		s.forget(c)
	}
	s.tick++
	s.seen = s.seen[:0]
	var id []byte
	out = append(out, '{')
	start := len(out)
	place := 0
	err := eachField(line, func(quotedKey, name, value []byte) error {
		k := s.info(r, place, quotedKey, name)
		place++
		if k.tick == s.tick {
			return twiceError(name)
		}
		k.tick = s.tick
		e := k.entry
		if e == nil {
			if k.unfit {
				r.unfits = append(r.unfits, unfitField{k.name, json.RawMessage(value)})
				return nil
			}
			s.seen = append(s.seen, k)
			if len(name) == 2 && name[0] == 'i' && name[1] == 'd' {
				id = value
			}
			if len(out) > start {
				out = append(out, ',')
			}
			out = append(append(append(out, quotedKey...), ':'), value...)
			return nil
		}
		if e.store {
			v, err := any(json.RawMessage(value)), error(nil)
			if e.value {
				v, err = decodeValue(value)
			}
			if err != nil {
				return err
			}
			r.vals[e.slot] = v
		}
		if e.to != "" {
			if len(out) > start {
				out = append(out, ',')
			}
			out = append(append(out, e.json...), value...)
			s.seen = append(s.seen, k)
		}
		return nil
	})
	if err != nil {
		return out, nil, err
	}
	if err := r.operate(); err != nil {
		return out, nil, err
	}
	for i := range r.p.made {
		m := &r.p.made[i]
		v := r.vals[m.slot]
		if isAbsent(v) {
			continue
		}
		if len(out) > start {
			out = append(out, ',')
		}
		if out, err = appendValue(append(out, m.json...), v); err != nil {
			return out, nil, err
		}
	}
	if len(r.unfits) > 0 {
		r.keepUnfits()
	}
	return append(out, '}'), id, nil
}

// settle moves the counts of passing fields to the chunk's account.
func (s *streamer) settle(c *chunk) {
	for _, k := range s.keys {
		if k.count == 0 {
			continue
		}
		if k.entry != nil {
			c.tally.at.entries[k.entry.index] += k.count
		} else {
			c.tally.other(k.name, k.count)
		}
		k.count = 0
	}
}

// forget drops the names of fields when there are too many of them.
func (s *streamer) forget(c *chunk) {
	s.settle(c)
	s.keys = map[string]*keyInfo{}
	s.guess = s.guess[:0]
}

// Records reads records from NDJSON or from a JSON array of objects, for
// [Run]. It stops at the first error.
func Records(in io.Reader) func(yield func(adapter.Record, error) bool) {
	return func(yield func(adapter.Record, error) bool) {
		b := bufio.NewReader(in)
		dec := json.NewDecoder(b)
		array := false
		for {
			c, err := b.Peek(1)
			if err != nil {
				break
			}
			if c[0] == '[' {
				array = true
			}
			if c[0] != ' ' && c[0] != '\t' && c[0] != '\n' && c[0] != '\r' {
				break
			}
			_, _ = b.Discard(1) // a byte that Peek has seen
		}
		fail := func(n int, err error) {
			yield(nil, &adapter.Error{Code: adapter.InvalidArgument, Message: fmt.Sprintf("record %d can't be read: %v", n, err), Err: err})
		}
		if array {
			if _, err := dec.Token(); err != nil {
				fail(0, err)
				return
			}
		}
		for n := 0; ; n++ {
			if array && !dec.More() {
				if _, err := dec.Token(); err != nil {
					fail(n, err)
				}
				return
			}
			var raw json.RawMessage
			if err := dec.Decode(&raw); err != nil {
				if !errors.Is(err, io.EOF) || array {
					fail(n, err)
				}
				return
			}
			rec, err := decodeFields(raw)
			if err != nil {
				fail(n, err)
				return
			}
			if !yield(rec, nil) {
				return
			}
		}
	}
}
