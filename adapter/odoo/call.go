package odoo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Call calls a public method of a model and returns the server's answer as it
// is, or, where the connected version lacks the method or gives it another
// form, the answer in the form of the versions that have it.
//
// In the arguments of the common methods, fields, values, domains and orders
// are converted as they are for the other methods of the Client. The context's
// scope is merged into Odoo's context, in which what the call itself brings
// wins.
//
// A method that begins with an underscore is ErrPermissionDenied, as in Odoo.
func (c *Client) Call(ctx context.Context, in adapter.Call) (json.RawMessage, error) {
	name, err := c.modelName(ctx, in.Model)
	if err != nil {
		return nil, err
	}
	if err := checkMethodName(name, in.Method); err != nil {
		return nil, err
	}
	if _, ok := signatures[in.Method]; !ok {
		return c.callAny(ctx, name, in)
	}
	var answer json.RawMessage
	err = c.settle(ctx, name, func() error {
		b, err := c.bind(name, in)
		if err != nil {
			return err
		}
		answer, err = c.callKnown(ctx, b)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

func checkMethodName(name, method string) error {
	ok := method != "" && len(method) <= 128
	for i, r := range []byte(method) {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', r == '_', '0' <= r && r <= '9' && i > 0:
		default:
			ok = false
		}
	}
	switch {
	case !ok:
		return &adapter.Error{
			Code: adapter.InvalidArgument, Model: name, Field: "method",
			Message: quote(method) + " is no name of a method",
		}
	case strings.HasPrefix(method, "_"):
		return &adapter.Error{
			Code: adapter.PermissionDenied, Model: name, Field: "method",
			Message: quote(method) + " is private; only methods without a leading underscore can be called",
		}
	}
	return nil
}

// callAny calls a method of which nothing is known. The ids may come by name,
// as JSON-2 has them.
func (c *Client) callAny(ctx context.Context, name string, in adapter.Call) (json.RawMessage, error) {
	kwargs := in.Kwargs
	args := in.Args
	if ids, ok := kwargs["ids"]; ok && len(args) == 0 {
		kwargs = make(map[string]any, len(in.Kwargs))
		for key, v := range in.Kwargs {
			if key != "ids" {
				kwargs[key] = v
			}
		}
		args = []any{ids}
	}
	return c.invoke(ctx, name, in.Method, args, kwargs)
}

// callKnown calls a method of which the parameters are known, as the version
// has it.
func (c *Client) callKnown(ctx context.Context, b *call) (json.RawMessage, error) {
	if err := b.prepare(ctx); err != nil {
		return nil, err
	}
	if run := adaptationFor(b.method, c.version.Major); run != nil {
		return run(ctx, b)
	}
	return b.run(ctx)
}

// run makes the call as it is.
func (b *call) run(ctx context.Context) (json.RawMessage, error) {
	args, kwargs := b.arguments()
	return b.client.invoke(ctx, b.model, b.method, args, kwargs)
}

// ask makes another call on behalf of this one and decodes the answer.
func (b *call) ask(ctx context.Context, target any, method string, args []any, named map[string]any) error {
	return b.client.fetch(ctx, target, b.model, method, args, b.kwargs(named))
}

// prepare converts what every version writes in its own way.
func (b *call) prepare(ctx context.Context) error {
	c := b.client
	if v, ok := b.args["domain"]; ok {
		domain, err := b.domain(ctx, v)
		if err != nil {
			return err
		}
		b.args["domain"] = domain
	}
	if v, ok := b.args["values"]; ok {
		values, err := b.values(ctx, v)
		if err != nil {
			return err
		}
		b.args["values"] = values
	}
	if v, ok := b.args["default"]; ok && v != nil {
		values, err := b.values(ctx, v)
		if err != nil {
			return err
		}
		b.args["default"] = values
	}
	if b.method == "formatted_read_group" {
		return nil
	}
	if text, ok := b.args["order"].(string); ok && text != "" {
		// What only some versions can read of an order is left to them.
		if orders, err := adapter.ParseOrder(text); err == nil {
			if b.args["order"], err = c.orders(ctx, b.model, orders); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *call) domain(ctx context.Context, v any) ([]any, error) {
	p, err := plainValue(v)
	if err == nil && p == false {
		p = nil
	}
	if err != nil {
		p = v
	}
	if f, ok := v.(adapter.Filter); ok {
		return b.client.domain(ctx, b.model, f)
	}
	f, err := adapter.ParseDomain(p)
	if err != nil {
		return nil, err
	}
	return b.client.domain(ctx, b.model, f)
}

// values converts the values of create and its like: an object, or a list of
// them.
func (b *call) values(ctx context.Context, v any) (any, error) {
	wrong := &adapter.Error{
		Code: adapter.InvalidArgument, Model: b.model, Field: "values",
		Message: fmt.Sprintf("%s: the values must be an object such as {\"name\": \"Azure\"}, not %s", b.method, kindOf(v)),
	}
	p, err := plainValue(v)
	if err != nil {
		return nil, wrong
	}
	switch p := p.(type) {
	case map[string]any:
		return b.client.values(ctx, b.model, p)
	case []any:
		if b.method != "create" {
			return nil, wrong
		}
		rows := make([]any, len(p))
		for i, row := range p {
			row, err := plainValue(row)
			values, ok := row.(map[string]any)
			if err != nil || !ok {
				return nil, wrong
			}
			if rows[i], err = b.client.values(ctx, b.model, values); err != nil {
				return nil, atRow(err, i)
			}
		}
		return rows, nil
	}
	return nil, wrong
}

// fieldList reads an argument that is a list of names. It is nil where all
// fields are meant: Odoo takes an empty list for that.
func (b *call) fieldList(param string) ([]string, error) {
	v, err := plainValue(b.args[param])
	list, ok := v.([]any)
	if err != nil || !ok && v != nil && v != false {
		return nil, b.badList(param)
	}
	if len(list) == 0 {
		return nil, nil
	}
	names := make([]string, len(list))
	for i, item := range list {
		if names[i], ok = item.(string); !ok {
			return nil, b.badList(param)
		}
	}
	return names, nil
}

func (b *call) badList(param string) error {
	return &adapter.Error{
		Code: adapter.InvalidArgument, Model: b.model, Field: param,
		Message: fmt.Sprintf("%s: argument %q must be a list of names", b.method, param),
	}
}
