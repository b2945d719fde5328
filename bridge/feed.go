package bridge

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cache"
)

// Feed follows the changes of a model that others make in the system, by
// asking it again and again: [Feed.Poll] for what was created or changed,
// [Feed.Sweep] for what was deleted. Nothing is missed, and nothing is told
// twice, however many changes fall into one second: systems date changes in
// whole seconds, so a change is told once its second is over by the system's
// own clock. Each look goes back some way, since a transaction is seen when it
// has ended; what was told already is not told again.
//
// SAP dates the records of some models by days alone, business partners for
// one: there all records of two days are looked at, and those told that are not
// as they were. The time of the change or a version tells that where records
// have one, otherwise all their values. Looks at many records keep a distance,
// two milliseconds for each of them. Salesforce tells changes itself.
//
// The beginning is sharp: what changed before the first Poll was called is not
// told, and what changes once the feed has begun ([FeedPage.Begun]) is. Where
// the system does not tell changes by itself that takes a second Poll, a second
// later.
//
// The clocks of the system and of this machine may be as far apart as they
// will, this machine's may be put forward and back, and records may be dated in
// the future: these hide no others. A system whose own clock is put back,
// however, dates changes where nobody looks any more: what changes until the
// clock is where it was is told when it changes again. A transaction is dated by
// its beginning and seen when it has ended: one that lasts longer than a quarter
// of an hour on Odoo, ten minutes on SAP or two on Salesforce is missed, and so
// is what a transaction of some seconds changes in a record that another one,
// begun in the same second, had changed and been told of before.
//
// It is safe for concurrent use; polls and sweeps take turns.
type Feed struct {
	system *System
	model  string
	now    func() time.Time

	mu      sync.Mutex
	begun   bool
	first   time.Time // of our clock: when it began to begin; zero when it has not
	far     time.Time // of our clock: when a poll last looked far back
	lost    bool      // it began anew, which was not told yet
	native  bool      // the system tells changes by itself
	cursor  string    // of a native feed
	own     adapter.ID
	dating  adapter.Dating // how records are dated; zero in a native feed
	dater   bool           // the system says so itself, and may leave records undated
	dates   dates
	days    days                 // of a model that is dated by days, instead of dates
	told    map[adapter.ID]int64 // when a record changed that was told, in Unix seconds; as far back as polls look
	known   map[adapter.ID]bool  // ids that exist; nil where there are too many
	gone    map[adapter.ID]time.Time
	held    map[adapter.ID]dated     // that were met and not told, and when by our clock
	undated map[adapter.ID]time.Time // that are there and were not met, and since when
	swept   time.Time                // of our clock: when ids were last compared one by one
	whole   time.Time                // of our clock: when a poll last looked at all that may have changed
	recent  map[adapter.ID]state     // of a native feed: what was told of late

	marks sync.Map // mark -> time.Time: changes that the caller made himself
}

// Operations of a FeedChange.
const (
	FeedCreate = "create"
	FeedWrite  = "write"
	FeedUnlink = "unlink"
)

// FeedChange is one record that was created, changed or deleted.
type FeedChange struct {
	ID        adapter.ID
	Operation string
	// At is when the system dates it, in Unix seconds; 0 where that is not
	// known, as of deletions.
	At int64
	// Version tells this state of the record from others of the same date; ""
	// where there are none.
	Version string
}

// FeedPage is what a poll found.
type FeedPage struct {
	Changes []FeedChange
	// Pending says that there are changes whose second is not over: ask again
	// in a second.
	Pending bool
	// Begun says that the feed has begun: whatever changes from now on is told.
	Begun bool
	// Lost says that more changed than a feed follows: read everything again.
	Lost bool
}

const (
	// feedOverlap is how far polls look back: a transaction is dated by its
	// beginning, and seen when it has ended. Every feedFarEvery one looks as far
	// back as feedFar, if no more than feedFarMost records changed since.
	feedOverlap  = 30 * time.Second
	feedFar      = 15 * time.Minute // unless the system says how far
	feedFarEvery = 30 * time.Second
	feedFarMost  = 20_000
	// feedFuture is by how much a date must be later than the system says it is
	// for a record to be one of the future.
	feedFuture = 5 * time.Minute
	// feedMost is how many changes one poll reads, and feedTracked how many
	// records a model may have for their deletions to be noticed.
	feedMost    = 5_000
	feedTracked = 100_000
	// feedRecheck is how long a number of records that is as expected stands for
	// the records themselves, where that saves calls.
	feedRecheck = 15 * time.Minute
	// feedMarks is how long a change of the caller's own is expected.
	feedMarks = time.Minute
)

