package bridge

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// writeDate is the field by which Odoo dates the last change of a record, in
// whole seconds as it is read.
const writeDate = "write_date"

// odooLag is how long after its date a change on Odoo may come to be seen: a
// transaction is dated by its beginning, and Odoo ends a request after two
// minutes.
const odooLag = 150 * time.Second

// date finds out how records are dated.
func (f *follower) date(ctx context.Context) error {
	unsupported := func(err error) error {
		return &adapter.Error{Code: adapter.Unsupported, Model: f.query.Model, Err: err,
			Message: "records of " + f.query.Model + " bear no date of their last change, so what changed can't be told; read them anew instead"}
	}
	able := false
	err := f.ask(ctx, func(ctx context.Context, a adapter.Adapter) (err error) {
		var d adapter.Dater
		if d, able = a.(adapter.Dater); able {
			f.dating, err = d.Dating(ctx, f.model)
		}
		return err
	})
	if adapter.CodeOf(err) == adapter.Unsupported {
		return unsupported(err)
	}
	if able || err != nil {
		return err
	}
	described, err := f.own.schema(ctx, f.model)
	if err != nil {
		return err
	}
	if !described.Has(writeDate) || f.id != "id" {
		return unsupported(nil)
	}
	f.dating = adapter.Dating{Fields: []string{writeDate}, Step: time.Second, Lag: odooLag}
	return nil
}

// step and lag are those of the dates, in seconds.
func (f *follower) step() int64 { return int64(f.dating.Step / time.Second) }
func (f *follower) lag() int64  { return int64(f.dating.Lag / time.Second) }

// beginDates finds the newest date there is.
func (f *follower) beginDates(ctx context.Context) error {
	if err := f.date(ctx); err != nil {
		return err
	}
	newest, err := f.newest(ctx)
	if err != nil || newest == 0 {
		return err
	}
	f.at.High, f.at.Seen, f.at.Low = newest, f.now().Unix(), newest-f.lag()
	return nil
}

// newest is the newest date that records bear, which is not later than now by
// the system's clock; 0 for none.
func (f *follower) newest(ctx context.Context) (newest int64, err error) {
	for _, field := range f.dating.Fields {
		rows, _, err := f.dates(ctx, adapter.Query{
			Filter: adapter.Cond{Field: field, Op: adapter.NotEqual, Value: false},
			Order:  []adapter.Order{{Field: field, Desc: true}}, Limit: 1,
		})
		if err != nil {
			return 0, err
		}
		for _, r := range rows {
			newest = max(newest, r.at)
		}
	}
	return f.past(ctx, newest)
}

// past is a date, or now by the system's clock if that is earlier: records may be
// dated in the future, by a clock that was wrong once.
func (f *follower) past(ctx context.Context, at int64) (int64, error) {
	err := f.ask(ctx, func(_ context.Context, a adapter.Adapter) error {
		if now, known := adapter.Clock(a); known {
			at = min(at, now.Unix()/f.step()*f.step())
		}
		return nil
	})
	return at, err
}

// sighting is a record with the date of its last change, in Unix seconds.
type sighting struct {
	id adapter.ID
	at int64
}

// dates asks for records with their dates. next is the cursor of those that
// follow.
func (f *follower) dates(ctx context.Context, q adapter.Query) (rows []sighting, next string, err error) {
	q.Model, q.Fields = f.model, f.dating.Fields
	err = f.ask(ctx, func(ctx context.Context, a adapter.Adapter) error {
		page, err := a.Query(ctx, q)
		if err != nil {
			return err
		}
		rows, next = rows[:0], page.Next
		for _, r := range page.Records {
			if at := dateOf(f.dating, r); !at.IsZero() {
				rows = append(rows, sighting{r.ID(), at.Unix()})
			}
		}
		return nil
	})
	return rows, next, err
}

