package bridge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// line is a one-to-many field whose records go along with their parents.
type line struct {
	field   string // of the parent, in the old version
	to      string // in the new one
	inverse string // the line's field that leads to the parent, in the new version
	model   string // of the lines, in the old version
	plan    *migrate.Plan
	target  *adapter.Schema
	records map[adapter.ID]adapter.Record // in the new version, by old id
}

// suit holds the plan against the target's schema, before anything is
// written, and compiles it anew for that.
func (g *migration) suit(ctx context.Context, opts *migrate.Options) error {
	model := g.plan.ToModel()
	if model == "" {
		return &adapter.Error{Code: adapter.Unsupported, Field: "model", Model: g.Model, Message: fmt.Sprintf("model %s is split into %s in version %s: its records can be carried there, but not written", g.Model, strings.Join(g.plan.Targets(), ", "), g.To)}
	}
	for _, method := range []string{"create", "write"} {
		if err := g.Target.may(ctx, model, method); err != nil {
			return err
		}
	}
	var err error
	if g.target, err = g.Target.liveSchema(ctx, model); err != nil {
		return err
	}
	if g.plan, g.out.Coverage, err = g.hold(ctx, g.plan, g.schema, g.target, *opts); err != nil {
		return err
	}
	for _, field := range g.Lines {
		l, err := g.line(ctx, field, *opts)
		if err != nil {
			return err
		}
		g.lines = append(g.lines, l)
	}
	return nil
}

// hold refuses a plan whose rules give what the target does not have.
// Whatever passes through and is not there goes to the residue instead, unless
// the migration is strict.
func (g *migration) hold(ctx context.Context, plan *migrate.Plan, source, target *adapter.Schema, opts migrate.Options) (*migrate.Plan, *migrate.Coverage, error) {
	coverage, err := migrate.CoverageOf(ctx, plan, source, target)
	if err != nil {
		return nil, nil, single(err)
	}
	var inTheWay, unsaid []migrate.CoverageFinding
	for _, p := range coverage.Problem(migrate.NotInTarget) {
		f := source.Fields[p.Field]
		switch read := len(g.Fields) == 0 || slices.Contains(g.Fields, p.Field); {
		case p.Field != p.To:
			inTheWay = append(inTheWay, p)
		case g.Strict && read && f.Stored && !f.Readonly:
			unsaid = append(unsaid, p)
		}
	}
	if len(inTheWay) == 0 {
		inTheWay = unsaid
	}
	if len(inTheWay) > 0 {
		return nil, nil, &UnsuitableError{System: g.Target.ID(), Pack: g.Pack.Name, Coverage: coverage, Problems: inTheWay}
	}
	fit := *target
	fit.Model = plan.ToModel()
	opts.Source, opts.Target = source, &fit
	plan, err = g.Pack.CompileWith(plan.Model(), g.From, g.To, opts)
	return plan, coverage, single(err)
}

func (g *migration) line(ctx context.Context, field string, opts migrate.Options) (*line, error) {
	f, known := g.schema.Fields[field]
	if !known {
		return nil, adapter.UnknownField(g.schema, field)
	}
	if f.Type != adapter.One2Many {
		return nil, wrong("lines", "lines: field %q of %s does not lead to lines; it is %s", field, g.Model, f.Type)
	}
	if err := g.source.may(ctx, f.Relation, "search_read"); err != nil {
		return nil, err
	}
	l := &line{field: field, model: f.Relation, records: map[adapter.ID]adapter.Record{}}
	for _, c := range g.out.Coverage.Fields {
		if c.Field == field && len(c.To) == 1 {
			l.to = c.To[0]
		}
	}
	to, known := g.target.Fields[l.to]
	if !known || to.Type != adapter.One2Many {
		return nil, wrong("lines", "lines: field %q of %s has no counterpart in version %s", field, g.Model, g.To)
	}
	l.inverse = to.Inverse
	plan, err := g.Pack.CompileWith(f.Relation, g.From, g.To, opts)
	if err != nil {
		return nil, single(err)
	}
	if plan.ToModel() != to.Relation {
		return nil, wrong("lines", "lines: %s leads to %s in version %s, but %s becomes %s", l.to, to.Relation, g.To, f.Relation, plan.ToModel())
	}
	source, err := g.source.liveSchema(ctx, f.Relation)
	if err != nil {
		return nil, err
	}
	if l.target, err = g.Target.liveSchema(ctx, to.Relation); err != nil {
		return nil, err
	}
	l.plan, _, err = g.hold(ctx, plan, source, l.target, opts)
	if err != nil {
		return nil, err
	}
	for _, w := range l.plan.Warnings() {
		g.out.Warnings = append(g.out.Warnings, field+": "+w)
	}
	return l, nil
}

