package odoo

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// viewType is the word of the connected version for a type of view: 18.0
// renamed tree to list.
func (c *Client) viewType(t string) string {
	switch {
	case t == "tree" && c.version.Major >= 18:
		return "list"
	case t == "list" && c.version.Major < 18:
		return "tree"
	}
	return t
}

// viewTyped runs a method of one view with the version's word for its type.
func viewTyped(ctx context.Context, b *call) (json.RawMessage, error) {
	if t, ok := b.args["view_type"].(string); ok {
		b.args["view_type"] = b.client.viewType(t)
	}
	return b.run(ctx)
}

// oldView asks a version before 16.0 for a view.
func (b *call) oldView(ctx context.Context) (map[string]any, error) {
	named := map[string]any{}
	for _, param := range []string{"view_id", "toolbar"} {
		if v, ok := b.args[param]; ok {
			named[param] = v
		} else if v, ok := b.rest[param]; ok {
			named[param] = v
		}
	}
	if t, ok := b.args["view_type"].(string); ok {
		named["view_type"] = b.client.viewType(t)
	}
	var view map[string]any
	err := b.ask(ctx, &view, "fields_view_get", nil, named)
	return view, err
}

// getViewOld answers get_view before 16.0.
func getViewOld(ctx context.Context, b *call) (json.RawMessage, error) {
	view, err := b.oldView(ctx)
	if err != nil {
		return nil, err
	}
	models := map[string]map[string]bool{}
	viewFields(models, b.model, view["fields"])
	return encode(newView(view, models))
}

// newView is a view in the form that get_view has from 16.0 on.
func newView(view map[string]any, models map[string]map[string]bool) map[string]any {
	used := map[string]any{}
	for model, names := range models {
		used[model] = slices.Sorted(maps.Keys(names))
	}
	out := map[string]any{"arch": view["arch"], "model": view["model"], "models": used}
	if id := view["view_id"]; id != nil && id != false {
		out["id"] = id
	}
	if toolbar, ok := view["toolbar"]; ok {
		out["toolbar"] = toolbar
	}
	return out
}

// viewFields collects the fields that a view and those inside it use, by
// model.
func viewFields(models map[string]map[string]bool, model string, fields any) {
	described, _ := fields.(map[string]any)
	if models[model] == nil {
		models[model] = map[string]bool{}
	}
	for name, v := range described {
		models[model][name] = true
		field, _ := v.(map[string]any)
		relation, _ := field["relation"].(string)
		inner, _ := field["views"].(map[string]any)
		for _, view := range inner {
			if view, ok := view.(map[string]any); ok && relation != "" {
				viewFields(models, relation, view["fields"])
			}
		}
	}
}

// getViewsOld answers get_views before 16.0.
func getViewsOld(ctx context.Context, b *call) (json.RawMessage, error) {
	c := b.client
	var old struct {
		Views   map[string]map[string]any `json:"fields_views"`
		Filters any                       `json:"filters"`
	}
	named := map[string]any{}
	if options := b.args["options"]; options != nil {
		named["options"] = options
	}
	if err := b.ask(ctx, &old, "load_views", []any{b.args["views"]}, named); err != nil {
		return nil, err
	}
	models := map[string]map[string]bool{}
	views := map[string]any{}
	for t, view := range old.Views {
		viewFields(models, b.model, view["fields"])
		v := newView(view, nil)
		delete(v, "models")
		if t == "search" && old.Filters != nil {
			v["filters"] = old.Filters
		}
		views[t] = v
	}
	described := map[string]any{}
	for model, names := range models {
		var fields any
		err := c.fetch(ctx, &fields, model, "fields_get", []any{slices.Sorted(maps.Keys(names))}, b.kwargs(nil))
		if err != nil {
			return nil, err
		}
		described[model] = fields
	}
	return encode(map[string]any{"views": views, "models": described})
}

// newViews asks a version from 16.0 on for views and gives them the names of
// types that the caller used.
func (b *call) newViews(ctx context.Context) (map[string]any, error) {
	list, ok := asList(b.args["views"])
	wrong := &adapter.Error{
		Code: adapter.InvalidArgument, Model: b.model, Field: "views",
		Message: b.method + ": the views must read like [[false, \"form\"], [5, \"list\"]]",
	}
	if !ok {
		return nil, wrong
	}
	asked := map[string]string{}
	views := make([]any, len(list))
	for i, item := range list {
		pair, ok := asList(item)
		if !ok || len(pair) != 2 {
			return nil, wrong
		}
		t, ok := pair[1].(string)
		if !ok {
			return nil, wrong
		}
		used := t
		if t != "list" {
			// That one get_views knows in every version.
			used = b.client.viewType(t)
		}
		asked[used] = t
		views[i] = []any{pair[0], used}
	}
	named := map[string]any{}
	if options := b.args["options"]; options != nil {
		named["options"] = options
	}
	var out map[string]any
	if err := b.ask(ctx, &out, "get_views", []any{views}, named); err != nil {
		return nil, err
	}
	if got, ok := out["views"].(map[string]any); ok {
		for used, t := range asked {
			if view, ok := got[used]; ok && used != t {
				delete(got, used)
				got[t] = view
			}
		}
	}
	return out, nil
}

func getViewsNew(ctx context.Context, b *call) (json.RawMessage, error) {
	out, err := b.newViews(ctx)
	if err != nil {
		return nil, err
	}
	return encode(out)
}

// modelFields returns the fields of a model in an answer of get_views, which
// 18.0 put one level deeper.
func modelFields(answer map[string]any, model string) map[string]any {
	models, _ := answer["models"].(map[string]any)
	fields, _ := models[model].(map[string]any)
	if inner, ok := fields["fields"].(map[string]any); ok {
		if _, isField := inner["type"].(string); !isField {
			return inner
		}
	}
	return fields
}

// loadViewsNew answers load_views from 16.0 on.
func loadViewsNew(ctx context.Context, b *call) (json.RawMessage, error) {
	answer, err := b.newViews(ctx)
	if err != nil {
		return nil, err
	}
	fields := modelFields(answer, b.model)
	views, _ := answer["views"].(map[string]any)
	out := map[string]any{"fields_views": views, "fields": fields}
	for t, v := range views {
		view, ok := v.(map[string]any)
		if !ok {
			continue
		}
		view["fields"] = fields
		view["type"] = t
		if id, ok := view["id"]; ok {
			view["view_id"] = id
		}
		if filters, ok := view["filters"]; ok {
			out["filters"] = filters
		}
	}
	return encode(out)
}

// fieldsViewGetNew answers fields_view_get from 17.0 on.
func fieldsViewGetNew(ctx context.Context, b *call) (json.RawMessage, error) {
	t, _ := b.args["view_type"].(string)
	if t == "" {
		t = "form"
	}
	named := map[string]any{"view_type": b.client.viewType(t)}
	if id, ok := b.args["view_id"]; ok {
		named["view_id"] = id
	}
	if b.flag("toolbar") {
		named["toolbar"] = true
	}
	var view map[string]any
	if err := b.ask(ctx, &view, "get_view", nil, named); err != nil {
		return nil, err
	}
	var names []any
	if models, ok := view["models"].(map[string]any); ok {
		names, _ = models[b.model].([]any)
	}
	var fields map[string]any
	if err := b.ask(ctx, &fields, "fields_get", []any{names}, nil); err != nil {
		return nil, err
	}
	delete(view, "models")
	view["fields"], view["type"], view["name"] = fields, t, "default"
	if id, ok := view["id"]; ok {
		view["view_id"] = id
		delete(view, "id")
	}
	return encode(view)
}
