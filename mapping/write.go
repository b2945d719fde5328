package mapping

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// Values are what a system is given for universal values.
type Values struct {
	// ID is the universal record's "id", if it had one. It is not in Record.
	ID     adapter.ID
	Record adapter.Record
	Notes  []adapter.Warning
	// Lines are changes of lines that are records of their own: an update's.
	// Where lines are written as commands they are in Record.
	Lines []LineChanges
	// Nested are an update's values for fields of records behind the record.
	Nested []Nested
}

// LineChanges are the changes of the lines behind one field.
type LineChanges struct {
	Field    string // universal
	Relation string // the system's field that leads to the lines
	Inverse  string // the line's field that leads back, "" where the mapping does not say
	Plan     *Plan  // of the lines
	Add      []adapter.Record
	Change   []LineChange
	Remove   []adapter.ID
}

// LineChange is a change of one line.
type LineChange struct {
	ID     adapter.ID
	Values Values
}

// list returns the changes as a list of records.
func (l LineChanges) list() []any {
	var out []any
	for _, r := range l.Add {
		out = append(out, map[string]any(r))
	}
	for _, c := range l.Change {
		r := c.Values.Whole()
		r[l.Plan.idField] = c.ID.Value()
		out = append(out, map[string]any(r))
	}
	for _, id := range l.Remove {
		out = append(out, map[string]any{l.Plan.idField: id.Value(), deleteField: true})
	}
	return out
}

// Nested is an update's value for a field of a record behind the record.
type Nested struct {
	Field string // universal
	Path  Path
	Value any
}

// deleteField marks a line that an update removes.
const deleteField = "_delete"

// Create turns the values of a new universal record into those of the system.
// The record is not changed.
func (p *Plan) Create(ctx context.Context, rec adapter.Record) (Values, error) {
	return p.writeTo(ctx, rec, false)
}

// Update turns the values of a change into those of the system. Lines with an
// "id" are changed, those without are added, those with "_delete": true beside
// the id are removed, and those that are not named stay.
func (p *Plan) Update(ctx context.Context, rec adapter.Record) (Values, error) {
	return p.writeTo(ctx, rec, true)
}

func (p *Plan) writeTo(ctx context.Context, rec adapter.Record, update bool) (Values, error) {
	if p.mapping.ReadOnly != "" {
		return Values{}, &adapter.Error{Code: adapter.Unsupported, Model: p.universal.Name, Message: p.universal.Name + " is for reading on this system: " + p.mapping.ReadOnly}
	}
	c := &call{ctx: ctx, plan: p, record: rec, update: update}
	v := Values{Record: make(adapter.Record, len(rec)+len(p.mapping.Set))}
	hits := 0
	if raw, there := rec["id"]; there {
		hits++
		v.ID, _ = adapter.IDOf(raw)
	}
	for _, st := range p.steps {
		x, there := rec[st.name]
		if there {
			hits++
		}
		if !there || x == nil {
			if update || !st.rule.HasDefault {
				if !there {
					continue
				}
			} else {
				x = st.defaultValue()
			}
		}
		if st.split != nil && st.why == "" {
			continue // its group writes it
		}
		c.field = st.name
		if err := st.give(c, &v, x); err != nil {
			return Values{}, err
		}
	}
	for _, g := range p.splits {
		if err := g.give(c, &v); err != nil {
			return Values{}, err
		}
	}
	if hits < len(rec) {
		if err := p.rest(c, &v, rec); err != nil {
			return Values{}, err
		}
	}
	if !update {
		if err := p.assign(c, &v); err != nil {
			return Values{}, err
		}
	}
	v.Notes = c.notes
	return v, nil
}

func (st *step) defaultValue() any {
	if !st.rule.Now {
		return st.rule.Default
	}
	now := time.Now().UTC().Truncate(time.Second)
	if st.field.Type == Date {
		return now.Format(time.DateOnly)
	}
	return now.Format(time.RFC3339)
}

// left treats a value that can't be written, as the options say.
func (c *call) left(reason string) error {
	if c.plan.opts.Unmapped == Refuse {
		return c.plan.fail(c.field, adapter.InvalidArgument, "it can't be written: "+reason)
	}
	c.note(adapter.WarnFieldDropped, "", "%s was not written: %s", c.field, reason)
	return nil
}

// give writes one field's value.
func (st *step) give(c *call, v *Values, x any) error {
	r := st.rule
	switch {
	case st.why != "":
		return c.left(st.why)
	case c.update && r.CreateOnly:
		return c.left("it can be given to new records alone")
	case x == false && st.field.Type != Boolean:
		x = nil // Odoo's word for empty
	}
	switch {
	case r.HasConstant:
		if x != nil && !same(x, r.Constant) {
			return c.fail("on this system it is always %s", brief(r.Constant))
		}
		return nil
	case r.Join != nil:
		return st.giveJoined(c, v, x)
	case r.Table != nil:
		return st.giveRow(c, v, x)
	case st.child != nil:
		return st.giveLines(c, v, x)
	}
	if len(st.field.Values) > 0 && r.Values == nil && x != nil {
		if s, ok := x.(string); !ok || !slices.Contains(st.field.Values, s) {
			return c.fail("%s is no value of it; there are %s", brief(x), strings.Join(st.field.Values, ", "))
		}
	}
	x, err := st.down(c, st.toWrite, x)
	if err != nil {
		return err
	}
	v.put(c, st.write, x)
	return nil
}