// next asks for what a run finds next, in order. end says that nothing follows.
// The run is not moved on; moved does that, once the rows are told.
func (f *follower) next(ctx context.Context) (rows []sighting, end bool, err error) {
	switch {
	case !f.numbered():
		return f.nextByID(ctx)
	case f.at.Within:
		return f.within(ctx)
	}
	rows, _, err = f.dates(ctx, adapter.Query{
		Filter: f.since(f.at.Second), Order: []adapter.Order{{Field: writeDate}, {Field: "id"}}, Limit: changesPage,
	})
	if err != nil {
		return nil, false, err
	}
	if end = len(rows) < changesPage; !end {
		// The last second may have more than came.
		last := rows[len(rows)-1].at
		whole := slices.DeleteFunc(slices.Clone(rows), func(r sighting) bool { return r.at >= last })
		if rows = whole; len(rows) == 0 {
			f.at.Second, f.at.Within, f.at.Behind = last, true, 0
			return f.within(ctx)
		}
	}
	slices.SortFunc(rows, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(number(a.id), number(b.id)))
	})
	return rows, end, nil
}

// within asks for more of one second, by id.
func (f *follower) within(ctx context.Context) ([]sighting, bool, error) {
	filter := adapter.And{
		f.since(f.at.Second),
		adapter.Cond{Field: writeDate, Op: adapter.Less, Value: f.value(f.at.Second + 1)},
		adapter.Cond{Field: "id", Op: adapter.Greater, Value: f.at.Behind},
	}
	rows, _, err := f.dates(ctx, adapter.Query{Filter: filter, Order: []adapter.Order{{Field: "id"}}, Limit: changesPage})
	if err == nil && len(rows) == 0 {
		f.at.Second, f.at.Within, f.at.Behind = f.at.Second+1, false, 0
		return f.next(ctx)
	}
	// A record that was changed since has a later date; it is told for the
	// second that was asked for, and comes again.
	for i := range rows {
		rows[i].at = f.at.Second
	}
	return rows, false, err
}

// nextByID asks for more of what bears a late enough date in the order of ids,
// where ids are no numbers. What there is no room for comes again with the rest of
// its page.
func (f *follower) nextByID(ctx context.Context) ([]sighting, bool, error) {
	rows, place, err := f.dates(ctx, adapter.Query{Filter: f.since(f.at.Low), Cursor: f.at.Place, Limit: f.pageSize()})
	f.place = place
	return rows, place == "", err
}

// moved notes how far a run has come. whole says that these are all the rows
// that were found.
func (f *follower) moved(rows []sighting, whole bool) {
	if whole {
		f.at.Place = f.place
	}
	if len(rows) == 0 {
		return
	}
	f.at.Passed += len(rows)
	for _, r := range rows {
		f.at.Newest = max(f.at.Newest, r.at)
	}
	if f.numbered() {
		last := rows[len(rows)-1]
		f.at.Second, f.at.Within, f.at.Behind = last.at, true, number(last.id)
	}
}

// numbered reports whether ids are numbers, so that a run can be in the order of
// dates, and of ids within one.
func (f *follower) numbered() bool { return f.own.numbered() }

func number(id adapter.ID) int64 {
	n, _ := id.Int()
	return n
}

// since is the condition for records that bear a date or a later one.
func (f *follower) since(at int64) adapter.Filter { return datedSince(f.dating, time.Unix(at, 0)) }

// value is a date as records bear it.
func (f *follower) value(at int64) string { return dateText(f.dating, time.Unix(at, 0)) }

// dateOf is when a record was last changed, zero where it does not say.
func dateOf(d adapter.Dating, r adapter.Record) (at time.Time) {
	for _, field := range d.Fields {
		if t := r.Time(field); t.After(at) {
			at = t
		}
	}
	return at
}

// dateText is a date as records bear it.
func dateText(d adapter.Dating, at time.Time) string {
	layout := time.DateTime
	if d.Step > time.Second {
		layout = time.DateOnly
	}
	return at.UTC().Format(layout)
}

// datedSince is the condition for records that bear a date or a later one.
func datedSince(d adapter.Dating, at time.Time) adapter.Filter {
	either := make(adapter.Or, len(d.Fields))
	for i, field := range d.Fields {
		either[i] = adapter.Cond{Field: field, Op: adapter.GreaterEq, Value: dateText(d, at)}
	}
	if len(either) == 1 {
		return either[0]
	}
	return either
}

