package odootest

import (
	"maps"
	"slices"
	"strings"
)

// webSearchReadFields is web_search_read until 16.0.
func webSearchReadFields(c *call) (any, error) {
	records, err := searchRead(c)
	if err != nil {
		return nil, err
	}
	length, err := c.length(records.([]object))
	if err != nil {
		return nil, err
	}
	return object{{"length", length}, {"records", records}}, nil
}

// length counts all that match, up to count_limit.
func (c *call) length(page []object) (int64, error) {
	offset, limit := c.integer("offset"), c.integer("limit")
	if n := int64(len(page)); offset == 0 && (limit == 0 || n < limit) {
		return n, nil
	}
	ids, err := c.search(c.t, c.args["domain"], 0, c.integer("count_limit"), nil)
	return int64(len(ids)), err
}

func webSearchRead(c *call) (any, error) {
	specification := dictOf(c.args["specification"])
	if err := c.checkSpecification(c.t, specification); err != nil {
		return nil, err
	}
	ids, err := c.search(c.t, c.args["domain"], c.integer("offset"), c.integer("limit"), c.args["order"])
	if err != nil {
		return nil, err
	}
	records, err := c.specified(c.t, ids, specification)
	if err != nil {
		return nil, err
	}
	length, err := c.length(records)
	if err != nil {
		return nil, err
	}
	return object{{"length", length}, {"records", records}}, nil
}

func webRead(c *call) (any, error) {
	specification := dictOf(c.args["specification"])
	if err := c.checkSpecification(c.t, specification); err != nil {
		return nil, err
	}
	return c.specified(c.t, c.ids, specification)
}

func webSave(c *call) (any, error) {
	ids := c.ids
	if len(ids) == 0 {
		id, err := c.create(c.t, dictOf(c.args["vals"]))
		if err != nil {
			return nil, err
		}
		ids = []int64{id}
	} else if err := c.write(c.t, ids, dictOf(c.args["vals"])); err != nil {
		return nil, err
	}
	if next := c.integer("next_id"); next != 0 {
		ids = []int64{next}
	}
	specification := dictOf(c.args["specification"])
	if err := c.checkSpecification(c.t, specification); err != nil {
		return nil, err
	}
	return c.specified(c.t, ids, specification)
}

func webNameSearch(c *call) (any, error) {
	ids, err := c.namesLike(c.text("name"), c.args["domain"], c.text("operator"), c.args["limit"])
	if err != nil {
		return nil, err
	}
	specification := dictOf(c.args["specification"])
	if err := c.checkSpecification(c.t, specification); err != nil {
		return nil, err
	}
	return c.specified(c.t, ids, specification)
}

