package i18n

import (
	"encoding/json"
	"fmt"
	"strings"
)

// PhaseKey goes before the name of a synchronisation's phase: what that is
// called.
const PhaseKey = "phase_"

// Message is something that is kept, as JSON, and said later: to each reader in
// the reader's language. Make one with [Text] or [Count].
type Message struct {
	Key   string             `json:"key"`
	Count *int               `json:"count,omitempty"` // on which the plural form depends
	Texts map[string]string  `json:"texts,omitempty"` // what fills the holes: names and numbers
	Parts map[string]Message `json:"parts,omitempty"` // the same, said in the reader's language
}

// Text is the message of [Words.T] for later. Values may be messages too, each
// with a number of its own.
func Text(key string, pairs ...any) Message {
	m := Message{Key: key}
	for i := 0; i+1 < len(pairs); i += 2 {
		name := fmt.Sprint(pairs[i])
		if part, is := pairs[i+1].(Message); is {
			if m.Parts == nil {
				m.Parts = map[string]Message{}
			}
			m.Parts[name] = part
			continue
		}
		if m.Texts == nil {
			m.Texts = map[string]string{}
		}
		m.Texts[name] = fmt.Sprint(pairs[i+1])
	}
	return m
}

// Count is the message of [Words.N] for later.
func Count(key string, n int, pairs ...any) Message {
	m := Text(key, pairs...)
	m.Count = &n
	return m
}

// Zero reports whether m is no message.
func (m *Message) Zero() bool { return m.Key == "" }

// Kept returns how the message is kept; [Words.Kept] reads it.
func (m *Message) Kept() string {
	b, _ := json.Marshal(m) // texts and numbers
	return string(b)
}

// Message says a message in the language of the words.
func (w *Words) Message(m *Message) string {
	pairs := make([]any, 0, 2*(len(m.Texts)+len(m.Parts)))
	for name, text := range m.Texts {
		pairs = append(pairs, name, text)
	}
	for name := range m.Parts {
		part := m.Parts[name]
		pairs = append(pairs, name, w.Message(&part))
	}
	if m.Count != nil {
		return w.N(m.Key, *m.Count, pairs...)
	}
	return w.T(m.Key, pairs...)
}

// Kept says what [Message.Kept] kept in the language of the words. Anything else
// is a text that was kept as one: it is said as [Words.Say] does.
func (w *Words) Kept(text string) string {
	var m Message
	if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &m) == nil && !m.Zero() {
		return w.Message(&m)
	}
	return w.Say(text)
}
