package transfer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/migrate"
)

// run is a Transfer under way.
type run struct {
	Transfer
	mode     mode
	from, to string
	langs    []string
	in, out  *bridge.System // the two sides, in English
	models   []*model       // in the order in which they are written
	byModel  map[string]*model
	schemas  map[string]*adapter.Schema // of the target, by model
	matcher  *matcher
	lookup   *lookup
	state    *State
	report   *Report
	progress map[string]int
}

// model is one model of the transfer, or one of lines.
type model struct {
	name, to       string // in the source, in the target
	source, target *adapter.Schema
	plan           *migrate.Plan
	coverage       *migrate.Coverage
	fields         []string // to read
	account        *ModelReport
	lines          []*line
	companion      *companion
	made           bool     // its records are made with those of another model
	orphans        *orphans // of a run that was broken off; nil for none
	self           []string
	names          map[string]string // translated fields: source name to target name
	total          int
}

// open describes the models and brings them into order.
func (r *run) open(ctx context.Context, names []string) error {
	for _, name := range names {
		if r.byModel[name] != nil {
			continue
		}
		m, err := r.describe(ctx, name)
		if err != nil {
			return err
		}
		r.byModel[name] = m
	}
	for _, name := range slices.Sorted(maps.Keys(r.byModel)) {
		m := r.byModel[name]
		if c, ok := companions[name]; ok && m.companion == nil {
			m.companion = &c
			if r.byModel[c.model] == nil {
				made, err := r.describe(ctx, c.model)
				if err != nil {
					return err
				}
				r.byModel[c.model] = made
				r.report.Notes = append(r.report.Notes, fmt.Sprintf("%s goes along: its records are made with those of %s", c.model, name))
			}
			r.byModel[c.model].made = true
		}
		if m.lines == nil {
			if err := r.lines(ctx, m); err != nil {
				return err
			}
		}
	}
	if err := r.order(); err != nil {
		return err
	}
	r.report.Models = nil
	for _, m := range r.models {
		r.report.Models = append(r.report.Models, m.account)
		for _, l := range m.lines {
			r.report.Models = append(r.report.Models, l.account)
		}
	}
	return nil
}

// schema describes a model of the target.
func (r *run) schema(ctx context.Context, model string) (*adapter.Schema, error) {
	if s := r.schemas[model]; s != nil {
		return s, nil
	}
	s, err := r.out.LiveSchema(ctx, model)
	if err == nil {
		r.schemas[model] = s
	}
	return s, err
}

// becomes is the name of a field in the target, "" for none or several.
func (m *model) becomes(field string) string {
	for _, c := range m.coverage.Fields {
		if c.Field == field && len(c.To) == 1 {
			return c.To[0]
		}
	}
	return ""
}

