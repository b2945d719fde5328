package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// BatchMark is what is noted of an item of a batch before it is tried, so that
// somebody who finds it broken off can tell whether it was done.
type BatchMark struct {
	// Newest is the newest record of the model then, of a creation on a system
	// that numbers its records; zero where there was none.
	Newest adapter.ID `json:"newest,omitzero"`
	// Numbered says that Newest was asked for.
	Numbered bool `json:"numbered,omitempty"`
	// By is the field by whose text a creation is looked for on any other
	// system, "" for none.
	By string `json:"by,omitempty"`
	// Others are records that are known not to be of this creation: those that
	// had that text before, and, for whoever settles only a part of the items
	// that were tried, those that the others made. Add the latter.
	Others []adapter.ID `json:"others,omitempty"`
}

// place is a model of a system.
type place struct {
	system *System
	model  string
}

// MarkBatch notes what [SettleBatch] needs of items that are about to be tried.
// Keep it somewhere durable first.
func MarkBatch(ctx context.Context, items []BatchItem) ([]BatchMark, error) {
	known := map[place]BatchMark{}
	other := map[place][]int{}
	marks := make([]BatchMark, len(items))
	for i := range items {
		item := &items[i]
		if item.Action != BatchCreate {
			continue
		}
		at := place{item.System, item.Model}
		if !item.System.numbered() {
			other[at] = append(other[at], i)
			continue
		}
		m, seen := known[at]
		if !seen {
			id, err := item.System.newest(ctx, item.Model)
			switch {
			case err == nil:
				m = BatchMark{Newest: id, Numbered: true}
			case adapter.Retryable(err, false) || ctx.Err() != nil:
				return nil, err
			}
			// A model that can't be asked is not numbered. If the item is wrong,
			// it will say so itself.
			known[at] = m
		}
		marks[i] = m
	}
	for at, which := range other {
		if err := at.system.markAlike(ctx, items, which, marks); err != nil && (adapter.Retryable(err, false) || ctx.Err() != nil) {
			return nil, err
		}
	}
	return marks, nil
}

// Settled is what is known of an item of a batch that was broken off.
type Settled struct {
	// Known says that Result is what became of the item. Otherwise it was not
	// done, or may be done again without harm.
	Known  bool
	Result BatchResult
}

// SettleBatch finds out what became of items that were about to be tried, or
// being tried, when the process ended. marks are what MarkBatch noted of them.
// Call it only when the system can't be working on the request any more.
//
// What changes nothing may be done again, and so may a deletion, and a change or an
// upsert of plain values; whoever repeats a deletion takes ErrNotFound for success.
//
// A creation is looked for by the values that were sent. On Odoo, which numbers
// its records, among all that are newer than the mark; elsewhere, and in
// universal words, among those that have the text of one field (the mark's By)
// and did not before. A record that agrees in all that it can be told by is the
// one: identical items get one each, and records that were there before are
// never taken. Where there is none, and none that could be it, the item was not
// done. So a creation happens exactly once as long as nobody makes an identical
// record at the same time, which can't be told from ours.
//
// In doubt the outcome is ErrUnknownOutcome, and the item is not done again (at
// most once): where a new record agrees in the texts and not in the rest, or in
// some text that no other item has, as after the system or a colleague changed
// it; on Odoo, also where somebody has changed a new record that another made;
// where there is no text to tell a record by, or there are too many to look
// through; and for every operation that changes something and is none of these.
// A creation is done twice in one case: all texts of the new record, or the one
// that it is looked for by, were changed by the same login before anybody
// looked.
func SettleBatch(ctx context.Context, items []BatchItem, marks []BatchMark) ([]Settled, error) {
	out := make([]Settled, len(items))
	sifts := map[siftKey]*sift{}
	of := make([]*sift, len(items))
	for i := range items {
		item := &items[i]
		if item.Action != BatchCreate || i >= len(marks) || !marks[i].Numbered && marks[i].By == "" || marks[i].Numbered && !item.System.numbered() {
			continue
		}
		key := siftKey{item.System, item.Model, marks[i].Newest, marks[i].By}
		s := sifts[key]
		if s == nil {
			s = &sift{taken: map[adapter.ID]bool{}}
			sifts[key] = s
		}
		for _, id := range marks[i].Others {
			s.taken[id] = true
		}
		s.values, of[i] = append(s.values, item.Values), s
	}
	for key, s := range sifts {
		if err := s.run(ctx, key); err != nil {
			return nil, err
		}
	}
	for i := range items {
		if s := of[i]; s != nil {
			if id := s.same(items[i].Values); !id.IsZero() {
				out[i] = Settled{true, BatchResult{ID: id}}
			}
		}
	}
	for i := range items {
		item := &items[i]
		switch {
		case out[i].Known,
			item.Action == BatchRead, item.Action == BatchDelete, (item.Action == BatchUpdate || item.Action == BatchUpsert) && repeatable(item.Values), item.Action == BatchOperation && !changing(item),
			of[i] != nil && of[i].surelyNone(item.Values),
			item.Action == BatchCreate && item.System.lacks(ctx, item.Model, item.Values):
			continue
		}
		out[i] = doubtfulItem()
	}
	return out, nil
}

