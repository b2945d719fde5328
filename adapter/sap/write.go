package sap

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/wire"
)

// Create implements [adapter.Adapter]. Lists of records in the values are
// created with it, all or none (deep insert).
func (c *Client) Create(ctx context.Context, model string, values adapter.Record) (adapter.ID, error) {
	m, err := c.model(ctx, model)
	if err != nil {
		return adapter.ID{}, err
	}
	body, err := m.newBody(values)
	if err != nil {
		return adapter.ID{}, err
	}
	req := m.request(ctx, http.MethodPost, m.root(), "")
	req.Header.Set("Content-Type", m.contentType())
	req.Body = body
	resp, err := m.do(ctx, req)
	if err != nil {
		return adapter.ID{}, err
	}
	return m.created(resp)
}

// newBody is the body that creates a record.
func (m *model) newBody(values adapter.Record) ([]byte, error) {
	if err := m.addressable("created"); err != nil {
		return nil, err
	}
	if m.set.NoCreate {
		return nil, m.unsupported("model", "SAP does not create records of %s by themselves: create them with the record they belong to", m.name)
	}
	w := writing{m: m, create: true}
	converted, err := w.values(values)
	if err != nil {
		return nil, err
	}
	return m.marshal(converted)
}

func (m *model) marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Model: m.name, Message: "the values can't be written as JSON", NothingSent: true, Err: err}
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// created reads the id of a record out of the answer to its creation.
func (m *model) created(resp *wire.Response) (adapter.ID, error) {
	unknown := func(err error) error {
		return &adapter.Error{Code: adapter.UnknownOutcome, Model: m.name, Message: "SAP answered without the key of what it created", Err: err}
	}
	if len(bytes.TrimSpace(resp.Body)) > 0 {
		raw, err := m.entity(resp.Body)
		if err != nil {
			return adapter.ID{}, unknown(err)
		}
		sel := &selection{m: m}
		if r, err := sel.record(context.Background(), raw, false); err == nil && !r.ID().IsZero() {
			return r.ID(), nil
		}
	}
	for _, name := range []string{"Odata-Entityid", "Location"} {
		if k, ok := m.keyFromPath(resp.Header.Get(name)); ok {
			return m.id(k)
		}
	}
	return adapter.ID{}, unknown(nil)
}

// CreateMany creates all the records in one change set: all, or none of them.
func (c *Client) CreateMany(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	if len(values) == 0 {
		return nil, nil
	}
	m, err := c.model(ctx, model)
	if err != nil {
		return nil, err
	}
	set := make(wire.ChangeSet, len(values))
	for i, v := range values {
		body, err := m.newBody(v)
		if err != nil {
			return nil, atRow(err, i)
		}
		set[i] = m.creation(body)
	}
	outcomes, err := m.batch(ctx, []wire.ChangeSet{set})
	if err != nil {
		return nil, err
	}
	if fault := outcomes[0].Fault; fault != nil {
		return nil, m.faultIn(fault, len(values))
	}
	ids := make([]adapter.ID, len(values))
	for i, resp := range outcomes[0].Responses {
		if ids[i], err = m.created(resp); err != nil {
			return ids, err
		}
	}
	return ids, nil
}

func (m *model) creation(body []byte) wire.Part {
	header := m.header()
	header.Set("Content-Type", m.contentType())
	return wire.Part{Method: http.MethodPost, Path: strings.TrimPrefix(m.root(), "/"), Header: header, Body: body}
}

// faultIn makes the error of a change set, which says of which record it is
// where SAP tells.
func (m *model) faultIn(fault *wire.Fault, n int) error {
	err := m.service.client.conn.Refused(fault, m.name, true)
	m.contradicted(err)
	ids := []string{fault.ContentID}
	for _, d := range fault.Details {
		ids = append(ids, d.ContentID)
	}
	for _, id := range ids {
		if i, bad := strconv.Atoi(id); bad == nil && i >= 1 && i <= n && n > 1 {
			return atRow(err, i-1)
		}
	}
	return err
}

// atRow says which of several records an error is about.
func atRow(err error, i int) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok {
		return err
	}
	own := *e
	own.Message = fmt.Sprintf("record %d: %s", i, e.Message)
	return &own
}

// eachBatch is how many change sets one batch holds.
const eachBatch = 100

