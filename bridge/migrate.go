package bridge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// MaxMigration is how many records one Migration may name.
const MaxMigration = 1000

// Migration asks for records of a system to be carried to another version.
type Migration struct {
	Pack  *migrate.Pack // the rules; required
	Model string        // named as in version From
	// From and To are versions that the pack knows. "" is the version of the
	// system, and of Target.
	From, To string
	IDs      []adapter.ID // at most MaxMigration
	// Fields are those to read, named as in From; nil are all that the system
	// stores, apart from binary ones.
	Fields []string

	// Target is where the records are written; nil for nowhere. It must know
	// external ids, as Odoo does: a record is written under one that is made of
	// its system, its model and its id. A repeated call changes the record that
	// the first one made.
	Target *System
	// Lines are one-to-many fields whose records go along inside of theirs,
	// such as "order_line". They are written with a new record alone: a
	// repeated call leaves them be.
	Lines []string
	// LeaveOut are fields not to write, named as in the new version, also of
	// lines: such as "state", where records must begin their life as drafts.
	LeaveOut []string
	// Strict refuses to write where Target lacks a stored, writable field of
	// those that are read, instead of leaving it out and saying so. Rules that
	// give a field which Target lacks are refused in any case.
	Strict bool
	// DryRun looks at everything and writes nothing.
	DryRun bool
	// OnError says what becomes of the rest when a record is refused:
	// migrate.StopOnError, or migrate.Collect, which is also the default.
	OnError migrate.OnError
	// Resume is what MarkBatch noted of a creation in Target before an earlier
	// call for the same records that was broken off: a record that it made and
	// had not noted yet is found by its values, instead of being made again.
	Resume *BatchMark
}

// Migrated is what became of a Migration.
type Migrated struct {
	Plan *migrate.Plan
	// Coverage holds the plan against the system's schema and Target's. nil
	// without Target.
	Coverage *migrate.Coverage
	Records  []MigratedRecord // without those that were refused
	Errors   []MigrationError
	LeftOut  []LeftOut // fields that were not written, by name
	Warnings []string
}

// MigratedRecord is one record in the new version.
type MigratedRecord struct {
	Source  adapter.ID       `json:"source_id"`
	ID      adapter.ID       `json:"id,omitzero"` // in Target; none if nothing was written
	Model   string           `json:"model"`
	Created bool             `json:"created,omitempty"` // false if it was there, or nothing was written
	Record  adapter.Record   `json:"record"`            // what the plan gave, or with Target what was written
	Residue *migrate.Residue `json:"residue,omitempty"` // what the new version can't hold
	Side    []migrate.Side   `json:"side,omitempty"`    // values that move to other models; not written
}

// MigrationError is a record that was refused.
type MigrationError struct {
	RecordID adapter.ID   `json:"record_id"`
	Code     adapter.Code `json:"code"`
	Field    string       `json:"field,omitempty"`
	Message  string       `json:"message"`
	// ID is the record in the target, where it was written all the same.
	ID adapter.ID `json:"id,omitzero"`
}

// NoCounterpart begins the reason of a reference that was left out because the
// target does not have the record it leads to. A call that is repeated after
// that record was migrated writes it.
const NoCounterpart = "the target has no counterpart of"

// LeftOut is a field that the new version has, and that was not written.
type LeftOut struct {
	Field   string `json:"field"`
	Reason  string `json:"reason"`
	Records int    `json:"records"` // that have a value there
}

// UnsuitableError says that the target would refuse what the rules give. It
// unwraps to an [*adapter.Error].
type UnsuitableError struct {
	System   string
	Pack     string
	Coverage *migrate.Coverage
	Problems []migrate.CoverageFinding // those in the way
}

// Error names the fields.
func (e *UnsuitableError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error with its code.
func (e *UnsuitableError) Unwrap() error {
	const most = 5
	var names []string
	for i, p := range e.Problems {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(e.Problems)-most))
			break
		}
		names = append(names, p.Message)
	}
	err := adapter.Errorf(adapter.InvalidArgument, "the rules of pack %q are not those of system %q, which would refuse what they give: %s", e.Pack, e.System, strings.Join(names, "; "))
	if e.Pack == "documented" {
		err.Message += `; take pack "community", which has what Odoo changed`
	}
	err.Field, err.Model = "pack", e.Coverage.ToModel
	return err
}

