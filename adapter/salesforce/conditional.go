package salesforce

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// stamps are the fields that say when a record changed, the best one first.
var stamps = [...]string{"SystemModstamp", "LastModifiedDate", "CreatedDate"}

// stamp returns the record's time of change, and the field that holds it.
func (c *Client) stamp(ctx context.Context, o *object, id adapter.ID) (text string, err error) {
	ids, err := known(o, []adapter.ID{id})
	if err != nil {
		return "", err
	}
	name := ""
	for _, candidate := range stamps {
		if _, ok := o.field(candidate); ok {
			name = candidate
			break
		}
	}
	if name == "" {
		return "", &adapter.Error{Code: adapter.Unsupported, Model: o.Name, NothingSent: true, Message: "records of this object don't tell when they changed"}
	}
	a, err := c.wire.send(ctx, request{path: c.path("sobjects", o.Name, ids[0]) + "?fields=" + name, model: o.Name})
	if err != nil {
		return "", notSent(err)
	}
	var r map[string]any
	if err := a.decode(&r, o.Name, "a record"); err != nil {
		return "", notSent(err)
	}
	s, _ := r[name].(string)
	when, ok := parseWhen(s)
	if !ok {
		return "", &adapter.Error{Code: adapter.Internal, Model: o.Name, NothingSent: true, Message: "Salesforce does not tell when the record changed"}
	}
	return when.UTC().Format(time.RFC3339Nano), nil
}

// ETag returns the record's SystemModstamp. Salesforce keeps it by the second:
// two changes within one second can't be told apart.
func (c *Client) ETag(ctx context.Context, model string, id adapter.ID) (string, error) {
	o, err := c.object(ctx, model)
	if err != nil {
		return "", err
	}
	return c.stamp(ctx, o, id)
}

// unchanged holds a record against a tag, and returns the header that makes
// Salesforce do so once more when it changes the record.
func (c *Client) unchanged(ctx context.Context, o *object, id adapter.ID, etag string) (map[string]string, error) {
	when, ok := parseWhen(etag)
	if !ok || when.day {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Model: o.Name, Field: "etag", NothingSent: true, Message: "the tag is none that this system gave"}
	}
	now, err := c.stamp(ctx, o, id)
	if err != nil {
		return nil, err
	}
	if at, _ := parseWhen(now); !at.Equal(when.Time) {
		return nil, &adapter.Error{Code: adapter.PreconditionFailed, Model: o.Name, NothingSent: true, Message: "the record has changed since it was read"}
	}
	return map[string]string{"If-Unmodified-Since": when.UTC().Format(http.TimeFormat)}, nil
}

// UpdateIf implements [adapter.Conditional]. The tag is held against the
// record before the change is sent, and by Salesforce itself when it is made
// (If-Unmodified-Since), to the second.
func (c *Client) UpdateIf(ctx context.Context, model string, id adapter.ID, etag string, values adapter.Record) error {
	o, err := c.object(ctx, model)
	if err != nil {
		return err
	}
	d, err := c.draft(ctx, o, values, false, 0)
	if err != nil {
		return withModel(err, o.Name)
	}
	header, err := c.unchanged(ctx, o, id, etag)
	if err != nil {
		return err
	}
	return c.updateOne(ctx, o, idText(id), d, header)
}

// DeleteIf implements [adapter.Conditional]. Salesforce takes no precondition
// for a deletion; so it is asked for the record with one and to delete it in
// one composite request, of which the second part is not done when the first
// fails.
func (c *Client) DeleteIf(ctx context.Context, model string, id adapter.ID, etag string) error {
	o, err := c.object(ctx, model)
	if err != nil {
		return err
	}
	header, err := c.unchanged(ctx, o, id, etag)
	if err != nil {
		return err
	}
	path := c.path("sobjects", o.Name, idText(id))
	return c.composite(ctx, o, []subrequest{
		{Method: http.MethodGet, URL: path + "?fields=Id", ReferenceID: "look", Header: header},
		{Method: http.MethodDelete, URL: path, ReferenceID: "delete"},
	}, func([]subresponse) error { return nil })
}