// CreateEach creates the records, each in a change set of its own, many with
// one request. One that is refused does not hinder the others.
func (c *Client) CreateEach(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	if len(values) == 0 {
		return nil, nil
	}
	m, err := c.model(ctx, model)
	if err != nil {
		return nil, err
	}
	e := each{m: m, ids: make([]adapter.ID, len(values)), failed: map[int]error{}}
	for i, v := range values {
		body, err := m.newBody(v)
		if err != nil {
			e.failed[i] = err
			continue
		}
		e.places, e.sets = append(e.places, i), append(e.sets, wire.ChangeSet{m.creation(body)})
	}
	for from := 0; from < len(e.sets); from += eachBatch {
		e.send(ctx, from, min(from+eachBatch, len(e.sets)))
	}
	if len(e.failed) > 0 {
		return e.ids, &adapter.PartialError{Done: e.ids, Failed: e.failed}
	}
	return e.ids, nil
}

// each is one CreateEach under way.
type each struct {
	m      *model
	sets   []wire.ChangeSet
	places []int // of the values that the sets create
	ids    []adapter.ID
	failed map[int]error
	stop   error // why nothing more is tried
}

func (e *each) send(ctx context.Context, from, to int) {
	var outcomes []wire.Outcome
	err := e.stop
	if err == nil {
		if outcomes, err = e.m.batch(ctx, e.sets[from:to]); err != nil {
			e.stop = err
		}
	} else {
		err = notTried(err)
	}
	for i := from; i < to; i++ {
		place := e.places[i]
		if err != nil {
			e.failed[place] = err
			continue
		}
		outcome := outcomes[i-from]
		if outcome.Fault != nil {
			e.failed[place] = e.m.faultIn(outcome.Fault, 1)
			continue
		}
		id, err := e.m.created(outcome.Responses[0])
		if err != nil {
			e.failed[place] = err
			continue
		}
		e.ids[place] = id
	}
}

// notTried is the error of a record whose turn did not come.
func notTried(err error) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok {
		return err
	}
	code := e.Code
	if code == adapter.UnknownOutcome {
		code = adapter.Unavailable // what happened to others is unknown, this one was not sent
	}
	return &adapter.Error{Code: code, Model: e.Model, Message: "not tried, because an earlier batch failed: " + e.Message, Temporary: true, NothingSent: true, RetryAfter: e.RetryAfter, Err: err}
}

// writing is the conversion of values.
type writing struct {
	m      *model
	create bool
	prefix string // of fields in messages
	depth  int
	key    key // of the record to change
}

// valuesDepth bounds the nesting of records.
const valuesDepth = 10

// values converts a record to what the service takes. The caller's map is left
// alone.
func (w writing) values(values map[string]any) (map[string]any, error) {
	if w.depth > valuesDepth {
		return nil, w.m.wrong(w.prefix, "the values are nested more than %d deep", valuesDepth)
	}
	out := make(map[string]any, len(values))
	// In order, so that of several faults the same one is always reported.
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v, err := plainValue(values[name])
		if err != nil {
			return nil, w.m.wrong(w.prefix+name, "field '%s' has a value that JSON can't hold", name)
		}
		if nav := w.m.typ.Nav(name); nav != nil {
			err = w.related(out, nav, v)
		} else {
			err = w.field(out, name, v)
		}
		if err != nil {
			return nil, w.within(err)
		}
	}
	return out, nil
}

// within says where in the values a field is.
func (w writing) within(err error) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok || w.prefix == "" || strings.HasPrefix(e.Field, w.prefix) {
		return err
	}
	own := *e
	own.Field = w.prefix + e.Field
	return &own
}

func (w writing) field(out map[string]any, name string, v any) error {
	m := w.m
	if name == idField && !m.idIsProperty() {
		return w.id(out, v)
	}
	p := m.typ.Prop(name)
	if p == nil || p.Type == "Edm.Stream" {
		return m.unknown(name, name)
	}
	encoded, err := m.encode(p, v)
	if err != nil {
		return err
	}
	switch {
	case p.Key && !w.create:
		return w.sameKey(p, v)
	case w.create && !m.creatable(p):
		return m.wrong(name, "field '%s' can't be given to a new record: SAP sets it itself", name)
	case !w.create && !m.updatable(p):
		return m.wrong(name, "field '%s' can't be changed: SAP's metadata say so", name)
	}
	out[name] = encoded
	return nil
}

