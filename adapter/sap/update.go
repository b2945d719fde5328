package sap

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/wire"
)

// change is a change of one record.
type change struct {
	m    *model
	id   adapter.ID
	path string
	body []byte // nil to delete it
	etag string // what the caller knows it by; "" for any
}

// Update implements [adapter.Adapter]: all records, or none, in one change set
// where there are several.
func (c *Client) Update(ctx context.Context, model string, ids []adapter.ID, values adapter.Record) error {
	return c.change(ctx, model, ids, "", &values)
}

// Delete implements [adapter.Adapter]: all records, or none.
func (c *Client) Delete(ctx context.Context, model string, ids []adapter.ID) error {
	return c.change(ctx, model, ids, "", nil)
}

// UpdateIf changes a record that still has the tag.
func (c *Client) UpdateIf(ctx context.Context, model string, id adapter.ID, etag string, values adapter.Record) error {
	if etag == "" {
		return noTag(model)
	}
	return c.change(ctx, model, []adapter.ID{id}, etag, &values)
}

// DeleteIf removes a record that still has the tag.
func (c *Client) DeleteIf(ctx context.Context, model string, id adapter.ID, etag string) error {
	if etag == "" {
		return noTag(model)
	}
	return c.change(ctx, model, []adapter.ID{id}, etag, nil)
}

func noTag(model string) error {
	return &adapter.Error{Code: adapter.InvalidArgument, Model: model, Field: "etag", Message: "the etag is empty; take one from ETag"}
}

// change updates records, or deletes them where there are no values.
func (c *Client) change(ctx context.Context, model string, ids []adapter.ID, etag string, values *adapter.Record) error {
	if len(ids) == 0 {
		return nil
	}
	m, err := c.model(ctx, model)
	if err != nil {
		return err
	}
	doing := "changed"
	if values == nil {
		doing = "deleted"
	}
	if err := m.addressable(doing); err != nil {
		return err
	}
	if values == nil && m.set.NoDelete || values != nil && m.set.NoUpdate {
		return m.unsupported("model", "records of %s can't be %s: SAP's metadata say so", m.name, doing)
	}
	changes := make([]change, 0, len(ids))
	seen := map[adapter.ID]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		one, err := m.change(id, etag, values)
		if err != nil {
			return err
		}
		changes = append(changes, one)
	}
	if values != nil && string(changes[0].body) == "{}" {
		return m.allExist(ctx, changes)
	}
	if len(changes) == 1 {
		return changes[0].send(ctx)
	}
	return m.sendAll(ctx, changes)
}

func (m *model) change(id adapter.ID, etag string, values *adapter.Record) (change, error) {
	k, err := m.parseID(id)
	if errors.Is(err, errNever) {
		return change{}, m.missing(id)
	}
	if err != nil {
		return change{}, err
	}
	one := change{m: m, id: id, etag: etag}
	if one.path, err = m.path(k); err != nil {
		return change{}, m.missing(id)
	}
	if values == nil {
		return one, nil
	}
	w := writing{m: m, key: k}
	converted, err := w.values(*values)
	if err != nil {
		return change{}, err
	}
	one.body, err = m.marshal(converted)
	return one, err
}

// allExist returns an error that names a record that is not there.
func (m *model) allExist(ctx context.Context, changes []change) error {
	for _, one := range changes {
		if _, _, err := one.now(ctx); err != nil {
			return err
		}
	}
	return nil
}

// now reads the record as it is, and its tag.
func (c change) now(ctx context.Context) (raw map[string]any, etag string, err error) {
	query := "$select=" + escapeQuery(strings.Join(c.m.typ.Keys, ","))
	resp, err := c.m.do(ctx, c.m.request(ctx, http.MethodGet, c.path, query))
	if errors.Is(err, adapter.ErrNotFound) {
		return nil, "", c.missing(err)
	}
	if err != nil {
		return nil, "", err
	}
	if len(resp.Body) == 0 {
		return nil, "", c.missing(nil)
	}
	if raw, err = c.m.entity(resp.Body); err != nil {
		return nil, "", err
	}
	return raw, etagOf(raw, resp.Header), nil
}

func etagOf(raw map[string]any, header http.Header) string {
	if meta, ok := raw["__metadata"].(map[string]any); ok {
		if s, ok := meta["etag"].(string); ok && s != "" {
			return s
		}
	}
	if s := linkOf(raw, "@odata.etag", "@etag"); s != "" {
		return s
	}
	return header.Get("Etag")
}

// missing is the error for the change of a record that is not there.
func (c change) missing(cause error) error {
	e := &adapter.Error{}
	if own, ok := errors.AsType[*adapter.Error](c.m.missing(c.id)); ok {
		*e = *own
	}
	e.Err = cause
	if native, ok := errors.AsType[*adapter.Error](cause); ok {
		e.Native = native.Native
	}
	return e
}

