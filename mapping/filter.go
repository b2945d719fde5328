package mapping

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// Filter turns a universal filter into the system's, with [Plan.Base] in it. A
// record matches if, read by [Plan.ToUniversal], it matches the universal
// filter. What the system can't be asked is a [*FieldError] with the reason;
// what is not exactly the same is reported with [adapter.Warn].
func (p *Plan) Filter(ctx context.Context, f adapter.Filter) (adapter.Filter, error) {
	c := &call{ctx: ctx, plan: p}
	out, err := p.filter(c, f)
	if err != nil {
		return nil, err
	}
	for _, n := range c.notes {
		adapter.Warn(ctx, n)
	}
	if p.mapping.Where == nil {
		return out, nil
	}
	return adapter.Normalize(adapter.And{p.mapping.Where, out}), nil
}

// filter is Filter without the base.
func (p *Plan) filter(c *call, f adapter.Filter) (adapter.Filter, error) {
	if f == nil {
		return nil, nil
	}
	out, err := adapter.Map(adapter.Normalize(f), func(cond adapter.Cond) (adapter.Filter, error) { return p.cond(c, cond) })
	if err != nil {
		return nil, err
	}
	return adapter.Normalize(out), nil
}

func (p *Plan) cond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	c.field = cond.Field
	if !cond.Op.Known() {
		return nil, c.fail("operator %q is unknown", cond.Op)
	}
	head, rest, dotted := strings.Cut(cond.Field, ".")
	switch {
	case cond.Field == "id":
		cond.Field = p.idField
		return cond, nil
	case head == extraField && dotted && p.opts.Unmapped == Extra:
		cond.Field = rest
		return cond, nil
	}
	st := p.byName[head]
	switch {
	case st == nil:
		return nil, c.fail("universal model %s has no such field%s", p.universal.Name, nearest(head, p.names))
	case st.whyNotSearched() != "":
		return nil, p.fail(cond.Field, adapter.InvalidArgument, "it can't be searched by on this system: "+st.whyNotSearched())
	case st.child != nil:
		return st.lineCond(c, cond, rest)
	case dotted:
		return nil, c.fail("%s leads to records of %q: search those first, and use their ids", head, st.field.Relation)
	case cond.Op == adapter.Any || cond.Op == adapter.NotAny:
		return nil, c.fail("operator %q is for lines", cond.Op)
	}
	return st.cond(c, cond)
}

// whyNotSearched says why a field can't be searched by, "" if it can.
func (st *step) whyNotSearched() string {
	r := st.rule
	switch {
	case r.Unsupported != "":
		return r.Unsupported
	case r.WriteOnly:
		return "it can't be read"
	case r.Compute != nil:
		return "it is computed from " + strings.Join(r.Compute.Of, ", ")
	case st.field.Type == Boolean && (len(r.Fallback) > 0 || r.HasEmpty && r.Empty != false):
		return "what is not set reads as another value than false, and a filter can't tell the two apart"
	}
	return ""
}

func (st *step) cond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	r := st.rule
	switch {
	case r.HasConstant:
		return st.constantCond(c, cond)
	case st.split != nil:
		return st.splitCond(c, cond)
	case r.Join != nil:
		return st.joinCond(c, cond)
	case r.Table != nil:
		return st.tableCond(c, cond)
	}
	var out adapter.Filter = cond
	for _, cv := range st.convs {
		next, err := adapter.Map(out, func(inner adapter.Cond) (adapter.Filter, error) { return cv.cond(c, inner) })
		if err != nil {
			return nil, err
		}
		out = next
	}
	if st.field.Type.number() && (len(r.Fallback) > 0 || r.HasEmpty && !same(r.Empty, 0)) {
		c.note(adapter.WarnValueChanged, "", "a filter takes 0 on this system for what is not set")
	}
	if len(r.Fallback) > 0 {
		return st.fallbackCond(c, out, cond)
	}
	return at(c, out, st.path)
}

