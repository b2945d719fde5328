package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// request is a message of a client's.
type request struct {
	Type        string          `json:"type"`
	Channel     string          `json:"channel"`
	SystemID    string          `json:"system_id"`
	Model       string          `json:"model"`
	RecordIDs   []adapter.ID    `json:"record_ids"`
	Fields      []string        `json:"fields"`
	External    *bool           `json:"external"`
	Universal   bool            `json:"use_universal_schema"`
	Token       string          `json:"token"`
	LastEventID uint64          `json:"last_event_id"`
	Timestamp   json.RawMessage `json:"timestamp"`
	RequestID   json.RawMessage `json:"request_id"`
}

// problem is the answer to a message that can't be followed.
type problem struct {
	Type     string `json:"type"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Channel  string `json:"channel,omitempty"`
	SystemID string `json:"system_id,omitempty"`
	Model    string `json:"model,omitempty"`
	// Vocabulary is "universal" where model is a universal model.
	Vocabulary string          `json:"vocabulary,omitempty"`
	RequestID  json.RawMessage `json:"request_id,omitempty"`
}

// subscribed is the answer to subscribe and unsubscribe.
type subscribed struct {
	Type       string          `json:"type"` // "subscribed" or "unsubscribed"
	Channel    string          `json:"channel,omitempty"`
	SystemID   string          `json:"system_id,omitempty"`
	Model      string          `json:"model,omitempty"`
	Vocabulary string          `json:"vocabulary,omitempty"`
	RecordIDs  []adapter.ID    `json:"record_ids,omitempty"`
	External   *bool           `json:"external,omitempty"`
	Message    string          `json:"message"`
	RequestID  json.RawMessage `json:"request_id,omitempty"`
}

func answer(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage(`{"type":"error","code":"internal","message":"the answer can't be written"}`)
	}
	return b
}

// resync says that something was missed: of a model, or of everything.
func (s *Session) resync(last uint64, key modelKey) json.RawMessage {
	return answer(struct {
		Type        string `json:"type"`
		LastEventID uint64 `json:"last_event_id"`
		SystemID    string `json:"system_id,omitempty"`
		Model       string `json:"model,omitempty"`
		Vocabulary  string `json:"vocabulary,omitempty"`
		Message     string `json:"message"`
	}{"resync", last, key.system, key.model, key.words, s.say("", "events were missed that can't be repeated: read again what you show")})
}

// Handle follows one message of the client's; the answer comes out of Next.
func (s *Session) Handle(ctx context.Context, text []byte) {
	q, err := parse(text)
	if err == nil {
		err = s.follow(ctx, q)
	}
	if err == nil {
		return
	}
	p := problem{Type: "error", Code: string(adapter.CodeOf(err)), Message: s.say(string(adapter.CodeOf(err)), messageOf(err))}
	if q != nil {
		if q.Universal {
			p.Vocabulary = universalWords
		}
		p.Channel, p.SystemID, p.Model, p.RequestID = clip(q.Channel), clip(q.SystemID), clip(q.Model), q.RequestID
	}
	s.push(item{raw: answer(p)})
}

func messageOf(err error) string {
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		return e.Message
	}
	return err.Error()
}

func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "..."
	}
	return s
}

func parse(text []byte) (*request, error) {
	q := new(request)
	trimmed := bytes.TrimSpace(text)
	if !json.Valid(trimmed) {
		return nil, wrong("the message is not JSON")
	}
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, wrong(`the message must be an object such as {"type":"subscribe","channel":"system_status"}`)
	}
	if err := json.Unmarshal(trimmed, q); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
			return nil, wrong("%s: a JSON %s does not belong there", e.Field, e.Value)
		}
		return nil, wrong("record_ids: must be a list of ids")
	}
	return q, nil
}

func wrong(format string, args ...any) error {
	return adapter.Errorf(adapter.InvalidArgument, format, args...)
}

// messages are the types that a client may send.
var messages map[string]func(*Session, context.Context, *request) error

func init() {
	messages = map[string]func(*Session, context.Context, *request) error{
		"ping":              (*Session).pong,
		"resume":            (*Session).resumed,
		"subscribe":         (*Session).subscribeChannel,
		"unsubscribe":       (*Session).unsubscribeChannel,
		"subscribe_model":   (*Session).subscribeModel,
		"unsubscribe_model": (*Session).unsubscribeModel,
		"auth":              (*Session).authenticate,
	}
}

func (s *Session) follow(ctx context.Context, q *request) error {
	if q.Type == "" {
		return wrong("type: is missing")
	}
	do, ok := messages[q.Type]
	if !ok {
		return wrong("type: %q is none of ping, auth, resume, subscribe, unsubscribe, subscribe_model, unsubscribe_model", clip(q.Type))
	}
	return do(s, ctx, q)
}

func (s *Session) pong(_ context.Context, q *request) error {
	s.push(item{raw: answer(struct {
		Type      string          `json:"type"`
		Timestamp json.RawMessage `json:"timestamp,omitempty"`
		RequestID json.RawMessage `json:"request_id,omitempty"`
	}{"pong", q.Timestamp, q.RequestID})})
	return nil
}

// authenticate takes a new token, before the old one has expired.
func (s *Session) authenticate(ctx context.Context, q *request) error {
	if q.Token == "" {
		return wrong("token: is missing")
	}
	if err := s.renew(ctx, q.Token); err != nil {
		return err
	}
	s.push(item{raw: answer(struct {
		Type      string          `json:"type"`
		Message   string          `json:"message"`
		RequestID json.RawMessage `json:"request_id,omitempty"`
	}{"authenticated", s.say("", "the connection goes on with the new token"), q.RequestID})})
	return nil
}

func (s *Session) resumed(ctx context.Context, q *request) error {
	if q.LastEventID == 0 {
		return wrong("last_event_id: is missing: the event_id of the last event that you have")
	}
	s.room.await(ctx, q.LastEventID)
	s.goOn(q.LastEventID)
	return nil
}

func checkChannel(name string) error {
	switch {
	case name == "":
		return wrong("channel: is missing: one of %s", strings.Join(Channels, ", "))
	case !slices.Contains(Channels, name):
		return wrong("channel: %q is none of %s", clip(name), strings.Join(Channels, ", "))
	}
	return nil
}

func (s *Session) subscribeChannel(_ context.Context, q *request) error {
	if err := checkChannel(q.Channel); err != nil {
		return err
	}
	if q.Channel == Audit && !s.memberNow().Admin {
		return adapter.Errorf(adapter.PermissionDenied, "the channel audit needs the role admin")
	}
	return s.subscribe(answer(subscribed{Type: "subscribed", Channel: q.Channel, Message: s.say("", "Subscribed to "+q.Channel), RequestID: q.RequestID}), q.Channel, nil)
}

func (s *Session) unsubscribeChannel(_ context.Context, q *request) error {
	if err := checkChannel(q.Channel); err != nil {
		return err
	}
	s.unsubscribe(answer(subscribed{Type: "unsubscribed", Channel: q.Channel, Message: s.say("", "Unsubscribed from "+q.Channel), RequestID: q.RequestID}), q.Channel, modelKey{}, nil)
	return nil
}

func (q *request) modelKey() (modelKey, error) {
	switch {
	case q.SystemID == "":
		return modelKey{}, wrong("system_id: is missing")
	case q.Model == "":
		return modelKey{}, wrong("model: is missing")
	}
	key := modelKey{system: q.SystemID, model: q.Model}
	if q.Universal {
		key.words = universalWords
	}
	return key, nil
}

// subscribeModel follows a model, or some records of it, that the member may
// read.
func (s *Session) subscribeModel(ctx context.Context, q *request) error {
	key, err := q.modelKey()
	if err != nil {
		return err
	}
	if len(q.RecordIDs) > s.hub.config.MaxRecords {
		return wrong("record_ids: at most %d; leave them out to follow all of the model", s.hub.config.MaxRecords)
	}
	if len(q.Fields) > maxSimpleFields {
		return wrong("fields: at most %d", maxSimpleFields)
	}
	sub := &modelSub{key: key, own: q.Model, whole: len(q.RecordIDs) == 0, ids: map[adapter.ID]bool{}, fields: q.Fields}
	for _, id := range q.RecordIDs {
		if id.IsZero() {
			return wrong("record_ids: must be ids of records")
		}
		sub.ids[id] = true
	}
	if err := s.mayFollow(ctx, sub); err != nil {
		return err
	}
	feed := s.hub.follow(s.room, s.memberNow(), sub, q.External == nil || *q.External) //nolint:contextcheck // a feed is everybody's
	external := feed != nil
	message := "Subscribed to " + q.Model
	if !sub.whole {
		message = fmt.Sprintf("Subscribed to %d records of %s", len(q.RecordIDs), q.Model)
	}
	ack := answer(subscribed{
		Type: "subscribed", SystemID: q.SystemID, Model: q.Model, Vocabulary: key.words, RecordIDs: q.RecordIDs, External: &external, Message: s.say("", message), RequestID: q.RequestID,
	})
	if feed != nil && !feed.hasBegun() {
		// Who was told must miss nothing from then on.
		if err = s.subscribe(nil, "", sub); err == nil {
			s.hub.work.Go(func() { s.promise(ack, sub) })
		}
	} else {
		sub.promised = external
		err = s.subscribe(ack, "", sub)
	}
	if err != nil {
		s.hub.unfollow(sub, false)
	}
	return err
}

// systemOf is the system of a subscription, as the member may use it and in the
// words of the subscription.
func (s *Session) systemOf(ctx context.Context, sub *modelSub) (*bridge.System, error) {
	b := s.hub.bridge.Load()
	if b == nil {
		return nil, adapter.Errorf(adapter.Unavailable, "no systems are known yet")
	}
	m := s.memberNow()
	return m.system(ctx, b, sub.key)
}

// system is a system in some words. One that the member may not use is one that
// does not exist.
func (m *Member) system(ctx context.Context, b *bridge.Bridge, key modelKey) (*bridge.System, error) {
	if m.MayUse != nil && !m.MayUse(key.system) {
		return nil, adapter.Errorf(adapter.NotFound, "there is no system %q", key.system)
	}
	sys, err := b.System(ctx, m.caller(), key.system)
	if err != nil || key.words == "" {
		return sys, err
	}
	return sys.Universal(bridge.UniversalOptions{})
}

// mayRead returns the system and what it calls the model, unless the member may
// not read that, or it does not exist.
func (s *Session) mayRead(ctx context.Context, sub *modelSub) (sys *bridge.System, own string, err error) {
	if sys, err = s.systemOf(ctx, sub); err == nil {
		own, err = sys.OwnModel(ctx, sub.key.model)
	}
	return sys, own, err
}

// mayFollow refuses what the member may not read, or what does not exist. A
// system that is away can be followed: it may come back.
func (s *Session) mayFollow(ctx context.Context, sub *modelSub) error {
	sys, own, err := s.mayRead(ctx, sub)
	if err != nil {
		return err
	}
	sub.own = own
	sub.as = sys.PinnedVersion()
	answer, err := sys.Fields(ctx, sub.key.model)
	switch adapter.CodeOf(err) {
	case adapter.NotFound, adapter.PermissionDenied, adapter.InvalidArgument, adapter.Unsupported:
		return err
	}
	if err != nil || sub.fields == nil {
		return nil //nolint:nilerr // see above: it may come back
	}
	var schema adapter.Schema
	if json.Unmarshal(answer.Result, &schema) == nil {
		for _, name := range sub.fields {
			if !schema.Has(name) {
				return wrong("fields: %s has no field %q", sub.key.model, clip(name))
			}
		}
	}
	return nil
}

func (s *Session) unsubscribeModel(_ context.Context, q *request) error {
	key, err := q.modelKey()
	if err != nil {
		return err
	}
	s.unsubscribe(answer(subscribed{
		Type: "unsubscribed", SystemID: q.SystemID, Model: q.Model, Vocabulary: key.words, RecordIDs: q.RecordIDs, Message: s.say("", "Unsubscribed from "+q.Model), RequestID: q.RequestID,
	}), "", key, q.RecordIDs)
	return nil
}

// Subscribe subscribes as a message would, for transports without messages.
func (s *Session) Subscribe(ctx context.Context, channels []string, models []ModelFilter) error {
	for _, name := range channels {
		if err := s.subscribeChannel(ctx, &request{Channel: name}); err != nil {
			return err
		}
	}
	for _, m := range models {
		if err := s.subscribeModel(ctx, &request{SystemID: m.System, Model: m.Model, Universal: m.Universal, RecordIDs: m.IDs}); err != nil {
			return err
		}
	}
	return nil
}

// ModelFilter names records of a model; no IDs are all of them.
type ModelFilter struct {
	System, Model string
	Universal     bool // Model is a universal model
	IDs           []adapter.ID
}