// describe holds a model against both sides, and accounts for its fields.
func (r *run) describe(ctx context.Context, name string) (*model, error) {
	m := &model{name: name, names: map[string]string{}}
	var err error
	if m.source, err = r.in.LiveSchema(ctx, name); err != nil {
		return nil, noModel(err, "the source %q has no model %s; its name may be misspelt or its module not installed", r.Source.ID(), name)
	}
	plan, err := r.Pack.CompileWith(name, r.from, r.to, migrate.Options{Form: migrate.FormRead})
	if err != nil {
		return nil, plain(err)
	}
	if m.to = plan.ToModel(); m.to == "" {
		return nil, &adapter.Error{Code: adapter.Unsupported, Field: "models", Model: name, Message: fmt.Sprintf("model %s is split in version %s: its records can't be written by a transfer", name, r.to)}
	}
	if m.target, err = r.schema(ctx, m.to); err != nil {
		return nil, noModel(err, "the target %q has no model %s, which the records of %s would be; install its module there, or leave the model out", r.Target.ID(), m.to, name)
	}
	if m.coverage, err = migrate.CoverageOf(ctx, plan, m.source, m.target); err != nil {
		return nil, plain(err)
	}
	fit := *m.target
	fit.Model = m.to
	m.plan, err = r.Pack.CompileWith(name, r.from, r.to, migrate.Options{Form: migrate.FormRead, Lookup: r.lookup, Source: m.source, Target: &fit})
	if err != nil {
		return nil, plain(err)
	}
	m.account = &ModelReport{Model: name, To: m.to, Warnings: m.plan.Warnings()}
	for _, c := range m.coverage.Fields {
		m.account.Fields = append(m.account.Fields, r.field(m, c))
	}
	filled := map[string]bool{}
	for _, f := range m.account.Fields {
		for _, to := range f.To {
			filled[to] = true
		}
	}
	for _, req := range m.coverage.Required {
		if !filled[req.Field] && req.Rule != "" {
			m.account.Fields = append(m.account.Fields, FieldReport{To: []string{req.Field}, Fate: ByRule, Note: "filled by " + req.Rule})
		}
	}
	for _, f := range slices.Sorted(maps.Keys(m.target.Fields)) {
		if t := m.target.Fields[f]; t.Type == adapter.Many2One && t.Relation == m.to && t.Stored && !t.Readonly {
			m.self = append(m.self, f)
		}
	}
	if m.fields == nil {
		m.fields = []string{"id"}
	}
	return m, nil
}

// field says what becomes of a field, and has it read if it is carried.
func (r *run) field(m *model, c migrate.FieldCoverage) FieldReport {
	f := m.source.Fields[c.Field]
	out := FieldReport{Field: c.Field, To: c.To}
	if len(c.Notes) > 0 {
		out.Note = c.Notes[0]
	}
	switch reason, is := kept(m.name, c.Field); {
	case c.Field == "id":
		out.Fate, out.Note = ByTransfer, "it becomes the external id"
		return out
	case is:
		out.Fate, out.Note = NotCarried, reason
		return out
	case f.Type == adapter.Binary && !r.Binary:
		out.Fate, out.Note = NotCarried, "files and images go along where they are asked for"
		return out
	case !worthReading(c.Field, f):
		out.Fate, out.Note = ComputedInSource, "the source does not store it"
		return out
	case f.Type == adapter.One2Many:
		out.Fate, out.Note = ByTransfer, "its records, of "+f.Relation+", are lines or carried by themselves"
		return out
	case slices.Contains(states, c.Field) && f.Type == adapter.Selection && !r.State && m.target.Has(c.Field):
		out.Fate, out.Note = NotCarried, "records begin as drafts; the state goes along where it is asked for"
		return out
	}
	switch c.Fate {
	case migrate.Dropped, migrate.Moved:
		out.Fate = Residue
		m.fields = append(m.fields, c.Field) // what is lost is counted, and other rules may look at it
		return out
	case migrate.Renamed:
		out.Fate = RenamedField
	case migrate.Carried:
		out.Fate = CarriedField
	default:
		out.Fate = ByRule
	}
	var writable []string
	for _, to := range c.To {
		t, there := m.target.Fields[to]
		switch {
		case !there:
			out.Fate, out.Note = NoCounterpart, "the target has no field "+to
		case r.leftOut(m, to):
			out.Fate, out.Note = NotCarried, "as asked for"
		case !writableField(t) && (!r.State || !slices.Contains(states, to)):
			out.Fate, out.Note = ComputedInTarget, "the target computes it, or does not let it be written"
		case unreadable(t):
			out.Fate, out.Note = NotCarried, "its ids can't be told from other values"
		default:
			writable = append(writable, to)
		}
	}
	if len(writable) == 0 && out.Fate != ByRule && out.Fate != NoCounterpart {
		return out
	}
	if len(writable) > 0 && (out.Fate == NoCounterpart || out.Fate == ComputedInTarget) {
		out.Fate = ByRule
	}
	m.fields = append(m.fields, c.Field)
	if f.Translate && len(writable) == 1 && (out.Fate == CarriedField || out.Fate == RenamedField) && m.target.Fields[writable[0]].Translate && f.Type != adapter.HTML {
		m.names[c.Field] = writable[0]
	}
	return out
}