// put places a value in the record, or apart from it.
func (v *Values) put(c *call, path Path, x any) {
	switch {
	case len(path) == 1:
		v.Record[path[0].Name] = x
	case c.update:
		v.Nested = append(v.Nested, Nested{Field: c.field, Path: path, Value: x})
	case x != nil || !path.marked():
		// Nothing makes no record of its own.
		path.put(v.Record, x)
	}
}

// down converts a universal value.
func (st *step) down(c *call, convs []conv, x any) (any, error) {
	if x == nil && st.rule.Values == nil {
		return nil, nil
	}
	list, isList := x.([]any)
	if !st.items || !isList {
		if st.items && x != nil {
			return nil, c.fail("it is a list, not %s", brief(x))
		}
		return downAll(c, convs, x)
	}
	var whole conv
	if n := len(convs); n > 0 {
		if last, ok := convs[n-1].(commandsConv); ok {
			whole, convs = last, convs[:n-1]
		}
	}
	out := make([]any, len(list))
	for i, item := range list {
		var err error
		if out[i], err = downAll(c, convs, item); err != nil {
			return nil, err
		}
	}
	if whole != nil {
		return whole.down(c, out)
	}
	return out, nil
}

func downAll(c *call, convs []conv, x any) (any, error) {
	for _, cv := range convs {
		if x == nil {
			if _, ok := cv.(*valuesConv); !ok {
				continue
			}
		}
		var err error
		if x, err = cv.down(c, x); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// giveJoined cuts a text into the system's fields.
func (st *step) giveJoined(c *call, v *Values, x any) error {
	j := st.rule.Join
	parts := make([]any, len(j.Paths))
	if x != nil {
		text, err := textConv{}.down(c, x)
		if err != nil {
			return err
		}
		s, _ := text.(string)
		for i, part := range cutText(s, j.Sep, j.Cut, len(parts)) {
			if part != "" {
				parts[i] = part
			}
		}
	}
	for i, path := range j.Paths {
		v.put(c, path, parts[i])
	}
	return nil
}

// giveRow writes the fields of a table's row.
func (st *step) giveRow(c *call, v *Values, x any) error {
	t := st.rule.Table
	var names []string
	for _, row := range t.Rows {
		names = append(names, brief(row.Universal))
		if !same(row.Universal, x) {
			continue
		}
		for i, path := range t.Paths {
			if row.Cells[i] != nil {
				v.put(c, path, row.Cells[i])
			}
		}
		return nil
	}
	if x == nil {
		return c.left("the system has no value for none")
	}
	return c.fail("the system has no counterpart for %s; there are %s", brief(x), strings.Join(names, ", "))
}

// give joins the parts of a text.
func (g *splitGroup) give(c *call, v *Values) error {
	given := 0
	var missing, present, texts []string
	for _, st := range g.steps {
		x, there := c.record[st.name]
		if (!there || x == nil) && !c.update && st.rule.HasDefault {
			x, there = st.defaultValue(), true
		}
		if st.why != "" {
			return nil // said already
		}
		if !there {
			missing = append(missing, st.name)
			continue
		}
		given++
		present = append(present, st.name)
		if adapter.IsEmpty(x) {
			continue
		}
		c.field = st.name
		text, err := textConv{}.down(c, x)
		if err != nil {
			return err
		}
		s, _ := text.(string)
		texts = append(texts, s)
	}
	if given == 0 {
		return nil
	}
	c.field = g.steps[0].name
	if len(missing) > 0 {
		c.field = missing[0]
	}
	if c.update {
		switch {
		case g.steps[0].rule.CreateOnly:
			return c.left("it can be given to new records alone")
		case len(missing) > 0:
			return c.fail("on this system it is one text with %s: give all of them", strings.Join(present, ", "))
		}
	}
	var x any
	if len(texts) > 0 {
		x = strings.Join(texts, g.rule.Sep)
	}
	v.put(c, g.write, x)
	return nil
}

// cutText cuts a text into n parts; those that there are no cuts for are
// empty. Neither side of a cut is empty, so that joining gives the text again.
func cutText(s, sep string, cut Cut, n int) []string {
	out := make([]string, n)
	if cut == CutLast {
		at := n - 1
		for ; at > 0; at-- {
			i := lastCut(s, sep)
			if i < 0 {
				break
			}
			out[at], s = s[i+len(sep):], s[:i]
		}
		out[at] = s
		return out
	}
	at := 0
	for ; at < n-1; at++ {
		i := firstCut(s, sep)
		if i < 0 {
			break
		}
		out[at], s = s[:i], s[i+len(sep):]
	}
	out[at] = s
	return out
}

func firstCut(s, sep string) int {
	for from := 0; ; {
		i := strings.Index(s[from:], sep)
		if i < 0 {
			return -1
		}
		if i += from; i > 0 && i+len(sep) < len(s) {
			return i
		}
		from = i + 1
	}
}

func lastCut(s, sep string) int {
	for end := len(s); ; {
		i := strings.LastIndex(s[:end], sep)
		if i < 0 {
			return -1
		}
		if i > 0 && i+len(sep) < len(s) {
			return i
		}
		if end = i + len(sep) - 1; end <= 0 {
			return -1
		}
	}
}

// giveLines writes lines.
func (st *step) giveLines(c *call, v *Values, x any) error {
	if x == nil {
		return nil
	}
	items, ok := x.([]any)
	if !ok {
		return c.fail("it is a list of records, not %s", brief(x))
	}
	changes := LineChanges{Field: st.name, Relation: st.first, Inverse: st.rule.Inverse, Plan: st.child}
	for i, item := range items {
		line, ok := recordOf(item)
		if !ok {
			return c.fail("line %d is no record but %s", i, brief(item))
		}
		if err := st.giveLine(c, &changes, line); err != nil {
			return c.plan.within(st.name, err)
		}
		c.field = st.name
	}
	if len(items) == 0 && c.update {
		return nil
	}
	commands := st.rule.WriteAs == FormCommands
	switch {
	case commands:
		v.Record[st.first] = changes.commands()
	case c.update:
		v.Lines = append(v.Lines, changes)
	default:
		list := make([]any, len(changes.Add))
		for i, r := range changes.Add {
			list[i] = map[string]any(r)
		}
		v.Record[st.first] = list
	}
	return nil
}

func (st *step) giveLine(c *call, changes *LineChanges, line map[string]any) error {
	id, hasID := adapter.IDOf(line["id"])
	remove, _ := line[deleteField].(bool)
	_, marked := line[deleteField]
	switch {
	case remove && !c.update:
		return nil
	case remove && !hasID:
		return st.child.fail("id", adapter.InvalidArgument, "a line that is removed needs its id")
	case remove:
		changes.Remove = append(changes.Remove, id)
		return nil
	}
	if marked {
		line = maps.Clone(line)
		delete(line, deleteField)
	}
	change := c.update && hasID
	got, err := st.child.writeTo(c.ctx, line, change)
	if err != nil {
		return err
	}
	c.take(st.name, got.Notes)
	if !change {
		changes.Add = append(changes.Add, got.Record)
		return nil
	}
	if st.rule.WriteAs == FormCommands && (len(got.Lines) > 0 || len(got.Nested) > 0) {
		return st.child.fail("id", adapter.Unsupported, "what lies behind a line can't be changed together with it; change the line by itself")
	}
	got.Notes = nil
	changes.Change = append(changes.Change, LineChange{ID: id, Values: got})
	return nil
}

// commands writes the changes as Odoo's commands.
func (l *LineChanges) commands() []any {
	out := make([]any, 0, len(l.Add)+len(l.Change)+len(l.Remove))
	for _, r := range l.Add {
		out = append(out, []any{number(0), number(0), map[string]any(r)})
	}
	for _, ch := range l.Change {
		out = append(out, []any{number(1), idValue(ch.ID), map[string]any(ch.Values.Record)})
	}
	for _, id := range l.Remove {
		out = append(out, []any{number(2), idValue(id), number(0)})
	}
	return out
}

// rest treats what the record has beside the model's fields.
func (p *Plan) rest(c *call, v *Values, rec adapter.Record) error {
	for _, name := range slices.Sorted(maps.Keys(rec)) {
		if name == "id" || p.byName[name] != nil {
			continue
		}
		c.field = name
		if name == extraField && p.opts.Unmapped == Extra {
			extra, ok := recordOf(rec[name])
			if !ok && rec[name] != nil {
				return c.fail("it holds the system's own fields by their names, not %s", brief(rec[name]))
			}
			for own, x := range extra {
				v.Record[own] = x
			}
			continue
		}
		reason := "universal model " + p.universal.Name + " has no such field" + nearest(name, p.names)
		if name == extraField {
			reason = "the system's own fields are taken with unmapped fields set to extra"
		}
		if err := c.left(reason); err != nil {
			return err
		}
	}
	return nil
}

// assign gives a new record what the mapping sets.
func (p *Plan) assign(c *call, v *Values) error {
	for _, a := range p.mapping.Set {
		if a.Path.given(v.Record) {
			continue
		}
		x := a.Value
		if a.Lookup != nil {
			c.field = a.Path.String()
			var err error
			if x, err = (lookupConv{a.Lookup}).find(c, x); err != nil {
				return err
			}
		}
		a.Path.put(v.Record, cloned(x))
	}
	return nil
}

// given reports whether a new record has a value at the path.
func (p Path) given(r map[string]any) bool {
	if len(p) == 1 {
		_, there := r[p[0].Name]
		return there
	}
	v, there := p.get(r)
	return there && v != nil
}

// cloned copies lists and records of a file, which belong to all calls.
func cloned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = cloned(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = cloned(x)
		}
		return out
	}
	return v
}