// migration is a Migration under way.
type migration struct {
	Migration
	source *System
	out    *Migrated
	plan   *migrate.Plan
	schema *adapter.Schema // of the system
	target *adapter.Schema // of Target, or nil
	lines  []*line
	left   map[leftKey]int
}

type leftKey struct{ field, reason string }

// Migrate reads records, carries them to another version, and writes them to
// the target if there is one. The error is about the whole: wrong rules,
// versions, fields, or a target that the rules don't suit; then nothing was
// written. What became of each record is in the answer.
func (s *System) Migrate(ctx context.Context, m Migration) (*Migrated, error) {
	g, err := s.newMigration(ctx, m)
	if err != nil {
		return nil, err
	}
	records, err := g.read(ctx, g.Model, g.IDs, g.fields())
	if err != nil {
		return nil, err
	}
	found := map[adapter.ID]bool{}
	for _, r := range records {
		found[r.ID()] = true
	}
	for _, id := range g.IDs {
		if !found[id] {
			g.refuse(id, adapter.ID{}, &adapter.Error{Code: adapter.NotFound, Model: m.Model, Message: fmt.Sprintf("there is no record %s of %s", id, m.Model)})
		}
	}
	if g.OnError == migrate.StopOnError && len(g.out.Errors) > 0 {
		return g.done(), nil
	}
	var from []adapter.Record
	for _, r := range records {
		got, err := g.plan.Up(ctx, r)
		if err != nil {
			if ctx.Err() != nil {
				return nil, bare(err)
			}
			g.refuse(r.ID(), adapter.ID{}, single(err))
			if g.OnError == migrate.StopOnError {
				break
			}
			continue
		}
		from = append(from, r)
		g.out.Records = append(g.out.Records, MigratedRecord{Source: r.ID(), Model: got.Model, Record: got.Record, Residue: got.Residue, Side: got.Side})
	}
	if g.Target != nil {
		if err := g.write(ctx, from); err != nil {
			return nil, err
		}
	}
	return g.done(), nil
}