// run finds what changed by the dates that records bear.
//
// A run that began for an earlier answer is followed by another: a record it had
// passed may have changed since, within the same second. If it went through more
// than is remembered, the next answer does that, lest there be no end.
func (f *follower) run(ctx context.Context) error {
	if err := f.date(ctx); err != nil {
		return err
	}
	resumed, sure := f.at.Running, false
	if !resumed {
		f.start()
	}
	for calls := 0; ; calls++ {
		if f.room() <= 0 || calls >= changesCalls {
			f.page.More = true
			return nil
		}
		f.at.Looks++
		rows, end, err := f.next(ctx)
		if err == nil && !end && !sure {
			// What newest tells before a look is what the look is good for.
			sure = true
			if f.unsure, err = f.newest(ctx); err == nil {
				rows, end, err = f.next(ctx)
			}
		}
		if err != nil {
			return err
		}
		n, err := f.tellRows(ctx, rows)
		if err != nil {
			return err
		}
		if n < len(rows) {
			if !sure {
				f.unsure = f.at.High
			}
			end = false
		}
		f.moved(rows[:n], n == len(rows))
		if !end {
			if floor := f.unsure - f.lag(); f.at.Floor == 0 && (f.at.Second >= floor || !f.numbered()) {
				f.at.Floor = floor
			}
			continue
		}
		again, now := f.again(resumed, calls)
		if err := f.settle(ctx); err != nil {
			return err
		}
		if !now {
			err := f.sweep(ctx)
			f.page.More = f.page.More || again
			return err
		}
		resumed, sure = false, false
		f.start()
	}
}

// start begins a run.
func (f *follower) start() {
	f.at.Running, f.at.Second, f.at.Within, f.at.Behind, f.at.Place = true, f.at.Low, false, 0, ""
	f.at.Newest, f.at.Passed, f.at.Looks, f.at.Floor, f.at.Began = 0, 0, 0, 0, f.now().Unix()
}

// again reports whether a run that ends is followed by another, since it began
// for an earlier answer, and whether that is for this answer. One that would not
// come to its end within an answer is not: it would be followed by another, and so
// on, with nothing to tell.
func (f *follower) again(resumed bool, calls int) (again, now bool) {
	again = resumed && f.at.Passed <= tellingsMost && f.at.Looks < changesCalls
	return again, again && calls+1+f.at.Looks < changesCalls
}

// settle ends a run: the next one begins as far back as a transaction may still
// bring something, or may have while the run had passed already.
func (f *follower) settle(ctx context.Context) error {
	newest, err := f.past(ctx, f.at.Newest)
	if err != nil {
		return err
	}
	floor, began := f.at.Floor, f.at.Began
	f.start()
	f.at.Running, f.at.Began = false, 0
	if newest > f.at.High {
		f.at.High, f.at.Seen = newest, f.now().Unix()
	}
	if f.at.High == 0 {
		return nil
	}
	low := f.at.High - f.lag()
	if floor != 0 {
		low = min(low, floor)
	}
	if began-f.at.Seen >= f.lag()+f.step()+int64(changesClocks/time.Second) {
		low = f.at.High + f.step()
	}
	f.at.Low = max(f.at.Low, low)
	f.told.before(f.at.Low)
	return nil
}

// tellRows tells the records of rows, except those that were told as they are,
// and returns of how many it did: all, or those before the first that there is no
// room for.
func (f *follower) tellRows(ctx context.Context, rows []sighting) (n int, err error) {
	for part := range slices.Chunk(rows, max(f.room(), changesFew)) {
		ids := make([]adapter.ID, len(part))
		for i, r := range part {
			ids[i] = r.id
		}
		records, err := f.readOf(ctx, ids)
		if err != nil {
			return n, err
		}
		for i, id := range ids {
			if f.room() <= 0 {
				return n, nil
			}
			n++
			r, there := records[id]
			switch {
			case !there && f.known != nil:
				f.told.forget(id)
				f.lost(id)
			case !f.told.put(id, part[i].at, r):
			case there:
				f.tell(id, r)
			default:
				f.lost(id)
			}
		}
	}
	return n, nil
}