// Upsert implements [adapter.Upserter]: key is an external id field, or
// another one by which Salesforce finds records, such as the email address of
// a contact.
func (c *Client) Upsert(ctx context.Context, model, key, value string, values adapter.Record) (adapter.ID, bool, error) {
	o, err := c.object(ctx, model)
	if err != nil {
		return adapter.ID{}, false, err
	}
	fail := func(field, message string) (adapter.ID, bool, error) {
		return adapter.ID{}, false, &adapter.Error{Code: adapter.InvalidArgument, Model: o.Name, Field: field, Message: message, NothingSent: true}
	}
	f, ok := o.field(key)
	switch {
	case !ok:
		return adapter.ID{}, false, notSent(adapter.UnknownField(o.schema, key))
	case !f.key():
		return fail(key, quote(key)+" is no external id: Salesforce does not find records by it")
	case value == "":
		return fail(key, "the value of "+quote(key)+" is empty")
	}
	if given, ok := values[key]; ok {
		if s, isText := textValue(given); !isText || s != value {
			return fail(key, "the values set "+quote(key)+" to something else than the key")
		}
		rest := make(adapter.Record, len(values))
		for name, v := range values {
			if name != key {
				rest[name] = v
			}
		}
		values = rest
	}
	d, err := c.draftUpsert(ctx, o, values)
	if err != nil {
		return adapter.ID{}, false, withModel(err, o.Name)
	}
	return c.upsert(ctx, o, f, value, d)
}

// draftUpsert prepares values that may create a record and may change one.
func (c *Client) draftUpsert(ctx context.Context, o *object, values adapter.Record) (*draft, error) {
	if _, err := c.draft(ctx, o, values, false, 0); err != nil {
		return nil, err
	}
	d, err := c.draft(ctx, o, values, true, 0)
	if err != nil {
		return nil, err
	}
	if d.nested() {
		return nil, &adapter.Error{Code: adapter.Unsupported, NothingSent: true, Message: "other records can't be created along with an upsert"}
	}
	return d, nil
}

func (c *Client) upsert(ctx context.Context, o *object, f *field, value string, d *draft) (adapter.ID, bool, error) {
	a, err := c.wire.send(ctx, request{
		method: http.MethodPatch, path: c.path("sobjects", o.Name, f.Name, value), json: d.values, model: o.Name, changes: true,
	})
	if err != nil {
		return adapter.ID{}, false, err
	}
	if a.status == http.StatusMultipleChoices {
		return adapter.ID{}, false, &adapter.Error{Code: adapter.Conflict, Model: o.Name, Field: f.Name, Native: "DUPLICATE_EXTERNAL_ID", Message: "several records have this value of " + quote(f.Name)}
	}
	result := saveResult{Success: true}
	if len(a.body) > 0 {
		if err := json.Unmarshal(a.body, &result); err != nil {
			return adapter.ID{}, false, lost(err, true)
		}
		if err, _ := result.err(o); err != nil {
			return adapter.ID{}, false, err
		}
	}
	created := a.status == http.StatusCreated
	if result.Created != nil {
		created = *result.Created
	}
	if result.ID != "" {
		return adapter.StringID(longID(result.ID)), created, nil
	}
	// Older versions answer an update without the id.
	id, err := c.idBy(ctx, o, f, value)
	return id, created, err
}

// idBy returns the id of the record with a value of a key.
func (c *Client) idBy(ctx context.Context, o *object, f *field, value string) (adapter.ID, error) {
	a, err := c.wire.send(ctx, request{path: c.path("sobjects", o.Name, f.Name, value) + "?" + url.Values{"fields": {"Id"}}.Encode(), model: o.Name})
	if err != nil {
		return adapter.ID{}, err
	}
	var r map[string]any
	if err := a.decode(&r, o.Name, "a record"); err != nil {
		return adapter.ID{}, err
	}
	id, _ := r["Id"].(string)
	return adapter.StringID(longID(id)), nil
}