// write writes the records that g.out has; from are the same in the old
// version.
func (g *migration) write(ctx context.Context, from []adapter.Record) error {
	if !g.DryRun {
		if err := g.mayNote(ctx); err != nil {
			return err
		}
	}
	for _, l := range g.lines {
		if err := g.readLines(ctx, l, from); err != nil {
			return err
		}
	}
	known, err := g.references(ctx)
	if err != nil {
		return err
	}
	model := g.plan.ToModel()
	target := *g.Target
	// Neither followers nor messages of their own for what comes from elsewhere.
	target.caller.Scope = *g.Target.strict()
	target.caller.Scope.Values = maps.Clone(target.caller.Scope.Values)
	if target.caller.Scope.Values == nil {
		target.caller.Scope.Values = map[string]any{}
	}
	target.caller.Scope.Values["tracking_disable"] = true
	target.pin = nil

	written := []MigratedRecord{}
	for _, i := range g.order(model) {
		r := g.out.Records[i]
		stop := g.OnError == migrate.StopOnError && len(g.out.Errors) > 0
		if stop {
			break
		}
		if ctx.Err() != nil {
			g.refuse(r.Source, adapter.ID{}, &adapter.Error{Code: adapter.Timeout, Message: "there was no time left to write it; repeat the call to go on"})
			continue
		}
		own := reference{model, r.Source}
		there, exists := known.ids[own]
		values := g.values(r.Record, g.target, known, "")
		if !exists {
			g.nest(values, from[i], known)
		}
		r.Record, r.Created, r.ID = values, (!exists || g.made(there)) && !g.DryRun, there
		if !g.DryRun {
			if r.ID, err = g.put(ctx, &target, model, &r, exists); err != nil {
				g.refuse(r.Source, r.ID, err)
				if !r.ID.IsZero() {
					known.ids[own] = r.ID
				}
				continue
			}
		}
		known.ids[own] = r.ID
		for _, side := range r.Side {
			g.leave(side.Model, "values move to this model, which is not written along")
		}
		written = append(written, r)
	}
	g.out.Records = written
	return nil
}

// made reports whether a record of the target is one that the call which was
// broken off made, so that this one tells of it.
func (g *migration) made(id adapter.ID) bool {
	if g.Resume == nil || !g.Resume.Numbered {
		return false
	}
	newest, _ := g.Resume.Newest.Int()
	n, numbered := id.Int()
	return numbered && n > newest
}

// put creates or changes a record, and notes which one it is.
func (g *migration) put(ctx context.Context, target *System, model string, r *MigratedRecord, exists bool) (adapter.ID, error) {
	if exists {
		changed, err := g.changed(ctx, target, model, r)
		if err != nil || len(changed) == 0 {
			return r.ID, err
		}
		return r.ID, target.Update(ctx, model, []adapter.ID{r.ID}, changed)
	}
	id, err := g.found(ctx, target, model, r.Record)
	if err != nil {
		return id, err
	}
	if id.IsZero() {
		made, err := target.Create(ctx, model, r.Record)
		if err != nil {
			return id, err
		}
		id = made.ID()
	}
	_, err = target.Create(ctx, externalIDs, adapter.Record{
		"module": externalModule, "name": g.externalName(g.Model, r.Source), "model": model, "res_id": id.Value(), "noupdate": true,
	})
	if err != nil {
		if theirs := g.theirs(ctx, model, r.Source); !theirs.IsZero() && theirs != id {
			return theirs, g.giveWay(ctx, target, model, r, id, theirs)
		}
		return id, &adapter.Error{Code: adapter.CodeOf(err), Message: fmt.Sprintf("it was created as %s, but its external id could not be: a repeated call would create it again", id), Err: err}
	}
	return id, nil
}

