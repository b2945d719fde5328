package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"time"
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

// Linguist knows in which languages it may be asked.
type Linguist interface {
	// Languages returns the codes that [Scope.Language] takes: "en_US",
	// "ar_001". What the connected user may not see is ErrPermissionDenied.
	Languages(ctx context.Context) ([]string, error)
}

// BatchCreator creates many records in one call, all or none.
type BatchCreator interface {
	CreateMany(ctx context.Context, model string, values []Record) ([]ID, error)
}

// Streamer reads everything that matches in one go, better than page by page.
type Streamer interface {
	// Stream yields the records that match. It stops at the first error, which
	// it yields with a nil record. The query has no Offset and no Cursor.
	Stream(ctx context.Context, q Query) iter.Seq2[Record, error]
}

// Nester is an adapter of a system that reads and creates nested records by
// itself. The Fields of a Query may lead through relations, "Account.Name" or
// "to_Item.Material", to one record or to many; the answer has them in place:
// {"Account": {"Name": "Azure"}, "to_Item": [{"Material": "TG11"}]}. Values
// of a new record may hold such lists of records, which are created with it.
type Nester interface {
	// Nests does nothing; it says so.
	Nests()
}

// Adder adds records to what another record has many of, such as a line to an
// order. It is for systems in which a line alone does not say whose it is.
type Adder interface {
	// Add creates a record in the relation to many of the record, and returns
	// its id. A missing record is ErrNotFound.
	Add(ctx context.Context, model string, id ID, relation string, values Record) (ID, error)
}

// Conditional changes a record only if it still is as the caller knew it.
type Conditional interface {
	// ETag returns a text that changes whenever the record does. It is opaque
	// and good for UpdateIf and DeleteIf of the same record alone. A missing
	// record is ErrNotFound.
	ETag(ctx context.Context, model string, id ID) (string, error)
	// UpdateIf is Update of one record that still has the tag. One that has
	// changed is ErrPreconditionFailed, and stays as it is.
	UpdateIf(ctx context.Context, model string, id ID, etag string, values Record) error
	// DeleteIf is Delete of one record that still has the tag.
	DeleteIf(ctx context.Context, model string, id ID, etag string) error
}

// Upserter writes a record by a key of its own rather than by its id.
type Upserter interface {
	// Upsert changes the record whose field key holds the value, or creates it
	// with that value if there is none, and says which it did. The field must
	// be one that the system keeps unique, else ErrInvalidArgument.
	Upsert(ctx context.Context, model, key, value string, values Record) (id ID, created bool, err error)
}

// ChangeFeeder tells what changed.
type ChangeFeeder interface {
	// Changes returns what changed since the cursor, oldest first. Without a
	// cursor it returns no changes but the cursor for this moment: take it
	// first, read everything, then follow. A change may come twice, never not
	// at all. A cursor that is too old for the system is
	// ErrPreconditionFailed: read everything again.
	Changes(ctx context.Context, q ChangeQuery) (ChangePage, error)
}

// ChangeQuery asks for changes of one model.
type ChangeQuery struct {
	Model  string
	Fields []string // as in Query
	Cursor string   // opaque: ChangePage.Next of an earlier answer; "" begins now
	Limit  int      // at most about this many changes; 0 leaves it to the adapter
}

// Change is one record that was created, changed or deleted.
type Change struct {
	ID      ID
	Deleted bool
	Record  Record    // as it is now; nil when it was deleted
	At      time.Time // when, by the system's clock; zero where that is not told
}

// ChangePage is one answer to a ChangeQuery.
type ChangePage struct {
	Changes []Change
	Next    string // the cursor to go on with, never ""
	More    bool   // there is more already
	// NoDeletions says that the system never tells deletions: they are found by
	// comparing ids.
	NoDeletions bool
}

// Dater knows by which of their fields the records of a model are dated, for
// whoever finds out by these dates what changed.
type Dater interface {
	// Dating returns how the records of a model are dated, or ErrUnsupported if
	// they are not, or can't be filtered and sorted by it.
	Dating(ctx context.Context, model string) (Dating, error)
}

// Dating is how records are dated.
type Dating struct {
	// Fields hold when a record was last changed, and when it was made if the
	// first is empty until it is changed. They are datetimes, or all dates.
	Fields []string
	// Marks are further fields that no two states of a record have in common
	// which bear the same date: the time of day, a version. Without any, only the
	// whole record tells.
	Marks []string
	// Step is how exact they are: time.Second, or 24 hours for dates.
	Step time.Duration
	// Lag is how long after its date a change may come to be seen, since a
	// transaction is seen when it has ended.
	Lag time.Duration
}

