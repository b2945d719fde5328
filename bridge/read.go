package bridge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// How many records System.Read returns.
const (
	DefaultReadLimit = 80
	MaxReadLimit     = 1000
)

// Reading is a question for [System.Read]. The filter may be given as it came
// in, in Domain: then it is only parsed when the system must be asked.
type Reading struct {
	adapter.Query
	Domain json.RawMessage // an Odoo domain in JSON, instead of Query.Filter
	Expand Expand          // how values through relations are given
	// ID is the one record to read, archived or not, instead of a filter.
	ID adapter.ID
	// ETag asks for the record's tag too. That is a call to the system more,
	// unless the answer is kept.
	ETag bool
}

var (
	readOperation   = &operation{name: "read", kind: reads, ttl: ttlRecords}
	schemaOperation = &operation{name: "schema", kind: schema, ttl: ttlFields}
)

// Read returns the records that match, as a JSON list of objects, from the
// cache if they are there. Fields may lead through relations: "partner_id.email".
//
// A limit above MaxReadLimit is cut to it, and none is DefaultReadLimit; the
// answer says when that left records out. NextCursor continues in any case.
func (s *System) Read(ctx context.Context, r Reading) (Answer, error) {
	if s.universal != nil {
		return s.universalRead(ctx, r)
	}
	if err := s.may(ctx, r.Model, "search_read"); err != nil {
		return Answer{}, err
	}
	ours, err := r.bound()
	if err != nil {
		return Answer{}, err
	}
	if err := s.allowedReading(ctx, &r); err != nil {
		return Answer{}, err
	}
	e, related, err := s.expansionOf(ctx, r.Model, r.Fields, r.Expand, false)
	if err != nil {
		return Answer{}, err
	}

	pooled := scratch.Get().(*[]byte)
	defer scratch.Put(pooled)
	b := r.canonical((*pooled)[:0], ours)
	*pooled = b
	q := question{family: "system", operation: "model", model: r.Model, related: related, canonical: b}
	if !r.ID.IsZero() {
		s = s.archivedToo()
	}
	read := func(ctx context.Context) (Answer, error) { return s.query(ctx, r, e, ours) }
	return s.kept(ctx, &s.caller.Scope, q, readOperation, func(ctx context.Context) (Answer, error) {
		if r.ETag {
			return s.tagged(ctx, r.Model, r.ID, read)
		}
		return read(ctx)
	})
}

// allowedReading asks whether the caller may read the models that a filter and
// an order lead to.
func (s *System) allowedReading(ctx context.Context, r *Reading) error {
	if !s.restricted() {
		return nil
	}
	if err := s.allowedDomain(ctx, r.Model, r.Domain); err != nil {
		return err
	}
	if err := s.allowedFilter(ctx, r.Model, r.Filter); err != nil {
		return err
	}
	for _, o := range r.Order {
		if _, err := s.allowedPath(ctx, r.Model, o.Field); err != nil {
			return err
		}
	}
	return nil
}

// bound refuses what can't be meant and applies our limits; it returns the one
// that holds, 0 where the caller's own does.
func (r *Reading) bound() (ours int, err error) {
	if err := r.one(); err != nil {
		return 0, err
	}
	switch {
	case r.Limit < 0:
		return 0, wrong("limit", "limit can't be negative")
	case r.Offset < 0:
		return 0, wrong("offset", "offset can't be negative")
	case r.Cursor != "" && r.Offset != 0:
		return 0, wrong("cursor", "give \"cursor\" or \"offset\", not both")
	case r.Filter != nil && !isNull(r.Domain):
		return 0, wrong("domain", "give Filter or Domain, not both")
	}
	switch r.Expand {
	case "", ExpandDotted, ExpandNested:
	default:
		return 0, wrong("expand", "expand must be \"dotted\" or \"nested\"")
	}
	switch {
	case r.Limit == 0:
		ours = DefaultReadLimit
	case r.Limit > MaxReadLimit:
		ours = MaxReadLimit
	}
	if ours > 0 {
		r.Limit = ours
	}
	return ours, nil
}

// canonical is the question in one form: equal ones have equal bytes.
func (r *Reading) canonical(b []byte, ours int) []byte {
	if isNull(r.Domain) {
		b = appendCanonical(b, json.RawMessage(adapter.AppendDomainJSON(nil, r.Filter)))
	} else {
		b = appendCanonical(b, r.Domain)
	}
	for _, v := range [...]any{Names(r.Fields), adapter.FormatOrder(r.Order), r.Limit, ours, r.Offset, r.Cursor, r.Plain, string(r.Expand), r.Fields == nil} {
		b = appendCanonical(b, v)
	}
	if !r.ID.IsZero() {
		b = appendCanonical(appendCanonical(b, r.ID), r.ETag)
	}
	return b
}