// theirs is the record that somebody else has noted as a source's meanwhile.
func (g *migration) theirs(ctx context.Context, model string, source adapter.ID) (id adapter.ID) {
	name := g.externalName(g.Model, source)
	err := g.Target.external(ctx, []any{name}, "name", adapter.Cond{Field: "module", Op: adapter.Equal, Value: externalModule}, func(e external) {
		if e.model == model {
			id = e.id
		}
	})
	if err != nil {
		return adapter.ID{}
	}
	return id
}

// giveWay removes a record that another migration of the same one, at the same
// time, was faster with.
func (g *migration) giveWay(ctx context.Context, target *System, model string, r *MigratedRecord, id, theirs adapter.ID) error {
	r.Created = false
	if err := target.Delete(ctx, model, []adapter.ID{id}); err != nil {
		return &adapter.Error{
			Code: adapter.CodeOf(err), Model: model, Err: err,
			Message: fmt.Sprintf("another migration wrote it as %s at the same time; what this one had created as %s could not be deleted again, delete it", theirs, id),
		}
	}
	return nil
}

// found is the record that an earlier call made, and was broken off before it
// noted so.
func (g *migration) found(ctx context.Context, target *System, model string, values adapter.Record) (adapter.ID, error) {
	if g.Resume == nil {
		return adapter.ID{}, nil
	}
	doubt := &adapter.Error{Code: adapter.UnknownOutcome, Model: model, Message: "an earlier call was broken off: the record may have been written; look before you repeat it"}
	if !g.Resume.Numbered {
		return adapter.ID{}, doubt
	}
	look := &sift{values: []adapter.Record{values}}
	err := look.run(ctx, siftKey{system: target, model: model, newest: g.Resume.Newest})
	if err == nil {
		look.taken, err = g.noted(ctx, model, look.found)
	}
	if err != nil {
		return adapter.ID{}, err
	}
	id := look.same(values)
	if id.IsZero() && !look.surelyNone(values) {
		return adapter.ID{}, doubt
	}
	return id, nil
}

// noted are those of the target's records whose external ids are ours.
func (g *migration) noted(ctx context.Context, model string, newer []adapter.Record) (map[adapter.ID]bool, error) {
	ids := make([]any, len(newer))
	for i, r := range newer {
		ids[i] = r.ID().Value()
	}
	taken := map[adapter.ID]bool{}
	err := g.Target.external(ctx, ids, "res_id", adapter.Cond{Field: "model", Op: adapter.Equal, Value: model}, func(e external) {
		if e.module == externalModule {
			taken[e.id] = true
		}
	})
	return taken, err
}

// changed are the values that differ from those of the target's record. To
// write the others again is not harmless: Odoo computes anew what depends on
// them, such as the taxes of an order's lines when its partner is written.
func (g *migration) changed(ctx context.Context, target *System, model string, r *MigratedRecord) (adapter.Record, error) {
	records, err := target.readLive(ctx, model, []adapter.ID{r.ID}, slices.Sorted(maps.Keys(r.Record)))
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, &adapter.Error{Code: adapter.NotFound, Model: model, Message: fmt.Sprintf("it was written as %s earlier, which the target's user can't see or which was removed", r.ID)}
	}
	out := adapter.Record{}
	for name, v := range r.Record {
		if !sameValue(g.target.Fields[name].Type, v, records[0][name]) {
			out[name] = v
		}
	}
	return out, nil
}

// sameValue compares a value to be written with one that was read.
func sameValue(kind adapter.FieldType, write, read any) bool {
	if adapter.IsEmpty(write) && adapter.IsEmpty(read) {
		return true
	}
	switch kind {
	case adapter.Many2One:
		a, _ := adapter.IDOf(write)
		b, _ := adapter.IDOf(read)
		return a == b
	case adapter.Many2Many:
		a, b := relatedIDs(write), relatedIDs(read)
		byText := func(a, b adapter.ID) int { return strings.Compare(a.String(), b.String()) }
		slices.SortFunc(a, byText)
		slices.SortFunc(b, byText)
		return slices.Equal(a, b)
	case adapter.Float, adapter.Monetary:
		return adapter.Record{"": write}.Float("") == adapter.Record{"": read}.Float("")
	}
	a, err1 := json.Marshal(write)
	b, err2 := json.Marshal(read)
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}

