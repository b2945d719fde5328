package mappings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/mapping"
)

// Checked is what was found out about a draft that can be used.
type Checked struct {
	SystemModel string
	Tests       int      // that ran; all passed
	Findings    []string // what is doubtful
}

// Refused says why a draft can't be saved.
type Refused struct{ Mistakes []Mistake }

// Mistake is one thing that is wrong with a draft.
type Mistake struct {
	Line    int    // of the draft; 0 where it is about none
	Field   string // universal; "" where it is about none
	Message string
}

// Error gives the first and counts the others.
func (e *Refused) Error() string {
	text := e.Mistakes[0].String()
	if n := len(e.Mistakes) - 1; n > 0 {
		text += fmt.Sprintf(" (and %d more, see details)", n)
	}
	return text
}

// String names the place.
func (m Mistake) String() string {
	var b strings.Builder
	if m.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", m.Line)
	}
	if m.Field != "" {
		b.WriteString(m.Field + ": ")
	}
	return b.String() + m.Message
}

// Check says whether a draft can be saved for the system: it can be read and
// compiled, the tests beside it pass, and the system as it is now has every
// field that it leads to. Otherwise the error is [*Refused], or that of the
// system where it could not be asked.
func (m *Mappings) Check(ctx context.Context, sys *bridge.System, d Draft) (*Checked, error) {
	set, err := m.parse(d)
	if err != nil {
		return nil, refused(err)
	}
	tests, err := tested(ctx, set)
	if err != nil {
		return nil, err
	}
	own, err := sys.UniversalWith(set, bridge.UniversalOptions{})
	if err != nil {
		return nil, err
	}
	plan, err := own.UniversalPlan(ctx, d.Model)
	if err != nil {
		return nil, err
	}
	if plan.Pos().File != draftFile {
		return nil, &Refused{[]Mistake{{Message: fmt.Sprintf("its versions leave this system out, which is of version %q", plan.Version())}}}
	}
	gaps, err := own.UniversalGaps(ctx, d.Model)
	if err != nil {
		return nil, live(err, plan)
	}
	var wrong []Mistake
	var findings []string
	for _, g := range gaps {
		if mistake := missing(g); mistake.Line > 0 {
			wrong = append(wrong, mistake)
		} else {
			findings = append(findings, mistake.String()) // of the mapping below
		}
	}
	if len(wrong) > 0 {
		return nil, &Refused{wrong}
	}
	return &Checked{plan.SystemModel(), tests, append(findings, doubts(set)...)}, nil
}

// missing is a gap as a mistake: with its line where that is one of the draft.
func missing(g mapping.Missing) Mistake {
	m := Mistake{Field: g.Field, Message: strings.TrimPrefix(g.Message, g.Field+" is ")}
	if g.Pos.File == draftFile {
		m.Line = g.Pos.Line
	}
	return m
}

// pairs are the keys and values of a node, none where it has none.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(*yaml.Node, *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// tested runs the tests beside the draft and counts them. Those that fail
// refuse it.
func tested(ctx context.Context, set *mapping.Set) (int, error) {
	r, n := &Refused{}, 0
	for _, t := range set.Test(ctx) {
		if t.Case.Pos.File != draftFile {
			continue
		}
		n++
		for _, problem := range t.Problems {
			r.Mistakes = append(r.Mistakes, Mistake{t.Case.Pos.Line, "", fmt.Sprintf("test %q fails: %s", t.Case.Name, problem)})
		}
	}
	if len(r.Mistakes) > 0 {
		return n, r
	}
	return n, nil
}

// doubts are the findings about the draft that need no schema: its fields are
// looked for in the system itself.
func doubts(set *mapping.Set) []string {
	var out []string
	for _, f := range set.Lint(nil) {
		if f.Pos.File == draftFile {
			out = append(out, Mistake{f.Pos.Line, "", f.Message}.String())
		}
	}
	return out
}

// refused turns the mistakes of a file into those of a draft.
func refused(err error) error {
	mistakes, ok := errors.AsType[mapping.LoadErrors](err)
	if !ok {
		return err
	}
	r := &Refused{}
	for _, e := range mistakes {
		m := Mistake{e.Pos.Line, e.Field, e.Message}
		if e.Pos.File != draftFile {
			m = Mistake{0, e.Field, e.Error()}
		}
		r.Mistakes = append(r.Mistakes, m)
	}
	return r
}

// live says of a system that it has not the model of a mapping.
func live(err error, plan *mapping.Plan) error {
	if adapter.CodeOf(err) == adapter.NotFound {
		return &Refused{[]Mistake{{Message: "the system has no model " + plan.SystemModel()}}}
	}
	return err
}

// Direction says which way a mapping is tried.
type Direction string

// The directions.
const (
	ToUniversal Direction = "to_universal"
	ToSystem    Direction = "to_system"
	Both        Direction = "both"
)

// Trial asks for a preview.
type Trial struct {
	Draft     Draft // its Source is "" for the mapping in use
	Direction Direction
	Record    adapter.Record // in place of the system's records
	IDs       []adapter.ID
	Domain    json.RawMessage // universal
	Limit     int
	Update    bool
	Unmapped  mapping.Unmapped
}

