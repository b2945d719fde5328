package sap

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/wire"
)

// Call calls a function import of v2, or a function or an action of v4. The
// Model is the service, or a model of it: then the first positional argument,
// if there is one, is the id of the record that the operation is for, and in v4
// operations that are bound to the entity or the set are found first. Named
// arguments are the operation's parameters.
//
// The answer is the body as the service wrote it, and null for none.
func (c *Client) Call(ctx context.Context, in adapter.Call) (json.RawMessage, error) {
	o, err := c.operation(ctx, in)
	if err != nil {
		return nil, err
	}
	req, err := o.request(ctx, in)
	if err != nil {
		return nil, err
	}
	resp, err := o.m.do(ctx, req)
	if err != nil {
		return nil, err
	}
	body := bytes.TrimSpace(resp.Body)
	switch {
	case len(body) == 0:
		return json.RawMessage("null"), nil
	case json.Valid(body):
		return body, nil
	}
	text, err := json.Marshal(string(body))
	if err != nil {
		return nil, o.m.unreadable(err)
	}
	return text, nil
}

// operation is what is called, and where.
type operation struct {
	*edmx.Operation
	m   *model // with neither set nor type where the service itself is meant
	key key
	id  bool // there is a key
}

// operation finds what is called.
func (c *Client) operation(ctx context.Context, in adapter.Call) (*operation, error) {
	var m *model
	if s := c.byName[in.Model]; s != nil {
		meta, err := s.metadata(ctx, "")
		if err != nil {
			return nil, err
		}
		m = &model{service: s, meta: meta, name: s.name, typ: &edmx.Type{}}
	} else {
		var err error
		if m, err = c.model(ctx, in.Model); err != nil {
			return nil, err
		}
	}
	o := &operation{m: m}
	if err := o.identify(in); err != nil {
		return nil, err
	}
	var names []string
	best := -1
	for _, op := range m.meta.Operations {
		names = append(names, op.Name)
		if op.Name != in.Method && op.Qualified != in.Method {
			continue
		}
		if fit := o.fit(op); fit > best {
			best, o.Operation = fit, op
		}
	}
	if o.Operation == nil {
		slices.Sort(names)
		e := &adapter.Error{Code: adapter.NotFound, Model: m.name, Field: "method", Message: "the service " + m.service.name + " has no function or action " + quote(in.Method)}
		if nearest := adapter.Nearest(in.Method, names); nearest != "" {
			e.Message += "; did you mean " + quote(nearest) + "?"
		}
		return nil, e
	}
	return o, nil
}

// fit tells how well an operation of the right name suits the call, -1 if not
// at all.
func (o *operation) fit(op *edmx.Operation) int {
	if !op.Bound {
		return 0
	}
	switch {
	case o.m.set == nil || op.BoundTo != o.m.typ.QualifiedName():
		return -1
	case op.BoundMany == o.id:
		return -1
	}
	return 1
}

// identify reads the record that the call is for.
func (o *operation) identify(in adapter.Call) error {
	switch {
	case len(in.Args) == 0:
		return nil
	case len(in.Args) > 1 || o.m.set == nil:
		return o.m.wrong("args", "give the parameters of %s by name; only the id of a record of a model goes before them", in.Method)
	}
	v, err := plainValue(in.Args[0])
	if list, ok := v.([]any); ok {
		if len(list) == 0 {
			return nil
		}
		if len(list) > 1 {
			return o.m.unsupported("args", "SAP calls %s for one record at a time", in.Method)
		}
		v, err = plainValue(list[0])
	}
	id, ok := adapter.IDOf(v)
	if err != nil || !ok {
		return o.m.wrong("args", "the first argument of %s must be the id of a record, not %s", in.Method, kindOf(v))
	}
	if o.key, err = o.m.parseID(id); err != nil {
		return o.m.missing(id)
	}
	o.id = true
	return nil
}

// parameters are the arguments by name, those of v2 that are keys of the record
// filled in.
func (o *operation) parameters(in adapter.Call) (map[string]any, error) {
	args := make(map[string]any, len(in.Kwargs))
	for name, v := range in.Kwargs {
		if !slices.ContainsFunc(o.Params, func(p *edmx.Parameter) bool { return p.Name == name }) {
			names := make([]string, len(o.Params))
			for i, p := range o.Params {
				names[i] = p.Name
			}
			problem := fmt.Sprintf("%s has no parameter %s", o.Name, quote(name))
			if nearest := adapter.Nearest(name, names); nearest != "" {
				problem += "; did you mean " + quote(nearest) + "?"
			}
			return nil, o.m.wrong(name, "%s", problem)
		}
		plain, err := plainValue(v)
		if err != nil {
			return nil, o.m.wrong(name, "parameter '%s' has a value that JSON can't hold", name)
		}
		args[name] = plain
	}
	if o.id && !o.Bound {
		for i, p := range o.m.keyProps() {
			known := slices.ContainsFunc(o.Params, func(param *edmx.Parameter) bool { return param.Name == p.Name })
			if _, given := args[p.Name]; known && !given {
				args[p.Name] = o.key[i]
			}
		}
	}
	return args, nil
}

func (o *operation) request(ctx context.Context, in adapter.Call) (req wire.Request, err error) {
	args, err := o.parameters(in)
	if err != nil {
		return req, err
	}
	path := "/" + o.Name
	if o.Bound {
		path = o.m.root()
		if o.id {
			if path, err = o.m.path(o.key); err != nil {
				return req, err
			}
		}
		path += "/" + o.Qualified
	}
	if o.m.v4() && o.Action {
		return o.action(ctx, path, args)
	}
	return o.function(ctx, path, args)
}

// action is the request of an action of v4: its parameters are the body.
func (o *operation) action(ctx context.Context, path string, args map[string]any) (wire.Request, error) {
	body := make(map[string]any, len(args))
	for _, param := range o.Params {
		v, ok := args[param.Name]
		if !ok {
			continue
		}
		p := &edmx.Property{Name: param.Name, Type: param.Type, Collection: param.Collection, Nullable: true}
		if t := o.m.meta.Types[param.Type]; t != nil && !t.Complex {
			body[param.Name] = v
			continue
		}
		encoded, err := o.m.encode(p, v)
		if err != nil {
			return wire.Request{}, err
		}
		body[param.Name] = encoded
	}
	req := o.m.request(ctx, http.MethodPost, path, "")
	req.Header.Set("Content-Type", o.m.contentType())
	if o.id {
		req.Header.Set("If-Match", "*")
	}
	var err error
	req.Body, err = o.m.marshal(body)
	return req, err
}

// function is the request of a function: its parameters are in the address.
func (o *operation) function(ctx context.Context, path string, args map[string]any) (wire.Request, error) {
	var parts []string
	for _, param := range o.Params {
		v, ok := args[param.Name]
		if !ok {
			continue
		}
		s := "null"
		if v != nil {
			var err error
			if s, err = literal(o.m.meta.Metadata, param.Type, v); err != nil {
				return wire.Request{}, o.m.wrong(param.Name, "parameter '%s' takes a value of %s, not %s", param.Name, strings.TrimPrefix(param.Type, "Edm."), kindOf(v))
			}
		}
		if o.m.v4() {
			parts = append(parts, param.Name+"="+escapePath(s))
		} else {
			parts = append(parts, param.Name+"="+escapeQuery(s))
		}
	}
	if o.m.v4() {
		req := o.m.request(ctx, http.MethodGet, path+"("+strings.Join(parts, ",")+")", "")
		return req, nil
	}
	return o.m.request(ctx, o.Method, path, strings.Join(parts, "&")), nil
}
