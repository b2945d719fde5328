package odootest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// grouping is one key of a group-by: a field, and a span for dates.
type grouping struct {
	spec, field, span string
}

// aggregate is one number over a group.
type aggregate struct {
	key, field, function string
}

// group is the records that share their keys.
type group struct {
	keys []any // the raw values
	ids  []int64
}

func (c *call) groupings(list []string) ([]grouping, error) {
	var out []grouping
	for _, spec := range list {
		field, span, _ := strings.Cut(spec, ":")
		f, ok := c.t.fields[field]
		if !ok {
			if c.major >= 17 {
				return nil, raise(valueError, "Invalid field '%s' on model '%s'", field, c.t.model)
			}
			return nil, raise(assertionError, "Unknown field '%s' in 'groupby'", field)
		}
		isDate := f.Type == "date" || f.Type == "datetime"
		switch {
		case isDate && span == "":
			span = "month"
		case !isDate && span != "" && c.major >= 17:
			return nil, raise(valueError, "Granularity set on a no-datetime field or property: %s", repr(spec))
		case !isDate:
			span = ""
		}
		out = append(out, grouping{spec, field, span})
	}
	return out, nil
}

// spanLayouts give the name of a span, by its beginning.
var spanLayouts = map[string]func(time.Time) string{
	"day":     func(t time.Time) string { return t.Format("02 Jan 2006") },
	"week":    func(t time.Time) string { y, w := t.ISOWeek(); return fmt.Sprintf("W%d %d", w, y) },
	"month":   func(t time.Time) string { return t.Format("January 2006") },
	"quarter": func(t time.Time) string { return fmt.Sprintf("Q%d %d", (t.Month()-1)/3+1, t.Year()) },
	"year":    func(t time.Time) string { return t.Format("2006") },
	"hour":    func(t time.Time) string { return t.Format("15:00 02 Jan") },
}