// Preview is one record on both sides.
type Preview struct {
	ID        adapter.ID        `json:"id,omitzero" doc:"The record's id"`
	System    adapter.Record    `json:"system,omitempty" doc:"In the system's words"`
	Universal adapter.Record    `json:"universal,omitempty" doc:"In universal words"`
	Written   adapter.Record    `json:"written,omitempty" doc:"With both: what an update with the universal record would write"`
	Warnings  []adapter.Warning `json:"warnings,omitempty" doc:"What was left out, replaced or could not be said"`
	Error     string            `json:"error,omitempty" doc:"Why it could not be mapped"`
}

// Previewed is the answer to a trial.
type Previewed struct {
	SystemModel string
	Records     []Preview
	Findings    []string
}

// OK reports whether every record could be mapped.
func (p *Previewed) OK() bool {
	for _, r := range p.Records {
		if r.Error != "" {
			return false
		}
	}
	return true
}

// Preview tries a mapping on records. Nothing is written.
func (m *Mappings) Preview(ctx context.Context, sys *bridge.System, t Trial) (*Previewed, error) {
	options := bridge.UniversalOptions{Unmapped: t.Unmapped}
	own, err := sys.Universal(options)
	if t.Draft.Source != "" {
		set, parseErr := m.parse(t.Draft)
		if parseErr != nil {
			return nil, refused(parseErr)
		}
		own, err = sys.UniversalWith(set, options)
	}
	if err != nil {
		return nil, err
	}
	plan, err := own.UniversalPlan(ctx, t.Draft.Model)
	if err != nil {
		return nil, err
	}
	gaps, err := own.UniversalGaps(ctx, t.Draft.Model)
	if err != nil {
		return nil, live(err, plan)
	}
	out := &Previewed{SystemModel: plan.SystemModel()}
	for _, g := range gaps {
		out.Findings = append(out.Findings, missing(g).String())
	}
	if t.Record != nil {
		out.Records = []Preview{t.given(ctx, own)}
		return out, nil
	}
	out.Records, err = t.live(ctx, sys, own, plan)
	return out, err
}

// given maps the record of the request.
func (t Trial) given(ctx context.Context, own *bridge.System) Preview {
	var p Preview
	var err error
	if t.Direction == ToSystem {
		p.Universal = t.Record
		p.System, p.Warnings, err = own.MapToSystem(ctx, t.Draft.Model, t.Record, t.Update)
	} else {
		p.System = t.Record
		p.Universal, p.Warnings, err = own.MapToUniversal(ctx, t.Draft.Model, t.Record)
	}
	if err != nil {
		p.Error = said(err)
		return p
	}
	t.back(ctx, own, &p)
	return p
}

// back says what an update with the universal record would write.
func (t Trial) back(ctx context.Context, own *bridge.System, p *Preview) {
	if t.Direction != Both {
		return
	}
	written, warnings, err := own.MapToSystem(ctx, t.Draft.Model, p.Universal, true)
	p.Written, p.Warnings = written, append(p.Warnings, warnings...)
	if err != nil {
		p.Error = said(err)
	}
}

// live maps records as the system has them now.
func (t Trial) live(ctx context.Context, sys, own *bridge.System, plan *mapping.Plan) ([]Preview, error) {
	reading := bridge.Reading{Domain: t.Domain}
	reading.Query = adapter.Query{Model: t.Draft.Model, Limit: t.Limit}
	if t.IDs != nil {
		reading.Domain, reading.Filter = nil, adapter.Cond{Field: "id", Op: adapter.In, Value: values(t.IDs)}
	}
	answer, err := own.Read(ctx, reading)
	if err != nil {
		return nil, err
	}
	universal, err := answer.Records()
	if err != nil {
		return nil, err
	}
	previews := make([]Preview, len(universal))
	ids := make([]adapter.ID, len(universal))
	for i, r := range universal {
		ids[i] = r.ID()
		previews[i] = Preview{ID: ids[i], Universal: r}
	}
	if len(previews) == 0 {
		return previews, nil
	}
	previews[0].Warnings = answer.Warnings // of the whole answer
	systems, err := t.native(ctx, sys, plan, ids)
	if err != nil {
		return nil, err
	}
	for i := range previews {
		previews[i].System = systems[ids[i]]
		t.back(ctx, own, &previews[i])
	}
	return previews, nil
}

// native reads the records in the system's words: what the mapping reads.
func (t Trial) native(ctx context.Context, sys *bridge.System, plan *mapping.Plan, ids []adapter.ID) (map[adapter.ID]adapter.Record, error) {
	fields, _, err := plan.Fields(nil)
	if err != nil {
		return nil, err
	}
	native := bridge.Reading{Expand: bridge.ExpandNested}
	native.Query = adapter.Query{Model: plan.SystemModel(), Fields: fields, Limit: len(ids), Filter: adapter.Cond{Field: plan.IDField(), Op: adapter.In, Value: values(ids)}}
	answer, err := sys.Read(ctx, native)
	if err != nil {
		return nil, err
	}
	records, err := answer.Records()
	byID := make(map[adapter.ID]adapter.Record, len(records))
	for _, r := range records {
		id := r.ID()
		if other, ok := adapter.IDOf(r[plan.IDField()]); ok {
			id = other
		}
		byID[id] = r
	}
	return byID, err
}

func values(ids []adapter.ID) []any {
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = id.Value()
	}
	return out
}

// said is an error for people.
func said(err error) string {
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		return e.Message
	}
	return err.Error()
}