// Records of ir.model.data are Odoo's external ids. Ours are in a module of
// their own, which no module's update touches.
const (
	externalIDs    = "ir.model.data"
	externalModule = "__bridgecore__"
)

// externalName is the name that a record of the source has in the target. Two
// tenants may call their systems the same.
func (g *migration) externalName(model string, id adapter.ID) string {
	sum := sha256.Sum256([]byte(g.source.link.config.Tenant + "\x00" + g.source.ID()))
	return fmt.Sprintf("%s_%s_%s", hex.EncodeToString(sum[:6]), strings.ReplaceAll(model, ".", "_"), id)
}

// mayNote asks whether external ids can be made: without them a repeated call
// would create everything again.
func (g *migration) mayNote(ctx context.Context) error {
	for _, method := range []string{"search_read", "create"} {
		if err := g.Target.may(ctx, externalIDs, method); err != nil {
			return err
		}
	}
	granted := false
	err := g.Target.link.do(g.Target.scoped(ctx, g.Target.strict()), work{operation: "check_access_rights", model: externalIDs, run: func(ctx context.Context, a adapter.Adapter) error {
		raw, err := adapter.Invoke(ctx, a, adapter.Call{Model: externalIDs, Method: "check_access_rights", Args: []any{"create", false}})
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, &granted)
	}})
	if err != nil {
		return err
	}
	if !granted {
		return &adapter.Error{Code: adapter.PermissionDenied, Model: externalIDs, Message: fmt.Sprintf("the user of system %q may not make external ids (ir.model.data), by which a repeated migration finds what it made; it needs a user of the group Access Rights", g.Target.ID())}
	}
	return nil
}

// readLines reads and carries the lines of all records.
func (g *migration) readLines(ctx context.Context, l *line, from []adapter.Record) error {
	var ids []adapter.ID
	for _, r := range from {
		ids = append(ids, r.IDs(l.field)...)
	}
	schema, err := g.source.liveSchema(ctx, l.model)
	if err != nil {
		return err
	}
	mine := &migration{Migration: g.Migration, out: &Migrated{}}
	records, err := g.read(ctx, l.model, ids, mine.stored(schema))
	if err != nil {
		return err
	}
	for _, r := range records {
		got, err := l.plan.Up(ctx, r)
		if err != nil {
			g.leave(l.field, "a line was refused by the rules: "+single(err).Error())
			continue
		}
		l.records[r.ID()] = got.Record
	}
	return nil
}

// nest puts a record's lines inside of it.
func (g *migration) nest(values, from adapter.Record, known *references) {
	for _, l := range g.lines {
		var commands []any
		for _, id := range from.IDs(l.field) {
			if r, ok := l.records[id]; ok {
				commands = append(commands, []any{0, 0, map[string]any(g.values(r, l.target, known, l.inverse))})
			}
		}
		if len(commands) > 0 {
			values[l.to] = commands
		}
	}
}

