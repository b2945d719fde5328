package mapping

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// ToUniversal turns a record of the system into a universal one. With names,
// the universal fields that were asked for, those are in it and nothing else,
// null where the record has nothing. Without, the fields are there that the
// record has something to say of, and those that the system lacks are null.
// The id is always there, if the record has one.
func (p *Plan) ToUniversal(ctx context.Context, rec adapter.Record, names []string) (adapter.Record, []adapter.Warning, error) {
	c := &call{ctx: ctx, plan: p}
	var out adapter.Record
	var err error
	if names == nil {
		out, err = p.readAll(c, rec)
	} else {
		out, err = p.readNamed(c, rec, names)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := p.unmapped(c, rec, out, names); err != nil {
		return nil, nil, err
	}
	return out, c.notes, nil
}

func (p *Plan) readAll(c *call, rec adapter.Record) (adapter.Record, error) {
	out := make(adapter.Record, len(p.steps)+1)
	p.readID(rec, out)
	computes := false
	for _, st := range p.steps {
		if st.rule.Compute != nil {
			computes = true
			continue
		}
		if st.rule.WriteOnly {
			continue
		}
		c.field = st.name
		v, there, err := st.read(c, rec, nil)
		if err != nil {
			return nil, err
		}
		if there {
			out[st.name] = v
		}
	}
	if computes {
		for _, st := range p.steps {
			if st.rule.Compute != nil {
				c.field = st.name
				if v, there := p.compute(c, st, out, 0); there {
					out[st.name] = v
				}
			}
		}
	}
	return out, nil
}

func (p *Plan) readID(rec, out adapter.Record) {
	v, there := rec[p.idField]
	if !there {
		if v, there = rec["id"]; !there {
			return
		}
	}
	out["id"] = v
}

// asked is what is wanted of a field: all of it, or some fields of its lines.
type asked struct {
	st    *step
	all   bool
	lines []string
}

func (p *Plan) readNamed(c *call, rec adapter.Record, names []string) (adapter.Record, error) {
	wanted := make([]asked, 0, len(names))
	places := make([]uint16, len(p.steps)) // in wanted, from 1
	for _, name := range names {
		st := p.byName[name]
		rest := ""
		if st == nil {
			var head string
			if head, rest, _ = strings.Cut(name, "."); rest == "" {
				continue
			}
			if st = p.byName[head]; st == nil {
				continue // said when the query was made
			}
		}
		at := places[st.place]
		if at == 0 {
			wanted = append(wanted, asked{st: st})
			at = uint16(len(wanted))
			places[st.place] = at
		}
		if rest == "" {
			wanted[at-1].all = true
		} else {
			wanted[at-1].lines = append(wanted[at-1].lines, rest)
		}
	}
	out := make(adapter.Record, len(wanted)+1)
	p.readID(rec, out)
	for _, a := range wanted {
		c.field = a.st.name
		var v any
		var err error
		switch {
		case a.st.rule.Compute != nil:
			v, err = p.computeFrom(c, a.st, rec)
		case a.st.rule.WriteOnly:
		case a.all:
			var there bool
			if v, there, err = a.st.read(c, rec, nil); !there && err == nil {
				v, err = a.st.up(c, nil) // nothing was said, so there is nothing
			}
		default:
			v, _, err = a.st.read(c, rec, a.lines)
		}
		if err != nil {
			return nil, err
		}
		out[a.st.name] = v
	}
	return out, nil
}

// read returns a field's universal value; there is false where the record says
// nothing of it.
func (st *step) read(c *call, rec adapter.Record, lines []string) (v any, there bool, err error) {
	r := st.rule
	switch {
	case r.Unsupported != "":
		return nil, true, nil
	case r.HasConstant:
		return r.Constant, true, nil
	case st.split != nil:
		return st.readPart(rec)
	case r.Join != nil:
		return st.readJoined(c, rec)
	case r.Table != nil:
		return st.readRow(c, rec)
	case st.child != nil:
		return st.readLines(c, rec, lines)
	case st.single:
		v, there = rec[st.first]
	default:
		v, there = st.path.get(rec)
	}
	if len(r.Fallback) > 0 && st.empty(v) {
		v, there = st.fallback(c, rec, v, there)
	}
	if !there {
		return nil, false, nil
	}
	v, err = st.up(c, v)
	return v, true, err
}

func (st *step) empty(v any) bool {
	if st.field.Type == Boolean {
		return v == nil
	}
	return adapter.IsEmpty(v)
}

func (st *step) fallback(c *call, rec adapter.Record, v any, there bool) (any, bool) {
	for _, p := range st.rule.Fallback {
		x, has := p.get(rec)
		there = there || has
		if has && !st.empty(x) {
			c.note(adapter.WarnValueFilled, p.String(), "%s is empty on the system: it was taken from %s", st.name, p)
			return x, true
		}
	}
	return v, there
}

// up converts a value of the system.
func (st *step) up(c *call, v any) (any, error) {
	if st.items {
		return st.upItems(c, v)
	}
	if st.plain {
		// Most fields are texts that stay as they are.
		if s, ok := v.(string); ok && s != "" {
			return v, nil
		}
	}
	v, err := upAll(c, st.convs, v, st.field.Type, st.rule.Values != nil)
	if v == "" && st.field.Type != JSON {
		v = nil
	}
	return v, err
}

// upAll applies the conversions from the system's side on. Systems say in
// several ways that there is nothing; a value map may know them apart.
func upAll(c *call, convs []conv, v any, t Type, mapped bool) (any, error) {
	if !mapped && t != Boolean && t != JSON && (v == false || v == "") {
		v = nil
	}
	for i := len(convs) - 1; i >= 0; i-- {
		cv := convs[i]
		if v == nil {
			switch cv.(type) {
			case emptyConv, *valuesConv, notConv:
			default:
				continue
			}
		}
		var err error
		if v, err = cv.up(c, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (st *step) upItems(c *call, v any) (any, error) {
	list, ok := v.([]any)
	if !ok {
		if adapter.IsEmpty(v) {
			return []any{}, nil
		}
		list = []any{v}
	}
	out := make([]any, 0, len(list))
	for _, item := range list {
		x, err := upAll(c, st.convs, item, st.field.Type, st.rule.Values != nil)
		if err != nil {
			return nil, err
		}
		if x != nil {
			out = append(out, x)
		}
	}
	return out, nil
}

func (st *step) readPart(rec adapter.Record) (any, bool, error) {
	r := st.rule.Split
	v, there := r.Path.get(rec)
	if !there {
		return nil, false, nil
	}
	s, ok := textOf(v)
	if !ok || v == false {
		return st.rule.Empty, true, nil
	}
	if part := cutText(s, r.Sep, r.Cut, r.Of)[r.Part-1]; part != "" {
		return part, true, nil
	}
	return st.rule.Empty, true, nil
}

func (st *step) readJoined(c *call, rec adapter.Record) (any, bool, error) {
	j := st.rule.Join
	parts := make([]string, 0, len(j.Paths))
	any := false
	for _, p := range j.Paths {
		v, there := p.get(rec)
		any = any || there
		if v == false {
			continue
		}
		if s, ok := textOf(v); ok && s != "" {
			parts = append(parts, s)
		}
	}
	if len(parts) == 0 {
		return st.rule.Empty, any, nil
	}
	return strings.Join(parts, j.Sep), true, nil
}

func (st *step) readRow(c *call, rec adapter.Record) (any, bool, error) {
	t := st.rule.Table
	values := make([]any, len(t.Paths))
	there := false
	for i, p := range t.Paths {
		v, has := p.get(rec)
		values[i] = v
		there = there || has
	}
	if !there {
		return nil, false, nil
	}
	for _, row := range t.Rows {
		if row.fits(values) {
			return row.Universal, true, nil
		}
	}
	if !slices.ContainsFunc(values, func(v any) bool { return !adapter.IsEmpty(v) }) {
		return nil, true, nil
	}
	c.note(adapter.WarnUntranslated, "", "the system's values %s have no universal counterpart, and were left out", brief(values))
	return nil, true, nil
}

// fits compares a row with what the system holds. What is not set is false,
// and an empty text.
func (row TableRow) fits(values []any) bool {
	for i, cell := range row.Cells {
		if cell == nil || same(cell, values[i]) {
			continue
		}
		if !adapter.IsEmpty(cell) || !adapter.IsEmpty(values[i]) {
			return false
		}
	}
	return true
}

func (st *step) readLines(c *call, rec adapter.Record, names []string) (any, bool, error) {
	v, there := rec[st.first]
	if !there {
		return nil, false, nil
	}
	list, ok := v.([]any)
	if !ok {
		return []any{}, true, nil
	}
	out := make([]any, 0, len(list))
	child := st.child
	for _, item := range list {
		line, ok := recordOf(item)
		if !ok {
			if id, ok := adapter.IDOf(item); ok {
				out = append(out, map[string]any{"id": id.Value()})
			}
			continue
		}
		if !child.belongs(line) {
			continue
		}
		got, notes, err := child.ToUniversal(c.ctx, line, names)
		if err != nil {
			return nil, false, c.plan.within(st.name, err)
		}
		c.take(st.name, notes)
		out = append(out, map[string]any(got))
	}
	return out, true, nil
}

// belongs holds a line against the condition of its model, as far as the line
// says anything of it.
func (p *Plan) belongs(line map[string]any) bool {
	if p.matcher == nil {
		return true
	}
	for _, need := range p.baseNeeds {
		head, _, _ := strings.Cut(need, ".")
		if _, there := line[head]; !there {
			return true
		}
	}
	ok, err := p.matcher.Match(line)
	return ok || err != nil
}

// unmapped treats the system's fields that nothing maps.
func (p *Plan) unmapped(c *call, rec, out adapter.Record, names []string) error {
	var left []string
	for name := range rec {
		if _, known := p.known[name]; !known {
			left = append(left, name)
		}
	}
	if len(left) == 0 {
		return nil
	}
	slices.Sort(left)
	if p.opts.Unmapped == Extra {
		extra := make(map[string]any, len(left))
		for _, name := range left {
			extra[name] = rec[name]
		}
		out[extraField] = extra
		return nil
	}
	for _, name := range left {
		c.field = name
		if p.opts.Unmapped == Refuse {
			return c.fail("the system's field is not mapped to %s", p.universal.Name)
		}
		c.note(adapter.WarnFieldDropped, "", "the system's field %s is not mapped to %s, and was left out", name, p.universal.Name)
	}
	return nil
}

// compute makes a value from those that were read.
func (p *Plan) compute(c *call, st *step, out adapter.Record, depth int) (any, bool) {
	r := st.rule.Compute
	values := make([]any, len(r.Of))
	any := false
	for i, name := range r.Of {
		v, there := out[name]
		if of := p.byName[name]; !there && of != nil && of.rule.Compute != nil && depth < mostComputed {
			v, there = p.compute(c, of, out, depth+1)
		}
		values[i] = v
		any = any || there
	}
	if !any {
		return nil, false
	}
	return r.value(values), true
}

// computeFrom reads what a computed field is made of, and makes it.
func (p *Plan) computeFrom(c *call, st *step, rec adapter.Record) (any, error) {
	parts := adapter.Record{}
	var gather func(st *step, depth int) error
	gather = func(st *step, depth int) error {
		for _, name := range st.rule.Compute.Of {
			of := p.byName[name]
			switch {
			case of == nil || depth > mostComputed:
			case of.rule.Compute != nil:
				if err := gather(of, depth+1); err != nil {
					return err
				}
			default:
				was := c.field
				c.field = name
				v, there, err := of.read(c, rec, nil)
				c.field = was
				if err != nil {
					return err
				}
				if there {
					parts[name] = v
				}
			}
		}
		return nil
	}
	if err := gather(st, 0); err != nil {
		return nil, err
	}
	v, _ := p.compute(c, st, maps.Clone(parts), 0)
	return v, nil
}

// value is what the rule makes of values.
func (r *ComputeRule) value(values []any) any {
	switch r.Kind {
	case "concat":
		var texts []string
		for _, v := range values {
			if s, ok := textOf(v); ok && s != "" {
				texts = append(texts, s)
			}
		}
		if len(texts) == 0 {
			return nil
		}
		return strings.Join(texts, r.Sep)
	case "first":
		for _, v := range values {
			if !adapter.IsEmpty(v) {
				return v
			}
		}
		return nil
	case "count":
		list, ok := values[0].([]any)
		if !ok {
			return nil
		}
		return number(int64(len(list)))
	}
	if r.Line != "" {
		list, ok := values[0].([]any)
		if !ok {
			return nil
		}
		values = make([]any, 0, len(list))
		for _, item := range list {
			if line, ok := recordOf(item); ok {
				values = append(values, line[r.Line])
			}
		}
		if len(values) == 0 {
			return number(0)
		}
	}
	return r.calculate(values)
}

func (r *ComputeRule) calculate(values []any) any {
	var total decimal
	for i, v := range values {
		d, ok := decimalOf(v)
		switch {
		case !ok:
			return nil
		case i == 0:
			total = d
		case r.Kind == "subtract":
			total = total.add(d.neg())
		case r.Kind == "multiply":
			total = total.mul(d)
		default:
			total = total.add(d)
		}
	}
	return total.number()
}
