package mapping

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Unmapped says what becomes of fields that the other side has no place for.
type Unmapped string

// The ways. What is left out is always said, as a warning.
const (
	Drop   Unmapped = ""       // left out
	Extra  Unmapped = "extra"  // kept under "extra": the system's own fields, by their own names
	Refuse Unmapped = "refuse" // an error
)

// extraField is the field that holds what is not mapped.
const extraField = "extra"

// Options say how a plan treats records. They are comparable.
type Options struct {
	Unmapped Unmapped
}

type lookupKey struct{}

// WithLookup returns a context in which plans ask l for other records.
func WithLookup(ctx context.Context, l Lookup) context.Context {
	return context.WithValue(ctx, lookupKey{}, l)
}

func lookupFrom(ctx context.Context) Lookup {
	l, _ := ctx.Value(lookupKey{}).(Lookup)
	return l
}

// Plan turns records and queries of one universal model into those of a
// system, and back. It is safe for concurrent use.
type Plan struct {
	set       *Set
	universal *Model
	mapping   *Mapping
	system    string
	version   string
	opts      Options
	idField   string
	steps     []*step
	byName    map[string]*step
	splits    []*splitGroup
	known     map[string]struct{} // the system's fields that are accounted for
	names     []string
	refs      map[string]bool  // fields that are references to one record
	matcher   *adapter.Matcher // of the base, for lines
	baseNeeds []string
}

// step is one universal field.
type step struct {
	name    string
	place   int // in Plan.steps
	field   Field
	rule    *Rule
	path    Path   // where it is read
	first   string // the path's first name
	single  bool   // the path is one name
	write   Path
	convs   []conv // from the universal side to the system's, for reading and filters
	toWrite []conv // the same for writing
	why     string // why it can't be written, "" if it can
	child   *Plan  // of lines
	split   *splitGroup
	items   bool // conversions are for the items of a list
	plain   bool // a text stays as it is
}

// splitGroup are the fields that one text of the system is cut into.
type splitGroup struct {
	rule  *SplitRule
	write Path
	steps []*step // by part
}

func newPlan(s *Set, u *Model, m *Mapping, system, version string, o Options) (*Plan, error) {
	p := &Plan{set: s, universal: u, mapping: m, system: system, version: version, opts: o, idField: m.ID, byName: make(map[string]*step, len(u.Order)), known: map[string]struct{}{}, names: u.Order, refs: map[string]bool{}}
	if p.idField == "" {
		p.idField = "id"
	}
	groups := map[string]*splitGroup{}
	for _, name := range u.Order {
		st, err := p.step(name, u.Fields[name])
		if err != nil {
			return nil, err
		}
		if sp := st.rule.Split; sp != nil {
			g := groups[sp.Path.String()]
			if g == nil {
				g = &splitGroup{rule: sp, write: sp.Path, steps: make([]*step, sp.Of)}
				groups[sp.Path.String()] = g
				p.splits = append(p.splits, g)
			}
			g.steps[sp.Part-1] = st
			st.split = g
		}
		st.place = len(p.steps)
		p.steps = append(p.steps, st)
		p.byName[name] = st
	}
	p.account()
	if m.Where != nil {
		matcher, err := adapter.NewMatcher(m.Where, adapter.MatchOptions{})
		if err == nil {
			p.matcher = matcher
		}
		p.baseNeeds = adapter.Fields(m.Where)
	}
	return p, nil
}

// account notes which of the system's fields the plan looks at.
func (p *Plan) account() {
	p.known[p.idField] = struct{}{}
	p.known["id"] = struct{}{}
	add := func(path Path) {
		if len(path) > 0 {
			p.known[path[0].Name] = struct{}{}
			p.known[path.Plain()] = struct{}{}
		}
	}
	for _, st := range p.steps {
		for _, path := range st.rule.readPaths() {
			add(path)
			for _, need := range path.needs() {
				p.known[need] = struct{}{}
			}
		}
		add(st.write)
		if len(st.write) == 1 && st.rule.reads() && (st.field.Type == Ref || st.rule.Lookup != nil && !st.items) {
			p.refs[st.write[0].Name] = true
		}
		if st.rule.Split != nil {
			add(st.rule.Split.Path)
		}
	}
	for _, a := range p.mapping.Set {
		add(a.Path)
	}
	for _, f := range adapter.Fields(p.mapping.Where) {
		first, _, _ := strings.Cut(f, ".")
		p.known[first], p.known[f] = struct{}{}, struct{}{}
	}
}