func writableField(f adapter.Field) bool { return !f.Readonly || f.Required }

func unreadable(f adapter.Field) bool {
	return f.Type == adapter.Reference || f.Type == adapter.JSON || f.Type == adapter.Properties || f.Native == "many2one_reference" || f.Type == adapter.Unknown
}

func (r *run) leftOut(m *model, field string) bool {
	return slices.Contains(r.LeaveOut, field) || slices.Contains(r.LeaveOut, m.to+"."+field)
}

// needs lists the models that a model's records refer to, and whether one can
// do without.
func (m *model) needs(each func(relation string, required bool)) {
	of := func(t *adapter.Schema, skip string) {
		for _, name := range slices.Sorted(maps.Keys(t.Fields)) {
			f := t.Fields[name]
			if name == skip || f.Type != adapter.Many2One && f.Type != adapter.Many2Many || f.Relation == "" || !writableField(f) || !f.Stored {
				continue
			}
			if _, is := kept(m.name, name); !is {
				each(f.Relation, f.Required && f.Type == adapter.Many2One)
			}
		}
	}
	of(m.target, "")
	for _, l := range m.lines {
		of(l.target, l.inverse)
	}
}

// order sorts the models so that each comes after those that it refers to.
// Where they refer to each other in a circle, those references wait that no
// record needs; a circle of required ones is an error.
func (r *run) order() error {
	r.models = nil
	left := map[string]*model{} // by the target's name
	for _, m := range r.byModel {
		left[m.to] = m
	}
	r.report.Order, r.report.Later = nil, nil
	for len(left) > 0 {
		best, fewest := "", -1
		var waits []string
		for _, to := range slices.Sorted(maps.Keys(left)) {
			hard, soft := 0, []string{}
			left[to].needs(func(relation string, required bool) {
				switch {
				case relation == to || left[relation] == nil:
				case required:
					hard++
				case !slices.Contains(soft, relation):
					soft = append(soft, relation)
				}
			})
			if c := left[to]; c.made {
				for _, other := range left {
					if other.companion != nil && other.companion.model == c.name {
						hard++
					}
				}
			}
			if hard == 0 && (fewest < 0 || len(soft) < fewest) {
				best, fewest, waits = to, len(soft), soft
			}
		}
		if best == "" {
			names := slices.Sorted(maps.Keys(left))
			return wrong("models", "the models %v need one another by required references: none of them can be first; leave one of them out", names)
		}
		for _, w := range waits {
			r.report.Later = append(r.report.Later, Later{Model: left[best].name, To: left[w].name})
		}
		r.models = append(r.models, left[best])
		r.report.Order = append(r.report.Order, left[best].name)
		delete(left, best)
	}
	return nil
}

// lookup reads what rules want to know of other records.
type lookup struct {
	system *bridge.System
	mu     sync.Mutex
	known  map[string]adapter.Record
}

// mostKnown bounds what lookup keeps.
const mostKnown = 50_000

// Lookup implements [migrate.Lookup].
func (l *lookup) Lookup(ctx context.Context, model string, id adapter.ID, field string) (any, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := model + "\x00" + id.String() + "\x00" + field
	r, known := l.known[key]
	if !known {
		records, err := l.system.LiveRead(ctx, model, []adapter.ID{id}, []string{field})
		if err != nil {
			return nil, false, err
		}
		if len(records) > 0 {
			r = records[0]
		}
		if len(l.known) >= mostKnown {
			clear(l.known)
		}
		l.known[key] = r
	}
	if r == nil {
		return nil, false, nil
	}
	return r[field], true, nil
}
