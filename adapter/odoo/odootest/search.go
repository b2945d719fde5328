package odootest

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// search returns the ids that match, in order. limit 0 is no limit.
func (e *env) search(t *table, domain any, offset, limit int64, order any) ([]int64, error) {
	if err := e.allow(t, "read"); err != nil {
		return nil, err
	}
	match, err := e.domain(t, domain)
	if err != nil {
		return nil, err
	}
	terms, err := e.order(t, order)
	if err != nil {
		return nil, err
	}
	if err := checkPage(offset, limit); err != nil {
		return nil, err
	}
	active := e.activeTest(t) && !mentions(domain, "active")
	ids := make([]int64, 0, min(len(t.ids), 128))
	for _, id := range t.ids {
		if active && t.rows[id]["active"] == false || !e.mayRow(t, id) {
			continue
		}
		if match(e, t, id) {
			ids = append(ids, id)
		}
	}
	e.sort(t, ids, terms)
	return page(ids, offset, limit), nil
}

// checkPage refuses what PostgreSQL refuses.
func checkPage(offset, limit int64) error {
	switch {
	case limit < 0:
		return raise(invalidLimit, "LIMIT must not be negative\n")
	case offset < 0:
		return raise(invalidOffset, "OFFSET must not be negative\n")
	}
	return nil
}

// page cuts a part out of a list; limit 0 is no limit.
func page[T any](list []T, offset, limit int64) []T {
	list = list[min(max(offset, 0), int64(len(list))):]
	if limit > 0 {
		list = list[:min(limit, int64(len(list)))]
	}
	return list
}

var orderSyntax = regexp.MustCompile(`(?i)^\s*([a-z0-9_."]+)(\s+(asc|desc))?(\s+nulls\s+(first|last))?\s*$`)

// order reads an order such as "name desc, id".
func (e *env) order(t *table, v any) ([]orderTerm, error) {
	text, _ := v.(string)
	if strings.TrimSpace(text) == "" {
		return t.order, nil
	}
	var terms []orderTerm
	for part := range strings.SplitSeq(text, ",") {
		m := orderSyntax.FindStringSubmatch(part)
		if m == nil {
			if e.major == 13 {
				return nil, raise(keyError, "%s", strings.Fields(part + " ")[0])
			}
			return nil, e.badOrder(text)
		}
		name, sub, dotted := strings.Cut(m[1], ".")
		f, ok := t.fields[name]
		switch {
		case dotted && ok && e.major >= 17 && f.Type == "properties":
		case dotted:
			return nil, e.dottedOrder(t, m[1], name, sub, text)
		case !ok && e.major == 13:
			return nil, raise(keyError, "%s", name)
		case !ok:
			return nil, raise(valueError, "Invalid field '%s' on model '%s'", name, t.model)
		case !f.Stored && !f.Sortable:
			if e.major >= 18 {
				return nil, raise(valueError, "Cannot convert %s.%s to SQL because it is not stored", t.model, name)
			}
			continue // ignored, with a line in the log
		}
		terms = append(terms, orderTerm{name, strings.EqualFold(m[3], "desc")})
	}
	return terms, nil
}

func (e *env) badOrder(text string) error {
	return raise(userError, "Invalid \"order\" specified (%s). A valid \"order\" specification is a comma-separated list of valid field names (optionally followed by asc/desc for the direction)", text)
}

func (e *env) dottedOrder(t *table, path, name, sub, text string) error {
	switch {
	case e.major >= 19:
		return raise(valueError, "Invalid field property '%s' on %s.%s", sub, t.model, name)
	case e.major == 18:
		return raise(valueError, "Invalid field '%s' on model '%s'", path, t.model)
	case e.major == 17:
		return raise(valueError, "Order a property ('%s') on a non-properties field ('%s')", sub, name)
	case e.major == 13:
		return raise(keyError, "%s", path)
	}
	return e.badOrder(text)
}

// sort orders ids. PostgreSQL puts empty values last going up.
func (e *env) sort(t *table, ids []int64, terms []orderTerm) {
	if len(ids) < 2 {
		return
	}
	if len(terms) > 0 && terms[0].field == "id" {
		if terms[0].desc {
			slices.Reverse(ids)
		}
		return
	}
	keys := make([][]any, len(ids))
	for i, id := range ids {
		key := make([]any, len(terms)+1)
		for j, term := range terms {
			key[j] = e.sortKey(t, id, term.field)
		}
		key[len(terms)] = id
		keys[i] = key
	}
	slices.SortStableFunc(keys, func(a, b []any) int {
		for j, term := range terms {
			c := compareKeys(a[j], b[j])
			if term.desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	for i, key := range keys {
		ids[i], _ = key[len(terms)].(int64)
	}
}

func (e *env) sortKey(t *table, id int64, field string) any {
	v := e.value(t, id, field)
	switch f := t.fields[field]; f.Type {
	case "many2one":
		n, _ := v.(int64)
		if n == 0 {
			return nil
		}
		return collation(e.display(e.get(f.Relation), n))
	case "char", "text", "html":
		if s, ok := v.(string); ok {
			return collation(s)
		}
	}
	return v
}

// collation makes texts comparable as a database of a European language does:
// without regard to case and punctuation at first.
func collation(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '[', ']', '(', ')', ',', '-', '\'', '"', '.':
			return -1
		}
		return r
	}, strings.ToLower(s)) + "\x00" + s
}

func compareKeys(a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	switch a := a.(type) {
	case string:
		b, _ := b.(string)
		return cmp.Compare(a, b)
	case int64:
		b, _ := b.(int64)
		return cmp.Compare(a, b)
	case float64:
		b, _ := b.(float64)
		return cmp.Compare(a, b)
	case bool:
		b, _ := b.(bool)
		switch {
		case a == b:
			return 0
		case a:
			return 1
		}
		return -1
	}
	return 0
}
