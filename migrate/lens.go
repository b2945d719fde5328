package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
)

// Lens lets a caller that speaks of one version call a system of another. It
// translates calls the one way (model, field lists, filters, orders,
// group-bys, values) and records the other. It is safe for concurrent use.
//
// A filter is translated so that it matches the records that, seen through the
// lens, the caller's filter matches. What has no counterpart is a [LensError];
// what is not exactly the same is a warning.
type Lens struct {
	pack    *Pack
	plan    *Plan
	up      bool // the system is newer than the caller
	legs    []lensLeg
	opts    LensOptions
	caller  string // versions
	system  string
	callerM string // models
	systemM string
	related sync.Map // model to *Lens, of the models that paths led to
}

// LensOptions say what a lens may know besides the rules.
type LensOptions struct {
	// Relation returns the model that a field of a model refers to, both as
	// the caller's version names them, "" where it is not known. With it the
	// rest of a path such as "partner_id.phone" is translated too. May be nil.
	Relation func(model, field string) string
	Lookup   Lookup // may be nil
}

// LensError says that a part of a call has no counterpart in the system's
// version. It unwraps to an [*adapter.Error].
type LensError struct {
	Model  string // as the caller names it
	Field  string // as the caller names it
	Reason string
}

// Error names the field and says why.
func (e *LensError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error with its code.
func (e *LensError) Unwrap() error {
	return &adapter.Error{Code: adapter.InvalidArgument, Model: e.Model, Field: e.Field, Message: fmt.Sprintf("field %q: %s", e.Field, e.Reason)}
}

// Lens makes the lens for callers who name the model as version caller does,
// in front of a system of version system. Between a version and itself it
// changes nothing. Making one compiles a plan: keep it for further calls.
func (p *Pack) Lens(model, caller, system string, opts LensOptions) (*Lens, error) {
	l := &Lens{pack: p, opts: opts, caller: caller, system: system, callerM: model, up: true}
	o := Options{Partial: true, Lookup: opts.Lookup, NoResidue: true}
	plan, err := p.CompileWith(model, caller, system, o)
	if pe := new(PathError); err != nil && asPath(err, &pe) && pe.Kind == Downgrade {
		l.up = false
		plan, err = p.CompileBack(model, system, caller, o)
	}
	if err != nil {
		return nil, err
	}
	if len(plan.root.branches) > 0 {
		return nil, &adapter.Error{Code: adapter.Unsupported, Model: model, Field: "model", Message: fmt.Sprintf("model %s is split between versions %s and %s: %s; use one of the parts with the other version's names", model, plan.from, plan.to, strings.Join(plan.Targets(), ", "))}
	}
	l.plan = plan
	l.systemM = plan.ToModel()
	if !l.up {
		l.systemM = plan.model
	}
	for _, leg := range plan.root.legs {
		l.legs = append(l.legs, newLensLeg(leg, p.funcs))
	}
	if !l.up {
		slices.Reverse(l.legs)
	}
	return l, nil
}

func asPath(err error, target **PathError) bool {
	pe, ok := err.(*PathError) //nolint:errorlint // Path returns it unwrapped
	if ok {
		*target = pe
	}
	return ok
}

// relatedLens is the lens of a related model.
func (l *Lens) relatedLens(model string) (*Lens, error) {
	if known, ok := l.related.Load(model); ok {
		other, _ := known.(*Lens)
		return other, nil
	}
	other, err := l.pack.Lens(model, l.caller, l.system, l.opts)
	if err == nil {
		l.related.Store(model, other)
	}
	return other, err
}

// Model is the model's name in the system's version.
func (l *Lens) Model() string { return l.systemM }

// Plan is the plan between the two versions, from the older to the newer.
func (l *Lens) Plan() *Plan { return l.plan }

// lensLeg is a hop with who takes and gives each field.
type lensLeg struct {
	leg
	takes map[string]*lensGroup
	gives map[string]*lensGroup
	notes map[string]string // fields with another meaning
}

type lensGroup struct {
	rules       []*Rule
	old, new    []string
	conditional bool
	acts        []action
}

func newLensLeg(l leg, funcs map[string]Func) lensLeg {
	out := lensLeg{leg: l, takes: map[string]*lensGroup{}, gives: map[string]*lensGroup{}, notes: map[string]string{}}
	for _, r := range l.rules {
		if r.Verb == Meaning {
			out.notes[r.Via] = r.Note
		}
	}
	grouped, _ := groups(acting(l.rules))
	for _, rules := range grouped {
		g := &lensGroup{rules: rules, conditional: len(rules) > 1 || len(rules[0].When) > 0}
		g.old, g.new = fieldsOf(rules)
		for _, r := range rules {
			g.acts = append(g.acts, actionOf(r, l.hop, funcs))
		}
		for _, f := range g.old {
			out.takes[f] = g
		}
		for _, f := range g.new {
			out.gives[f] = g
		}
	}
	return out
}

// owner is the group that a field of the caller's side belongs to, and whether
// the name is known on that side.
func (l *Lens) owner(leg *lensLeg, f string) (g *lensGroup, there bool) {
	mine, other := leg.takes, leg.gives
	if !l.up {
		mine, other = other, mine
	}
	if g := mine[f]; g != nil {
		return g, true
	}
	return nil, other[f] == nil
}

// foreign says why a name of the caller's does not exist there.
func (l *Lens) foreign(leg *lensLeg) string {
	if l.up {
		return "it does not exist before version " + leg.hop.To
	}
	return "it does not exist any more in version " + leg.hop.To
}

// gone says why a rule leaves a field without counterpart, "" if it has one.
func (l *Lens) gone(leg *lensLeg, g *lensGroup, f string) string {
	if g.conditional {
		return ""
	}
	r := g.rules[0]
	note := ""
	if r.Note != "" {
		note = "; " + r.Note
	}
	if l.up {
		switch {
		case r.Verb == Move:
			return fmt.Sprintf("it moved to %s.%s in version %s", r.Model, r.Side, leg.hop.To) + note
		case r.Verb == Remove && f == r.From[0]:
			return "it was removed in version " + leg.hop.To + note
		case r.Verb == Constant:
			return fmt.Sprintf("version %s keeps no value of it", leg.hop.To) + note
		}
	}
	if (r.Verb == Add && !r.OverEmpty) || r.Verb == LookupOf || (r.Verb == Constant && !l.up) {
		return "it does not exist before version " + leg.hop.To + note
	}
	return ""
}

func (l *Lens) fail(field, reason string) *LensError {
	return &LensError{Model: l.callerM, Field: field, Reason: reason}
}

// Fields translates a list of fields to read. The fields that the system must
// be asked for come in the order of the caller's, each once. On a [LensErrors]
// the list holds the counterparts of all other fields, so that a caller may go
// on without those the error names.
func (l *Lens) Fields(fields []string) ([]string, []adapter.Warning, error) {
	var out []string
	var notes []adapter.Warning
	var errs LensErrors
	for _, f := range fields {
		got, err := l.field(f, &notes)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, g := range got {
			out = addOnce(out, g)
		}
	}
	if len(errs) > 0 {
		return out, notes, errs
	}
	return out, notes, nil
}

// LensErrors are all fields of a list that have no counterpart.
type LensErrors []*LensError

// Error gives every field with its reason.
func (e LensErrors) Error() string {
	parts := make([]string, len(e))
	for i, one := range e {
		parts[i] = one.Error()
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns the single errors.
func (e LensErrors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, one := range e {
		errs[i] = one
	}
	return errs
}

// field returns the system's fields that one of the caller's needs.
func (l *Lens) field(f string, notes *[]adapter.Warning) ([]string, *LensError) {
	now := []string{f}
	for i := range l.legs {
		leg := &l.legs[i]
		var next []string
		for _, name := range now {
			if note := leg.notes[name]; note != "" {
				*notes = append(*notes, adapter.Warning{Code: adapter.WarnValueChanged, Model: l.callerM, Field: f, Message: fmt.Sprintf("from version %s on: %s", leg.hop.To, note)})
			}
			g, there := l.owner(leg, name)
			switch {
			case !there:
				if name == f || len(now) == 1 {
					return nil, l.fail(f, l.foreign(leg))
				}
			case g == nil:
				next = addOnce(next, name)
			default:
				if why := l.gone(leg, g, name); why != "" {
					if name == f || len(now) == 1 {
						return nil, l.fail(f, why)
					}
					continue
				}
				to := g.new
				if !l.up {
					to = g.old
				}
				for _, t := range to {
					if _, there := l.target(leg, t); there {
						next = addOnce(next, t)
					}
				}
				if g.conditional && l.up {
					// Going down the conditions are looked at again.
					for _, r := range g.rules {
						for _, t := range r.When {
							if o, there := l.owner(leg, t.Field); there && o == nil {
								next = addOnce(next, t.Field)
							}
						}
					}
				}
			}
		}
		now = next
	}
	if len(now) == 0 {
		return nil, l.fail(f, "it has no counterpart in version "+l.system)
	}
	if len(now) != 1 || now[0] != f {
		*notes = append(*notes, adapter.Warning{Code: adapter.WarnFieldReplaced, Model: l.callerM, Field: f, Used: strings.Join(now, ", "), Message: fmt.Sprintf("%s is read from %s in version %s", f, strings.Join(now, ", "), l.system)})
	}
	return now, nil
}

// target reports whether a name on the far side of a leg is what that version
// may have: of an alternative's fields some are only there on one side.
func (l *Lens) target(leg *lensLeg, f string) (*lensGroup, bool) {
	for _, r := range leg.rules {
		only := r.To
		if !l.up {
			only = r.From
		}
		if slices.Contains(only, f) {
			return nil, true
		}
	}
	// Not given by any rule: it is there only if no rule without condition
	// took it away.
	for _, r := range leg.rules {
		from := r.From
		if !l.up {
			from = r.To
		}
		if slices.Contains(from, f) && len(r.When) == 0 {
			return nil, false
		}
	}
	return nil, true
}

// Order translates sort keys.
func (l *Lens) Order(orders []adapter.Order) ([]adapter.Order, []adapter.Warning, error) {
	var out []adapter.Order
	var notes []adapter.Warning
	for _, o := range orders {
		now := []adapter.Order{o}
		for i := range l.legs {
			leg := &l.legs[i]
			var next []adapter.Order
			for _, n := range now {
				got, note, err := l.order(leg, n, o.Field)
				if err != nil {
					return nil, notes, err
				}
				if note != "" {
					notes = append(notes, adapter.Warning{Code: adapter.WarnValueChanged, Model: l.callerM, Field: o.Field, Message: note})
				}
				next = append(next, got...)
			}
			now = next
		}
		out = append(out, now...)
	}
	return out, notes, nil
}

func (l *Lens) order(leg *lensLeg, o adapter.Order, asked string) ([]adapter.Order, string, error) {
	first, rest, path := strings.Cut(o.Field, ".")
	g, there := l.owner(leg, first)
	if !there {
		return nil, "", l.fail(asked, l.foreign(leg))
	}
	if g == nil {
		return []adapter.Order{o}, "", nil
	}
	if why := l.gone(leg, g, first); why != "" {
		return nil, "", l.fail(asked, why)
	}
	if g.conditional {
		return nil, "", l.fail(asked, fmt.Sprintf("from version %s on it depends on other fields, so that it can't be sorted by", leg.hop.To))
	}
	r := g.rules[0]
	to := r.To
	if !l.up {
		to = r.From
	}
	as := func(desc bool) []adapter.Order {
		var out []adapter.Order
		for _, f := range to {
			if path {
				f += "." + rest
			}
			out = append(out, adapter.Order{Field: f, Desc: desc})
		}
		return out
	}
	differs := fmt.Sprintf("records may sort otherwise: %s has other values in version %s", asked, l.system)
	switch r.Verb {
	case Rename, Default, Add:
		return as(o.Desc), "", nil
	case Remove:
		return []adapter.Order{o}, "", nil // "instead" fills it
	case Map, ModelName, Reference:
		return as(o.Desc), differs, nil
	case Split:
		return as(o.Desc), differs, nil
	case Merge:
		if r.Kind == "first" && (first == r.From[0] || !l.up) {
			to = to[:1]
			return as(o.Desc), differs, nil
		}
	case Convert:
		switch r.Kind {
		case "scale":
			by, _ := numberOf(r.By)
			return as(o.Desc != (by.Sign() < 0)), "", nil
		case "not":
			return as(!o.Desc), "", nil
		case "invert":
			return as(!o.Desc), fmt.Sprintf("negative values of %s may sort otherwise", asked), nil
		case "date_to_datetime", "datetime_to_date":
			return as(o.Desc), "", nil
		case "text_to_html", "html_to_text", "bool_to_text":
			return as(o.Desc), differs, nil
		}
	}
	return nil, "", l.fail(asked, fmt.Sprintf("it can't be sorted by in version %s, where it has another form", l.system))
}

// GroupBy translates the fields to group by, "date:month" included; the
// answers stand in the order of the arguments.
func (l *Lens) GroupBy(fields []string) ([]string, []adapter.Warning, error) {
	var out []string
	var notes []adapter.Warning
	for _, asked := range fields {
		f, granularity, timed := strings.Cut(asked, ":")
		for i := range l.legs {
			leg := &l.legs[i]
			g, there := l.owner(leg, f)
			if !there {
				return nil, notes, l.fail(asked, l.foreign(leg))
			}
			if g == nil {
				continue
			}
			if why := l.gone(leg, g, f); why != "" {
				return nil, notes, l.fail(asked, why)
			}
			to, ok := l.group(g)
			if !ok {
				return nil, notes, l.fail(asked, fmt.Sprintf("it can't be grouped by in version %s: its groups are others there", l.system))
			}
			if to != "" {
				f = to
			}
		}
		if timed {
			f += ":" + granularity
		}
		if f != asked {
			notes = append(notes, adapter.Warning{Code: adapter.WarnFieldReplaced, Model: l.callerM, Field: asked, Used: f, Message: fmt.Sprintf("%s is grouped by %s in version %s", asked, f, l.system)})
		}
		out = append(out, f)
	}
	return out, notes, nil
}

// group returns the field to group by in place of one of the group's, if the
// records fall into the same groups.
func (l *Lens) group(g *lensGroup) (string, bool) {
	r := g.rules[0]
	if g.conditional || len(r.To) != 1 {
		return "", false
	}
	if r.Verb == Remove {
		return "", true // "instead" fills the field that is asked for
	}
	if len(r.From) != 1 {
		return "", false
	}
	to := r.To[0]
	if !l.up {
		to = r.From[0]
	}
	switch r.Verb {
	case Rename, Default, Add, ModelName, Reference:
		return to, true
	case Map:
		return to, oneToOne(r)
	case Convert:
		return to, slices.Contains([]string{"scale", "invert", "not", "bool_to_text", "number_to_text", "text_to_number", "date_to_datetime", "datetime_to_date", "many2one_to_many2many"}, r.Kind)
	}
	return "", false
}

// oneToOne reports whether a map gives each old value a new one of its own.
func oneToOne(r *Rule) bool {
	seen := map[scalar]bool{}
	for _, row := range r.Values {
		k, ok := scalarKey(row.To[0])
		if !ok || row.To[0] == nil || seen[k] {
			return false
		}
		seen[k] = true
	}
	return r.Unknown == Keep || r.Unknown == Refuse
}

// Values translates values to be written. Values that the system's version
// can't hold, or holds in another model, are warnings. Commands that make or
// change other records ([0, 0, {...}]) keep what is in them: translate that
// with the lens of its model before.
func (l *Lens) Values(ctx context.Context, values adapter.Record) (adapter.Record, []adapter.Warning, error) {
	var notes []adapter.Warning
	opts := l.plan.opts
	opts.Form = FormWrite
	s := l.plan.session()
	defer l.plan.pool.Put(s)
	s.plan = l.plan.with(opts)
	defer func() { s.plan = l.plan }()
	if !l.up {
		back, err := s.down(ctx, values, nil)
		if err != nil {
			return nil, nil, err
		}
		for _, f := range back.Lost {
			notes = append(notes, adapter.Warning{Code: adapter.WarnFieldDropped, Model: l.callerM, Field: f, Message: fmt.Sprintf("version %s has no place for %s", l.system, f)})
		}
		return back.Record, notes, nil
	}
	s.plan.opts.NoResidue = false
	got, err := s.up(ctx, values)
	if err != nil {
		return nil, nil, err
	}
	if got.Residue != nil {
		for _, k := range got.Residue.Kept {
			for _, f := range sortedKeys(k.Old) {
				w := adapter.Warning{Code: adapter.WarnFieldDropped, Model: l.callerM, Field: f, Message: fmt.Sprintf("version %s has no place for %s", l.system, f)}
				if len(k.New) > 0 {
					w.Code, w.Message = adapter.WarnValueChanged, fmt.Sprintf("version %s can't hold %s exactly", l.system, f)
				}
				notes = append(notes, w)
			}
		}
	}
	for _, side := range got.Side {
		for _, f := range sortedKeys(side.Values) {
			notes = append(notes, adapter.Warning{Code: adapter.WarnFieldDropped, Model: l.callerM, Field: f, Used: side.Model + "." + f, Message: fmt.Sprintf("in version %s the value belongs to %s.%s, and was not written", l.system, side.Model, f)})
		}
	}
	return got.Record, notes, nil
}

// Record translates a record that was read. With fields, the caller's own
// list, nothing else is in it.
func (l *Lens) Record(ctx context.Context, r adapter.Record, fields []string) (adapter.Record, []adapter.Warning, error) {
	var notes []adapter.Warning
	opts := l.plan.opts
	opts.Form = FormRead
	s := l.plan.session()
	defer l.plan.pool.Put(s)
	s.plan = l.plan.with(opts)
	defer func() { s.plan = l.plan }()
	var out adapter.Record
	if l.up {
		back, err := s.down(ctx, r, nil)
		if err != nil {
			return nil, nil, err
		}
		out = back.Record
		for _, f := range back.MadeUp {
			if fields == nil || slices.Contains(fields, f) {
				notes = append(notes, adapter.Warning{Code: adapter.WarnValueChanged, Model: l.callerM, Field: f, Message: fmt.Sprintf("several values of %s are one in version %s: it may have been another", f, l.system)})
			}
		}
	} else {
		got, err := s.up(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		out = got.Record
	}
	if fields != nil {
		asked := make(adapter.Record, len(fields)+1)
		for _, f := range fields {
			if v, ok := out[f]; ok {
				asked[f] = v
			}
		}
		if id, ok := out["id"]; ok {
			asked["id"] = id
		}
		out = asked
	}
	return out, notes, nil
}

// with returns the plan with other options; for what they don't compile into.
func (p *Plan) with(opts Options) *Plan {
	q := *p
	q.opts = opts
	return &q
}

// Query translates a query: model, filter, fields and order.
func (l *Lens) Query(q adapter.Query) (adapter.Query, []adapter.Warning, error) {
	var all []adapter.Warning
	q.Model = l.systemM
	filter, notes, err := l.Filter(q.Filter)
	all = append(all, notes...)
	if err != nil {
		return q, all, err
	}
	q.Filter = filter
	if q.Fields != nil {
		if q.Fields, notes, err = l.Fields(q.Fields); err != nil {
			return q, append(all, notes...), err
		}
		all = append(all, notes...)
	}
	q.Order, notes, err = l.Order(q.Order)
	return q, append(all, notes...), err
}