// at asks a condition of the field at a path.
func at(c *call, f adapter.Filter, path Path) (adapter.Filter, error) {
	return adapter.Map(f, func(cond adapter.Cond) (adapter.Filter, error) {
		for i, s := range path {
			if !s.Many {
				continue
			}
			if len(s.Keys) > 0 {
				return marked(c, cond, path, i)
			}
			c.note(adapter.WarnValueChanged, "", "it is read from the first of several records on this system; a filter matches any of them")
		}
		cond.Field = path.Plain()
		if len(path) > 1 && c.plan.refs[path[0].Name] && matchesNothing(cond) {
			// Systems leave out what has no related record.
			return adapter.Or{cond, adapter.Cond{Field: path[0].Name, Op: adapter.Equal, Value: false}}, nil
		}
		return cond, nil
	})
}

// matchesNothing reports whether a condition holds for what is not set.
func matchesNothing(cond adapter.Cond) bool {
	cond.Field = "x"
	ok, err := adapter.Match(cond, adapter.Record{}, adapter.MatchOptions{})
	return ok && err == nil
}

// marked asks a condition of the records that a mark picks.
func marked(c *call, cond adapter.Cond, path Path, i int) (adapter.Filter, error) {
	inner := adapter.And{}
	for _, k := range path[i].Keys {
		var v any = k.Value
		if k.Value == "true" || k.Value == "false" {
			v = k.Value == "true"
		}
		inner = append(inner, adapter.Cond{Field: k.Field, Op: adapter.Equal, Value: v})
	}
	positive, negated := cond.Op.Negates()
	op := adapter.Any
	if negated {
		cond.Op, op = positive, adapter.NotAny
	}
	if matchesNothing(cond) {
		return nil, c.fail("that it is empty can't be asked on this system: it lies in one of several records")
	}
	rest, err := at(c, cond, path[i+1:])
	if err != nil {
		return nil, err
	}
	return adapter.Cond{Field: path[:i+1].Plain(), Op: op, Value: adapter.Normalize(append(inner, rest))}, nil
}

func (st *step) lineCond(c *call, cond adapter.Cond, rest string) (adapter.Filter, error) {
	child := st.child
	sub := &call{ctx: c.ctx, plan: child}
	defer func() { c.take(st.name, sub.notes) }()
	if rest != "" {
		inner := cond
		inner.Field = rest
		got, err := child.cond(sub, inner)
		if err != nil {
			return nil, c.plan.within(st.name, err)
		}
		if _, single := got.(adapter.Cond); !single || child.mapping.Where != nil {
			// What holds together holds of one line, and of one of its kind.
			return child.among(st.first, adapter.Any, got), nil
		}
		return adapter.Map(got, func(x adapter.Cond) (adapter.Filter, error) {
			x.Field = st.first + "." + x.Field
			return x, nil
		})
	}
	switch cond.Op {
	case adapter.Any, adapter.NotAny:
		inner, _ := cond.Value.(adapter.Filter)
		got, err := child.filter(sub, inner)
		if err != nil {
			return nil, c.plan.within(st.name, err)
		}
		return child.among(st.first, cond.Op, got), nil
	case adapter.Equal, adapter.NotEqual:
		if child.mapping.Where != nil && adapter.IsEmpty(cond.Value) {
			op := adapter.Any
			if cond.Op == adapter.Equal {
				op = adapter.NotAny
			}
			return child.among(st.first, op, nil), nil
		}
	}
	cond.Field = st.first
	return cond, nil
}

// among asks for lines of the plan's kind behind a field of the whole.
func (p *Plan) among(field string, op adapter.Op, f adapter.Filter) adapter.Filter {
	if p.mapping.Where != nil {
		f = adapter.Normalize(adapter.And{p.mapping.Where, f})
	}
	return adapter.Cond{Field: field, Op: op, Value: f}
}

func (st *step) constantCond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	ok, err := adapter.Match(cond, adapter.Record{cond.Field: st.rule.Constant}, adapter.MatchOptions{})
	if err != nil {
		return nil, c.fail("on this system it is always %s: %s", brief(st.rule.Constant), messageOf(err))
	}
	return adapter.Always(ok), nil
}