// lacks reports whether a creation was refused in any case: there is no such
// field. In universal words such fields are left out instead.
func (s *System) lacks(ctx context.Context, model string, values adapter.Record) bool {
	if s.universal != nil {
		return false
	}
	described, err := s.schema(ctx, model)
	if err != nil {
		return false
	}
	for name := range values {
		if _, known := described.Fields[name]; !known {
			return true
		}
	}
	return false
}

func doubtfulItem() Settled {
	return Settled{true, BatchResult{Err: &adapter.Error{
		Code: adapter.UnknownOutcome, Message: "the server was stopped or the connection broken while this was being done: it may have happened; look before you repeat it",
	}}}
}

// changing reports whether an operation may change something.
func changing(item *BatchItem) bool {
	for i := range operations {
		if operations[i].name == item.Operation {
			return operations[i].kind != reads && operations[i].kind != schema
		}
	}
	return true
}

// repeatable reports whether values may be written twice: they hold no commands
// that add something.
func repeatable(values adapter.Record) bool {
	for _, v := range values {
		switch v.(type) {
		case []any, map[string]any, json.RawMessage:
			return false
		}
	}
	return true
}

// numbered reports whether a record's id is greater than those of all records
// that were made before it, in words that can be asked for it.
func (s *System) numbered() bool { return s.universal == nil && s.Kind() == "odoo" }

// newest is the id of the newest record of a model, past the cache.
func (s *System) newest(ctx context.Context, model string) (adapter.ID, error) {
	found, err := s.since(ctx, model, nil, adapter.Query{Fields: []string{"id"}, Order: []adapter.Order{{Field: "id", Desc: true}}, Limit: 1})
	if err != nil || len(found) == 0 {
		return adapter.ID{}, err
	}
	return found[0].ID(), nil
}

func (s *System) since(ctx context.Context, model string, filter adapter.Filter, q adapter.Query) ([]adapter.Record, error) {
	if err := s.may(ctx, model, "search_read"); err != nil {
		return nil, err
	}
	scope := *s.strict()
	// Archived records are records too.
	values := map[string]any{"active_test": false}
	for name, v := range scope.Values {
		values[name] = v
	}
	scope.Values = values
	q.Model, q.Filter = model, filter
	var found []adapter.Record
	err := s.do(s.scoped(ctx, &scope), work{operation: "query", model: model, run: func(ctx context.Context, a adapter.Adapter) error {
		page, err := a.Query(ctx, q)
		found = page.Records
		return err
	}})
	return found, err
}

func newerThan(id adapter.ID) adapter.Filter {
	if id.IsZero() {
		return nil
	}
	return adapter.Cond{Field: "id", Op: adapter.Greater, Value: id.Value()}
}

// How many new records are looked through for those that were made, and how
// many at a time.
const (
	maxSince  = 50_000
	sincePage = 1000
)

// maxAlike is how many records with the texts of a few creations are looked
// through.
const maxAlike = 1000

