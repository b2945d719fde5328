package salesforcetest

import (
	"slices"
	"strconv"
	"strings"
)

// field1 is what an aggregate is of, as it was written.
func (a *aggregate) field1() string {
	if a.field == nil {
		return ""
	}
	return a.field.Name
}

// prepareGroups prepares a query of aggregates.
func (p *plan) prepareGroups() *apiError {
	q := p.query
	grouped := map[string]bool{}
	for _, t := range q.groupBy {
		to, err := p.reach(t)
		if err != nil {
			return err
		}
		if to.field.isLong() || to.field.Type == TypeBase64 || to.field.Type == TypeAddress {
			return &apiError{code: "INVALID_FIELD", message: pointed(q.soql, t.at, "field '"+to.field.Name+"' can not be grouped in a query call")}
		}
		grouped[strings.ToLower(t.text)] = true
	}
	expression := 0
	for _, i := range q.items {
		if i.children != nil {
			return malformed(q.soql, i.at, "Grouped queries cannot use child relationships in the SELECT list")
		}
		a := aggregate{function: i.function, alias: i.alias}
		switch i.function {
		case "":
			if !grouped[strings.ToLower(i.text)] {
				return malformed(q.soql, i.at, "Field must be grouped or aggregated: "+i.text)
			}
		case "COUNT", "COUNT_DISTINCT", "SUM", "AVG", "MIN", "MAX":
		default:
			return malformed(q.soql, i.at, "unexpected token: '"+i.function+"'")
		}
		if i.text != "" {
			to, err := p.reach(i.token)
			if err != nil {
				return err
			}
			if (a.function == "SUM" || a.function == "AVG") && !to.field.isNumber() {
				return malformed(q.soql, i.at, "field "+to.field.Name+" does not support aggregate operator "+a.function)
			}
			a.reach = to
		} else if a.function != "COUNT" {
			return malformed(q.soql, i.at, "unexpected token: ')'")
		}
		if a.alias == "" {
			a.alias = "expr" + strconv.Itoa(expression)
			if a.function == "" {
				a.alias = i.text[strings.LastIndexByte(i.text, '.')+1:]
			}
		}
		if a.function != "" {
			expression++
		}
		p.aggregates = append(p.aggregates, a)
	}
	return nil
}

// groups finds the groups of a query and their values.
func (p *plan) groups(all bool) [][]any {
	var keys []reach
	for _, t := range p.query.groupBy {
		to, _ := p.reach(t)
		keys = append(keys, to)
	}
	members := map[string][]row{}
	var order []string
	for _, r := range p.find(all) {
		key := ""
		for _, to := range keys {
			v := p.db.value(p.object, r, to)
			key += to.field.text(comparableValue(to.field, v)) + "\x00"
		}
		if _, known := members[key]; !known {
			order = append(order, key)
		}
		members[key] = append(members[key], r)
	}
	if len(keys) == 0 && len(order) == 0 {
		order = []string{""}
	}
	var out [][]any
	for _, key := range order {
		values := make([]any, len(p.aggregates))
		for i := range p.aggregates {
			values[i] = p.aggregate(&p.aggregates[i], members[key])
		}
		out = append(out, values)
	}
	slices.SortStableFunc(out, func(a, b []any) int {
		for _, s := range p.order {
			if c := s.compare(a[s.aggregate], b[s.aggregate]); c != 0 {
				return c
			}
		}
		return 0
	})
	return out
}

func (p *plan) aggregate(a *aggregate, rows []row) any {
	if a.function == "COUNT" && a.field == nil {
		return float64(len(rows))
	}
	var values []any
	for _, r := range rows {
		if v := p.db.value(p.object, r, a.reach); v != nil {
			values = append(values, v)
		}
	}
	switch a.function {
	case "":
		if len(values) == 0 {
			return nil
		}
		return values[0]
	case "COUNT":
		return float64(len(values))
	case "COUNT_DISTINCT":
		distinct := map[any]bool{}
		for _, v := range values {
			distinct[comparableValue(a.field, v)] = true
		}
		return float64(len(distinct))
	}
	if len(values) == 0 {
		return nil
	}
	switch a.function {
	case "MIN":
		return slices.MinFunc(values, compareValues)
	case "MAX":
		return slices.MaxFunc(values, compareValues)
	}
	sum := 0.0
	for _, v := range values {
		n, _ := v.(float64)
		sum += n
	}
	if a.function == "AVG" {
		return sum / float64(len(values))
	}
	return sum
}

// record is a group as JSON.
func (p *plan) record(values []any) members {
	m := members{{"attributes", members{{"type", "AggregateResult"}}}}
	for i, a := range p.aggregates {
		v := values[i]
		switch n := v.(type) {
		case float64:
			v = double(n)
			if strings.HasPrefix(a.function, "COUNT") || a.field.Type == TypeInt && a.function != "AVG" {
				v = int64(n)
			}
		case moment:
			v = n.String()
		}
		m = append(m, member{a.alias, v})
	}
	return m
}
