package bridge

import (
	"context"
	"encoding/json"

	"github.com/bridgecore/bridgecore/adapter"
)

// AnyTag is a tag that every record has: [System.UpdateIf] with it changes a
// record if it is there.
const AnyTag = "*"

// tagged reads a record together with its tag. The tag is asked for first: what
// is read after it is as new or newer, so a change on condition of the tag never
// overwrites what its maker had not seen.
func (s *System) tagged(ctx context.Context, model string, id adapter.ID, read func(context.Context) (Answer, error)) (Answer, error) {
	tag, err := s.ETag(ctx, model, id)
	switch adapter.CodeOf(err) {
	case adapter.NotFound, adapter.Unsupported: // the read itself says what there is
	default:
		if err != nil {
			return Answer{}, err
		}
	}
	a, err := read(ctx)
	if err != nil {
		return Answer{}, err
	}
	if string(a.Result) != "[]" {
		a.ETag = tag
	}
	return a, nil
}

// one refuses a question for one record that asks for others too.
func (r *Reading) one() error {
	switch {
	case r.ETag && r.ID.IsZero():
		return wrong("etag", "a tag is one record's: give its id")
	case r.ID.IsZero():
		return nil
	case r.Filter != nil || !isNull(r.Domain):
		return wrong("domain", "give the id of a record or a domain, not both")
	case r.Offset != 0 || r.Cursor != "":
		return wrong("offset", "there is nothing to skip where one record is read by its id")
	}
	r.Limit = 1
	return nil
}

// mayBeTagged refuses conditions and wishes for tags where they mean nothing.
func (r *OperationRequest) mayBeTagged(name string) error {
	switch {
	case r.IfMatch != "" && name != "write" && name != "unlink":
		return wrong("if_match", "%s can't be made on a condition; write and unlink of one record can", name)
	case r.ETag && name != "read":
		return wrong("etag", "%s tells no tag; read of one record does", name)
	case r.ETag && r.oneID().IsZero():
		return wrong("etag", "a tag is one record's: give one id")
	}
	return nil
}

// oneID is the id of the request, if it has one alone.
func (r *OperationRequest) oneID() adapter.ID {
	switch {
	case len(r.IDs) == 1 && r.ID.IsZero():
		return r.IDs[0]
	case len(r.IDs) == 0:
		return r.ID
	}
	return adapter.ID{}
}

// operateIf writes or deletes a record that still has the tag.
func (s *System) operateIf(ctx context.Context, op *operation, r *OperationRequest) (Answer, error) {
	id := r.oneID()
	if id.IsZero() {
		return Answer{}, wrong("if_match", "a condition is one record's: give one id")
	}
	scoped, err := s.forRequest(r)
	if err != nil {
		return Answer{}, err
	}
	ctx, warnings := adapter.WithWarnings(ctx)
	if op.name == "unlink" {
		err = scoped.DeleteIf(ctx, r.Model, id, r.IfMatch)
	} else {
		values, bad := adapter.DecodeRecord(r.Values)
		if bad != nil || values == nil {
			return Answer{}, wrong("values", "values must be an object such as {\"name\": \"Azure\"}")
		}
		err = scoped.UpdateIf(ctx, r.Model, id, r.IfMatch, values)
	}
	if err != nil {
		return Answer{}, err
	}
	return Answer{Result: json.RawMessage("true"), Warnings: warnings.List()}, nil
}

// there says of a record that was to be there that it is not.
func there(model string, err error) error {
	if adapter.CodeOf(err) != adapter.NotFound {
		return err
	}
	return &adapter.Error{Code: adapter.PreconditionFailed, Model: model, NothingSent: true, Message: "there is no such record to change", Err: err}
}