// query asks the system.
func (s *System) query(ctx context.Context, r Reading, e *expansion, ours int) (Answer, error) {
	q := r.Query
	if !isNull(r.Domain) {
		f, err := adapter.ParseDomainJSON(r.Domain)
		if err != nil {
			return Answer{}, err
		}
		q.Filter = f
	}
	page, done, err := s.page(ctx, q, e, r.ID)
	if err != nil {
		return Answer{}, err
	}
	var a Answer
	order := r.Fields
	if e != nil {
		a.Optimized, a.transient, order = done.settled, done.transient, e.order
	}
	if a.Result, err = encodeRecords(page.Records, order); err != nil {
		return Answer{}, err
	}
	a.NextCursor = page.Next
	if ours > 0 && (page.Truncated || page.Next != "") {
		a.Truncated, a.Limit = true, ours
	}
	return a, nil
}

// page asks the system for one page, or for the record of an id where it is
// not zero, and follows the relations of its records.
func (s *System) page(ctx context.Context, q adapter.Query, e *expansion, id adapter.ID) (page adapter.Page, done expanded, err error) {
	if e != nil {
		q.Fields = e.base
	}
	err = s.do(ctx, work{operation: "query", model: q.Model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
		if !id.IsZero() {
			q.Filter = idCondition(cmp.Or(a.Info().IDField, "id"), []adapter.ID{id})
		}
		page, err = a.Query(ctx, q)
		return err
	}})
	if err == nil && e != nil {
		done, err = s.expandRecords(ctx, e, page.Records, q.Plain)
	}
	return page, done, err
}

// Describe describes a model, with labels in the scope's language where the
// system has them.
func (s *System) Describe(ctx context.Context, model string) (*adapter.Schema, error) {
	a, err := s.Fields(ctx, model)
	if err != nil {
		return nil, err
	}
	return schemaIn(a, model)
}

func schemaIn(a Answer, model string) (*adapter.Schema, error) {
	described := new(adapter.Schema)
	if err := json.Unmarshal(a.Result, described); err != nil {
		return nil, &adapter.Error{Code: adapter.Internal, Model: model, Message: "a kept description can't be read", Err: err}
	}
	return described, nil
}

// Fields describes a model: the answer is the JSON of an [adapter.Schema].
func (s *System) Fields(ctx context.Context, model string) (Answer, error) {
	if s.universal != nil {
		return s.universalFields(ctx, model)
	}
	if err := s.may(ctx, model, "fields_get"); err != nil {
		return Answer{}, err
	}
	return s.describe(ctx, model)
}

func (s *System) describe(ctx context.Context, model string) (Answer, error) {
	q := question{family: "system", operation: "schema", model: model, kind: schema}
	return s.kept(ctx, &s.caller.Scope, q, schemaOperation, func(ctx context.Context) (Answer, error) {
		var described *adapter.Schema
		err := s.do(ctx, work{operation: "schema", model: model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
			described, err = a.Schema(ctx, model)
			return err
		}})
		if err != nil {
			return Answer{}, err
		}
		b, err := json.Marshal(described)
		if err != nil {
			return Answer{}, &adapter.Error{Code: adapter.Internal, Model: model, Message: "the model's description can't be written as JSON", Err: err}
		}
		return Answer{Result: b}, nil
	})
}

// memo is what a model is remembered under: each version has its own words.
func (s *System) memo(model string) string {
	if s.pin == nil {
		return model
	}
	return s.pin.version + " " + model
}

// schema describes a model for the bridge's own use, in no language.
func (s *System) schema(ctx context.Context, model string) (*adapter.Schema, error) {
	if known := s.link.schemas.get(s.memo(model)); known != nil {
		return known, nil
	}
	a, err := s.WithScope(adapter.Scope{}).describe(ctx, model)
	if err != nil {
		return nil, err
	}
	described, err := schemaIn(a, model)
	if err != nil {
		return nil, err
	}
	s.link.schemas.set(s.memo(model), described)
	return described, nil
}

// encodeRecords writes records with their id first, then the fields in the
// order they were asked for, then whatever else there is.
func encodeRecords(records []adapter.Record, order []string) (json.RawMessage, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	buf.WriteByte('[')
	written := map[string]bool{}
	for i, r := range records {
		if i > 0 {
			buf.WriteByte(',')
		}
		buf.WriteByte('{')
		clear(written)
		put := func(name string) error {
			v, ok := r[name]
			if !ok || written[name] {
				return nil
			}
			if len(written) > 0 {
				buf.WriteByte(',')
			}
			written[name] = true
			if err := encodeInto(enc, &buf, name); err != nil {
				return err
			}
			buf.WriteByte(':')
			return encodeInto(enc, &buf, v)
		}
		err := put("id")
		for _, name := range order {
			if err == nil {
				err = put(name)
			}
		}
		if len(written) < len(r) {
			for _, name := range slices.Sorted(maps.Keys(r)) {
				if err == nil {
					err = put(name)
				}
			}
		}
		if err != nil {
			return nil, &adapter.Error{Code: adapter.Internal, Message: "the records can't be written as JSON", Err: err}
		}
		buf.WriteByte('}')
	}
	buf.WriteByte(']')
	return buf.Bytes(), nil
}

// encodeInto writes one value without the newline that an Encoder adds.
func encodeInto(enc *json.Encoder, buf *bytes.Buffer, v any) error {
	if err := enc.Encode(v); err != nil {
		return err
	}
	buf.Truncate(buf.Len() - 1)
	return nil
}
