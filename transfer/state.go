package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"

	"github.com/bridgecore/bridgecore/adapter"
)

// State is where a run is: what a later one needs to go on without writing
// anything twice. Its JSON form is to be kept durably, see [Transfer.Save], and
// given to the next run too: it holds which values the target did not keep as
// they were written.
type State struct {
	// Run tells this transfer from others; the one who keeps states sets it.
	Run string `json:"run,omitempty"`
	// Mark is what is being written; nil between pages.
	Mark *Mark `json:"mark,omitempty"`
	// Broken are the models in which a run was broken off, named as in the
	// target, with the newest record there was before; until all their records
	// were gone over again.
	Broken map[string]adapter.ID `json:"broken,omitempty"`
	// Outcomes of the run that is not ended yet, by model and the source's id.
	Outcomes map[string]map[string]Outcome `json:"outcomes,omitempty"`
	// Late are the records whose references wait for the second pass.
	Late map[string][]adapter.ID `json:"late,omitempty"`
	// Along are the models that were carried along, as others referred to them.
	// Later runs carry them too: once they are there nothing tells that they
	// belong to the transfer.
	Along []string `json:"along,omitempty"`
	// Matched are the records of those models that the target had already, by
	// the model's name in the target and the source's id.
	Matched map[string]map[string]adapter.ID `json:"matched,omitempty"`
	// Held are values that the target did not keep, by model, source id and
	// field: a digest of what was written and of what it keeps.
	Held map[string]map[string]map[string]string `json:"held,omitempty"`
	// Ended says that the run is done. The next one is a new one.
	Ended bool `json:"ended,omitempty"`
}

// Mark is a page that is being written.
type Mark struct {
	Model string `json:"model"` // in the target
	// Newest is the newest record there was before; zero for none.
	Newest adapter.ID `json:"newest,omitzero"`
	// Lines are the newest of its lines' models, named as in the target.
	Lines map[string]adapter.ID `json:"lines,omitempty"`
}

// Outcome is what became of a record.
type Outcome string

// The outcomes.
const (
	Created   Outcome = "created"
	Changed   Outcome = "changed"
	Unchanged Outcome = "unchanged"
	Refused   Outcome = "refused"
)

func (s *State) fill() {
	if s.Ended {
		s.Ended, s.Mark, s.Broken, s.Outcomes, s.Late = false, nil, nil, nil, nil
	}
	if s.Broken == nil {
		s.Broken = map[string]adapter.ID{}
	}
	if m := s.Mark; m != nil {
		// Of a run that is broken off twice the first time counts: all that was
		// made since may be without an external id.
		broken := map[string]adapter.ID{m.Model: m.Newest}
		maps.Copy(broken, m.Lines)
		maps.Copy(broken, s.Broken)
		s.Broken, s.Mark = broken, nil
	}
	if s.Outcomes == nil {
		s.Outcomes = map[string]map[string]Outcome{}
	}
	if s.Late == nil {
		s.Late = map[string][]adapter.ID{}
	}
	if s.Held == nil {
		s.Held = map[string]map[string]map[string]string{}
	}
}

// note keeps the most that happened to a record: one that was created stays
// created when its references are written later.
func (s *State) note(model string, id adapter.ID, o Outcome) Outcome {
	if s.Outcomes[model] == nil {
		s.Outcomes[model] = map[string]Outcome{}
	}
	was := s.Outcomes[model][id.String()]
	if was == Created || was == Changed && o == Unchanged {
		o = was
	}
	s.Outcomes[model][id.String()] = o
	return o
}

// match keeps which records of a model are known: found by their keys, as those
// of models are that are not carried, they would not be found once it is.
func (s *State) match(model string, known map[ref]adapter.ID) {
	if s.Matched == nil {
		s.Matched = map[string]map[string]adapter.ID{}
	}
	if s.Matched[model] == nil {
		s.Matched[model] = map[string]adapter.ID{}
	}
	for from, to := range known {
		if from.model == model && !to.IsZero() {
			s.Matched[model][from.id.String()] = to
		}
	}
}

func (s *State) held(model string, id adapter.ID, field string) string {
	return s.Held[model][id.String()][field]
}

func (s *State) hold(model string, id adapter.ID, field, digest string) {
	if s.Held[model] == nil {
		s.Held[model] = map[string]map[string]string{}
	}
	if s.Held[model][id.String()] == nil {
		s.Held[model][id.String()] = map[string]string{}
	}
	s.Held[model][id.String()][field] = digest
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}