// fallbackCond asks for the value that is read: that of the first path that
// is not empty.
func (st *step) fallbackCond(c *call, f adapter.Filter, cond adapter.Cond) (adapter.Filter, error) {
	paths := append([]Path{st.path}, st.rule.Fallback...)
	empty := func(p Path) (adapter.Filter, error) {
		return at(c, adapter.Cond{Op: adapter.Equal, Value: false}, p)
	}
	if asksEmpty(cond) && !st.rule.HasEmpty {
		// Negated conditions match where nothing is anywhere.
		positive := cond
		negated := false
		if op, ok := cond.Op.Negates(); ok {
			positive.Op, negated = op, true
		}
		if values, _, ok := listed(positive); !negated || !ok || len(values) == 0 || slices.ContainsFunc(values, func(v any) bool { return !adapter.IsEmpty(v) }) {
			return st.fallbackCases(c, f, paths, empty)
		}
		all := make(adapter.And, len(paths))
		for i, p := range paths {
			var err error
			if all[i], err = empty(p); err != nil {
				return nil, err
			}
		}
		return adapter.Not{Part: all}, nil
	}
	return st.fallbackCases(c, f, paths, empty)
}

func (st *step) fallbackCases(c *call, f adapter.Filter, paths []Path, empty func(Path) (adapter.Filter, error)) (adapter.Filter, error) {
	var cases adapter.Or
	var before adapter.And
	for i, p := range paths {
		here, err := at(c, f, p)
		if err != nil {
			return nil, err
		}
		none, err := empty(p)
		if err != nil {
			return nil, err
		}
		part := slices.Clone(before)
		if i < len(paths)-1 {
			part = append(part, adapter.Not{Part: none})
		}
		cases = append(cases, append(part, here))
		before = append(before, none)
	}
	return cases, nil
}

// asksEmpty reports whether a condition names what is empty, or is negated.
func asksEmpty(cond adapter.Cond) bool {
	if _, negated := cond.Op.Negates(); negated {
		return true
	}
	values, _, ok := listed(cond)
	return ok && slices.ContainsFunc(values, adapter.IsEmpty)
}

// like escapes what a pattern would take as wildcards.
var like = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// texts returns the values of a condition on a text that is cut or joined, by
// equality, and whether it excludes them.
func texts(c *call, cond adapter.Cond) (values []string, none, not bool, err error) {
	list, not, ok := listed(cond)
	if !ok {
		return nil, false, false, c.fail("on this system it is a part of a text, or several: compare with =, !=, in or not in")
	}
	for _, v := range list {
		if adapter.IsEmpty(v) {
			none = true
			continue
		}
		s, ok := textOf(v)
		if !ok {
			return nil, false, false, c.fail("it is a text, not %s", brief(v))
		}
		values = append(values, s)
	}
	return values, none, not, nil
}

func negate(f adapter.Filter, not bool) adapter.Filter {
	if not {
		return adapter.Not{Part: f}
	}
	return f
}

// splitCond asks for a part of a text: the one that is cut off can be told
// with a pattern.
func (st *step) splitCond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	r := st.rule.Split
	name := r.Path.Plain()
	values, none, not, err := texts(c, cond)
	if err != nil {
		return nil, err
	}
	outer := (r.Cut == CutFirst && r.Part == 1) || (r.Cut == CutLast && r.Part == r.Of)
	whole := adapter.Filter(adapter.Cond{Field: name, Op: adapter.Equal, Value: false})
	var any adapter.Or
	if none {
		if !outer {
			return nil, c.fail("on this system it is a part of a text: that it is empty can't be asked")
		}
		any = append(any, whole)
	}
	for _, v := range values {
		if !outer || firstCut(v, r.Sep) >= 0 || strings.HasPrefix(v, r.Sep) || strings.HasSuffix(v, r.Sep) {
			return nil, c.fail("on this system it is part %d of a text, which can't be searched by; search the whole text", r.Part)
		}
		pattern := like.Replace(v+r.Sep) + "_%"
		if r.Cut == CutLast {
			pattern = "%_" + like.Replace(r.Sep+v)
		}
		any = append(any, adapter.Cond{Field: name, Op: adapter.Equal, Value: v}, adapter.Cond{Field: name, Op: adapter.EqLike, Value: pattern})
	}
	return negate(any, not), nil
}

