package adapter

import (
	"context"
	"slices"
	"sync"
)

// Warning is a deviation from what was asked that did not stop the call: a
// field dropped or replaced, a value filled from another field.
type Warning struct {
	Code    string `json:"code"`            // see the Warn constants
	Model   string `json:"model,omitempty"` // the model the field belongs to
	Field   string `json:"field,omitempty"` // the field as the caller named it
	Used    string `json:"used,omitempty"`  // what was used in its place, if anything
	Message string `json:"message"`         // one sentence for people
}

// The codes of warnings.
const (
	WarnFieldDropped  = "field_dropped"  // the system lacks the field; the call went on without it
	WarnFieldReplaced = "field_replaced" // the field has another name in this version
	WarnValueFilled   = "value_filled"   // an empty value was taken from a documented alternative
	WarnUntranslated  = "untranslated"   // a part was passed on, or left out, since nobody knows its counterpart in another version
	WarnValueChanged  = "value_changed"  // a value was rewritten so that the system takes it as meant

	WarnDeletionsUntold = "deletions_untold" // which records are deleted is not told: there are too many to tell
)

// Warnings collects what adapters have to say about calls that went on. It is
// safe for concurrent use.
type Warnings struct {
	mu   sync.Mutex
	list []Warning
}

// List returns the warnings so far, without repetitions, in order of arrival.
func (w *Warnings) List() []Warning {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.list)
}

type warningsKey struct{}

// WithWarnings returns a context in which adapters report warnings, and where
// to read them after the call.
func WithWarnings(ctx context.Context) (context.Context, *Warnings) {
	w := &Warnings{}
	return context.WithValue(ctx, warningsKey{}, w), w
}

// Warn reports a warning to whoever collects them; nobody does unless
// WithWarnings was used. Adapters call it.
func Warn(ctx context.Context, warning Warning) {
	w, ok := ctx.Value(warningsKey{}).(*Warnings)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.list, warning) {
		w.list = append(w.list, warning)
	}
}
