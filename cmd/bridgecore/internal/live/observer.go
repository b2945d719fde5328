package live

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/breaker"
	"github.com/bridgecore/bridgecore/bridge"
)

var _ bridge.Observer = (*Hub)(nil)

// maxKeptValues is how much of what was written an event carries; a larger
// one is read again by those who want it.
const maxKeptValues = 64 << 10

// Changed implements bridge.Observer: what was changed through the bridge.
func (h *Hub) Changed(_ context.Context, e bridge.ChangeEvent) {
	if !h.wanted(e.Tenant) {
		return
	}
	h.Invalidated(e.Tenant, e.System, e.Model)
	c := &change{System: e.System, Model: e.Model, As: e.As, Operation: e.Operation, IDs: e.IDs, Writer: e.User}
	switch e.Operation {
	case "create", "write", "unlink":
	case "copy":
		c.Operation = "create"
	default:
		c.Operation, c.Method = "write", e.Operation
	}
	if len(c.IDs) == 0 {
		return // a method of which nobody knows what it changed
	}
	c.written(e.Values)
	h.publish(e.Tenant, &event{Change: c})
}

// written takes in what was written: the fields, and the values unless they
// are too large.
func (c *change) written(values any) {
	records := recordsOf(values)
	if len(records) == 0 || c.Method != "" {
		return
	}
	fields := map[string]bool{}
	size := 0
	for _, r := range records {
		for name := range r {
			fields[name] = true
		}
		b, err := json.Marshal(r)
		if err != nil {
			c.Values = nil
			break
		}
		size += len(b)
		c.Values = append(c.Values, b)
	}
	if size > maxKeptValues || len(c.Values) != 1 && len(c.Values) != len(c.IDs) {
		c.Values = nil
	}
	delete(fields, "id")
	c.Fields = slices.Sorted(maps.Keys(fields))
}

// recordsOf reads the values of one record, or of several.
func recordsOf(v any) []adapter.Record {
	switch v := v.(type) {
	case adapter.Record:
		if v != nil {
			return []adapter.Record{v}
		}
	case map[string]any:
		return []adapter.Record{v}
	case []adapter.Record:
		return v
	case json.RawMessage:
		var one adapter.Record
		if adapter.DecodeJSON(v, &one) == nil && one != nil {
			return []adapter.Record{one}
		}
		var many []adapter.Record
		if adapter.DecodeJSON(v, &many) == nil {
			return many
		}
	}
	return nil
}

// Invalidated tells that answers of a model are no longer kept; model "" is
// all of the system.
func (h *Hub) Invalidated(tenant, system, model string) {
	data := map[string]string{"event": "invalidation", "system_id": system}
	if model != "" {
		data["model"] = model
	}
	h.publish(tenant, note(Cache, "", data).about(system))
}

// CacheCounted tells the subscribers of the channel cache how much is kept of a
// system.
func (h *Hub) CacheCounted(tenant, system string, stats any) {
	data := map[string]any{"event": "statistics", "system_id": system, "cache_stats": stats}
	h.publish(tenant, note(Cache, "", data).about(system))
}

// Lookup implements bridge.Observer.
func (h *Hub) Lookup(context.Context, bridge.LookupEvent) {}

type systemName struct{ tenant, system string }

// condition is the data of system_status.
type condition struct {
	SystemID string `json:"system_id"`
	Status   string `json:"status"` // "connected", "disconnected", "error"
	Message  string `json:"message"`
	Breaker  string `json:"circuit_breaker,omitempty"`
}

// failures are what the outcome of a call says about the system.
var failures = map[adapter.Code]condition{
	adapter.Unavailable:     {Status: "disconnected", Message: "the system can't be reached"},
	adapter.Timeout:         {Status: "disconnected", Message: "the system does not answer in time"},
	adapter.Unauthenticated: {Status: "error", Message: "the system refuses the credentials that it was registered with"},
}

// Upstream implements bridge.Observer: the condition of a system is told when
// it changes.
func (h *Hub) Upstream(_ context.Context, e bridge.UpstreamEvent) {
	now := condition{Status: "connected", Message: "the system answers"}
	if e.Err != nil {
		failed, known := failures[adapter.CodeOf(e.Err)]
		if !known {
			return
		}
		now = failed
	}
	h.told(systemName{e.Tenant, e.System}, now)
}

// told tells a system's condition, if it is another one than before.
func (h *Hub) told(name systemName, now condition) {
	if before, known := h.health.Load(name); known && before == now.Status {
		return
	}
	h.health.Store(name, now.Status)
	now.SystemID = name.system
	h.publish(name.tenant, note(SystemStatus, "", now).about(name.system))
}

// Breaker implements bridge.Observer.
func (h *Hub) Breaker(e bridge.BreakerEvent) {
	now := condition{SystemID: e.System, Breaker: string(e.To)}
	switch e.To {
	case breaker.Open:
		now.Status, now.Message = "disconnected", "the circuit breaker opened: the system failed too often, calls are refused for a while"
	case breaker.HalfOpen:
		now.Status, now.Message = "disconnected", "the circuit breaker lets one call through, to see whether the system is back"
	default:
		now.Status, now.Message = "connected", "the circuit breaker closed: the system is back"
	}
	h.health.Store(systemName{e.Tenant, e.System}, now.Status)
	h.publish(e.Tenant, note(SystemStatus, "", now).about(e.System))
}
