package transfer

import (
	"context"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// externalIDs is the model of Odoo's external ids.
const externalIDs = "ir.model.data"

type externalID struct {
	module, name, model string
	id                  adapter.ID
}

// external reads the external ids whose field is one of the values.
func external(ctx context.Context, s *bridge.System, field string, values []any, also adapter.Filter, take func(externalID)) error {
	const atOnce = 300
	for part := range slices.Chunk(values, atOnce) {
		last := adapter.ID{}
		for {
			filter := adapter.And{adapter.Cond{Field: field, Op: adapter.In, Value: part}}
			if also != nil {
				filter = append(filter, also)
			}
			if !last.IsZero() {
				filter = append(filter, adapter.Cond{Field: "id", Op: adapter.Greater, Value: last.Value()})
			}
			const most = 1000
			page, err := s.LiveQuery(ctx, adapter.Query{Model: externalIDs, Filter: filter, Fields: []string{"module", "name", "model", "res_id"}, Order: []adapter.Order{{Field: "id"}}, Limit: most})
			if err != nil {
				return err
			}
			for _, r := range page {
				if id, ok := adapter.IDOf(r["res_id"]); ok {
					take(externalID{r.String("module"), r.String("name"), r.String("model"), id})
				}
			}
			if len(page) < most {
				break
			}
			last = page[len(page)-1].ID()
		}
	}
	return nil
}

func texts(names []string) []any {
	out := make([]any, len(names))
	for i, n := range names {
		out[i] = n
	}
	return out
}

func (r *run) external(m *model, source, target adapter.ID) adapter.Record {
	return adapter.Record{"module": bridge.ExternalModule, "name": r.Source.ExternalName(m.name, source), "model": m.to, "res_id": target.Value(), "noupdate": true}
}

// noteIDs makes external ids.
func (r *run) noteIDs(ctx context.Context, ids []adapter.Record) error {
	if len(ids) == 0 {
		return nil
	}
	if _, err := r.out.CreateMany(ctx, externalIDs, ids); err != nil {
		return err
	}
	r.report.Writes++
	return nil
}
