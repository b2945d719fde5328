// Package live tells those who are connected what happens: changes of records,
// the condition of systems, the progress of operations, what was recorded and
// what was dropped from the cache.
//
// A [Hub] takes events in without ever blocking whoever publishes them, numbers
// them for each tenant, keeps the last ones, and hands them to the sessions
// that subscribed ([Hub.Join]). It knows no HTTP: a transport passes a client's
// messages to [Session.Handle] and sends what [Session.Next] gives. With Redis,
// several servers are one hub, and a client may come back to another one.
//
// A subscriber gets what it may read: the values that were written if it wrote
// them itself, otherwise the record as it reads it, otherwise the id alone.
package live

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// The channels that can be subscribed to.
const (
	SystemStatus = "system_status" // a system was connected or lost
	Operations   = "operations"    // how far the subscriber's own operations are
	Audit        = "audit"         // what was recorded; for admins
	Cache        = "cache"         // what is no longer kept, and now and then how much is
)

// Channels are their names.
var Channels = []string{SystemStatus, Operations, Audit, Cache}

// Progress says how far a long operation is.
type Progress struct {
	OperationID string `json:"operation_id"`
	Progress    int    `json:"progress"` // percent
	Status      string `json:"status"`   // "queued", "running", "succeeded", "failed", "cancelled"
	Message     string `json:"message"`  // as it is published: see Member.Read
}

// Closed is why a session ended.
type Closed struct {
	Code   int
	Reason string // at most 123 bytes, as WebSocket has it
}

func (c *Closed) Error() string { return fmt.Sprintf("closed with %d: %s", c.Code, c.Reason) }

// The codes of Closed. Those below 4000 are WebSocket's own.
const (
	CodeGoingAway    = 1001 // the server is shutting down: come back, to any server
	CodeUnauthorized = 4401 // no token, or one that has expired or was revoked
	CodeForbidden    = 4403 // somebody else's id, or a role that was lost
	CodeSlow         = 4408 // the client does not read fast enough
	CodeTooMany      = 4409 // too many connections
	CodeFlood        = 4429 // too many messages
)

// event is one publication on its way: a notification, or a change of records.
// It has one number for each record.
type event struct {
	First   uint64          `json:"first,omitempty"` // 0: not numbered, since Redis is away
	Last    uint64          `json:"last,omitempty"`
	At      time.Time       `json:"at"`
	Channel string          `json:"channel,omitempty"`
	User    string          `json:"user,omitempty"`   // only for this user; "" for all of the tenant
	System  string          `json:"system,omitempty"` // that the notification is about
	Data    json.RawMessage `json:"data,omitempty"`   // of a notification
	Change  *change         `json:"change,omitempty"`
	Resync  bool            `json:"resync,omitempty"` // something was lost

	views views
}

// change is what happened to records of one model.
type change struct {
	System    string            `json:"system"`
	Model     string            `json:"model"`
	As        string            `json:"as,omitempty"` // the version in whose words it is
	Operation string            `json:"operation"`
	Method    string            `json:"method,omitempty"` // where it is none of create, write, unlink
	IDs       []adapter.ID      `json:"ids"`
	Dates     []int64           `json:"dates,omitempty"`    // of what others changed: when, in Unix seconds
	Versions  []string          `json:"versions,omitempty"` // and which state, where dates don't say
	Writer    string            `json:"writer,omitempty"`   // the user who made it; "" for somebody outside
	Fields    []string          `json:"fields,omitempty"`   // what was written, as far as it is known
	Values    []json.RawMessage `json:"values,omitempty"`   // one for each record, or one for all
}

// size is how many numbers an event takes.
func (e *event) size() uint64 {
	if e.Change == nil {
		return 1
	}
	return uint64(max(1, len(e.Change.IDs)))
}

// values are what was written to the i-th record.
func (c *change) values(i int) json.RawMessage {
	switch len(c.Values) {
	case 0:
		return nil
	case len(c.IDs):
		return c.Values[i]
	}
	return c.Values[0]
}

// note makes an event of a notification.
func note(channel, user string, data any) *event {
	b, err := json.Marshal(data)
	if err != nil {
		b = []byte("{}") // texts and numbers
	}
	return &event{Channel: channel, User: user, Data: b}
}

// about says which system a notification is about: those who may not use it
// don't hear of it.
func (e *event) about(system string) *event {
	e.System = system
	return e
}

// Numbering and keeping of events.
type log interface {
	// run takes events from the hub until ctx ends, and delivers them.
	run(ctx context.Context, h *Hub)
	// open makes the room of a tenant ready: its last events are known.
	open(ctx context.Context, r *room)
	// lead reports whether this server is the one that tells of something for
	// the next while.
	lead(ctx context.Context, what string, ttl time.Duration) bool
	// yield lets another server lead.
	yield(what string)
	// shared reports whether other servers are told, and whether that works.
	shared() (shared, degraded bool)
}