// spanOf returns the beginning and the end of the span that a time is in.
func spanOf(t time.Time, span string) (from, to time.Time) {
	day := t.Truncate(24 * time.Hour)
	switch span {
	case "hour":
		from = t.Truncate(time.Hour)
		return from, from.Add(time.Hour)
	case "week":
		from = day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
		return from, from.AddDate(0, 0, 7)
	case "month":
		from = time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
		return from, from.AddDate(0, 1, 0)
	case "quarter":
		from = time.Date(t.Year(), (t.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
		return from, from.AddDate(0, 3, 0)
	case "year":
		from = time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
		return from, from.AddDate(1, 0, 0)
	}
	return day, day.AddDate(0, 0, 1)
}

// collect sorts the records that match into groups, in the order of their keys.
func (c *call) collect(domain any, by []grouping) ([]group, error) {
	ids, err := c.search(c.t, domain, 0, 0, "id")
	if err != nil {
		return nil, err
	}
	index := map[string]int{}
	var groups []group
	for _, id := range ids {
		keys := make([]any, len(by))
		for i, g := range by {
			keys[i] = c.groupKey(id, g)
		}
		name := repr(keys)
		at, ok := index[name]
		if !ok {
			at = len(groups)
			index[name] = at
			groups = append(groups, group{keys: keys})
		}
		groups[at].ids = append(groups[at].ids, id)
	}
	if len(by) == 0 && len(groups) == 0 {
		groups = []group{{}}
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		for i, g := range by {
			x, y := a.keys[i], b.keys[i]
			if f := c.t.fields[g.field]; f.Type == "many2one" {
				x, y = c.sortName(f.Relation, x), c.sortName(f.Relation, y)
			}
			if d := compareKeys(x, y); d != 0 {
				return d
			}
		}
		return 0
	})
	return groups, nil
}

func (c *call) sortName(model string, v any) any {
	id, ok := v.(int64)
	if !ok {
		return nil
	}
	return collation(c.displayOr(c.get(model), model, id))
}

func (c *call) groupKey(id int64, g grouping) any {
	v := c.value(c.t, id, g.field)
	switch v := v.(type) {
	case string:
		if g.span == "" {
			return v
		}
		at, err := time.Parse(time.DateTime, dateTime(v))
		if err != nil {
			return nil
		}
		from, _ := spanOf(at, g.span)
		return from.Format(time.DateTime)
	case int64:
		if v == 0 && c.t.fields[g.field].Type == "many2one" {
			return nil
		}
		return v
	case []int64:
		if len(v) == 0 {
			return nil
		}
		return v[0]
	}
	return v
}

// keyValue writes a group's key; dates by the name of their span, or in 19.0's
// own groups as a pair of beginning and name.
func (c *call) keyValue(g grouping, key any, pair bool) any {
	if key == nil {
		return false
	}
	if g.span != "" {
		from, _ := time.Parse(time.DateTime, key.(string))
		name := spanLayouts["month"]
		if layout := spanLayouts[g.span]; layout != nil {
			name = layout
		}
		if pair {
			return []any{c.bound(g, from), name(from)}
		}
		return name(from)
	}
	f := c.t.fields[g.field]
	if id, ok := key.(int64); ok && f.Relation != "" {
		return []any{id, c.displayOr(c.get(f.Relation), f.Relation, id)}
	}
	return key
}

// bound writes the limit of a span as the field's type has it.
func (c *call) bound(g grouping, t time.Time) string {
	if c.t.fields[g.field].Type == "date" {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.DateTime)
}

// keyDomain is the domain that selects a group.
func (c *call) keyDomain(by []grouping, g group) []any {
	terms := []any{}
	for i, key := range by {
		switch v := g.keys[i]; {
		case key.span != "" && v != nil:
			from, _ := time.Parse(time.DateTime, v.(string))
			_, to := spanOf(from, key.span)
			terms = append(terms, []any{key.field, ">=", c.bound(key, from)}, []any{key.field, "<", c.bound(key, to)})
		case v == nil:
			terms = append(terms, []any{key.field, "=", false})
		default:
			terms = append(terms, []any{key.field, "=", v})
		}
	}
	return terms
}

func conjunction(terms []any) []any {
	out := []any{}
	for range len(terms) - 1 {
		out = append(out, "&")
	}
	return append(out, terms...)
}

func (c *call) aggregated(a aggregate, ids []int64) any {
	if a.function == "__count" || a.field == "" {
		return int64(len(ids))
	}
	f := c.t.fields[a.field]
	total, count := 0.0, 0
	var least, most float64
	distinct := map[string]bool{}
	var list []any
	for _, id := range ids {
		v := c.value(c.t, id, a.field)
		if v == nil {
			continue
		}
		distinct[repr(v)] = true
		list = append(list, v)
		n := floatOf(v)
		if count == 0 || n < least {
			least = n
		}
		if count == 0 || n > most {
			most = n
		}
		total += n
		count++
	}
	number := func(n float64) any {
		if f.Type == "integer" || f.Type == "many2one" {
			return int64(n)
		}
		return round2(n)
	}
	switch a.function {
	case "avg":
		if count == 0 {
			return false
		}
		return total / float64(count)
	case "min":
		return number(least)
	case "max":
		return number(most)
	case "count":
		return int64(count)
	case "count_distinct":
		return int64(len(distinct))
	case "array_agg":
		return list
	}
	return number(total)
}

// aggregates reads the fields of a read_group: "name", "name:function" or
// "alias:function(name)". Those that are no numbers are left out.
func (c *call) aggregates(fields []string, by []grouping) ([]aggregate, error) {
	var out []aggregate
	for _, spec := range fields {
		key, function, explicit := strings.Cut(spec, ":")
		field := key
		if f, inner, ok := strings.Cut(function, "("); ok {
			function, field = f, strings.TrimSuffix(inner, ")")
		}
		if key == "__count" || slices.ContainsFunc(by, func(g grouping) bool { return g.field == field }) {
			continue
		}
		f, ok := c.t.fields[field]
		if !ok {
			if c.major >= 17 {
				return nil, raise(valueError, "Invalid field '%s' on model '%s'", field, c.t.model)
			}
			return nil, raise(userError, "Invalid field '%s' on model '%s'", field, c.t.model)
		}
		if !explicit {
			if f.Type != "integer" && f.Type != "float" && f.Type != "monetary" || !f.Stored || field == "id" || field == "sequence" || field == "color" {
				continue
			}
			function = "sum"
		}
		out = append(out, aggregate{key, field, function})
	}
	return out, nil
}

func readGroup(c *call) (any, error) {
	groups, err := c.classicGroups()
	if err != nil {
		return nil, err
	}
	offset, limit := c.integer("offset"), c.integer("limit")
	return page(groups, offset, limit), checkPage(offset, limit)
}

// classicGroups are read_group's, all of them.
func (c *call) classicGroups() ([]object, error) {
	names := stringsOf(c.args["groupby"])
	if s := c.text("groupby"); s != "" {
		names = []string{s}
	}
	by, err := c.groupings(names)
	if err != nil {
		return nil, err
	}
	numbers, err := c.aggregates(stringsOf(c.args["fields"]), by)
	if err != nil {
		return nil, err
	}
	lazy := true
	if v, ok := c.args["lazy"]; ok {
		lazy = truthy(v)
	}
	var rest []string
	if lazy && len(by) > 1 {
		for _, g := range by[1:] {
			rest = append(rest, g.spec)
		}
		by = by[:1]
	}
	groups, err := c.collect(c.args["domain"], by)
	if err != nil {
		return nil, err
	}
	count := "__count"
	if lazy && len(by) == 1 {
		count = by[0].field + "_count"
	}
	out := []object{}
	for _, g := range groups {
		var keys object
		ranges := object{}
		for i, k := range by {
			keys = append(keys, member{k.spec, c.keyValue(k, g.keys[i], false)})
			if k.span != "" {
				name := k.spec
				if c.major == 15 {
					name = k.field
				}
				if g.keys[i] == nil {
					ranges = append(ranges, member{name, false})
					continue
				}
				from, _ := time.Parse(time.DateTime, g.keys[i].(string))
				_, to := spanOf(from, k.span)
				ranges = append(ranges, member{name, object{{"from", c.bound(k, from)}, {"to", c.bound(k, to)}}})
			}
		}
		values := object{{count, int64(len(g.ids))}}
		for _, a := range numbers {
			values = append(values, member{a.key, c.aggregated(a, g.ids)})
		}
		terms := c.keyDomain(by, g)
		domain := conjunction(terms)
		if given := listOf(c.args["domain"]); len(given) > 0 {
			domain = append(conjunction(append([]any{}, terms...)), given...)
			if len(terms) > 0 {
				domain = append([]any{"&"}, domain...)
			}
		}
		var record object
		if c.major >= 17 {
			record = append(append(record, keys...), values...)
		} else {
			record = append(append(record, values...), keys...)
		}
		if c.major == 16 && len(ranges) > 0 {
			record = append(record, member{"__range", ranges})
		}
		record = append(record, member{"__domain", domain})
		if len(rest) > 0 {
			record = append(record, member{"__context", object{{"group_by", rest}}})
		}
		if len(ranges) > 0 && (c.major == 15 || c.major >= 17) {
			record = append(record, member{"__range", ranges})
		}
		out = append(out, record)
	}
	return out, nil
}

func formattedReadGroup(c *call) (any, error) {
	groups, err := c.formattedGroups(false)
	if err != nil {
		return nil, err
	}
	offset, limit := c.integer("offset"), c.integer("limit")
	return page(groups, offset, limit), checkPage(offset, limit)
}

// formattedGroups are 19.0's.
func (c *call) formattedGroups(web bool) ([]object, error) {
	by, err := c.groupings(stringsOf(c.args["groupby"]))
	if err != nil {
		return nil, err
	}
	var numbers []aggregate
	for _, spec := range stringsOf(c.args["aggregates"]) {
		if spec == "__count" {
			numbers = append(numbers, aggregate{key: spec, function: spec})
			continue
		}
		field, function, ok := strings.Cut(spec, ":")
		if _, known := c.t.fields[field]; !known || !ok {
			return nil, raise(valueError, "Invalid field '%s' on model '%s'", field, c.t.model)
		}
		numbers = append(numbers, aggregate{spec, field, function})
	}
	groups, err := c.collect(c.args["domain"], by)
	if err != nil {
		return nil, err
	}
	out := []object{}
	for _, g := range groups {
		var record object
		for i, k := range by {
			record = append(record, member{k.spec, c.keyValue(k, g.keys[i], true)})
		}
		record = append(record, member{"__extra_domain", conjunction(c.keyDomain(by, g))})
		for _, a := range numbers {
			record = append(record, member{a.key, c.aggregated(a, g.ids)})
		}
		if web {
			record = append(record, member{"__count", int64(len(g.ids))})
		}
		out = append(out, record)
	}
	return out, nil
}

func webReadGroup(c *call) (any, error) {
	var groups []object
	var err error
	if c.major >= 19 {
		groups, err = c.formattedGroups(true)
	} else {
		if _, ok := c.args["lazy"]; !ok {
			c.args["lazy"] = true
		}
		groups, err = c.classicGroups()
	}
	if err != nil {
		return nil, err
	}
	length := int64(len(groups))
	offset, limit := c.integer("offset"), c.integer("limit")
	if err := checkPage(offset, limit); err != nil {
		return nil, err
	}
	groups = page(groups, offset, limit)
	return object{{"groups", groups}, {"length", length}}, nil
}
