package recordsync

import (
	"fmt"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Action is what became of a record.
type Action string

// The actions.
const (
	Created   Action = "created"
	Updated   Action = "updated"
	Unchanged Action = "unchanged"
	Skipped   Action = "skipped"  // left alone on purpose, Reason says why
	Conflicts Action = "conflict" // waits for somebody's choice, see Resolve
	Refused   Action = "refused"  // a system did not take it, Reason says why
	Deferred  Action = "deferred" // waits for another record, or for an answer that got lost
	Deleted   Action = "deleted"
	Archived  Action = "archived"
)

// Outcome is what became of one record, or in a dry run would become of it.
type Outcome struct {
	Action Action `json:"action"`
	// Side is the side that was written, or that refused.
	Side   Side       `json:"side"`
	Source adapter.ID `json:"source_id,omitzero"`
	Target adapter.ID `json:"target_id,omitzero"`
	// Changes are the values that were written, or would be.
	Changes []Change `json:"changes,omitempty"`
	// Waiting are fields that wait for other records to be synchronised.
	Waiting []string `json:"waiting,omitempty"`
	// LeftOut are fields that could not be carried over.
	LeftOut  []LeftOut    `json:"left_out,omitempty"`
	Conflict *Conflict    `json:"conflict,omitempty"`
	Code     adapter.Code `json:"code,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	// Link is the id of the link, for Resolve; 0 in a dry run.
	Link int64 `json:"link,omitempty"`
}

// Change is one value that is written.
type Change struct {
	Side  Side   `json:"side"` // that is written
	Field string `json:"field"`
	From  any    `json:"from"`
	To    any    `json:"to"`
}

// LeftOut is a field that was not carried over.
type LeftOut struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// String is one line for people.
func (o Outcome) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s -> %s", o.Action, text(o.Source), text(o.Target))
	for _, c := range o.Changes {
		fmt.Fprintf(&b, ", %s.%s: %v -> %v", c.Side, c.Field, c.From, c.To)
	}
	if o.Reason != "" {
		b.WriteString(": " + o.Reason)
	}
	return b.String()
}

func text(id adapter.ID) string {
	if id.IsZero() {
		return "(none)"
	}
	return id.String()
}

// passing reports whether an outcome says nothing where there is another one of
// the same record.
func (o *Outcome) passing() bool {
	return o.Action == Deferred || o.Action == Unchanged || o.Action == Skipped && o.Code != "" // refused, as was told
}

// Settled leaves out that a record had to wait, did not change or was refused
// already, where the run also says what became of it: all are the outcomes of a run. So each record that
// is written once is told once.
func Settled(all []Outcome) []Outcome {
	tells := make(map[int64]int, len(all)) // which outcome tells of a link
	for i := range all {
		if at, told := tells[all[i].Link]; !told || all[at].passing() {
			tells[all[i].Link] = i
		}
	}
	out := make([]Outcome, 0, len(all))
	for i := range all {
		if o := &all[i]; !o.passing() || o.Link == 0 || tells[o.Link] == i {
			out = append(out, *o)
		}
	}
	return out
}

// Count is how many records had which outcome, on one side.
type Count struct {
	Created  int `json:"created"`
	Updated  int `json:"updated"`
	Deleted  int `json:"deleted,omitempty"`
	Archived int `json:"archived,omitempty"`
	Errors   int `json:"errors"` // refused
}

// Sums are the outcomes of a run, counted. Created, Updated and so on are of
// the target; what was written to the source is Reverse.
type Sums struct {
	Count
	Total     int   `json:"total"` // records looked at
	Unchanged int   `json:"unchanged"`
	Skipped   int   `json:"skipped,omitempty"`
	Conflicts int   `json:"conflicts,omitempty"`
	Deferred  int   `json:"deferred,omitempty"`
	Reverse   Count `json:"reverse,omitzero"`
}

// Add counts an outcome.
func (s *Sums) Add(o *Outcome) {
	s.Total++
	at := &s.Count
	if o.Side == Source {
		at = &s.Reverse
	}
	switch o.Action {
	case Created:
		at.Created++
	case Updated:
		at.Updated++
	case Deleted:
		at.Deleted++
	case Archived:
		at.Archived++
	case Refused:
		at.Errors++
	case Unchanged:
		s.Unchanged++
	case Skipped:
		s.Skipped++
	case Conflicts:
		s.Conflicts++
	case Deferred:
		s.Deferred++
	}
}

// Wrote is how many writes the sums count, to either side.
func (s *Sums) Wrote() int {
	n := 0
	for _, c := range []*Count{&s.Count, &s.Reverse} {
		n += c.Created + c.Updated + c.Deleted + c.Archived
	}
	return n
}
