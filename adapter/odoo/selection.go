package odoo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// alternatives are the fields from which an empty one is filled when the
// scope's FillEmpty asks for it, in order of preference. The field itself need
// not exist: price is none of Odoo's newer versions.
var alternatives = map[string][]string{
	"phone":  {"mobile", "phone_primary", "phone_secondary"},
	"name":   {"display_name", "partner_name", "complete_name"},
	"price":  {"list_price", "standard_price", "sale_price"},
	"email":  {"email_from", "partner_email"},
	"street": {"street1"},
	"city":   {"city_id"},
}

// selection is what to read for the fields that were asked for, and how to
// answer by their names.
type selection struct {
	fields  []string            // what to read; nil reads all
	renamed map[string]string   // asked name to the one that is read
	fill    map[string][]string // asked name to the fields that may fill it
	extra   []string            // read, but not asked for by that name
}

// selectFields holds the fields that were asked for against the model.
func (c *Client) selectFields(ctx context.Context, name string, asked []string) (selection, error) {
	fill := adapter.ScopeFrom(ctx).FillEmpty
	if asked == nil {
		if fill {
			return c.fillAll(ctx, name)
		}
		return selection{}, nil
	}
	s := selection{fields: []string{}}
	wanted := map[string]bool{}
	read := func(field string) {
		if !wanted[field] {
			wanted[field] = true
			s.fields = append(s.fields, field)
		}
	}
	for _, field := range asked {
		if err := plainName(name, field); err != nil {
			return selection{}, err
		}
		r, err := c.resolve(ctx, name, field)
		if err != nil {
			return selection{}, err
		}
		var others []string
		if fill {
			if others, err = c.fillers(ctx, name, field, r.name); err != nil {
				return selection{}, err
			}
		}
		switch {
		case r.how <= doubtful:
			read(r.name)
			if r.how == renamed {
				if s.renamed == nil {
					s.renamed = map[string]string{}
				}
				s.renamed[field] = r.name
				c.warnReplaced(ctx, name, field, r.name)
			}
		case len(others) > 0:
		case r.how == absent:
			c.warnDropped(ctx, name, field)
		default:
			return selection{}, c.noField(ctx, name, field)
		}
		if len(others) > 0 {
			if s.fill == nil {
				s.fill = map[string][]string{}
			}
			s.fill[field] = others
		}
	}
	for _, field := range slices.Sorted(maps.Keys(s.fill)) {
		for _, other := range s.fill[field] {
			if !wanted[other] {
				read(other)
				if !slices.Contains(asked, other) {
					s.extra = append(s.extra, other)
				}
			}
		}
	}
	for _, used := range s.renamed {
		if !slices.Contains(asked, used) {
			s.extra = append(s.extra, used)
		}
	}
	if len(s.fields) == 0 {
		// Odoo takes an empty list for all fields.
		s.fields = []string{"id"}
	}
	return s, nil
}

// fillAll is the selection of all fields, of which some may be filled.
func (c *Client) fillAll(ctx context.Context, name string) (selection, error) {
	var s selection
	for _, field := range slices.Sorted(maps.Keys(alternatives)) {
		r, err := c.resolve(ctx, name, field)
		if err != nil {
			return selection{}, err
		}
		if r.how != exact {
			continue
		}
		others, err := c.fillers(ctx, name, field, field)
		if err != nil {
			return selection{}, err
		}
		if len(others) > 0 {
			if s.fill == nil {
				s.fill = map[string][]string{}
			}
			s.fill[field] = others
		}
	}
	return s, nil
}

// fillers returns the alternatives of a field that the model has.
func (c *Client) fillers(ctx context.Context, name, field, used string) ([]string, error) {
	candidates, ok := alternatives[field]
	if !ok {
		return nil, nil
	}
	m, err := c.modelOf(ctx, name)
	if err != nil {
		return nil, err
	}
	var others []string
	for _, other := range candidates {
		if other != used && m.Has(other) {
			others = append(others, other)
		}
	}
	return others, nil
}

// plainName refuses what is no name of one field.
func plainName(name, field string) error {
	var why string
	switch {
	case field == "":
		why = "a field name is empty"
	case strings.Contains(field, "."):
		relation, _, _ := strings.Cut(field, ".")
		why = fmt.Sprintf("field '%s': Odoo reads no dotted names; ask for '%s' and read the related record", clip(field), clip(relation))
	default:
		return nil
	}
	return &adapter.Error{Code: adapter.InvalidArgument, Model: name, Field: field, Message: why}
}

// idle reports whether records can be passed on as they are.
func (s *selection) idle() bool {
	return len(s.renamed) == 0 && len(s.fill) == 0 && len(s.extra) == 0
}

// shape turns the records that were read into those that were asked for.
// asPlain makes null, rather than false, of what is empty.
func (s *selection) shape(ctx context.Context, name string, records []adapter.Record, asPlain bool) {
	if s.idle() {
		return
	}
	said := map[[2]string]bool{}
	for _, r := range records {
		for asked, used := range s.renamed {
			r[asked] = r[used]
		}
		for field, others := range s.fill {
			if !r.Empty(field) {
				continue
			}
			if _, ok := r[field]; !ok {
				r[field] = false
				if asPlain {
					r[field] = nil
				}
			}
			for _, other := range others {
				if r.Empty(other) {
					continue
				}
				r[field] = filler(r[other])
				if key := [2]string{field, other}; !said[key] {
					said[key] = true
					adapter.Warn(ctx, adapter.Warning{
						Code: adapter.WarnValueFilled, Model: name, Field: field, Used: other,
						Message: fmt.Sprintf("where %s is empty, %s stands in for it", field, other),
					})
				}
				break
			}
		}
		for _, field := range s.extra {
			delete(r, field)
		}
	}
}

// filler is the value of one field as it stands in another: the name of
// a many-to-one, anything else as it is.
func filler(v any) any {
	if pair, ok := v.([]any); ok {
		if ref, ok := adapter.RefOf(pair); ok {
			return ref.Name
		}
	}
	return v
}