// Pinger checks that the system answers.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Clocked knows what time it is in the system.
type Clocked interface {
	// Clock returns the system's time now, exact to a second or so, as its
	// last answer was dated; false before the first one. It is the clock of
	// whoever answers, a proxy in front of the system perhaps: good for what
	// minutes matter to.
	Clock() (now time.Time, ok bool)
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

// AttachmentDeleter removes files kept with records.
type AttachmentDeleter interface {
	// DeleteAttachment removes a file. A missing one is ErrNotFound.
	DeleteAttachment(ctx context.Context, id ID) error
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

// Nests reports whether the system reads and creates nested records by itself.
func Nests(a Adapter) bool {
	_, ok := a.(Nester)
	return ok
}

// Add creates a record in a relation to many of another, or returns
// ErrUnsupported.
func Add(ctx context.Context, a Adapter, model string, id ID, relation string, values Record) (ID, error) {
	if d, ok := a.(Adder); ok {
		return d.Add(ctx, model, id, relation, values)
	}
	return ID{}, unsupported(a, "add a record to another")
}

// ETag returns a text that changes whenever the record does, or
// ErrUnsupported.
func ETag(ctx context.Context, a Adapter, model string, id ID) (string, error) {
	if c, ok := a.(Conditional); ok {
		return c.ETag(ctx, model, id)
	}
	return "", unsupported(a, "tell whether a record has changed")
}

// UpdateIf changes a record that still has the tag, or returns
// ErrPreconditionFailed, or ErrUnsupported.
func UpdateIf(ctx context.Context, a Adapter, model string, id ID, etag string, values Record) error {
	if c, ok := a.(Conditional); ok {
		return c.UpdateIf(ctx, model, id, etag, values)
	}
	return unsupported(a, "tell whether a record has changed")
}

// DeleteIf removes a record that still has the tag, or returns
// ErrPreconditionFailed, or ErrUnsupported.
func DeleteIf(ctx context.Context, a Adapter, model string, id ID, etag string) error {
	if c, ok := a.(Conditional); ok {
		return c.DeleteIf(ctx, model, id, etag)
	}
	return unsupported(a, "tell whether a record has changed")
}

// Upsert writes a record by a unique field, or returns ErrUnsupported.
func Upsert(ctx context.Context, a Adapter, model, key, value string, values Record) (id ID, created bool, err error) {
	if u, ok := a.(Upserter); ok {
		return u.Upsert(ctx, model, key, value, values)
	}
	return ID{}, false, unsupported(a, "create or update by a key")
}

// Changes returns what changed since a cursor, or ErrUnsupported.
func Changes(ctx context.Context, a Adapter, q ChangeQuery) (ChangePage, error) {
	if f, ok := a.(ChangeFeeder); ok {
		return f.Changes(ctx, q)
	}
	return ChangePage{}, unsupported(a, "tell what changed")
}

// Ping checks that the system answers; an adapter without a cheaper way is
// taken at its word.
func Ping(ctx context.Context, a Adapter) error {
	if p, ok := a.(Pinger); ok {
		return p.Ping(ctx)
	}
	return nil
}

// Clock returns the system's time now, and whether it is known; see [Clocked].
func Clock(a Adapter) (now time.Time, ok bool) {
	if c, able := a.(Clocked); able {
		return c.Clock()
	}
	return time.Time{}, false
}

// Languages returns in which languages the system may be asked, none where it
// has no say in that.
func Languages(ctx context.Context, a Adapter) ([]string, error) {
	if l, ok := a.(Linguist); ok {
		return l.Languages(ctx)
	}
	return nil, nil
}

// Attach stores a file with a record, or returns ErrUnsupported.
func Attach(ctx context.Context, a Adapter, file Attachment, content io.Reader) (Attachment, error) {
	if t, ok := a.(Attacher); ok {
		return t.Attach(ctx, file, content)
	}
	return Attachment{}, unsupported(a, "keep files")
}

// Attachments lists the files of a record, or returns ErrUnsupported.
func Attachments(ctx context.Context, a Adapter, model string, record ID) ([]Attachment, error) {
	if t, ok := a.(Attacher); ok {
		return t.Attachments(ctx, model, record)
	}
	return nil, unsupported(a, "keep files")
}

// OpenAttachment returns a file and its content, which the caller closes, or
// ErrUnsupported.
func OpenAttachment(ctx context.Context, a Adapter, id ID) (Attachment, io.ReadCloser, error) {
	if t, ok := a.(Attacher); ok {
		return t.OpenAttachment(ctx, id)
	}
	return Attachment{}, nil, unsupported(a, "keep files")
}

// DeleteAttachment removes a file, or returns ErrUnsupported.
func DeleteAttachment(ctx context.Context, a Adapter, id ID) error {
	if d, ok := a.(AttachmentDeleter); ok {
		return d.DeleteAttachment(ctx, id)
	}
	return unsupported(a, "remove files")
}

func unsupported(a Adapter, what string) error {
	return &Error{Code: Unsupported, Message: a.Info().Kind + " can't " + what, Err: errors.ErrUnsupported}
}