// newMigration checks what is asked for against both systems.
func (s *System) newMigration(ctx context.Context, m Migration) (*migration, error) {
	switch {
	case m.Pack == nil:
		return nil, wrong("pack", "the rules are missing")
	case len(m.IDs) == 0:
		return nil, wrong("record_ids", "record_ids is empty; it lists the records to migrate")
	case len(m.IDs) > MaxMigration:
		return nil, wrong("record_ids", "record_ids lists %d records; at most %d go at once", len(m.IDs), MaxMigration)
	case len(m.Lines) > 0 && m.Target == nil:
		return nil, wrong("lines", "lines are for records that are written to a target")
	case len(m.LeaveOut) > 0 && m.Target == nil:
		return nil, wrong("leave_out", "leave_out is for records that are written to a target")
	case m.OnError != "" && m.OnError != migrate.StopOnError && m.OnError != migrate.Collect:
		return nil, wrong("on_error", "on_error must be \"stop\" or \"collect\"")
	}
	if m.OnError == "" {
		m.OnError = migrate.Collect
	}
	seen := map[adapter.ID]bool{}
	m.IDs = slices.DeleteFunc(slices.Clone(m.IDs), func(id adapter.ID) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
	source := *s
	source.pin = nil // the rules carry records from the system's own version
	if err := source.may(ctx, m.Model, "search_read"); err != nil {
		return nil, err
	}
	g := &migration{Migration: m, source: &source, out: &Migrated{Records: []MigratedRecord{}, Errors: []MigrationError{}, LeftOut: []LeftOut{}, Warnings: []string{}}, left: map[leftKey]int{}}
	if err := g.versions(ctx); err != nil {
		return nil, err
	}
	var err error
	if g.schema, err = source.liveSchema(ctx, m.Model); err != nil {
		return nil, err
	}
	for _, f := range m.Fields {
		if !g.schema.Has(f) {
			return nil, adapter.UnknownField(g.schema, f)
		}
	}
	opts := migrate.Options{Form: migrate.FormRead, Lookup: &sourceLookup{system: &source, known: map[lookupKey]any{}}, Source: g.schema}
	if g.plan, err = m.Pack.CompileWith(m.Model, g.From, g.To, opts); err != nil {
		return nil, single(err)
	}
	if m.Target != nil {
		if err := g.suit(ctx, &opts); err != nil {
			return nil, err
		}
	}
	g.out.Plan = g.plan
	g.out.Warnings = append(g.out.Warnings, g.plan.Warnings()...)
	return g, nil
}

// versions fills in From and To, and holds them against the systems.
func (g *migration) versions(ctx context.Context) error {
	if err := g.source.defaultVersions(ctx, &g.Migration); err != nil {
		return err
	}
	live, err := g.source.systemVersion(ctx)
	if err != nil {
		return err
	}
	if g.From != live {
		if g.Target != nil {
			return wrong("from_version", "system %q is of version %s: its records are not those of version %s", g.source.ID(), live, g.From)
		}
		g.out.Warnings = append(g.out.Warnings, fmt.Sprintf("system %q is of version %s; its records are taken for those of version %s", g.source.ID(), live, g.From))
	}
	if g.Target == nil {
		return nil
	}
	if live, err = g.Target.systemVersion(ctx); err != nil {
		return err
	}
	if g.To != live {
		return wrong("to_version", "the target system %q is of version %s; it does not take records of version %s", g.Target.ID(), live, g.To)
	}
	return nil
}

// fields are those to read.
func (g *migration) fields() []string {
	if g.Fields != nil {
		return g.Fields
	}
	return g.stored(g.schema)
}

// stored are the fields of a model that are worth reading. Of a system that
// does not say what it stores, all are.
func (g *migration) stored(s *adapter.Schema) []string {
	var names []string
	for _, f := range slices.Sorted(maps.Keys(s.Fields)) {
		field := s.Fields[f]
		switch {
		case !field.Stored, f == "id":
		case field.Type == adapter.Binary:
			g.out.LeftOut = append(g.out.LeftOut, LeftOut{Field: f, Reason: "binary fields are read only where \"fields\" names them"})
		default:
			names = append(names, f)
		}
	}
	return names
}

func (g *migration) refuse(id, made adapter.ID, err error) {
	e := MigrationError{RecordID: id, Code: adapter.CodeOf(err), Message: "the record was refused", ID: made}
	if known, ok := asError(bare(err)); ok {
		e.Message, e.Field = known.Message, known.Field
	}
	g.out.Errors = append(g.out.Errors, e)
}

func (g *migration) leave(field, reason string) { g.left[leftKey{field, reason}]++ }

// done sorts out what was left out.
func (g *migration) done() *Migrated {
	for k, n := range g.left {
		g.out.LeftOut = append(g.out.LeftOut, LeftOut{Field: k.field, Reason: k.reason, Records: n})
	}
	slices.SortFunc(g.out.LeftOut, func(a, b LeftOut) int {
		return strings.Compare(a.Field+"\x00"+a.Reason, b.Field+"\x00"+b.Reason)
	})
	return g.out
}

// read reads records as the system has them, past the cache.
func (g *migration) read(ctx context.Context, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
	return g.source.readLive(ctx, model, ids, fields)
}

func (s *System) readLive(ctx context.Context, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
	const atOnce = 200
	var out []adapter.Record
	for part := range slices.Chunk(ids, atOnce) {
		var records []adapter.Record
		err := s.link.do(s.scoped(ctx, s.strict()), work{operation: "read", model: model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
			records, err = adapter.Read(ctx, a, model, part, fields)
			return err
		}})
		if err != nil {
			return nil, err
		}
		out = append(out, records...)
	}
	return out, nil
}

// strict is the caller's scope without replacements of fields: the rules of a
// migration say what becomes of each.
func (s *System) strict() *adapter.Scope {
	scope := s.caller.Scope
	scope.Fallback, scope.FillEmpty = adapter.FallbackOff, false
	return &scope
}

// liveSchema describes a model as the system has it, past the cache and
// whatever version the caller speaks.
func (s *System) liveSchema(ctx context.Context, model string) (*adapter.Schema, error) {
	var described *adapter.Schema
	err := s.link.do(s.scoped(ctx, &adapter.Scope{}), work{operation: "schema", model: model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
		described, err = a.Schema(ctx, model)
		return err
	}})
	return described, err
}

// sourceLookup reads what rules want to know of other records.
type sourceLookup struct {
	system *System
	mu     sync.Mutex
	known  map[lookupKey]any
}

type lookupKey struct {
	model string
	id    adapter.ID
	field string
}

