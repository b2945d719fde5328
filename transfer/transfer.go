package transfer

import (
	"context"
	"slices"
	"strconv"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/migrate"
)

// DefaultPage is how many records are read and compared at a time.
const DefaultPage = 100

// Transfer says what is to be carried where. Pack, Source, Target and Models
// are required.
type Transfer struct {
	Pack           *migrate.Pack
	Source, Target *bridge.System
	Models         []string // named as in the source

	// Lines are one-to-many fields whose records go inside of their parents,
	// by the parent's model. A model that is not there has those of table.go.
	Lines map[string][]string
	// LeaveOut are fields not to write, named as in the target: "comment", or
	// "res.partner.comment" for one model alone.
	LeaveOut []string
	// Map says which record of the target stands for one of the source, by
	// "model:id" of the source, where no key tells it.
	Map map[string]adapter.ID

	Dependencies    bool // carry along the models of references that have no counterpart
	LeaveUnmatched  bool // leave references without counterpart out, instead of refusing to begin
	CreateDelivered bool // make records anew that both sides were delivered with
	State           bool // carry the state of orders too
	Binary          bool // carry images and files in fields
	Page            int  // records at a time; 0 is DefaultPage

	// Resume is where an earlier run stopped, nil for none.
	Resume *State
	// Save keeps where the run is, durably. It is called before and after each
	// page; an error of it ends the run. nil keeps nothing: then a run that was
	// broken off is not safe to repeat.
	Save func(*State) error
	// Progress is told of every page. May be nil.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Pass  string `json:"pass"` // "survey", "write", "relations" or "verify"
	Model string `json:"model"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

func (t *Transfer) check() error {
	switch {
	case t.Pack == nil:
		return wrong("pack", "the rules are missing")
	case t.Source == nil || t.Target == nil:
		return wrong("from", "a transfer needs a system to read and one to write")
	case len(t.Models) == 0:
		return wrong("models", "models is empty; it lists the models to carry, such as res.partner")
	case t.Source.Kind() != "odoo" || t.Target.Kind() != "odoo":
		return wrong("from", "a transfer is between two Odoo systems; %q is %s and %q is %s", t.Source.ID(), t.Source.Kind(), t.Target.ID(), t.Target.Kind())
	case t.Page < 0 || t.Page > 1000:
		return wrong("page", "page must be from 1 to 1000")
	}
	return nil
}

// Survey says what Run would do, and writes nothing.
func (t *Transfer) Survey(ctx context.Context) (*Report, error) {
	r, err := t.begin(ctx, surveying)
	if err != nil {
		return nil, err
	}
	if err := r.survey(ctx); err != nil {
		return r.report, err
	}
	if err := r.all(ctx); err != nil {
		return r.report, err
	}
	return r.done(), nil
}

// Run carries the records. Refused ones are in the report and don't stop the
// rest; an error is about the whole, and a later run with the State that was
// saved goes on. The report is what is known so far, nil if nothing is.
func (t *Transfer) Run(ctx context.Context) (*Report, error) {
	r, err := t.begin(ctx, writing)
	if err != nil {
		return nil, err
	}
	if err := t.Target.MayNote(ctx); err != nil {
		return nil, err
	}
	if err := r.survey(ctx); err != nil {
		return r.report, err
	}
	if len(r.report.Unmatched) > 0 && !t.LeaveUnmatched {
		return r.report, &UnmatchedError{r.report.Unmatched}
	}
	if err := r.all(ctx); err != nil {
		return r.report, err
	}
	return r.done(), nil
}

// Verify reads both sides back and compares, field by field, what was carried.
// What differs is in the report's Differences.
func (t *Transfer) Verify(ctx context.Context) (*Report, error) {
	r, err := t.begin(ctx, verifying)
	if err != nil {
		return nil, err
	}
	if err := r.survey(ctx); err != nil {
		return r.report, err
	}
	if err := r.all(ctx); err != nil {
		return r.report, err
	}
	return r.done(), nil
}

type mode int

const (
	surveying mode = iota
	writing
	verifying
)

// begin looks at both systems and brings the models into order.
func (t *Transfer) begin(ctx context.Context, mode mode) (*run, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	r := &run{Transfer: *t, mode: mode, byModel: map[string]*model{}, schemas: map[string]*adapter.Schema{}, lookup: &lookup{system: t.Source, known: map[string]adapter.Record{}}}
	if r.Page == 0 {
		r.Page = DefaultPage
	}
	var err error
	if r.from, err = t.Source.Version(ctx); err != nil {
		return nil, err
	}
	if r.to, err = t.Target.Version(ctx); err != nil {
		return nil, err
	}
	if _, err := t.Pack.Path(r.from, r.to); err != nil {
		if a, b := release(r.from), release(r.to); a > b {
			return nil, wrong("to", "a transfer goes to the same or to a later version: %q is %s, and %q is %s; should they change places?", t.Source.ID(), r.from, t.Target.ID(), r.to)
		}
		return nil, err
	}
	r.languages(ctx)
	r.report = &Report{Source: t.Source.ID(), Target: t.Target.ID(), From: r.from, To: r.to, Pack: t.Pack.Name, Dry: mode != writing, Languages: r.langs}
	r.state = t.Resume
	if r.state == nil {
		r.state = &State{}
	}
	if mode != writing {
		// What others did is not to be told of a run that only looks.
		r.state = &State{Held: r.state.Held, Along: r.state.Along, Matched: r.state.Matched}
	}
	r.state.fill()
	r.matcher = newMatcher(r)
	if err := r.open(ctx, t.Models); err != nil {
		return nil, err
	}
	if t.Dependencies && len(r.state.Along) > 0 {
		if err := r.along(ctx, r.state.Along); err != nil {
			return nil, err
		}
	}
	if err := r.matcher.check(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// release is a version such as "17.0" as a number.
func release(version string) float64 {
	n, _ := strconv.ParseFloat(version, 64)
	return n
}

// languages are those that both systems have, apart from English, in which
// records are carried in any case.
func (r *run) languages(ctx context.Context) {
	codes := func(s *bridge.System) []string {
		records, err := s.LiveQuery(ctx, adapter.Query{Model: "res.lang", Fields: []string{"code"}, Filter: adapter.Cond{Field: "active", Op: adapter.Equal, Value: true}, Limit: 200})
		if err != nil {
			return nil
		}
		var out []string
		for _, l := range records {
			out = append(out, l.String("code"))
		}
		return out
	}
	there := codes(r.Target)
	r.langs = []string{}
	for _, c := range codes(r.Source) {
		if c != baseLanguage && slices.Contains(there, c) {
			r.langs = append(r.langs, c)
		}
	}
	slices.Sort(r.langs)
	r.in, r.out = speaking(r.Source, baseLanguage), speaking(r.Target, baseLanguage)
}

// baseLanguage is the one that every Odoo has, in which untranslated values
// are kept.
const baseLanguage = "en_US"

// speaking returns a system for calls in a language, without followers and
// messages for what is written.
func speaking(s *bridge.System, language string) *bridge.System {
	scope := s.Scope()
	values := map[string]any{}
	for k, v := range scope.Values {
		values[k] = v
	}
	for _, k := range []string{"tracking_disable", "mail_create_nosubscribe", "mail_notrack", "no_reset_password", "no_vat_validation"} {
		values[k] = true
	}
	values["lang"] = language
	scope.Values, scope.Language = values, language
	scope.Fallback, scope.FillEmpty = adapter.FallbackOff, false
	return s.WithScope(scope)
}