// markAlike marks creations on a model of a system that does not number its
// records.
func (s *System) markAlike(ctx context.Context, items []BatchItem, which []int, marks []BatchMark) error {
	values := make([]adapter.Record, len(which))
	for i, at := range which {
		values[i] = items[at].Values
	}
	model := items[which[0]].Model
	by, err := s.tellingField(ctx, model, values)
	if err != nil || by == "" {
		return err
	}
	found, whole, err := s.alike(ctx, model, by, values, []string{by})
	if err != nil || !whole {
		return err
	}
	for i, at := range which {
		text := tidied(values[i][by])
		if text == "" {
			continue
		}
		marks[at].By = by
		for _, r := range found {
			if strings.EqualFold(tidied(r[by]), text) {
				marks[at].Others = append(marks[at].Others, r.ID())
			}
		}
	}
	return nil
}

// tellingField is the field whose texts tell records apart best, "" if there is
// none that can be asked for.
func (s *System) tellingField(ctx context.Context, model string, values []adapter.Record) (string, error) {
	askable := func(name string) bool { return name == "name" } // every universal model has it in some way
	if s.universal == nil {
		described, err := s.schema(ctx, model)
		if err != nil {
			return "", err
		}
		askable = func(name string) bool {
			f := described.Fields[name]
			return f.Type == adapter.Char && f.Searchable && f.Stored
		}
	}
	texts := map[string]map[string]bool{}
	for _, v := range values {
		for name := range v {
			if text, is := v[name].(string); is && text != "" && askable(name) {
				if texts[name] == nil {
					texts[name] = map[string]bool{}
				}
				texts[name][text] = true
			}
		}
	}
	best, named := "", false
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		// Among equals a name: it is not changed as lightly as an address.
		is := strings.Contains(strings.ToLower(name), "name")
		if len(texts[name]) > len(texts[best]) || len(texts[name]) == len(texts[best]) && is && !named {
			best, named = name, is
		}
	}
	return best, nil
}

// alike reads the records that have one of the texts which values give a field.
func (s *System) alike(ctx context.Context, model, by string, values []adapter.Record, fields []string) (found []adapter.Record, whole bool, err error) {
	var texts []any
	for _, v := range values {
		for _, text := range []string{v.String(by), tidied(v[by])} {
			if text != "" && !slices.Contains(texts, any(text)) {
				texts = append(texts, text)
			}
		}
	}
	filter := adapter.Cond{Field: by, Op: adapter.In, Value: texts}
	q := adapter.Query{Model: model, Fields: fields, Limit: maxAlike}
	if s.universal == nil {
		found, err = s.since(ctx, model, filter, q)
		return found, len(found) < maxAlike, err
	}
	q.Filter = filter
	answer, err := s.Read(ctx, Reading{Query: q})
	if err == nil {
		err = adapter.DecodeJSON(answer.Result, &found)
	}
	return found, len(found) < maxAlike, err
}

// sift looks for records with certain values among those that are newer than
// an id, or have one of their texts.
type sift struct {
	values []adapter.Record    // wanted
	taken  map[adapter.ID]bool // found, or known to be others
	schema *adapter.Schema     // of the model; nil in universal words
	found  []adapter.Record    // that may be them
	whole  bool                // found are all there are
}

type siftKey struct {
	system *System
	model  string
	newest adapter.ID
	by     string // "" looks among the newer ones
}

// run reads the records. A model that can't be asked leaves everything in
// doubt; only what may go better later is an error.
func (s *sift) run(ctx context.Context, key siftKey) error {
	err := s.read(ctx, key)
	if err != nil && !adapter.Retryable(err, false) && ctx.Err() == nil {
		s.whole = false
		return nil
	}
	return err
}

// Who made and changed a record, on Odoo.
const (
	creator = "create_uid"
	changer = "write_uid"
)