// FeedOptions say how a feed behaves.
type FeedOptions struct {
	// Now is the clock by which answers are dated; nil is this machine's, as it
	// was when the feed was made: nobody puts it forward or back.
	Now func() time.Time
}

// Feed returns a feed of a model, which begins with its first Poll.
func (s *System) Feed(model string, o FeedOptions) (*Feed, error) {
	if s.universal != nil {
		return nil, adapter.Errorf(adapter.Unsupported, "changes are followed in the system's own words")
	}
	if err := checkModel(model); err != nil {
		return nil, err
	}
	if o.Now == nil {
		made := time.Now()
		o.Now = func() time.Time { return made.Add(time.Since(made)) }
	}
	// Archived records are there too.
	scope := s.caller.Scope
	scope.Values = map[string]any{"active_test": false}
	return &Feed{
		system: s.WithScope(scope), model: model, now: o.Now,
		told: map[adapter.ID]int64{}, gone: map[adapter.ID]time.Time{}, undated: map[adapter.ID]time.Time{},
	}, nil
}

// MayRead refuses a model that the caller's roles don't allow to read.
func (s *System) MayRead(ctx context.Context, model string) error {
	_, err := s.ownModel(ctx, model, "search_read")
	return err
}

// MayWrite refuses a model that the caller's roles don't allow to write.
func (s *System) MayWrite(ctx context.Context, model string) error {
	_, err := s.ownModel(ctx, model, "write")
	return err
}

// OwnModel is what the system itself calls a model of the caller's vocabulary:
// "res.partner" for the universal "contact". It refuses a model that the
// caller's roles don't allow to read. In the universal vocabulary the system is
// dialled if need be.
func (s *System) OwnModel(ctx context.Context, model string) (string, error) {
	return s.ownModel(ctx, model, "search_read")
}

func (s *System) ownModel(ctx context.Context, model, method string) (string, error) {
	if s.universal == nil {
		return model, s.may(ctx, model, method)
	}
	t, err := s.topic(ctx, model, method)
	if err != nil {
		return "", err
	}
	return t.plan.SystemModel(), nil
}

// mark is a change that is expected.
type mark struct {
	id      adapter.ID
	deleted bool
}

// Mark says that the caller knows of a change of these records: it was made
// through the bridge, and is not told again. A change of the same record that
// somebody else made is told, unless it bears the name of the bridge's own user
// and came before the next poll.
func (f *Feed) Mark(operation string, ids []adapter.ID) {
	at := f.now()
	for _, id := range ids {
		f.marks.Store(mark{id, operation == FeedUnlink}, at)
	}
}

// marked reports whether a change of the record is the caller's own, once.
func (f *Feed) marked(id adapter.ID, deleted bool) bool {
	at, ok := f.marks.LoadAndDelete(mark{id, deleted})
	return ok && f.now().Sub(at.(time.Time)) < feedMarks
}

