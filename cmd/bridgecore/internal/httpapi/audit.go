package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/audit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// Auditing says what is recorded.
type Auditing struct {
	Log   *audit.Log // nil: nothing
	Reads bool       // what changes nothing too, without waiting for it
}

// note is what the audit log will say of a request.
type note struct {
	action   string
	systemID string
	model    string
	ids      []adapter.ID
	changes  bool // the answer waits until the entry is durable
	username string
	tenant   int64 // where nobody is logged in
	details  map[string]any

	mu   sync.Mutex // of done: a batch may write from many goroutines
	done []changeNote
}

// changeNote is one change that a system acknowledged.
type changeNote struct {
	System    string         `json:"system"`
	Model     string         `json:"model"`
	Operation string         `json:"operation"`
	IDs       []adapter.ID   `json:"ids,omitempty"`
	Count     int            `json:"count,omitempty"` // of ids, where not all are listed
	Fields    map[string]any `json:"fields,omitempty"`
}

// maxNotedIDs is how many ids an entry lists of one change.
const maxNotedIDs = 200

// noted makes the note of a request. Handlers call it as soon as they know what
// is asked for.
func (c *call) noted(action string, changes bool) *note {
	if c.note == nil {
		c.note = &note{}
	}
	c.note.action, c.note.changes = action, changes
	return c.note
}

// Changes is the bridge's observer for the audit log: it notes what systems
// acknowledged with the request that asked for it.
type Changes struct{ Log *audit.Log }

var _ bridge.Observer = Changes{}

// Upstream implements bridge.Observer.
func (Changes) Upstream(context.Context, bridge.UpstreamEvent) {}

// Lookup implements bridge.Observer.
func (Changes) Lookup(context.Context, bridge.LookupEvent) {}

// Breaker implements bridge.Observer.
func (Changes) Breaker(bridge.BreakerEvent) {}

// Changed implements bridge.Observer.
func (o Changes) Changed(ctx context.Context, e bridge.ChangeEvent) {
	c := callFrom(ctx)
	if c == nil || c.note == nil || o.Log == nil {
		return
	}
	n := changeNote{System: e.System, Model: e.Model, Operation: e.Operation, IDs: e.IDs, Fields: o.Log.Describe(writtenOf(e.Values))}
	if len(n.IDs) > maxNotedIDs {
		n.Count, n.IDs = len(n.IDs), n.IDs[:maxNotedIDs]
	}
	c.note.mu.Lock()
	defer c.note.mu.Unlock()
	c.note.done = append(c.note.done, n)
}

// writtenOf are the values that were written, of one record or of several: then
// a field has the first one's value.
func writtenOf(v any) map[string]any {
	switch v := v.(type) {
	case adapter.Record:
		return v
	case map[string]any:
		return v
	case []adapter.Record:
		all := map[string]any{}
		for _, r := range v {
			for name, value := range r {
				if _, known := all[name]; !known {
					all[name] = value
				}
			}
		}
		return all
	case json.RawMessage:
		var one adapter.Record
		if adapter.DecodeJSON(v, &one) == nil {
			return one
		}
		var many []adapter.Record
		if adapter.DecodeJSON(v, &many) == nil {
			return writtenOf(many)
		}
	}
	return nil
}

// entry is what is recorded of a request that ends with a status.
func (c *call) entry(r *http.Request, status int) *store.AuditEntry {
	n := c.note
	n.mu.Lock()
	defer n.mu.Unlock()
	e := &store.AuditEntry{
		TenantID: n.tenant, Username: n.username, Action: n.action, SystemID: n.systemID, Model: n.model, Outcome: "ok",
		Status: status, DurationUS: time.Since(c.start).Microseconds(), RequestID: c.requestID, Address: c.remote, Agent: clipTo(r.UserAgent(), 200),
	}
	if c.identity != nil {
		e.TenantID, e.UserID, e.Username = c.identity.TenantID, c.identity.UserID, c.identity.Username
	}
	if status >= http.StatusBadRequest {
		if e.Outcome = c.code; e.Outcome == "" {
			e.Outcome = strconv.Itoa(status)
		}
	}
	ids := slices.Clone(n.ids)
	for _, d := range n.done {
		if d.Model == n.model && len(n.ids) == 0 {
			ids = append(ids, d.IDs...)
		}
	}
	if len(ids) > maxNotedIDs {
		ids = ids[:maxNotedIDs]
	}
	e.RecordIDs = jsonText(orNone(ids))
	details := map[string]any{}
	maps.Copy(details, n.details)
	if len(n.done) > 0 {
		details["changes"] = n.done
	}
	e.Details = jsonText(details)
	return e
}

func orNone(ids []adapter.ID) []adapter.ID {
	if ids == nil {
		return []adapter.ID{}
	}
	return ids
}

func jsonText(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "{}"
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

func clipTo(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "") // PostgreSQL takes nothing else
}

// recording is how long a change waits until it is recorded.
const recording = 10 * time.Second

// record makes the entry of a change durable before its answer begins. It
// reports whether the answer may go out.
func (c *call) record(status int) bool {
	if c.note == nil || !c.note.changes || c.auditing.Log == nil || c.recorded {
		return true
	}
	c.recorded = true
	// Whoever asked may have left; what was done is recorded all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.parent), recording)
	defer cancel()
	err := c.auditing.Log.Append(ctx, c.entry(c.request, status))
	if err == nil {
		return true
	}
	c.err = err
	return false
}

// recordRead records what changed nothing, if that is wanted, or was refused.
func (c *call) recordRead() {
	n := c.note
	if n == nil || n.changes || c.auditing.Log == nil || c.recorded {
		return
	}
	refused := c.status == http.StatusForbidden || c.status == http.StatusUnauthorized
	if c.auditing.Reads || refused {
		c.recorded = true
		c.auditing.Log.Add(c.entry(c.request, c.status))
	}
}

// notRecorded is the answer in place of that of a change which could not be
// recorded. What was done was done.
func notRecorded() *Problem {
	return newProblem(http.StatusInternalServerError, "not_recorded",
		"the change may have been made, but could not be recorded in the audit log; look before you repeat it")
}
