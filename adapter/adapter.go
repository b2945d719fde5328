// Package adapter says what a connected business system is: records, queries,
// schemas and errors, one small interface that every system can satisfy, and
// further interfaces for what only some can do.
//
// It imports the standard library alone. Implementations live below it
// (adapter/memory, adapter/odoo, ...) and prove themselves with
// adaptertest.Run.
//
// The manner is that of io/fs: [Adapter] is what every system can do, an
// ability such as [Counter] or [Caller] is an interface of its own, and a
// package function such as [Count] uses the ability where it exists, falls
// back where that is possible, and otherwise returns [ErrUnsupported].
package adapter

import "context"

// Adapter is one connected system. Implementations are safe for concurrent
// use, honour the context's deadline and cancellation in every method, and
// return errors that are, or wrap, an [*Error].
type Adapter interface {
	// Info tells what the system is. It is known from the moment the adapter
	// was made and does no I/O.
	Info() Info

	// Schema describes a model for the connected user. An unknown model is
	// ErrNotFound; one the user may not see is ErrPermissionDenied.
	Schema(ctx context.Context, model string) (*Schema, error)

	// Query returns one page of the records that match. An unknown field in
	// the filter, the order or the field list is ErrInvalidArgument that names
	// it. A page that was cut by a limit says so (see [Page]). To read all
	// pages use [All].
	Query(ctx context.Context, q Query) (Page, error)

	// Create makes one record and returns its id. The caller's map is not
	// changed or kept.
	Create(ctx context.Context, model string, values Record) (ID, error)

	// Update changes the given fields of every record in ids, all or none
	// where the system can. A missing id is ErrNotFound. No ids is a no-op.
	Update(ctx context.Context, model string, ids []ID, values Record) error

	// Delete removes the records. A missing id is ErrNotFound, except on
	// systems that can't tell (documented there). No ids is a no-op.
	Delete(ctx context.Context, model string, ids []ID) error

	// Close releases connections. Calls after it fail with ErrUnavailable.
	Close() error
}

// Info describes a connected system.
type Info struct {
	Kind      string `json:"kind"`                // "odoo", "sap", "salesforce", "memory"
	Version   string `json:"version"`             // as its vendor writes it: "17.0"
	Build     string `json:"build,omitempty"`     // the system's full version string: "18.0-20250702"
	Transport string `json:"transport,omitempty"` // how calls travel: "json2", "jsonrpc", "session", "xmlrpc"
	URL       string `json:"url,omitempty"`       // without user information
	Database  string `json:"database,omitempty"`
	UserID    ID     `json:"user_id,omitzero"` // the connected user's id in the system
	IDField   string `json:"-"`                // the field that holds a record's id, "" for "id"
}

// Call is one call of a system's own method.
type Call struct {
	Model  string
	Method string
	// Args are positional arguments and Kwargs named ones, both of values
	// that encoding/json can write. For a method of records the first
	// positional argument is the list of ids.
	Args   []any
	Kwargs map[string]any
}
