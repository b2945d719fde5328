package sap

import (
	"context"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
)

// nameSearchMost is how many records NameSearch finds unless it is told
// otherwise.
const nameSearchMost = 100

// NameSearch finds records by a part of their name, ignoring case. The name is
// in the property that the metadata call the text of the key, or one that is
// called like a name. Models without one are ErrUnsupported. A limit of 0
// means 100.
func (c *Client) NameSearch(ctx context.Context, model, text string, filter adapter.Filter, limit int) ([]adapter.Ref, error) {
	m, err := c.model(ctx, model)
	if err != nil {
		return nil, err
	}
	p := m.nameProp()
	switch {
	case p == nil:
		return nil, m.unsupported("model", "%s has no property that is its name; filter by one of its fields", m.name)
	case limit < 0:
		return nil, m.wrong("limit", "limit is negative")
	case limit == 0:
		limit = nameSearchMost
	}
	parts := adapter.And{adapter.Cond{Field: p.Name, Op: adapter.ILike, Value: literalPattern(text)}}
	if filter != nil {
		parts = append(parts, filter)
	}
	page, err := c.Query(ctx, adapter.Query{Model: m.name, Filter: parts, Fields: []string{p.Name}, Limit: min(limit, MaxPageSize)})
	if err != nil {
		return nil, err
	}
	refs := make([]adapter.Ref, len(page.Records))
	for i, r := range page.Records {
		refs[i] = adapter.Ref{ID: r.ID(), Name: r.String(p.Name)}
	}
	return refs, nil
}

// literalPattern is the pattern that finds a text as it is.
func literalPattern(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

// nameEndings are what properties that hold a name are called, behind the name
// of their entity or by themselves, the best first.
var nameEndings = []string{"FullName", "Name", "Description", "Title"}

// nameProp is the property that holds the name of the model's records.
func (m *model) nameProp() *edmx.Property {
	usable := func(name string) *edmx.Property {
		p := m.typ.Prop(name)
		if p == nil || p.Type != "Edm.String" || p.Collection || !m.filterable(p) || p.Key {
			return nil
		}
		return p
	}
	for _, key := range m.keyProps() {
		if p := usable(key.Text); p != nil {
			return p
		}
	}
	stems := []string{}
	if len(m.typ.Keys) == 1 {
		stems = append(stems, m.typ.Keys[0])
	}
	stems = append(stems, strings.TrimPrefix(strings.TrimSuffix(m.typ.Name, "Type"), "A_"), "")
	for _, stem := range stems {
		for _, ending := range nameEndings {
			for _, name := range []string{stem + ending, strings.ToLower(stem + ending)} {
				if p := usable(name); p != nil {
					return p
				}
			}
		}
	}
	return nil
}