// noRecord stands for a record that is not there.
type noRecord struct{}

// Lookup implements [migrate.Lookup].
func (l *sourceLookup) Lookup(ctx context.Context, model string, id adapter.ID, field string) (any, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := lookupKey{model, id, field}
	v, known := l.known[k]
	if !known {
		if err := l.system.may(ctx, model, "search_read"); err != nil {
			return nil, false, err
		}
		records, err := l.system.readLive(ctx, model, []adapter.ID{id}, []string{field})
		if err != nil {
			return nil, false, err
		}
		v = noRecord{}
		if len(records) > 0 {
			v = records[0][field]
		}
		l.known[k] = v
	}
	if _, gone := v.(noRecord); gone {
		return nil, false, nil
	}
	return v, true, nil
}

// MigrationPlan returns the plan of a Migration; of that it looks at Pack,
// Model, From and To.
func (s *System) MigrationPlan(ctx context.Context, m Migration) (*migrate.Plan, error) {
	if m.Pack == nil {
		return nil, wrong("pack", "the rules are missing")
	}
	if err := s.may(ctx, m.Model, "fields_get"); err != nil {
		return nil, err
	}
	if err := s.defaultVersions(ctx, &m); err != nil {
		return nil, err
	}
	plan, err := m.Pack.Compile(m.Model, m.From, m.To)
	if err != nil {
		return nil, single(err)
	}
	return plan, nil
}

// defaultVersions fills in From and To without looking whether they are those
// of the systems.
func (s *System) defaultVersions(ctx context.Context, m *Migration) (err error) {
	if m.From == "" {
		if m.From, err = s.systemVersion(ctx); err != nil {
			return err
		}
	}
	if m.To == "" && m.Target != nil {
		if m.To, err = m.Target.systemVersion(ctx); err != nil {
			return err
		}
	}
	if m.To == "" {
		return wrong("to_version", "to_version is missing: the version to migrate to")
	}
	return nil
}

// Coverage holds a plan for the model against the schemas of this system and
// of target. What has no system of that version is described by snapshot,
// which may be nil.
func (s *System) Coverage(ctx context.Context, m Migration, snapshot func(version, model string) *adapter.Schema) (*migrate.Coverage, error) {
	if m.Pack == nil {
		return nil, wrong("pack", "the rules are missing")
	}
	plan, err := s.MigrationPlan(ctx, m)
	if err != nil {
		return nil, err
	}
	m.From, m.To = plan.From(), plan.To()
	describe := func(sys *System, version, model string) (*adapter.Schema, error) {
		if sys != nil {
			live, err := sys.systemVersion(ctx)
			if err != nil {
				return nil, err
			}
			if live == version {
				return sys.liveSchema(ctx, model)
			}
		}
		if snapshot != nil {
			if described := snapshot(version, model); described != nil {
				return described, nil
			}
		}
		return nil, &adapter.Error{Code: adapter.NotFound, Model: model, Message: fmt.Sprintf("model %s of version %s is not known here: neither the system is of that version nor is there a snapshot of the model", model, version)}
	}
	source, err := describe(s, m.From, m.Model)
	if err != nil {
		return nil, err
	}
	if plan.ToModel() == "" {
		_, err := migrate.CoverageOf(ctx, plan, source, source)
		return nil, single(err)
	}
	target, err := describe(m.Target, m.To, plan.ToModel())
	if err != nil {
		return nil, err
	}
	coverage, err := migrate.CoverageOf(ctx, plan, source, target)
	if err != nil {
		return nil, single(err)
	}
	return coverage, nil
}

// Diff shows what a migration would do to each record, field by field, and
// names the records that are not there.
func (s *System) Diff(ctx context.Context, m Migration) (diffs []migrate.RecordDiff, missing []adapter.ID, err error) {
	m.Target, m.Lines = nil, nil
	g, err := s.newMigration(ctx, m)
	if err != nil {
		return nil, nil, err
	}
	records, err := g.read(ctx, m.Model, g.IDs, g.fields())
	if err != nil {
		return nil, nil, err
	}
	found := map[adapter.ID]bool{}
	for _, r := range records {
		found[r.ID()] = true
	}
	for _, id := range g.IDs {
		if !found[id] {
			missing = append(missing, id)
		}
	}
	return migrate.Diff(ctx, g.plan, records), missing, nil
}
