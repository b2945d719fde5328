package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"io"
)

// Counter counts without fetching.
type Counter interface {
	// Count returns how many records match. Filter nil matches everything.
	Count(ctx context.Context, model string, filter Filter) (int64, error)
}

// IDSearcher finds ids without fetching records.
type IDSearcher interface {
	SearchIDs(ctx context.Context, q Query) ([]ID, error)
}

// Reader reads records by their ids.
type Reader interface {
	// Read returns the records of the ids in their order; an id without a
	// record is left out, without an error.
	Read(ctx context.Context, model string, ids []ID, fields []string) ([]Record, error)
}

// NameSearcher finds records by (a part of) their display name.
type NameSearcher interface {
	NameSearch(ctx context.Context, model, name string, filter Filter, limit int) ([]Ref, error)
}

// Caller calls any public method of the system.
type Caller interface {
	// Call makes the call and returns the system's own answer as JSON, number
	// literals as it wrote them, and the JSON null for a method that returns
	// nothing. A call that may change something and gets no answer in time is
	// ErrUnknownOutcome.
	Call(ctx context.Context, call Call) (json.RawMessage, error)
}

// BatchCreator creates many records in one call, all or none.
type BatchCreator interface {
	CreateMany(ctx context.Context, model string, values []Record) ([]ID, error)
}

// Pinger checks that the system answers.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Attachment describes a file kept with a record.
type Attachment struct {
	ID       ID     `json:"id"`
	Name     string `json:"name"`
	MIMEType string `json:"mimetype"`
	Size     int64  `json:"size"`            // bytes
	Model    string `json:"model,omitempty"` // of the record it belongs to
	RecordID ID     `json:"record_id,omitzero"`
}

// Attacher keeps files with records.
type Attacher interface {
	// Attach stores content as a file of the record and returns it with its
	// id and size filled in.
	Attach(ctx context.Context, file Attachment, content io.Reader) (Attachment, error)
	// Attachments lists the files of a record.
	Attachments(ctx context.Context, model string, record ID) ([]Attachment, error)
	// OpenAttachment returns a file and its content, which the caller closes.
	OpenAttachment(ctx context.Context, id ID) (Attachment, io.ReadCloser, error)
}

// Count counts the records that match, by reading their ids where the system
// can't count.
func Count(ctx context.Context, a Adapter, model string, filter Filter) (int64, error) {
	if c, ok := a.(Counter); ok {
		return c.Count(ctx, model, filter)
	}
	var n int64
	for _, err := range All(ctx, a, Query{Model: model, Filter: filter, Fields: []string{idField(a)}}) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// SearchIDs returns the ids that match q, reading records where the system
// can't search for ids alone.
func SearchIDs(ctx context.Context, a Adapter, q Query) ([]ID, error) {
	if s, ok := a.(IDSearcher); ok {
		return s.SearchIDs(ctx, q)
	}
	q.Fields = []string{idField(a)}
	page, err := a.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	ids := make([]ID, len(page.Records))
	for i, r := range page.Records {
		ids[i] = r.ID()
	}
	return ids, nil
}

// Read returns the records of ids in their order; ids without a record are
// left out.
func Read(ctx context.Context, a Adapter, model string, ids []ID, fields []string) ([]Record, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	if r, ok := a.(Reader); ok {
		return r.Read(ctx, model, ids, fields)
	}
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = id.Value()
	}
	byID := map[ID]Record{}
	q := Query{Model: model, Filter: Cond{Field: idField(a), Op: In, Value: list}, Fields: fields}
	for r, err := range All(ctx, a, q) {
		if err != nil {
			return nil, err
		}
		byID[r.ID()] = r
	}
	records := make([]Record, 0, len(ids))
	for _, id := range ids {
		if r, ok := byID[id]; ok {
			records = append(records, r)
		}
	}
	return records, nil
}

// NameSearch finds records by their display name, or returns ErrUnsupported.
func NameSearch(ctx context.Context, a Adapter, model, name string, filter Filter, limit int) ([]Ref, error) {
	if s, ok := a.(NameSearcher); ok {
		return s.NameSearch(ctx, model, name, filter, limit)
	}
	return nil, unsupported(a, "search by name")
}

// Invoke calls a method of the system, or returns ErrUnsupported.
func Invoke(ctx context.Context, a Adapter, call Call) (json.RawMessage, error) {
	if c, ok := a.(Caller); ok {
		return c.Call(ctx, call)
	}
	return nil, unsupported(a, "call methods")
}

// CreateMany creates the records, in one call where the system can (then all
// or none), otherwise one by one: a failure in the midst is a [*PartialError]
// that tells what was done.
func CreateMany(ctx context.Context, a Adapter, model string, values []Record) ([]ID, error) {
	if len(values) == 0 {
		return nil, nil
	}
	if c, ok := a.(BatchCreator); ok {
		return c.CreateMany(ctx, model, values)
	}
	ids := make([]ID, len(values))
	failed := map[int]error{}
	for i, v := range values {
		id, err := a.Create(ctx, model, v)
		if err != nil {
			failed[i] = err
			continue
		}
		ids[i] = id
	}
	if len(failed) > 0 {
		return ids, &PartialError{Done: ids, Failed: failed}
	}
	return ids, nil
}

// Ping checks that the system answers; an adapter without a cheaper way is
// taken at its word.
func Ping(ctx context.Context, a Adapter) error {
	if p, ok := a.(Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

// Attach stores a file with a record, or returns ErrUnsupported.
func Attach(ctx context.Context, a Adapter, file Attachment, content io.Reader) (Attachment, error) {
	if t, ok := a.(Attacher); ok {
		return t.Attach(ctx, file, content)
	}
	return Attachment{}, unsupported(a, "keep files")
}

func unsupported(a Adapter, what string) error {
	return &Error{Code: Unsupported, Message: a.Info().Kind + " can't " + what, Err: errors.ErrUnsupported}
}
