package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Order turns universal sort keys into the system's. What the system can't
// sort by, or would sort otherwise, is a [*FieldError] with the reason.
func (p *Plan) Order(orders []adapter.Order) ([]adapter.Order, error) {
	if orders == nil {
		return nil, nil
	}
	out := make([]adapter.Order, 0, len(orders))
	for _, o := range orders {
		head, rest, dotted := strings.Cut(o.Field, ".")
		switch {
		case o.Field == "id":
			out = append(out, adapter.Order{Field: p.idField, Desc: o.Desc})
			continue
		case head == extraField && dotted && p.opts.Unmapped == Extra:
			out = append(out, adapter.Order{Field: rest, Desc: o.Desc})
			continue
		}
		st := p.byName[o.Field]
		if st == nil {
			reason := fmt.Sprintf("universal model %s has no such field%s", p.universal.Name, nearest(o.Field, p.names))
			if dotted {
				reason = "records can't be sorted by a field of other records"
			}
			return nil, p.fail(o.Field, adapter.InvalidArgument, reason)
		}
		if why := st.whyNotSorted(); why != "" {
			return nil, p.fail(o.Field, adapter.InvalidArgument, "it can't be sorted by on this system: "+why)
		}
		out = append(out, st.order(o.Desc)...)
	}
	return out, nil
}

// whyNotSorted says why a field can't be sorted by, "" if it can.
func (st *step) whyNotSorted() string {
	r := st.rule
	switch {
	case st.whyNotSearched() != "":
		return st.whyNotSearched()
	case st.child != nil || st.items:
		return "it is a list"
	case r.HasConstant:
		return ""
	case r.Split != nil && r.Split.Part > 1:
		return "it is the latter part of a text"
	case r.Table != nil:
		return "it is several fields there"
	case r.Values != nil && !ordered(r.Values):
		return "its values are others there"
	case len(r.Fallback) > 0:
		return "it is taken from several fields"
	case r.Lookup != nil && r.Lookup.Read:
		return "it is looked up"
	case st.field.Type.number() && r.As == FormText:
		return "it is a text there, in which 10 comes before 9"
	case st.field.Type.text() && r.As == FormNumber:
		return "it is a number there, and a text here"
	case slices.ContainsFunc(st.rule.readPaths(), Path.marked):
		return "it lies in one of several records"
	}
	return ""
}

// ordered reports whether truth values or texts sort the same on both sides.
func ordered(pairs []Pair) bool {
	if len(pairs) < 2 {
		return true
	}
	sign := 0
	for i, a := range pairs {
		for _, b := range pairs[i+1:] {
			if len(a.System) != 1 || len(b.System) != 1 {
				return false
			}
			d, ok := direction(a, b)
			if !ok || (sign != 0 && d != sign) {
				return false
			}
			sign = d
		}
	}
	return sign > 0
}

// direction is 1 if the system's values sort as the universal ones do, -1 if
// the other way round.
func direction(a, b Pair) (int, bool) {
	x, ok := compareScalars(a.Universal, b.Universal)
	y, ok2 := compareScalars(a.System[0], b.System[0])
	if !ok || !ok2 || x == 0 || y == 0 {
		return 0, false
	}
	return x * y, true
}

func compareScalars(a, b any) (int, bool) {
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return strings.Compare(a, b), ok
	case bool:
		b, ok := b.(bool)
		switch {
		case a == b:
			return 0, ok
		case b:
			return -1, ok
		}
		return 1, ok
	}
	x, ok := decimalOf(a)
	y, ok2 := decimalOf(b)
	if !ok || !ok2 {
		return 0, false
	}
	return x.add(y.neg()).n.Sign(), true
}

func (st *step) order(desc bool) []adapter.Order {
	r := st.rule
	if r.HasConstant {
		return nil // all are equal
	}
	if r.Invert {
		desc = !desc
	}
	if r.Scale != "" && strings.HasPrefix(r.Scale, "-") {
		desc = !desc
	}
	var out []adapter.Order
	for _, path := range r.readPaths() {
		out = append(out, adapter.Order{Field: path.Plain(), Desc: desc})
	}
	return out
}