func (p *Plan) step(name string, f Field) (*step, error) {
	r := p.mapping.rule(name, p.version)
	if r == nil {
		why := "the mapping says nothing of it"
		if len(p.mapping.Fields[name]) > 0 {
			why = "the system does not have it in version " + p.version
		}
		r = &Rule{Field: name, Unsupported: why, Round: -1, Pos: p.mapping.Pos}
	}
	st := &step{name: name, field: f, rule: r, path: r.Path, write: r.writePath(), why: r.whyReadOnly()}
	switch {
	case st.why != "":
	case p.mapping.ReadOnly != "":
		st.why = p.mapping.ReadOnly
	case f.Readonly && !r.HasConstant:
		st.why = "it is for reading on every system"
	}
	if len(st.path) > 0 {
		st.first, st.single = st.path[0].Name, len(st.path) == 1
	}
	st.items = f.Type == List || f.Type == Refs
	if r.Unsupported != "" || r.Compute != nil || r.HasConstant {
		return st, nil
	}
	if f.Type == Lines {
		child, err := p.set.Compile(p.system, p.version, f.Relation, p.opts)
		if err != nil {
			return nil, err
		}
		st.child = child
		return st, nil
	}
	st.convs = convsOf(f, r, r.As, false)
	st.toWrite = convsOf(f, r, r.WriteAs, true)
	if len(st.convs) == 1 {
		text, ok := st.convs[0].(textConv)
		st.plain = ok && !text.number
	}
	return st, nil
}

// convsOf are the conversions of a field, from the universal side on.
func convsOf(f Field, r *Rule, form Form, writing bool) []conv {
	var out []conv
	if r.HasEmpty {
		out = append(out, emptyConv{r.Empty})
	}
	switch {
	case r.Values != nil:
		out = append(out, newValues(r))
		if f.Type.text() && form == FormName {
			out = append(out, nameConv{})
		}
		if r.Lookup != nil {
			out = append(out, lookupConv{r.Lookup})
		}
		return out
	case r.Table != nil:
		return append(out, textConv{})
	}
	if r.Scale != "" {
		out = append(out, newScale(r))
	}
	t := f.Type
	switch {
	case r.Lookup != nil:
		if t.text() {
			out = append(out, textConv{})
		}
		out = append(out, lookupConv{r.Lookup})
		if t == Refs || t == List {
			break
		}
	case t.text() && form == FormName:
		out = append(out, nameConv{})
	case t.text() && form == FormHTML:
		out = append(out, textConv{}, htmlConv{})
	case t.text():
		out = append(out, textConv{number: form == FormNumber})
	case t.number():
		out = append(out, numberConv{whole: t == Integer && r.Scale == "", text: form == FormText})
	case t == Boolean:
		out = append(out, boolConv{})
		if r.Invert {
			out = append(out, notConv{})
		}
	case t.moment():
		if form == FormOwn {
			form = FormDateTime
			if t == Date {
				form = FormDate
			}
		}
		out = append(out, momentConv{day: t == Date, form: form})
	case t == Ref, t == Refs:
		out = append(out, refConv{form})
	}
	if writing && form == FormCommands && (t == Refs || t == List) {
		out = append(out, commandsConv{})
	}
	return out
}

// Model is the universal model.
func (p *Plan) Model() string { return p.universal.Name }

// SystemModel is the system's model.
func (p *Plan) SystemModel() string { return p.mapping.Model }

// System is the kind of system.
func (p *Plan) System() string { return p.system }

// Version is the version that the plan was made for.
func (p *Plan) Version() string { return p.version }

// Pos is where the mapping stands: of several that are laid over one another,
// the uppermost that holds for the version.
func (p *Plan) Pos() Position { return p.mapping.Pos }

// IDField is the system's field that holds a record's id.
func (p *Plan) IDField() string { return p.idField }

// ReadOnly says why records can't be created, changed or deleted, "" if they
// can.
func (p *Plan) ReadOnly() string { return p.mapping.ReadOnly }

// Options returns what the plan was made with.
func (p *Plan) Options() Options { return p.opts }

// Base is the condition that always holds for the system's records, nil for
// none. [Plan.Filter] has it in.
func (p *Plan) Base() adapter.Filter { return p.mapping.Where }

// Names returns the universal fields, "id" left out, in the order of their
// file.
func (p *Plan) Names() []string { return slices.Clone(p.names) }

// Lines returns the plan of the lines in a field, and whether there are any.
func (p *Plan) Lines(field string) (*Plan, bool) {
	st := p.byName[field]
	if st == nil || st.child == nil {
		return nil, false
	}
	return st.child, true
}

// Unsupported says why the system does not have a universal field, "" if it
// has.
func (p *Plan) Unsupported(field string) string {
	if st := p.byName[field]; st != nil {
		return st.rule.Unsupported
	}
	return "there is no such universal field"
}

// Schema describes the universal model as the system has it: what can't be
// written is read-only, what can't be asked for is not searchable.
func (p *Plan) Schema() *adapter.Schema {
	s := &adapter.Schema{Model: p.universal.Name, Label: p.universal.Doc, Fields: make(map[string]adapter.Field, len(p.steps)+1)}
	s.Fields["id"] = adapter.Field{Type: adapter.Integer, Native: "id", Label: "id", Required: true, Readonly: true, Stored: true, Searchable: true, Sortable: true}
	for _, st := range p.steps {
		f := adapter.Field{
			Type: st.field.Type.adapterType(), Native: string(st.field.Type), Label: st.name, Help: st.field.Doc, Relation: st.field.Relation,
			Required: st.field.Required && st.why == "", Readonly: st.field.Readonly || st.why != "",
			Stored: st.rule.Unsupported == "", Searchable: st.whyNotSearched() == "", Sortable: st.whyNotSorted() == "",
		}
		if st.rule.Unsupported != "" {
			f.Help = strings.TrimSpace(f.Help + " (not on this system: " + st.rule.Unsupported + ")")
		}
		for _, v := range st.field.Values {
			f.Selection = append(f.Selection, adapter.Option{Value: v, Label: v})
		}
		s.Fields[st.name] = f
	}
	return s
}