// Poll returns what was created and changed since the poll before. The first
// one returns nothing: the feed begins there, or with the second one, a second
// later: see [FeedPage.Begun].
func (f *Feed) Poll(ctx context.Context) (FeedPage, error) {
	if err := f.system.MayRead(ctx, f.model); err != nil {
		return FeedPage{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.begun {
		if err := f.begin(ctx); err != nil || !f.begun {
			return FeedPage{Pending: err == nil}, err
		}
	}
	page, err := f.poll(ctx)
	if err != nil {
		return FeedPage{}, err
	}
	if page.Begun = f.begun; page.Begun {
		page.Lost, f.lost = f.lost, false
	}
	f.stale(ctx, page.Changes)
	return page, nil
}

// Sweep returns what was deleted since the sweep before. Where the model has
// too many records, and on systems that tell deletions with their changes, it
// returns nothing.
func (f *Feed) Sweep(ctx context.Context) ([]FeedChange, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.begun || f.known == nil {
		return nil, nil
	}
	asExpected, err := f.counted(ctx)
	if err != nil {
		return nil, err
	}
	var changes []FeedChange
	if !asExpected {
		ids, err := f.ids(ctx)
		if err != nil {
			return nil, err
		}
		changes = f.compare(ids)
	}
	changes = append(changes, f.missing()...)
	f.stale(ctx, changes)
	return changes, nil
}

// counted reports whether there are as many records as are known, which stands
// for the records themselves for a while where it takes many calls to read their
// ids.
func (f *Feed) counted(ctx context.Context) (asExpected bool, err error) {
	now := f.now()
	if !f.dater || now.Sub(f.swept) >= feedRecheck {
		f.swept = now
		return false, nil
	}
	err = f.ask(ctx, func(ctx context.Context, a adapter.Adapter) error {
		n, err := adapter.Count(ctx, a, f.model, nil)
		asExpected = n == int64(len(f.known)-len(f.gone))
		return err
	})
	return asExpected, err
}

// compare finds what is gone, and what came without a date where records may have
// none: that is told when a whole look did not meet it.
func (f *Feed) compare(ids []adapter.ID) (changes []FeedChange) {
	there := make(map[adapter.ID]bool, len(ids))
	for _, id := range ids {
		there[id] = true
	}
	for id := range f.known {
		if _, waits := f.gone[id]; !there[id] && !waits {
			f.gone[id] = f.now()
		}
	}
	if !f.dater {
		return nil
	}
	for id := range f.undated {
		if !there[id] {
			delete(f.undated, id)
		}
	}
	for _, id := range ids {
		_, held := f.held[id]
		_, untold := f.days.untold[id]
		since, noticed := f.undated[id]
		switch {
		case f.known[id] || held || untold:
			delete(f.undated, id)
		case !noticed:
			f.undated[id] = f.now()
		case f.whole.After(since):
			delete(f.undated, id)
			f.known[id] = true
			if !f.marked(id, false) {
				changes = append(changes, FeedChange{ID: id, Operation: FeedCreate})
			}
		}
	}
	return changes
}

// Tracked reports whether deletions are noticed.
func (f *Feed) Tracked() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.native || f.known != nil
}

// missing are the records whose absence was noticed a second ago: by then it
// is known which were deleted by the caller.
func (f *Feed) missing() []FeedChange {
	var changes []FeedChange
	for id, at := range f.gone {
		if f.now().Sub(at) < time.Second {
			continue
		}
		delete(f.gone, id)
		delete(f.known, id)
		delete(f.told, id)
		if !f.marked(id, true) {
			changes = append(changes, FeedChange{ID: id, Operation: FeedUnlink})
		}
	}
	return changes
}

// stale sees to it that nothing from before the changes is served.
func (f *Feed) stale(ctx context.Context, changes []FeedChange) {
	if len(changes) == 0 {
		return
	}
	s := f.system
	var subjects []cache.Subject
	for _, name := range s.names(f.model) {
		for _, m := range touched(s.Kind(), name, FeedWrite) {
			subjects = append(subjects, s.subject(m))
		}
	}
	s.bridge.config.Cache.Bump(ctx, subjects...)
}

// ask makes one call of the feed's.
func (f *Feed) ask(ctx context.Context, run func(context.Context, adapter.Adapter) error) error {
	s := f.system
	return s.do(s.scoped(ctx, &s.caller.Scope), work{operation: "feed", model: f.model, run: run})
}

// begin begins, in two steps where changes are known by their dates: what bears
// the same date when it is read again a second later bears it for good.
func (f *Feed) begin(ctx context.Context) error {
	if !f.first.IsZero() {
		return f.beginAgain(ctx)
	}
	err := f.ask(ctx, func(ctx context.Context, a adapter.Adapter) error {
		f.own = a.Info().UserID
		f.dating = adapter.Dating{Fields: []string{writeDate}, Step: time.Second, Lag: feedFar}
		d, able := a.(adapter.Dater)
		if f.dater = able; able {
			var err error
			f.dating, err = d.Dating(ctx, f.model)
			return err
		}
		page, err := adapter.Changes(ctx, a, adapter.ChangeQuery{Model: f.model})
		f.native, f.cursor = err == nil, page.Next
		if adapter.CodeOf(err) == adapter.Unsupported {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if f.native {
		return f.beginNative(ctx)
	}
	// The ids first: what is created meanwhile is then told as new.
	if err = f.track(ctx); err != nil {
		return err
	}
	if f.byDays() {
		return f.ask(ctx, f.beginDays)
	}
	return f.ask(ctx, f.beginDates)
}

// beginAgain is the second step of the beginning.
func (f *Feed) beginAgain(ctx context.Context) error {
	sent := f.now()
	if sent.Sub(f.first) < time.Second {
		return nil
	}
	return f.ask(ctx, func(ctx context.Context, a adapter.Adapter) error {
		rows, err := f.changedSince(ctx, a, f.dates.floor, feedFarMost)
		if err != nil {
			return err
		}
		before := f.told
		f.told = map[adapter.ID]int64{}
		for _, r := range rows {
			if at := r.at.Unix(); before[r.id] == at {
				f.told[r.id] = at
			}
		}
		f.begun, f.first = true, time.Time{}
		return nil
	})
}

// beginDates finds the moment from which changes are told.
func (f *Feed) beginDates(ctx context.Context, a adapter.Adapter) error {
	sent := f.now()
	last, err := f.newestPast(ctx, a)
	if err != nil {
		return err
	}
	rows, err := f.beginAfter(ctx, a, last, sent)
	if err != nil {
		return err
	}
	clear(f.told)
	for _, r := range rows {
		f.told[r.id] = r.at.Unix()
	}
	f.far, f.first = sent, f.now()
	return nil
}

// beginAfter sets the dates for a feed of a model that changed last at a
// moment, and returns what changed of late: as far back as the changes are few
// enough.
func (f *Feed) beginAfter(ctx context.Context, a adapter.Adapter, last, sent time.Time) ([]dated, error) {
	f.dates = dates{}
	if last.IsZero() {
		return f.changedSince(ctx, a, time.Time{}, feedMost)
	}
	f.dates.learn(last, sent)
	f.dates.horizon = last
	f.dates.floor = last.Add(-f.dating.Lag)
	rows, err := f.changedSince(ctx, a, f.dates.floor, feedFarMost)
	if err == nil && len(rows) > feedFarMost {
		f.dates.floor = last.Add(-feedOverlap)
		rows, err = f.changedSince(ctx, a, f.dates.floor, feedFarMost)
	}
	return rows, err
}

// newestPast is the date of the last change that is not one of the future, zero
// where there is none.
func (f *Feed) newestPast(ctx context.Context, a adapter.Adapter) (time.Time, error) {
	var last time.Time
	for _, field := range f.dating.Fields {
		at, err := f.newest(ctx, a, field, nil)
		if err != nil {
			return time.Time{}, err
		}
		if limit := f.future(a); !limit.IsZero() && at.After(limit) {
			// Either the system's clock is ahead of who answers for it, or it once
			// was, and left records that are dated in the future. In the second
			// case changes would not be seen for as long.
			past := adapter.Cond{Field: field, Op: adapter.LessEq, Value: dateText(f.dating, limit)}
			if at, err = f.newest(ctx, a, field, past); err != nil {
				return time.Time{}, err
			}
		}
		if at.After(last) {
			last = at
		}
	}
	return last, nil
}

// newest is the last date that a field bears, zero where there is none.
func (f *Feed) newest(ctx context.Context, a adapter.Adapter, field string, among adapter.Filter) (time.Time, error) {
	if f.dater { // what is empty may come first
		set := adapter.Cond{Field: field, Op: adapter.NotEqual, Value: false}
		if among == nil {
			among = set
		} else {
			among = adapter.And{set, among}
		}
	}
	page, err := a.Query(ctx, adapter.Query{
		Model: f.model, Fields: []string{field}, Filter: among, Order: []adapter.Order{{Field: field, Desc: true}}, Limit: 1,
	})
	if err != nil || len(page.Records) == 0 {
		return time.Time{}, err
	}
	return page.Records[0].Time(field).Truncate(time.Second), nil
}

// track learns which records there are.
func (f *Feed) track(ctx context.Context) error {
	f.known = nil
	f.held, f.swept = nil, f.now()
	clear(f.gone)
	clear(f.undated)
	n, err := f.system.Count(ctx, f.model, nil)
	if err != nil || n > feedTracked {
		return err
	}
	ids, err := f.ids(ctx)
	if err != nil {
		return err
	}
	f.known = make(map[adapter.ID]bool, len(ids))
	for _, id := range ids {
		f.known[id] = true
	}
	return nil
}

func (f *Feed) ids(ctx context.Context) (ids []adapter.ID, err error) {
	err = f.ask(ctx, func(ctx context.Context, a adapter.Adapter) error {
		ids, err = adapter.SearchIDs(ctx, a, adapter.Query{Model: f.model, Order: []adapter.Order{{Field: "id"}}})
		return err
	})
	return ids, err
}

func (f *Feed) poll(ctx context.Context) (FeedPage, error) {
	switch {
	case f.native:
		return f.pollNative(ctx)
	case f.byDays():
		return f.pollDays(ctx)
	}
	sent := f.now()
	var rows []dated
	var limit time.Time
	many := false
	err := f.ask(ctx, func(ctx context.Context, a adapter.Adapter) (err error) {
		defer func() { limit = f.future(a) }()
		if sent.Sub(f.far) >= feedFarEvery {
			f.far = sent
			if rows, err = f.changedSince(ctx, a, f.dates.from(f.dating.Lag), feedFarMost); err != nil {
				return err
			}
			if len(rows) <= feedFarMost {
				f.whole = sent
				return nil
			}
		}
		rows, err = f.changedSince(ctx, a, f.dates.from(feedOverlap), feedMost)
		many = len(rows) > feedMost
		return err
	})
	switch {
	case err != nil:
		return FeedPage{}, err
	case many:
		return f.overrun(ctx)
	}
	got := f.now()
	for _, r := range rows {
		// What was there before the feed may be dated in the future.
		if f.told[r.id] != r.at.Unix() && f.dates.believes(r.at, got, limit) {
			f.dates.learn(r.at, got)
		}
	}
	held := f.held
	f.held = map[adapter.ID]dated{}
	page := FeedPage{Changes: f.missing(), Pending: len(f.gone) > 0}
	for _, r := range rows {
		if f.told[r.id] == r.at.Unix() {
			continue
		}
		// What was met a second ago is over too, whatever the clocks.
		before, met := held[r.id]
		if met = met && before.at.Equal(r.at); met {
			r.met = before.met
		} else {
			r.met = got
		}
		if !f.dates.settled(r.at, sent) && sent.Sub(r.met) < time.Second {
			f.held[r.id] = r
			page.Pending = true
			continue
		}
		f.told[r.id] = r.at.Unix()
		operation := f.operationOf(r.id, r.created.After(f.dates.horizon))
		if f.marked(r.id, false) && (f.own.IsZero() || r.by.IsZero() || r.by == f.own) {
			continue
		}
		page.Changes = append(page.Changes, FeedChange{ID: r.id, Operation: operation, At: r.at.Unix()})
	}
	f.dates.advance(sent)
	f.forget()
	return page, nil
}

// overrun begins anew: more changed than is followed, which is told once it has
// begun.
func (f *Feed) overrun(ctx context.Context) (FeedPage, error) {
	f.lost, f.begun, f.first = true, false, time.Time{}
	return FeedPage{Pending: true}, f.begin(ctx)
}

// operationOf tells a new record from one that was changed.
func (f *Feed) operationOf(id adapter.ID, isNew bool) string {
	if f.known != nil {
		isNew = !f.known[id]
		f.known[id] = true
		delete(f.gone, id)
	}
	if isNew {
		return FeedCreate
	}
	return FeedWrite
}

// forget drops what no poll will meet again.
func (f *Feed) forget() {
	for id, at := range f.told {
		if at < f.dates.from(f.dating.Lag).Unix() {
			delete(f.told, id)
		}
	}
	f.marks.Range(func(m, at any) bool {
		if f.now().Sub(at.(time.Time)) >= feedMarks {
			f.marks.Delete(m)
		}
		return true
	})
}

// beginNative reads what a system tells of before the beginning, since it looks
// back itself.
func (f *Feed) beginNative(ctx context.Context) error {
	f.recent = map[adapter.ID]state{}
	for more := true; more; {
		found, err := f.changesNext(ctx)
		if err != nil {
			return err
		}
		f.news(found)
		more = found.More
	}
	f.begun = true
	return nil
}

func (f *Feed) changesNext(ctx context.Context) (found adapter.ChangePage, err error) {
	err = f.ask(ctx, func(ctx context.Context, a adapter.Adapter) error {
		found, err = adapter.Changes(ctx, a, adapter.ChangeQuery{Model: f.model, Cursor: f.cursor, Limit: feedMost})
		return err
	})
	if err == nil {
		f.cursor = found.Next
	}
	return found, err
}

// news takes in changes that a system told, and returns those that it did not
// tell before as they are.
func (f *Feed) news(found adapter.ChangePage) (changes []FeedChange) {
	var last time.Time
	for _, c := range found.Changes {
		now := state{at: c.At, version: versionOf(c.Record)}
		if before, told := f.recent[c.ID]; told && before == now && !c.At.IsZero() {
			continue
		}
		f.recent[c.ID] = now
		if c.At.After(last) {
			last = c.At
		}
		operation := FeedWrite
		if c.Deleted {
			operation = FeedUnlink
		}
		ch := FeedChange{ID: c.ID, Operation: operation}
		if !c.At.IsZero() {
			ch.At, ch.Version = c.At.Unix(), now.version
		}
		changes = append(changes, ch)
	}
	for id, s := range f.recent {
		if s.at.Before(last.Add(-changesNative)) {
			delete(f.recent, id)
		}
	}
	return changes
}

func (f *Feed) pollNative(ctx context.Context) (FeedPage, error) {
	found, err := f.changesNext(ctx)
	if adapter.CodeOf(err) == adapter.PreconditionFailed {
		return f.overrun(ctx)
	}
	if err != nil {
		return FeedPage{}, err
	}
	changes := slices.DeleteFunc(f.news(found), func(ch FeedChange) bool { return f.marked(ch.ID, ch.Operation == FeedUnlink) })
	return FeedPage{Changes: changes, Pending: found.More}, nil
}

// dated is a record with the time of its last change.
type dated struct {
	id, by      adapter.ID
	at, created time.Time
	met         time.Time // of our clock: when it was first read so
}

// changedSince reads the records that changed at a moment or later, by id, so
// that what changes meanwhile hides nothing. It gives up behind most.
func (f *Feed) changedSince(ctx context.Context, a adapter.Adapter, low time.Time, most int) ([]dated, error) {
	q := adapter.Query{Model: f.model, Fields: f.dating.Fields, Limit: most + 1}
	if !f.dater {
		q.Fields = []string{writeDate, "write_uid", "create_date"}
	}
	if !low.IsZero() {
		q.Filter = datedSince(f.dating, low)
	}
	var rows []dated
	for r, err := range adapter.All(ctx, a, q) {
		if err != nil {
			return nil, err
		}
		row := dated{id: r.ID(), at: dateOf(f.dating, r).Truncate(time.Second), created: r.Time("create_date")}
		if by, ok := r.Ref("write_uid"); ok {
			row.by = by.ID
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// dates is what a feed knows of the system's clock. A date that was read is
// one that the clock had reached, which bounds it from below.
type dates struct {
	ahead   time.Duration // by how much the system's clock is ahead of ours, at least
	learned bool
	claim   struct{ at, got time.Time } // of a date that was not believed
	floor   time.Time                   // before it nothing is known
	horizon time.Time                   // everything up to there was told
}

// from is the moment from which to look.
func (d *dates) from(overlap time.Duration) time.Time {
	if d.horizon.IsZero() || d.horizon.Add(-overlap).Before(d.floor) {
		return d.floor
	}
	return d.horizon.Add(-overlap)
}

// believes reports whether a date that was read by a moment of our clock is one
// that the system's clock has reached. One beyond the limit, where who answers
// for the system says it is not, may be of a day on which a clock was wrong. It
// is believed when a later one comes that is as much later: a clock is running
// there.
func (d *dates) believes(at, got, limit time.Time) bool {
	if limit.IsZero() || !at.After(limit) || d.learned && at.Sub(got) <= d.ahead+feedFuture {
		return true
	}
	before := d.claim
	if at.Equal(before.at) {
		return false
	}
	if d.claim.at, d.claim.got = at, got; before.at.IsZero() || !at.After(before.at) || got.Sub(before.got) < time.Second {
		return false
	}
	return (at.Sub(before.at) - got.Sub(before.got)).Abs() < time.Minute
}

// learn takes in a date that was read by a moment of our clock.
func (d *dates) learn(at, got time.Time) {
	if ahead := at.Sub(got); !d.learned || ahead > d.ahead {
		d.ahead, d.learned = ahead, true
	}
}

// settled reports whether the second of a date was over when a question was
// sent: nothing else will bear it.
func (d *dates) settled(at, sent time.Time) bool {
	return d.learned && !sent.Add(d.ahead).Before(at.Truncate(time.Second).Add(time.Second))
}

// advance moves on to what a poll has covered.
func (d *dates) advance(sent time.Time) {
	if !d.learned {
		return
	}
	if horizon := sent.Add(d.ahead).Truncate(time.Second).Add(-time.Second); horizon.After(d.horizon) {
		d.horizon = horizon
	}
}

// Waits reports whether something was noticed that is told a second later.
func (f *Feed) Waits() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.gone) > 0
}