// values are what is written of a record: what the target lets be written,
// with references to its own records.
func (g *migration) values(r adapter.Record, schema *adapter.Schema, known *references, inverse string) adapter.Record {
	out := adapter.Record{}
	for _, name := range slices.Sorted(maps.Keys(r)) {
		v := r[name]
		f, there := schema.Fields[name]
		empty := adapter.IsEmpty(v) && f.Type != adapter.Boolean
		switch {
		case !there, name == "id", name == inverse:
			continue
		case g.isLine(name, schema):
			continue
		case slices.Contains(g.LeaveOut, name):
			g.leave(name, "as asked for")
			continue
		case f.Readonly && !f.Required:
			if !empty {
				g.leave(name, "the target does not let it be written")
			}
			continue
		case empty:
			// Said, not left out: otherwise the target would make up a default,
			// such as taxes on a line that has none.
			switch {
			case f.Required, f.Type == adapter.One2Many:
			case f.Type == adapter.Many2Many:
				out[name] = []any{[]any{6, 0, []any{}}}
			default:
				out[name] = false
			}
			continue
		}
		switch {
		case f.Type == adapter.Many2One:
			id, _ := adapter.IDOf(v)
			if to, ok := known.ids[reference{f.Relation, id}]; ok {
				out[name] = to.Value()
			} else {
				g.leave(name, NoCounterpart+" the "+f.Relation+" it refers to")
			}
		case f.Type == adapter.Many2Many:
			ids := []any{}
			all := relatedIDs(v)
			for _, id := range all {
				if to, ok := known.ids[reference{f.Relation, id}]; ok {
					ids = append(ids, to.Value())
				} else {
					g.leave(name, NoCounterpart+" some "+f.Relation+" it refers to")
				}
			}
			if len(ids) > 0 || len(all) == 0 {
				out[name] = []any{[]any{6, 0, ids}}
			}
		case f.Type == adapter.One2Many:
			if len(relatedIDs(v)) > 0 {
				g.leave(name, "its records, of "+f.Relation+", are migrated by themselves, or as lines")
			}
		case f.Type == adapter.Reference, f.Native == "many2one_reference", f.Type == adapter.JSON, f.Type == adapter.Properties:
			g.leave(name, "its ids can't be told from other values")
		default:
			out[name] = v
		}
	}
	return out
}

func (g *migration) isLine(name string, schema *adapter.Schema) bool {
	return schema == g.target && slices.ContainsFunc(g.lines, func(l *line) bool { return l.to == name })
}