// tellings remembers what was told, so that it is not told again as it was. It
// reaches back as far as runs look.
type tellings struct {
	list map[adapter.ID]telling
}

type telling struct {
	at     int64
	digest [tellingSize]byte
}

const (
	tellingSize = 6 // bytes of a digest
	// tellingsMost is how many are remembered; what is beyond comes again.
	tellingsMost = 10_000
)

func digestOf(r adapter.Record) (d [tellingSize]byte) {
	b, _ := json.Marshal(r) // sorted by name
	sum := sha256.Sum256(b)
	copy(d[:], sum[:])
	return d
}

// put remembers a record as it is told, nil for one that is gone, and reports
// whether that is news.
func (t *tellings) put(id adapter.ID, at int64, r adapter.Record) bool {
	now := telling{at, digestOf(r)}
	was, told := t.list[id]
	if t.list == nil {
		t.list = map[adapter.ID]telling{}
	}
	t.list[id] = now
	return !told || was.digest != now.digest
}

func (t *tellings) forget(id adapter.ID) { delete(t.list, id) }

// before forgets what no run meets again.
func (t *tellings) before(low int64) {
	for id, told := range t.list {
		if told.at < low {
			delete(t.list, id)
		}
	}
}

// encode writes the newest of them, by id: how many, and of each its id, a number
// as the gap to the one before or a text, its date and its digest. Of those of
// one date the highest ids count as the newest: runs come to them last.
func (t *tellings) encode() []byte {
	ids := slices.SortedFunc(maps.Keys(t.list), compareIDs)
	if len(ids) > tellingsMost {
		slices.SortFunc(ids, func(a, b adapter.ID) int {
			return cmp.Or(cmp.Compare(t.list[b].at, t.list[a].at), compareIDs(b, a))
		})
		ids = ids[:tellingsMost]
		slices.SortFunc(ids, compareIDs)
	}
	b := binary.AppendUvarint(nil, uint64(len(ids)))
	last, at := int64(0), int64(0)
	for _, id := range ids {
		told := t.list[id]
		if n, is := id.Int(); is {
			b = binary.AppendVarint(append(b, 0), n-last)
			last = n
		} else {
			b = binary.AppendUvarint(append(b, 1), uint64(len(id.String())))
			b = append(b, id.String()...)
		}
		b = binary.AppendVarint(b, told.at-at)
		b = append(b, told.digest[:]...)
		at = told.at
	}
	return b
}

func compareIDs(a, b adapter.ID) int {
	return cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(a.String(), b.String()))
}

func decodeTellings(b []byte) (*tellings, error) {
	r := bytes.NewReader(b)
	n, err := binary.ReadUvarint(r)
	if err != nil || n > tellingsMost {
		return nil, errNoIDSet
	}
	t := &tellings{list: make(map[adapter.ID]telling, n)}
	last, at := int64(0), int64(0)
	for range n {
		var id adapter.ID
		kind, err := r.ReadByte()
		switch {
		case err != nil || kind > 1:
			return nil, errNoIDSet
		case kind == 0:
			gap, err := binary.ReadVarint(r)
			if err != nil {
				return nil, errNoIDSet
			}
			last += gap
			id = adapter.IntID(last)
		default:
			text, err := part(r)
			if err != nil {
				return nil, errNoIDSet
			}
			id = adapter.StringID(string(text))
		}
		var told telling
		more, err1 := binary.ReadVarint(r)
		_, err2 := io.ReadFull(r, told.digest[:])
		if err1 != nil || err2 != nil {
			return nil, errNoIDSet
		}
		at += more
		told.at = at
		t.list[id] = told
	}
	if r.Len() > 0 {
		return nil, errNoIDSet
	}
	return t, nil
}