func (s *sift) read(ctx context.Context, key siftKey) (err error) {
	if key.system.universal == nil {
		if s.schema, err = key.system.schema(ctx, key.model); err != nil {
			return err
		}
	}
	var fields []string
	for _, values := range s.values {
		own, _ := s.telling(values)
		for _, name := range own {
			if !slices.Contains(fields, name) {
				fields = append(fields, name)
			}
		}
	}
	slices.Sort(fields)
	if key.by != "" {
		s.found, s.whole, err = key.system.alike(ctx, key.model, key.by, s.values, fields)
		return err
	}
	for _, name := range []string{creator, changer} {
		if _, known := s.schema.Fields[name]; known && !slices.Contains(fields, name) {
			fields = append(fields, name)
		}
	}
	for last := key.newest; len(s.found) < maxSince; last = s.found[len(s.found)-1].ID() {
		page, err := key.system.since(ctx, key.model, newerThan(last), adapter.Query{Fields: fields, Order: []adapter.Order{{Field: "id"}}, Limit: sincePage})
		if err != nil {
			return err
		}
		s.found = append(s.found, page...)
		if len(page) < sincePage {
			s.whole = true
			return nil
		}
	}
	return nil
}

// telling are the fields by which a record with the values can be told, and
// whether they are enough.
func (s *sift) telling(values adapter.Record) (fields []string, enough bool) {
	for name := range values {
		switch s.kind(name, values[name]) {
		case adapter.Char, adapter.Text:
			enough = enough || !adapter.IsEmpty(values[name])
			fields = append(fields, name)
		case adapter.Many2One, adapter.Integer, adapter.Float, adapter.Monetary, adapter.Boolean, adapter.Selection, adapter.Date, adapter.DateTime:
			fields = append(fields, name)
		}
	}
	return fields, enough
}

// kind is the type of a field, "" for none that counts. In universal words
// texts alone do.
func (s *sift) kind(name string, value any) adapter.FieldType {
	if s.schema != nil {
		return s.schema.Fields[name].Type
	}
	if _, text := value.(string); text {
		return adapter.Char
	}
	return ""
}

// same takes a record that agrees with the values.
func (s *sift) same(values adapter.Record) adapter.ID {
	fields, enough := s.telling(values)
	if !enough {
		return adapter.ID{}
	}
	for _, r := range s.found {
		if !s.taken[r.ID()] && s.agrees(fields, values, r) {
			s.taken[r.ID()] = true
			return r.ID()
		}
	}
	return adapter.ID{}
}

// surelyNone reports whether no record can have been made of values with which
// none agrees. Ask when all that agree are taken.
func (s *sift) surelyNone(values adapter.Record) bool {
	_, enough := s.telling(values)
	return enough && s.whole && !slices.ContainsFunc(s.found, func(r adapter.Record) bool {
		return !s.taken[r.ID()] && (s.changed(r) || s.near(values, r))
	})
}

// changed reports whether somebody changed a record that another made.
func (s *sift) changed(r adapter.Record) bool {
	by, _ := adapter.IDOf(r[changer])
	made, _ := adapter.IDOf(r[creator])
	return !by.IsZero() && !made.IsZero() && by != made
}

// near reports whether a record that does not agree with the values may have
// been made of them all the same: it has all their texts, or one that belongs
// to no other values.
func (s *sift) near(values, r adapter.Record) bool {
	all := true
	for name, v := range values {
		kind := s.kind(name, v)
		if kind != adapter.Char && kind != adapter.Text || adapter.IsEmpty(v) {
			continue
		}
		if !strings.EqualFold(tidied(v), tidied(r[name])) {
			all = false
			continue
		}
		have := 0
		for _, other := range s.values {
			if strings.EqualFold(tidied(other[name]), tidied(v)) {
				have++
			}
		}
		if have <= 1 {
			return true
		}
	}
	return all
}

// agrees compares texts without what systems tidy up.
func (s *sift) agrees(fields []string, written, read adapter.Record) bool {
	for _, name := range fields {
		kind := s.kind(name, written[name])
		if kind == adapter.Char || kind == adapter.Text {
			if !strings.EqualFold(tidied(written[name]), tidied(read[name])) {
				return false
			}
			continue
		}
		if !sameValue(kind, written[name], read[name]) {
			return false
		}
	}
	return true
}

func tidied(v any) string {
	if adapter.IsEmpty(v) {
		return ""
	}
	return strings.Join(strings.Fields(fmt.Sprint(v)), " ")
}