// joinCond asks for a text that the system has in several fields: for every
// way in which it can lie there.
func (st *step) joinCond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	j := st.rule.Join
	if s, ok := cond.Value.(string); ok && s != "" && !strings.ContainsAny(s, j.Sep+"%_") {
		positive, not := cond.Op, false
		if op, negated := cond.Op.Negates(); negated {
			positive, not = op, true
		}
		if positive == adapter.Like || positive == adapter.ILike {
			var any adapter.Or
			for _, p := range j.Paths {
				any = append(any, adapter.Cond{Field: p.Plain(), Op: positive, Value: s})
			}
			return negate(any, not), nil
		}
	}
	if _, _, ok := listed(cond); !ok {
		return nil, c.fail("on this system it is several texts: compare with =, !=, in or not in, or look for one word with like or ilike")
	}
	values, none, not, err := texts(c, cond)
	if err != nil {
		return nil, err
	}
	var any adapter.Or
	if none {
		any = append(any, j.lying(make([]string, len(j.Paths))))
	}
	for _, v := range values {
		var parts [][]string
		j.ways(v, len(j.Paths), nil, &parts)
		if len(parts) > mostWays {
			return nil, c.fail("on this system it is several texts, and %s can lie there in too many ways", brief(v))
		}
		for _, way := range parts {
			any = append(any, j.lying(way))
		}
	}
	return negate(any, not), nil
}

const mostWays = 100

// ways lists how a text can lie in n fields.
func (j *JoinRule) ways(s string, n int, before []string, out *[][]string) {
	if len(*out) > mostWays {
		return
	}
	if n == 1 {
		*out = append(*out, append(slices.Clone(before), s))
		return
	}
	// This field is empty, or has what stands before one of the separators,
	// or all of it.
	j.ways(s, n-1, append(slices.Clone(before), ""), out)
	for from := 0; ; {
		i := strings.Index(s[from:], j.Sep)
		if i < 0 {
			break
		}
		if i += from; i > 0 && i+len(j.Sep) < len(s) {
			j.ways(s[i+len(j.Sep):], n-1, append(slices.Clone(before), s[:i]), out)
		}
		from = i + 1
	}
	if s != "" {
		*out = append(*out, append(append(slices.Clone(before), s), make([]string, n-1)...))
	}
}

// lying is the condition that the fields hold these texts.
func (j *JoinRule) lying(parts []string) adapter.And {
	all := make(adapter.And, len(parts))
	for i, p := range j.Paths {
		var v any = false
		if parts[i] != "" {
			v = parts[i]
		}
		all[i] = adapter.Cond{Field: p.Plain(), Op: adapter.Equal, Value: v}
	}
	return all
}

// tableCond asks for the fields of the rows that read as a value, and of none
// before them.
func (st *step) tableCond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	values, not, ok := listed(cond)
	if !ok {
		return nil, c.fail("on this system it is several fields: compare with =, !=, in or not in")
	}
	t := st.rule.Table
	rows := make([]adapter.And, len(t.Rows))
	for i, row := range t.Rows {
		for k, cell := range row.Cells {
			if cell != nil {
				rows[i] = append(rows[i], adapter.Cond{Field: t.Paths[k].Plain(), Op: adapter.Equal, Value: cell})
			}
		}
	}
	var any adapter.Or
	for _, v := range values {
		if adapter.IsEmpty(v) {
			none := adapter.And{}
			for i := range rows {
				none = append(none, adapter.Not{Part: rows[i]})
			}
			any = append(any, none)
			continue
		}
		known := false
		for i, row := range t.Rows {
			if !same(row.Universal, v) {
				continue
			}
			known = true
			here := slices.Clone(rows[i])
			for k := range i {
				if !same(t.Rows[k].Universal, v) && !t.Rows[k].excludes(row) {
					here = append(here, adapter.Not{Part: rows[k]})
				}
			}
			any = append(any, here)
		}
		if !known {
			return nil, c.fail("the system has no counterpart for %s", brief(v))
		}
	}
	return negate(any, not), nil
}

// excludes reports whether no record fits both rows.
func (row TableRow) excludes(other TableRow) bool {
	for i, cell := range row.Cells {
		far := other.Cells[i]
		bothEmpty := adapter.IsEmpty(cell) && adapter.IsEmpty(far)
		if cell != nil && far != nil && !bothEmpty && !same(cell, far) {
			return true
		}
	}
	return false
}