// relatedIDs reads a list of ids, or Odoo's command that sets one.
func relatedIDs(v any) []adapter.ID {
	list, _ := v.([]any)
	if len(list) == 1 {
		if command, ok := list[0].([]any); ok && len(command) == 3 {
			list, _ = command[2].([]any)
		}
	}
	ids := make([]adapter.ID, 0, len(list))
	for _, item := range list {
		if id, ok := adapter.IDOf(item); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// reference is a record of the source by its model in the new version.
type reference struct {
	model string
	id    adapter.ID
}

// references are the records of the target that stand for those of the source.
type references struct {
	ids map[reference]adapter.ID
}

// references looks up everything that the records refer to, and the records
// themselves: by the external ids of earlier migrations, then by those that
// both systems have of their own, such as base.main_company.
func (g *migration) references(ctx context.Context) (*references, error) {
	wanted := map[reference]bool{}
	collect := func(r adapter.Record, schema *adapter.Schema) {
		for name, v := range r {
			switch f := schema.Fields[name]; f.Type {
			case adapter.Many2One:
				if id, ok := adapter.IDOf(v); ok {
					wanted[reference{f.Relation, id}] = true
				}
			case adapter.Many2Many:
				for _, id := range relatedIDs(v) {
					wanted[reference{f.Relation, id}] = true
				}
			}
		}
	}
	own := map[reference]bool{}
	for _, r := range g.out.Records {
		collect(r.Record, g.target)
		own[reference{g.plan.ToModel(), r.Source}] = true
	}
	for _, l := range g.lines {
		for _, r := range l.records {
			collect(r, l.target)
		}
	}
	known := &references{ids: map[reference]adapter.ID{}}
	maps.Copy(wanted, own)
	before := map[string]string{g.plan.ToModel(): g.Model} // models' names in the old version
	for ref := range wanted {
		if _, done := before[ref.model]; !done {
			before[ref.model] = ""
			if l, err := g.Pack.Lens(ref.model, g.To, g.From, migrate.LensOptions{}); err == nil {
				before[ref.model] = l.Model()
			}
		}
	}
	if err := g.earlier(ctx, wanted, before, known); err != nil {
		return nil, err
	}
	for ref := range own {
		delete(wanted, ref) // a record that both were delivered with is another's
	}
	if err := g.delivered(ctx, wanted, before, known); err != nil {
		if adapter.CodeOf(err) != adapter.PermissionDenied {
			return nil, err
		}
		g.out.Warnings = append(g.out.Warnings, fmt.Sprintf("the user of system %q may not read external ids (ir.model.data): of what the records refer to, only records that were migrated are found", g.source.ID()))
	}
	return known, nil
}

// earlier finds what earlier migrations wrote.
func (g *migration) earlier(ctx context.Context, wanted map[reference]bool, before map[string]string, known *references) error {
	byName := map[string]reference{}
	for ref := range wanted {
		if model := before[ref.model]; model != "" {
			byName[g.externalName(model, ref.id)] = ref
		}
	}
	names := make([]any, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		names = append(names, name)
	}
	return g.Target.external(ctx, names, "name", adapter.Cond{Field: "module", Op: adapter.Equal, Value: externalModule}, func(e external) {
		if ref, ok := byName[e.name]; ok && e.model == ref.model {
			known.ids[ref] = e.id
		}
	})
}

// delivered finds what both systems know by the same external id.
func (g *migration) delivered(ctx context.Context, wanted map[reference]bool, before map[string]string, known *references) error {
	byModel := map[string][]any{} // ids by the model's old name
	after := map[string]string{}
	for ref := range wanted {
		if _, done := known.ids[ref]; !done && before[ref.model] != "" {
			byModel[before[ref.model]] = append(byModel[before[ref.model]], ref.id.Value())
			after[before[ref.model]] = ref.model
		}
	}
	byName := map[string]reference{}
	charts := map[string]reference{}
	var names []any
	for _, model := range slices.Sorted(maps.Keys(byModel)) {
		err := g.source.external(ctx, byModel[model], "res_id", adapter.Cond{Field: "model", Op: adapter.Equal, Value: model}, func(e external) {
			if e.module == externalModule {
				return
			}
			byName[e.module+"."+e.name] = reference{after[model], e.id}
			if strings.HasPrefix(e.module, "l10n_") {
				charts[e.name] = reference{after[model], e.id}
			}
			names = append(names, e.name)
		})
		if err != nil {
			return err
		}
	}
	return g.Target.external(ctx, names, "name", nil, func(e external) {
		ref, ok := byName[e.module+"."+e.name]
		if !ok && e.module == "account" {
			// From 17.0 on the records of a chart of accounts are account's, not
			// those of the chart's own module.
			ref, ok = charts[e.name]
		}
		if ok && e.model == ref.model {
			known.ids[ref] = e.id
		}
	})
}

// external is an external id.
type external struct {
	module, name, model string
	id                  adapter.ID
}

// external reads the external ids whose field is one of values, past the
// cache.
func (s *System) external(ctx context.Context, values []any, field string, also adapter.Filter, take func(external)) error {
	const atOnce = 500
	for part := range slices.Chunk(values, atOnce) {
		filter := adapter.And{adapter.Cond{Field: field, Op: adapter.In, Value: part}}
		if also != nil {
			filter = append(filter, also)
		}
		err := s.link.do(s.scoped(ctx, s.strict()), work{operation: "query", model: externalIDs, run: func(ctx context.Context, a adapter.Adapter) error {
			q := adapter.Query{Model: externalIDs, Filter: filter, Fields: []string{"module", "name", "model", "res_id"}}
			for r, err := range adapter.All(ctx, a, q) {
				if err != nil {
					return err
				}
				if id, ok := adapter.IDOf(r["res_id"]); ok {
					take(external{r.String("module"), r.String("name"), r.String("model"), id})
				}
			}
			return nil
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// order sorts the records so that one comes after those that it refers to.
func (g *migration) order(model string) []int {
	at := map[adapter.ID]int{}
	for i, r := range g.out.Records {
		at[r.Source] = i
	}
	var out []int
	seen := make([]bool, len(g.out.Records))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		r := g.out.Records[i].Record
		for _, name := range slices.Sorted(maps.Keys(r)) {
			f := g.target.Fields[name]
			if f.Type != adapter.Many2One || f.Relation != model || (f.Readonly && !f.Required) {
				continue
			}
			if id, ok := adapter.IDOf(r[name]); ok {
				if j, there := at[id]; there {
					visit(j)
				}
			}
		}
		out = append(out, i)
	}
	for i := range g.out.Records {
		visit(i)
	}
	return out
}
