package adapter

import "slices"

// Normalize returns f in the one form that all filters of the same shape have,
// and that [ParseDomain] answers with: no group within a group of its kind, no
// group of one or none, nothing negated twice, no constant negated; "in" with a list, "=" without;
// Go's typed lists, ids and times as JSON values. The order of parts stays. f
// itself is not changed.
func Normalize(f Filter) Filter {
	switch f := indirect(f).(type) {
	case And:
		parts := flatten[And](f, make([]Filter, 0, len(f)))
		switch len(parts) {
		case 0:
			return nil
		case 1:
			return parts[0]
		}
		return And(parts)
	case Or:
		parts := flatten[Or](f, make([]Filter, 0, len(f)))
		switch len(parts) {
		case 0:
			return Always(false)
		case 1:
			return parts[0]
		}
		return Or(parts)
	case Not:
		switch part := Normalize(f.Part).(type) {
		case nil:
			return Always(false)
		case Always:
			return !part
		case Not:
			return part.Part
		default:
			return Not{Part: part}
		}
	case Cond:
		return normalCond(f)
	default:
		return f
	}
}

// indirect follows a pointer to a filter: &Cond{...} is one too, by the rules of
// Go. A nil pointer is the nil Filter.
func indirect(f Filter) Filter {
	switch p := f.(type) {
	case *And:
		return pointed(p)
	case *Or:
		return pointed(p)
	case *Not:
		return pointed(p)
	case *Always:
		return pointed(p)
	case *Cond:
		return pointed(p)
	}
	return f
}

func pointed[F Filter](p *F) Filter {
	if p == nil {
		return nil
	}
	return *p
}

// flatten appends the normal forms of parts to out, those of groups of the
// same kind in their place. Parts of a conjunction that match everything
// without saying so are left out; in a disjunction they are said.
func flatten[G interface {
	~[]Filter
	Filter
}](parts []Filter, out []Filter) []Filter {
	_, conjunction := any(G(nil)).(And)
	for _, part := range parts {
		normal := Normalize(part)
		if normal == nil {
			if !conjunction {
				out = append(out, Always(true))
			}
			continue
		}
		if group, ok := normal.(G); ok {
			out = append(out, group...)
			continue
		}
		out = append(out, normal)
	}
	return out
}

// Walk calls visit for every condition of f, from left to right, until visit
// returns false. Conditions under Any belong to another model: visit meets the
// Any itself, and may walk its value.
func Walk(f Filter, visit func(Cond) bool) { walk(f, visit) }

func walk(f Filter, visit func(Cond) bool) bool {
	var parts []Filter
	switch f := indirect(f).(type) {
	case Cond:
		return visit(f)
	case Not:
		return walk(f.Part, visit)
	case And:
		parts = f
	case Or:
		parts = f
	}
	for _, part := range parts {
		if !walk(part, visit) {
			return false
		}
	}
	return true
}

// Map returns f with every condition replaced by what rewrite makes of it; nil
// stands for one that matches everything. As with [Walk], the conditions under
// Any are for rewrite to reach. f itself is not changed. The first error ends
// it.
func Map(f Filter, rewrite func(Cond) (Filter, error)) (Filter, error) {
	switch f := indirect(f).(type) {
	case Cond:
		return rewrite(f)
	case Not:
		part, err := Map(f.Part, rewrite)
		return Not{Part: part}, err
	case And:
		parts, err := mapParts(f, rewrite)
		return And(parts), err
	case Or:
		parts, err := mapParts(f, rewrite)
		return Or(parts), err
	default:
		return f, nil
	}
}

func mapParts(parts []Filter, rewrite func(Cond) (Filter, error)) ([]Filter, error) {
	mapped := make([]Filter, len(parts))
	for i, part := range parts {
		var err error
		if mapped[i], err = Map(part, rewrite); err != nil {
			return nil, err
		}
	}
	return mapped, nil
}

// Fields returns the paths of all fields in f, each once, in order of
// appearance. Fields of conditions under Any are paths through its field.
func Fields(f Filter) []string {
	var fields []string
	seen := map[string]bool{}
	appendFields(f, "", func(path string) {
		if !seen[path] {
			seen[path] = true
			fields = append(fields, path)
		}
	})
	return fields
}

func appendFields(f Filter, prefix string, add func(path string)) {
	Walk(f, func(c Cond) bool {
		add(prefix + c.Field)
		if nested, ok := c.Value.(Filter); ok {
			appendFields(nested, prefix+c.Field+".", add)
		}
		return true
	})
}

// ReorderIndexed moves the conditions on indexed fields of a conjunction to
// its front, otherwise in their order, and reports whether that changed
// anything. Only a plain list of conditions is reordered: with an Or, a Not or
// a nested domain anywhere, f comes back as it is.
func ReorderIndexed(f Filter, indexed func(field string) bool) (Filter, bool) {
	conjunction, ok := f.(And)
	if !ok {
		return f, false
	}
	var front, back And
	changed := false
	for _, part := range conjunction {
		c, ok := part.(Cond)
		if !ok || c.Op == Any || c.Op == NotAny {
			return f, false
		}
		if indexed(c.Field) {
			changed = changed || len(back) > 0
			front = append(front, c)
			continue
		}
		back = append(back, c)
	}
	if !changed {
		return f, false
	}
	return slices.Concat(front, back), true
}