// cond takes conditions on moments to the system's form.
func (m momentConv) cond(c *call, cond adapter.Cond) (adapter.Filter, error) {
	if s, ok := cond.Value.(string); ok && m.byWholeDay(cond.Op, s) {
		if t, ok := parseMoment(s); ok {
			return m.edge(cond, t), nil
		}
	}
	if m.day == m.wholeDays() {
		return m.sameKind(c, cond)
	}
	values, not, isList := listed(cond)
	if isList {
		return m.otherList(c, cond, values, not)
	}
	if _, compares := flipped[cond.Op]; !compares {
		return nil, c.fail("it is a date: compare with =, !=, in, not in, <, <=, > or >=")
	}
	t, ok := parseMoment(cond.Value)
	if !ok {
		return nil, c.fail("%s is not a date", brief(cond.Value))
	}
	s, _ := cond.Value.(string)
	if m.day {
		return m.edge(cond, t.Truncate(24*time.Hour)), nil
	}
	if len(s) == len(time.DateOnly) {
		cond.Value = m.system(t)
		return cond, nil
	}
	// The system has days, which read as midnight.
	midnight := t.Equal(t.Truncate(24 * time.Hour))
	switch {
	case !midnight && cond.Op == adapter.Less:
		cond.Op = adapter.LessEq
	case !midnight && cond.Op == adapter.GreaterEq:
		cond.Op = adapter.Greater
	}
	cond.Value = m.system(t)
	return cond, nil
}

// byWholeDay reports whether a moment is compared with the whole of a day, in a
// form in which the system has no days.
func (m momentConv) byWholeDay(op adapter.Op, s string) bool {
	_, compares := flipped[op]
	return compares && !m.day && len(s) == len(time.DateOnly) && (m.form == FormCompact || m.form == FormEpoch)
}

// edge compares moments of the system with a day.
func (m momentConv) edge(cond adapter.Cond, day time.Time) adapter.Filter {
	next := day.AddDate(0, 0, 1)
	switch cond.Op {
	case adapter.LessEq:
		return adapter.Cond{Field: cond.Field, Op: adapter.Less, Value: m.system(next)}
	case adapter.Greater:
		return adapter.Cond{Field: cond.Field, Op: adapter.GreaterEq, Value: m.system(next)}
	}
	cond.Value = m.system(day)
	return cond
}

func (m momentConv) sameKind(c *call, cond adapter.Cond) (adapter.Filter, error) {
	f, ok, err := eachValue(cond, true, func(v any) (any, error) {
		if v == false {
			return v, nil
		}
		s, isText := v.(string)
		t, ok := parseMoment(v)
		if !ok {
			return nil, c.fail("%s is not a date", brief(v))
		}
		if isText && len(s) == len(time.DateOnly) && !m.day && m.form != FormCompact && m.form != FormEpoch {
			return s, nil // a whole day, which the system knows to compare with
		}
		return m.system(t), nil
	})
	if !ok && err == nil {
		err = c.fail("it is a date: operator %q does not suit it", cond.Op)
	}
	return f, err
}

// otherList compares by equality where one side has days and the other
// moments.
func (m momentConv) otherList(c *call, cond adapter.Cond, values []any, not bool) (adapter.Filter, error) {
	var any adapter.Or
	for _, v := range values {
		if adapter.IsEmpty(v) {
			any = append(any, adapter.Cond{Field: cond.Field, Op: adapter.Equal, Value: false})
			continue
		}
		t, ok := parseMoment(v)
		if !ok {
			return nil, c.fail("%s is not a date", brief(v))
		}
		if m.day {
			t = t.Truncate(24 * time.Hour)
			any = append(any, adapter.And{
				adapter.Cond{Field: cond.Field, Op: adapter.GreaterEq, Value: m.system(t)},
				adapter.Cond{Field: cond.Field, Op: adapter.Less, Value: m.system(t.AddDate(0, 0, 1))},
			})
			continue
		}
		if t.Equal(t.Truncate(24 * time.Hour)) {
			any = append(any, adapter.Cond{Field: cond.Field, Op: adapter.Equal, Value: m.system(t)})
		}
	}
	return negate(any, not), nil
}