func (c *call) checkSpecification(t *table, specification map[string]any) error {
	if err := c.allow(t, "read"); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(specification)) {
		f, ok := t.fields[name]
		if !ok {
			return c.unknownField(t, name)
		}
		if err := c.allowField(t, name); err != nil {
			return err
		}
		inner := dictOf(dictOf(specification[name])["fields"])
		if target := c.get(f.Relation); target != nil && len(inner) > 0 {
			if err := c.sudo(func() error { return c.checkSpecification(target, inner) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// specified reads records as a specification says.
func (c *call) specified(t *table, ids []int64, specification map[string]any) ([]object, error) {
	records := make([]object, 0, len(ids))
	fields := slices.Sorted(maps.Keys(specification))
	for _, id := range ids {
		if t.rows[id] == nil {
			continue
		}
		if err := c.allowRow(t, id, "read"); err != nil {
			return nil, err
		}
		record := object{{"id", id}}
		for _, name := range fields {
			if name == "id" {
				continue
			}
			v, err := c.specifiedValue(t, id, name, dictOf(specification[name]))
			if err != nil {
				return nil, err
			}
			record = append(record, member{name, v})
		}
		records = append(records, record)
	}
	return records, nil
}

func (c *call) specifiedValue(t *table, id int64, name string, how map[string]any) (any, error) {
	f := t.fields[name]
	v := c.shown(t, id, name, readOptions{bare: true})
	target := c.get(f.Relation)
	inner, nested := how["fields"].(map[string]any)
	switch {
	case !nested || target == nil:
		return v, nil
	case f.Type == "many2one":
		n, _ := v.(int64)
		if n == 0 {
			return false, nil
		}
		if len(inner) == 0 {
			return object{{"id", n}}, nil
		}
		var records []object
		err := c.sudo(func() error {
			var err error
			records, err = c.specified(target, []int64{n}, inner)
			return err
		})
		if err != nil || len(records) == 0 {
			return false, err
		}
		return records[0], nil
	case f.Type == "one2many" || f.Type == "many2many":
		ids, _ := v.([]int64)
		if order, _ := how["order"].(string); order != "" {
			terms, err := c.order(target, order)
			if err != nil {
				return nil, err
			}
			ids = slices.Clone(ids)
			c.sort(target, ids, terms)
		}
		head := ids
		var tail []int64
		if limit, ok := intOf(how["limit"]); ok && limit > 0 && int64(len(ids)) > limit {
			head, tail = ids[:limit], ids[limit:]
		}
		records, err := c.specified(target, head, inner)
		for _, id := range tail {
			records = append(records, object{{"id", id}})
		}
		return records, err
	}
	return v, nil
}

// Views: one list of fields, in each version's form.

// arch is a view's XML.
func (c *call) arch(kind string) string {
	var b strings.Builder
	tag := kind
	if kind == "list" && c.major < 18 {
		tag = "tree"
	}
	b.WriteString("<" + tag + ">")
	for _, name := range []string{"name", "partner_id", "date_order", "amount_total", "state", "email", "phone"} {
		if _, ok := c.t.fields[name]; ok {
			b.WriteString(`<field name="` + name + `"/>`)
		}
	}
	b.WriteString("</" + tag + ">")
	return b.String()
}

func (c *call) viewFields() object {
	return c.describe(c.t, []string{"name", "partner_id", "date_order", "amount_total", "state", "email", "phone"}, nil)
}

func getViews(c *call) (any, error) {
	if err := c.allow(c.t, "read"); err != nil {
		return nil, err
	}
	views := object{}
	for _, item := range listOf(c.args["views"]) {
		pair := listOf(item)
		if len(pair) != 2 {
			continue
		}
		kind, _ := pair[1].(string)
		view := object{{"id", int64(1)}, {"arch", c.arch(kind)}}
		if c.major <= 15 {
			view = c.fieldsView(kind)
		} else if c.major >= 16 {
			view = append(view, member{"model", c.t.model})
		}
		views = append(views, member{kind, view})
	}
	if c.major <= 15 {
		return object{{"fields_views", views}, {"fields", c.describe(c.t, nil, nil)}}, nil
	}
	models := object{{c.t.model, c.viewFields()}}
	if c.major >= 17 {
		models = object{{c.t.model, object{{"fields", c.viewFields()}}}}
	}
	return object{{"views", views}, {"models", models}}, nil
}

func (c *call) viewType() string {
	if kind := c.text("view_type"); kind != "" {
		return kind
	}
	return "form"
}

func getView(c *call) (any, error) {
	if err := c.allow(c.t, "read"); err != nil {
		return nil, err
	}
	fields := []string{"name"}
	return object{{"id", int64(1)}, {"arch", c.arch(c.viewType())}, {"model", c.t.model}, {"models", object{{c.t.model, fields}}}}, nil
}

func (c *call) fieldsView(kind string) object {
	return object{{"model", c.t.model}, {"name", c.t.model + "." + kind}, {"type", kind}, {"view_id", int64(1)}, {"field_parent", false}, {"base_model", c.t.model}, {"arch", c.arch(kind)}, {"fields", c.viewFields()}}
}

func fieldsViewGet(c *call) (any, error) {
	if err := c.allow(c.t, "read"); err != nil {
		return nil, err
	}
	return c.fieldsView(c.viewType()), nil
}
