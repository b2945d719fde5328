package transfer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// line is a one-to-many field whose records are inside of their parents.
type line struct {
	*model
	field, toField, inverse string // of the parent in the source and the target; of the line in the target
}

// lines describes the lines of a model.
func (r *run) lines(ctx context.Context, m *model) error {
	fields, given := r.Lines[m.name]
	if !given {
		fields = lines[m.name]
	}
	m.lines = []*line{}
	for _, field := range fields {
		f := m.source.Fields[field]
		if f.Type != adapter.One2Many {
			if given {
				return wrong("lines", "lines: %s of %s does not lead to lines", field, m.name)
			}
			continue
		}
		if r.byModel[f.Relation] != nil {
			continue // they are carried by themselves
		}
		to := m.becomes(field)
		there := m.target.Fields[to]
		if there.Inverse == "" {
			r.report.Notes = append(r.report.Notes, fmt.Sprintf("%s of %s has no counterpart in %s: its lines are left out", field, m.name, r.to))
			continue
		}
		lm, err := r.describe(ctx, f.Relation)
		if !given && adapter.CodeOf(err) == adapter.NotFound {
			continue // a module that is not installed here
		}
		if err != nil {
			return err
		}
		if lm.to != there.Relation {
			return wrong("lines", "lines: %s of %s leads to %s in the target, but %s becomes %s", to, m.to, there.Relation, f.Relation, lm.to)
		}
		lm.account.LinesOf = m.name
		m.lines = append(m.lines, &line{model: lm, field: field, toField: to, inverse: there.Inverse})
	}
	return nil
}

// allLines has all lines of a record be new ones.
func (r *run) allLines(m *model, it *item) {
	for i, l := range m.lines {
		for _, x := range it.lines[i] {
			x.values, _ = r.values(l.model, x, l.inverse, first)
			x.target, x.fresh = adapter.ID{}, true
		}
	}
}

// lineCommands are Odoo's commands that make a record's lines those of the
// source.
func (r *run) lineCommands(ctx context.Context, m *model, l *line, it *item, i int, rec adapter.Record, there map[ref]adapter.Record) (commands []any, added int, err error) {
	mine := map[adapter.ID]bool{}
	for _, x := range it.lines[i] {
		x.values, _ = r.values(l.model, x, l.inverse, first)
		was, ok := there[ref{l.to, x.target}]
		if !x.target.IsZero() && !ok {
			// Made again it could not get the external id that is there, and
			// would be made by every run.
			return nil, 0, unseen(r, l.model, x, "its line "+x.source.String())
		}
		if x.target.IsZero() {
			if held := r.state.held(l.name, x.source, "id"); held != "" && held == digest(x.values, nil) {
				continue
			}
			x.fresh = true
			added++
			commands = append(commands, []any{0, 0, map[string]any(x.values)})
			continue
		}
		mine[x.target] = true
		if changes := r.differences(l.model, x, x.values, was); len(changes) > 0 {
			commands = append(commands, []any{1, x.target.Value(), map[string]any(changes)})
		}
	}
	var others []any
	for _, id := range rec.IDs(l.toField) {
		if !mine[id] {
			others = append(others, id.Value())
		}
	}
	if len(others) == 0 {
		return commands, added, nil
	}
	// Lines that we made, of records that are gone. Others are somebody else's.
	prefix := strings.TrimSuffix(r.Source.ExternalName(l.name, adapter.IntID(0)), "0")
	err = external(ctx, r.out, "res_id", others, adapter.And{adapter.Cond{Field: "model", Op: adapter.Equal, Value: l.to}, adapter.Cond{Field: "module", Op: adapter.Equal, Value: bridge.ExternalModule}}, func(e externalID) {
		if strings.HasPrefix(e.name, prefix) {
			commands = append(commands, []any{2, e.id.Value(), 0})
		}
	})
	return commands, added, err
}

// newLines are the external ids of the lines that a record got: those that were
// not there before, zero records for all of them. They are in the order in which
// they were given, unless the target made further ones or kept some back; then
// they are told by their values. One that can't be told is not written again
// until it changes in the source, as it may be there.
func (r *run) newLines(ctx context.Context, m *model, it *item, was adapter.Record) ([]adapter.Record, error) {
	if len(m.lines) == 0 {
		return nil, nil
	}
	var fields []string
	for _, l := range m.lines {
		fields = append(fields, l.toField)
	}
	records, err := r.out.LiveRead(ctx, m.to, []adapter.ID{it.target}, fields)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	var ids []adapter.Record
	for i, l := range m.lines {
		before := was.IDs(l.toField)
		got := slices.DeleteFunc(records[0].IDs(l.toField), func(id adapter.ID) bool { return slices.Contains(before, id) })
		slices.SortFunc(got, byNumber)
		given := slices.DeleteFunc(slices.Clone(it.lines[i]), func(x *item) bool { return !x.fresh })
		var told *orphans
		if len(got) != len(given) {
			if told, err = r.readLines(ctx, l, got); err != nil {
				return nil, err
			}
		}
		for n, x := range given {
			if told == nil {
				x.target = got[n]
			} else if x.target = told.take(l.model, x.values); x.target.IsZero() {
				r.keep(l.model, x, "id", x.values, nil)
				continue
			}
			r.matcher.known[ref{l.to, x.source}] = x.target
			ids = append(ids, r.external(l.model, x.source, x.target))
		}
	}
	return ids, nil
}

func (r *run) readLines(ctx context.Context, l *line, ids []adapter.ID) (*orphans, error) {
	records, err := r.out.LiveRead(ctx, l.to, ids, l.comparable())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(records, func(a, b adapter.Record) int { return byNumber(a.ID(), b.ID()) })
	return &orphans{records}, nil
}