// sameKey lets a key pass that is the record's own.
func (w writing) sameKey(p *edmx.Property, v any) error {
	for i, own := range w.m.keyProps() {
		if own != p || i >= len(w.key) {
			continue
		}
		a, errA := w.m.literal(p, v)
		b, errB := w.m.literal(p, w.key[i])
		if errA == nil && errB == nil && a == b {
			return nil
		}
	}
	return w.m.wrong(p.Name, "field '%s' is part of the record's key, which can't be changed", p.Name)
}

// id makes the key of a new record of an id that the caller gives.
func (w writing) id(out map[string]any, v any) error {
	id, ok := adapter.IDOf(v)
	if !ok {
		return nil
	}
	k, err := w.m.parseID(id)
	if err != nil {
		return w.m.wrong(idField, "%s is no id of %s", quote(id.String()), w.m.name)
	}
	for i, p := range w.m.keyProps() {
		if !w.create {
			if err := w.sameKey(p, k[i]); err != nil {
				return err
			}
			continue
		}
		if out[p.Name], err = w.m.encode(p, k[i]); err != nil {
			return err
		}
	}
	return nil
}

// related converts what is written to a navigation property: new records, or
// the record that it shall lead to.
func (w writing) related(out map[string]any, nav *edmx.Navigation, v any) error {
	m := w.m
	next := m.follow(nav)
	if next == nil {
		return m.unsupported(nav.Name, "the metadata do not tell where %s leads", quote(nav.Name))
	}
	if nav.Many {
		return w.many(out, nav, next, v)
	}
	one, isObject := v.(map[string]any)
	id, isID := adapter.IDOf(v)
	if isObject {
		if id, isID = adapter.IDOf(one[idField]); len(one) != 1 {
			isID = false
		}
	}
	switch {
	case v == nil || v == false:
		if w.create {
			return nil
		}
		return m.unsupported(nav.Name, "SAP can't cut %s: clear the fields that hold its key", quote(nav.Name))
	case isID:
		return w.bind(out, nav, next, id)
	case !isObject:
		return m.wrong(nav.Name, "field '%s' takes an object of values or {\"id\": ...}, not %s", nav.Name, kindOf(v))
	case !w.create:
		return w.noNested(nav, next)
	}
	inner := writing{m: next, create: true, prefix: w.prefix + nav.Name + ".", depth: w.depth + 1}
	values, err := inner.values(one)
	out[nav.Name] = values
	return err
}

func (w writing) many(out map[string]any, nav *edmx.Navigation, next *model, v any) error {
	if v == nil || v == false {
		return nil
	}
	list, ok := v.([]any)
	switch {
	case !ok:
		return w.m.wrong(nav.Name, "field '%s' takes a list of new records, not %s", nav.Name, kindOf(v))
	case !w.create:
		return w.noNested(nav, next)
	}
	rows := make([]any, len(list))
	for i, item := range list {
		item, err := plainValue(item)
		values, isObject := item.(map[string]any)
		if err != nil || !isObject {
			return w.m.wrong(nav.Name, "item %d of '%s' must be an object of values, not %s", i, nav.Name, kindOf(item))
		}
		inner := writing{m: next, create: true, prefix: fmt.Sprintf("%s%s.%d.", w.prefix, nav.Name, i), depth: w.depth + 1}
		if rows[i], err = inner.values(values); err != nil {
			return err
		}
	}
	out[nav.Name] = rows
	return nil
}

func (w writing) noNested(nav *edmx.Navigation, next *model) error {
	return w.m.unsupported(nav.Name, "SAP does not change the records in '%s' together with theirs: create, update or delete records of %s", nav.Name, next.name)
}

// bind writes a link to a record that exists.
func (w writing) bind(out map[string]any, nav *edmx.Navigation, next *model, id adapter.ID) error {
	k, err := next.parseID(id)
	if err != nil || next.set == nil {
		return w.m.wrong(nav.Name, "field '%s' takes the id of a record of %s, not %s", nav.Name, next.name, quote(id.String()))
	}
	path, err := next.path(k)
	if err != nil {
		return w.m.wrong(nav.Name, "field '%s' takes the id of a record of %s", nav.Name, next.name)
	}
	path = strings.TrimPrefix(path, "/")
	if w.m.v4() {
		out[nav.Name+"@odata.bind"] = path
		return nil
	}
	out[nav.Name] = map[string]any{"__metadata": map[string]any{"uri": path}}
	return nil
}