// Fields translates a list of universal fields to read; nil stands for all.
// The paths come in order, each once, without the record's id, which always
// comes along. Fields that the system has not are warnings.
func (p *Plan) Fields(names []string) ([]string, []adapter.Warning, error) {
	c := &call{plan: p}
	var out pathList
	if names == nil {
		for _, st := range p.steps {
			p.reads(c, &out, st, nil, 0)
		}
		return out.paths, c.notes, nil
	}
	for _, name := range names {
		if err := p.named(c, &out, name); err != nil {
			return nil, nil, err
		}
	}
	return out.paths, c.notes, nil
}

// pathList holds paths, each once.
type pathList struct {
	paths []string
	seen  map[string]struct{}
}

func (l *pathList) add(paths ...string) {
	if l.seen == nil {
		l.seen = map[string]struct{}{}
	}
	for _, p := range paths {
		if _, there := l.seen[p]; !there {
			l.seen[p] = struct{}{}
			l.paths = append(l.paths, p)
		}
	}
}

// named adds what one name of a field list reads.
func (p *Plan) named(c *call, out *pathList, name string) error {
	head, rest, dotted := strings.Cut(name, ".")
	c.field = name
	switch st := p.byName[head]; {
	case name == "id":
	case head == extraField && p.opts.Unmapped == Extra:
		if dotted {
			out.add(rest)
		}
	case st == nil:
		return p.unknown(c, head, name)
	case dotted && st.child == nil:
		return p.fail(name, adapter.InvalidArgument, head+" has no fields of its own")
	case st.rule.Unsupported != "":
		c.note(adapter.WarnFieldDropped, "", "%s has no %s: %s", p.system, name, st.rule.Unsupported)
	case st.rule.WriteOnly:
		c.note(adapter.WarnFieldDropped, "", "%s can't be read", name)
	case dotted:
		p.reads(c, out, st, []string{rest}, 0)
		sub := &call{plan: st.child}
		if err := st.child.named(sub, &pathList{}, rest); err != nil {
			return p.within(st.name, err)
		}
		c.take(st.name, sub.notes)
	default:
		p.reads(c, out, st, nil, 0)
	}
	return nil
}

// unknown treats a name that is no universal field.
func (p *Plan) unknown(c *call, head, name string) error {
	reason := "universal model " + p.universal.Name + " has no such field" + nearest(head, p.names)
	if p.opts.Unmapped == Refuse {
		return p.fail(name, adapter.InvalidArgument, reason)
	}
	c.note(adapter.WarnFieldDropped, "", "%s was left out: %s", name, reason)
	return nil
}

// within puts the name of the lines before that of an error's field.
func (p *Plan) within(lines string, err error) error {
	if e, ok := err.(*FieldError); ok { //nolint:errorlint // made here
		out := *e
		out.Model, out.Field = p.universal.Name, lines+"."+e.Field
		return &out
	}
	return err
}

// take adds the notes about lines.
func (c *call) take(lines string, notes []adapter.Warning) {
	for _, n := range notes {
		n.Model, n.Field = c.plan.universal.Name, lines+"."+n.Field
		c.notes = addNote(c.notes, n)
	}
}

const mostComputed = 20

// reads adds the paths that a step reads; of lines the named fields alone.
func (p *Plan) reads(c *call, out *pathList, st *step, lines []string, depth int) {
	r := st.rule
	if r.Compute != nil {
		for _, name := range r.Compute.Of {
			if of := p.byName[name]; of != nil && depth < mostComputed {
				var fields []string
				if r.Compute.Line != "" {
					fields = []string{r.Compute.Line}
				}
				p.reads(c, out, of, fields, depth+1)
			}
		}
		return
	}
	if st.child != nil {
		sub := &pathList{}
		if lines == nil {
			for _, inner := range st.child.steps {
				st.child.reads(c, sub, inner, nil, 0)
			}
		}
		for _, name := range lines {
			_ = st.child.named(&call{plan: st.child}, sub, name)
		}
		sub.add(st.child.baseNeeds...)
		if len(sub.paths) == 0 {
			sub.add(st.child.idField)
		}
		for _, path := range sub.paths {
			out.add(st.first + "." + path)
		}
		return
	}
	for _, path := range r.readPaths() {
		out.add(path.needs()...)
	}
}

// Whole returns the values in one record, as [Plan.Create] has them: what an
// update holds apart is put in its place.
func (v Values) Whole() adapter.Record {
	out := maps.Clone(v.Record)
	if out == nil {
		out = adapter.Record{}
	}
	for _, n := range v.Nested {
		n.Path.put(out, n.Value)
	}
	for _, l := range v.Lines {
		out[l.Relation] = l.list()
	}
	return out
}