// match is the If-Match of the change. Without a tag that the caller knows the
// record by, any will do: v4 would create a record that is not there, were it
// not for that, and v2 refuses changes without it where it keeps tags.
func (c change) match() string {
	_, found := c.m.service.needsMatch.Load(c.m.set.Name)
	switch {
	case c.etag != "":
		return c.etag
	case c.m.v4(), c.m.set.HasETag, found:
		return "*"
	}
	return ""
}

// verb is the method of the change. Services of v2 that are older than PATCH
// know MERGE.
func (c change) verb() string {
	switch {
	case c.body == nil:
		return http.MethodDelete
	case c.m.service.merge.Load():
		return "MERGE"
	}
	return http.MethodPatch
}

func (c change) header(match string) http.Header {
	h := c.m.header()
	if c.body != nil {
		h.Set("Content-Type", c.m.contentType())
	}
	if match != "" {
		h.Set("If-Match", match)
	}
	return h
}

// send makes a change by itself.
func (c change) send(ctx context.Context) error {
	match := c.match()
	for tries := 0; ; tries++ {
		req := c.m.request(ctx, c.verb(), c.path, "")
		req.Header, req.Body = c.header(match), c.body
		if req.Method == "MERGE" {
			// Proxies know no MERGE; SAP takes it from a header.
			req.Method = http.MethodPost
			req.Header.Set("X-Http-Method", "MERGE")
		}
		_, err := c.m.do(ctx, req)
		fault, ok := errors.AsType[*wire.Fault](err)
		if !ok || tries == 3 {
			return err
		}
		again, next, err := c.settle(ctx, fault, match, err)
		if !again {
			return err
		}
		match = next
	}
}

// settle looks at a refusal: whether the change may be tried again, with which
// If-Match, or what it means.
func (c change) settle(ctx context.Context, fault *wire.Fault, match string, err error) (again bool, next string, _ error) {
	m := c.m
	switch fault.Status {
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		if !m.v4() && c.body != nil && !m.service.merge.Swap(true) {
			return true, match, nil
		}
	case http.StatusPreconditionRequired:
		m.service.needsMatch.Store(m.set.Name, true)
		switch match {
		case "":
			return true, "*", nil
		case "*":
			// It wants the tag itself.
			_, etag, lost := c.now(ctx)
			if lost == nil && etag != "" {
				return true, etag, nil
			}
			if lost != nil {
				return false, "", lost
			}
		}
	case http.StatusPreconditionFailed:
		if match == "*" {
			// Any tag would do, so there is no record.
			_, _, lost := c.now(ctx)
			if lost != nil {
				return false, "", lost
			}
		}
		if c.etag != "" {
			return false, "", c.changed(ctx, err)
		}
	case http.StatusNotFound:
		return false, "", c.missing(err)
	}
	return false, "", err
}

// changed is the error for a record that is no longer as the caller knew it, or
// is gone.
func (c change) changed(ctx context.Context, cause error) error {
	if _, _, err := c.now(ctx); errors.Is(err, adapter.ErrNotFound) {
		return err
	}
	e, ok := errors.AsType[*adapter.Error](cause)
	if !ok {
		return cause
	}
	own := *e
	own.Code, own.Field = adapter.PreconditionFailed, idField
	own.Message = "record " + quote(c.id.String()) + " has been changed meanwhile: read it again"
	return &own
}

// sendAll makes changes in one change set.
func (m *model) sendAll(ctx context.Context, changes []change) error {
	for tries := 0; ; tries++ {
		set := make(wire.ChangeSet, len(changes))
		match := ""
		for i, one := range changes {
			match = one.match()
			set[i] = wire.Part{Method: one.verb(), Path: strings.TrimPrefix(one.path, "/"), Header: one.header(match), Body: one.body}
		}
		outcomes, err := m.batch(ctx, []wire.ChangeSet{set})
		if err != nil {
			return err
		}
		fault := outcomes[0].Fault
		if fault == nil {
			return nil
		}
		err = m.faultIn(fault, len(changes))
		switch fault.Status {
		case http.StatusMethodNotAllowed, http.StatusNotImplemented:
			if tries == 0 && !m.v4() && changes[0].body != nil && !m.service.merge.Swap(true) {
				continue
			}
		case http.StatusPreconditionRequired:
			if tries == 0 && match == "" {
				m.service.needsMatch.Store(m.set.Name, true)
				continue
			}
		case http.StatusNotFound, http.StatusPreconditionFailed:
			// It does not say whose record is not there.
			if lost := m.allExist(ctx, changes); lost != nil {
				return lost
			}
		}
		return err
	}
}

// ETag returns the record's tag. Sets whose records have none are
// ErrUnsupported.
func (c *Client) ETag(ctx context.Context, model string, id adapter.ID) (string, error) {
	m, err := c.model(ctx, model)
	if err != nil {
		return "", err
	}
	if err := m.addressable("read"); err != nil {
		return "", err
	}
	one, err := m.change(id, "", nil)
	if err != nil {
		return "", err
	}
	_, etag, err := one.now(ctx)
	if err != nil {
		return "", err
	}
	if etag == "" {
		return "", m.unsupported("model", "SAP keeps no ETag for records of %s, so it can't tell whether one has changed", m.name)
	}
	return etag, nil
}
