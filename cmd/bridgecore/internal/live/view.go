package live

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// views are the messages of an event as its subscribers may see them: made
// once for all who see the same.
type views struct {
	mu   sync.Mutex
	made map[string]*view
	note [][]byte // of a notification: one
}

type view struct {
	done     chan struct{}
	messages [][]byte // one for each record
}

// maxData is how large the data of one message may be.
const maxData = 64 << 10

// view returns the messages of a change as a member sees them. The records are
// read once for all who see the same of them.
func (h *Hub) view(ctx context.Context, m Member, sub *modelSub, e *event) ([][]byte, error) {
	c := e.Change
	own := sub.key.words == "" && c.Writer != "" && c.Writer == m.User && sub.fields == nil && len(c.Values) > 0 && c.As == sub.as
	key := "own"
	if !own {
		key = m.reads + "|" + strings.Join(sub.fields, ",") + "|" + sub.as
		if sub.key.words != "" {
			key += "|" + sub.key.words + "|" + sub.key.model
		}
	}
	e.views.mu.Lock()
	v := e.views.made[key]
	if v == nil {
		if e.views.made == nil {
			e.views.made = map[string]*view{}
		}
		v = &view{done: make(chan struct{})}
		e.views.made[key] = v
		// Not in the session's goroutine: it may leave while others wait.
		h.work.Go(func() { //nolint:contextcheck // it has the hub's
			defer close(v.done)
			v.messages = h.messages(m, sub, e, own)
		})
	}
	e.views.mu.Unlock()
	select {
	case <-v.done:
		return v.messages, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// messages makes the messages of a change.
func (h *Hub) messages(m Member, sub *modelSub, e *event, own bool) [][]byte {
	c := e.Change
	data := make([]json.RawMessage, len(c.IDs))
	switch {
	case c.Operation == "unlink":
		for i := range data {
			data[i] = emptyData
		}
	case own:
		for i := range data {
			data[i] = c.values(i)
		}
	default:
		read := h.read(m, sub, c)
		for i, id := range c.IDs {
			data[i] = read[id]
		}
	}
	out := make([][]byte, len(c.IDs))
	for i, id := range c.IDs {
		out[i] = e.update(sub.key, i, id, data[i])
	}
	return out
}

// read reads the records of a change as a subscriber may see them. What can't
// be read is left out.
func (h *Hub) read(m Member, sub *modelSub, c *change) map[adapter.ID]json.RawMessage {
	b := h.bridge.Load()
	if b == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(h.ctx, h.config.ReadTimeout)
	defer cancel()
	sys, err := m.system(ctx, b, sub.key)
	if err != nil {
		return nil
	}
	fields := sub.fields
	if fields == nil && c.As == sub.as && sub.key.words == "" {
		fields = c.Fields
	}
	if fields == nil {
		if fields, err = simpleFields(ctx, sys, sub.key.model); err != nil {
			return nil
		}
	}
	scope := sys.Scope()
	scope.Values = map[string]any{"active_test": false}
	out := make(map[adapter.ID]json.RawMessage, len(c.IDs))
	for ids := range slices.Chunk(c.IDs, bridge.MaxReadLimit) {
		list := make([]any, len(ids))
		for i, id := range ids {
			list[i] = id.Value()
		}
		answer, err := sys.WithScope(scope).Read(ctx, bridge.Reading{Query: adapter.Query{
			Model: sub.key.model, Fields: fields, Limit: len(ids), Filter: adapter.Cond{Field: "id", Op: adapter.In, Value: list},
		}})
		var records []json.RawMessage
		if err != nil || json.Unmarshal(answer.Result, &records) != nil {
			return out
		}
		for _, r := range records {
			var with struct {
				ID adapter.ID `json:"id"`
			}
			if json.Unmarshal(r, &with) == nil {
				out[with.ID] = r
			}
		}
	}
	return out
}

// simpleFields are those that are read where nobody knows which changed: the
// stored ones that are small and cost the system no further query.
func simpleFields(ctx context.Context, sys *bridge.System, model string) ([]string, error) {
	answer, err := sys.Fields(ctx, model)
	if err != nil {
		return nil, err
	}
	var schema adapter.Schema
	if err := json.Unmarshal(answer.Result, &schema); err != nil {
		return nil, err
	}
	var names []string
	for _, name := range slices.Sorted(maps.Keys(schema.Fields)) {
		f := schema.Fields[name]
		switch f.Type {
		case adapter.Boolean, adapter.Integer, adapter.Float, adapter.Monetary, adapter.Char, adapter.Date, adapter.DateTime, adapter.Selection, adapter.Many2One:
			if f.Stored && len(names) < maxSimpleFields {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

const maxSimpleFields = 60

var emptyData = json.RawMessage("{}")

// update is the message of the i-th record. data nil says that the subscriber
// can't read it.
func (e *event) update(key modelKey, i int, id adapter.ID, data json.RawMessage) []byte {
	c := e.Change
	b := append(make([]byte, 0, 192+len(data)), `{"type":"model_update"`...)
	b = appendNumber(b, e.number(i))
	b = appendMember(b, "system_id", c.System)
	b = appendMember(b, "model", key.model)
	if key.words != "" {
		b = appendMember(b, "vocabulary", key.words)
	}
	raw, _ := id.MarshalJSON() // a number or a text
	b = append(append(b, `,"record_id":`...), raw...)
	b = appendMember(b, "operation", c.Operation)
	if c.Method != "" {
		b = appendMember(b, "method", c.Method)
	}
	note := ""
	switch {
	case data == nil:
		data, note = emptyData, `,"data_omitted":"unreadable"`
	case len(data) > maxData:
		data, note = emptyData, `,"data_omitted":"too_large"`
	}
	b = append(append(b, `,"data":`...), data...)
	b = append(b, note...)
	return e.end(b)
}

// notification is the message of a notification, alone. One that has words for
// people, which read puts into a language, is made for each of its few readers.
func (e *event) notification(read func(string) string) [][]byte {
	if e.Channel == Operations && read != nil {
		var p Progress
		if json.Unmarshal(e.Data, &p) == nil {
			if said := read(p.Message); said != p.Message {
				p.Message = said
				return [][]byte{e.told(note(e.Channel, e.User, p).Data)}
			}
		}
	}
	e.views.mu.Lock()
	defer e.views.mu.Unlock()
	if e.views.note == nil {
		e.views.note = [][]byte{e.told(e.Data)}
	}
	return e.views.note
}

func (e *event) told(data json.RawMessage) []byte {
	b := append(make([]byte, 0, 128+len(data)), `{"type":"notification"`...)
	b = appendNumber(b, e.Last)
	b = appendMember(b, "channel", e.Channel)
	b = append(append(b, `,"data":`...), data...)
	return e.end(b)
}

func (e *event) end(b []byte) []byte {
	b = append(b, `,"timestamp":"`...)
	b = e.At.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, `"}`...)
}

func appendNumber(b []byte, n uint64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendUint(append(b, `,"event_id":`...), n, 10)
}

func appendMember(b []byte, name, value string) []byte {
	text, _ := json.Marshal(value) // a text
	b = append(append(append(b, ','), '"'), name...)
	return append(append(b, `":`...), text...)
}
