package bridge

import (
	"context"
	"maps"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// Schema describes a model as the caller's version sees it.
func (l *lensed) Schema(ctx context.Context, model string) (*adapter.Schema, error) {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return nil, err
	}
	own, err := l.own.Schema(ctx, v.lens.Model())
	if err != nil {
		return nil, err
	}
	out := &adapter.Schema{Model: model, Label: own.Label, Fields: make(map[string]adapter.Field, len(own.Fields))}
	there, err := v.visible(slices.Sorted(maps.Keys(own.Fields)))
	if err != nil {
		return nil, err
	}
	known := v.pin.schema(v.pin.version, model)
	for name, source := range there {
		f := own.Fields[source]
		if f.Relation != "" {
			f.Relation = v.modelDown(f.Relation)
		}
		as, listed := adapter.Field{}, false
		if known != nil {
			as, listed = known.Fields[name]
		}
		if listed {
			f.Type, f.Native, f.Inverse = as.Type, as.Native, as.Inverse
			f.Relation = as.Relation
		}
		if f.Selection != nil || as.Selection != nil {
			labels := map[string]string{}
			var keys []string
			for _, o := range f.Selection {
				key := v.keyDown(ctx, name, source, o.Value)
				if _, twice := labels[key]; !twice {
					labels[key] = o.Label
					keys = append(keys, key)
				}
			}
			if listed && as.Selection != nil {
				keys = nil
				for _, o := range as.Selection {
					keys = append(keys, o.Value)
				}
			}
			f.Selection = make([]adapter.Option, len(keys))
			for i, key := range keys {
				f.Selection[i] = adapter.Option{Value: key, Label: labelOf(labels, key)}
			}
		}
		out.Fields[name] = f
	}
	return out, nil
}

func labelOf(labels map[string]string, key string) string {
	if l, ok := labels[key]; ok {
		return l
	}
	return key
}

// visible returns the fields that the caller's version has of those that the
// system has, each with the field that it comes from.
func (v *view) visible(own []string) (map[string]string, error) {
	back, err := v.lensed.lens(v.lens.Model(), v.server, v.pin.version)
	if err != nil {
		return nil, err
	}
	mine, theirs := v.pin.schema(v.pin.version, v.model), v.pin.schema(v.server, v.lens.Model())
	out := make(map[string]string, len(own))
	for _, source := range own {
		names, _, err := back.Fields([]string{source})
		if err != nil {
			continue // it is new in the system's version
		}
		for _, name := range names {
			if mine != nil && !mine.Has(name) && theirs != nil && theirs.Has(source) {
				continue // as are those that no rule mentions
			}
			// A field that keeps its name describes itself best.
			if _, taken := out[name]; !taken || source == name {
				out[name] = source
			}
		}
	}
	return out, nil
}

// modelDown is the caller's name of one of the system's models.
func (l *lensed) modelDown(model string) string {
	if back, err := l.lens(model, l.server, l.pin.version); err == nil {
		return back.Model()
	}
	return model
}

// keyDown is the caller's key for one of a selection's.
func (v *view) keyDown(ctx context.Context, name, source, key string) string {
	if r, _, err := v.lens.Record(ctx, adapter.Record{source: key}, []string{name}); err == nil {
		if k, ok := r[name].(string); ok {
			return k
		}
	}
	return key
}

// describe translates an answer of fields_get.
func (v *view) describe(ctx context.Context, own map[string]map[string]any, asked []string) (map[string]map[string]any, error) {
	there, err := v.visible(slices.Sorted(maps.Keys(own)))
	if err != nil {
		return nil, err
	}
	known := v.pin.schema(v.pin.version, v.model)
	out := make(map[string]map[string]any, len(there))
	for name, source := range there {
		if asked != nil && !slices.Contains(asked, name) {
			continue
		}
		d := maps.Clone(own[source])
		if relation, ok := d["relation"].(string); ok && relation != "" {
			d["relation"] = v.modelDown(relation)
		}
		if _, there := d["name"]; there {
			d["name"] = name
		}
		selection := v.selectionDown(ctx, name, source, d["selection"])
		if known != nil && known.Has(name) {
			as := known.Fields[name]
			set := func(attribute string, value any, have bool) {
				if _, there := d[attribute]; there && have {
					d[attribute] = value
				} else if there {
					delete(d, attribute)
				}
			}
			// "type" tells whether this attribute was asked for at all.
			if _, typed := d["type"]; typed {
				word := string(as.Type)
				if as.Native != "" {
					word = as.Native
				}
				if was, _ := d["type"].(string); was != word {
					d["type"] = word
					delete(d, "relation")
					delete(d, "relation_field")
					delete(d, "selection")
					if as.Relation != "" {
						d["relation"] = as.Relation
					}
					if as.Inverse != "" {
						d["relation_field"] = as.Inverse
					}
				} else {
					set("relation", as.Relation, as.Relation != "")
					set("relation_field", as.Inverse, as.Inverse != "")
				}
			}
			if as.Selection != nil {
				labels := map[string]string{}
				for _, pair := range selection {
					labels[pair[0]] = pair[1]
				}
				selection = make([][2]string, len(as.Selection))
				for i, o := range as.Selection {
					selection[i] = [2]string{o.Value, labelOf(labels, o.Value)}
				}
			}
		}
		if _, there := d["selection"]; there && selection != nil {
			d["selection"] = selection
		}
		out[name] = d
	}
	return out, nil
}

// selectionDown translates the pairs of key and label of a selection.
func (v *view) selectionDown(ctx context.Context, name, source string, selection any) [][2]string {
	list, _ := selection.([]any)
	var out [][2]string
	for _, item := range list {
		pair, _ := item.([]any)
		if len(pair) != 2 {
			return nil
		}
		key, isText := pair[0].(string)
		label, _ := pair[1].(string)
		if !isText {
			return nil
		}
		key = v.keyDown(ctx, name, source, key)
		if !slices.ContainsFunc(out, func(p [2]string) bool { return p[0] == key }) {
			out = append(out, [2]string{key, label})
		}
	}
	return out
}
