package odootest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// method is a public method of a model, for a range of versions.
type method struct {
	since, until int // 0: no bound
	// params are the named parameters in order, separated by blanks. "?" marks
	// one that may be left out, "@16-" or "@13-16" the versions that have it.
	params string
	record bool   // it is called on records: the first argument is their ids
	kwargs string // who complains about an unknown named argument, if not the method itself
	class  string // the class that a complaint names
	reads  bool   // it changes nothing
	run    func(c *call) (any, error)
}

// call is one method call, its arguments bound to their names.
type call struct {
	*env
	t    *table
	name string
	ids  []int64
	args map[string]any
	// named says that it came by JSON-2.
	named bool
}

func (c *call) has(name string) bool { _, ok := c.args[name]; return ok }

func (c *call) text(name string) string { s, _ := c.args[name].(string); return s }

func (c *call) integer(name string) int64 { n, _ := intOf(c.args[name]); return n }

// find returns the method of a model in this version.
func (db *database) find(model, name string) *method {
	for _, key := range []string{model + "." + name, "." + name} {
		list := methods[key]
		for i := range list {
			if m := &list[i]; db.major >= m.since && (m.until == 0 || db.major <= m.until) {
				return m
			}
		}
	}
	return nil
}

// param is a parameter of a method in one version.
type param struct {
	name     string
	required bool
}

func (m *method) parameters(major int) []param {
	var params []param
	for token := range strings.FieldsSeq(m.params) {
		token, span, ranged := strings.Cut(token, "@")
		if ranged {
			from, to, _ := strings.Cut(span, "-")
			a, _ := strconv.Atoi(from)
			b, err := strconv.Atoi(to)
			if major < a || err == nil && major > b {
				continue
			}
		}
		name, optional := strings.CutSuffix(token, "?")
		params = append(params, param{name, !optional})
	}
	return params
}

func (m *method) complains(model, name string, major int) string {
	if m.class == "" {
		return className(model, major) + "." + name
	}
	return m.class + "." + name
}

// bind gives positional and named arguments their names, or the TypeError that
// Python would raise.
func (m *method) bind(model, name string, major int, args []any, kwargs map[string]any) (map[string]any, error) {
	params := m.parameters(major)
	who := m.complains(model, name, major)
	if len(args) > len(params) {
		return nil, raise(typeError, "%s() takes from 1 to %d positional arguments but %d were given", who, len(params)+1, len(args)+1)
	}
	bound := make(map[string]any, len(args)+len(kwargs))
	for i, v := range args {
		bound[params[i].name] = v
	}
	for _, key := range slices.Sorted(maps.Keys(kwargs)) {
		v := kwargs[key]
		if !slices.ContainsFunc(params, func(p param) bool { return p.name == key }) {
			if m.kwargs != "" {
				who = m.kwargs
			}
			return nil, raise(typeError, "%s() got an unexpected keyword argument '%s'", who, key)
		}
		if _, twice := bound[key]; twice {
			return nil, raise(typeError, "%s() got multiple values for argument '%s'", who, key)
		}
		bound[key] = v
	}
	var lacking []string
	for _, p := range params {
		if _, ok := bound[p.name]; !ok && p.required {
			lacking = append(lacking, repr(p.name))
		}
	}
	switch n := len(lacking); {
	case n == 1:
		return nil, raise(typeError, "%s() missing 1 required positional argument: %s", who, lacking[0])
	case n > 1:
		return nil, raise(typeError, "%s() missing %d required positional arguments: %s and %s", who, n, strings.Join(lacking[:n-1], ", "), lacking[n-1])
	}
	return bound, nil
}

// request is a method call as a transport read it.
type request struct {
	user    *account
	model   string
	method  string
	args    []any
	kwargs  map[string]any
	context any
	named   bool // JSON-2: arguments by name only, ids among them
	ids     any
}

// perform carries out a call. It holds the database for as long as it takes,
// and leaves it as it was if the call fails.
func (db *database) perform(r request) (any, error) {
	t := db.get(r.model)
	if t == nil {
		if secret[r.model] && r.user.role != RoleAdmin {
			return nil, (&env{database: db, user: r.user}).forbidden(r.model, "Model Access", "read")
		}
		if r.named {
			return nil, &exception{name: notFound, text: fmt.Sprintf("the model %s does not exist", repr(r.model)), status: 404}
		}
		return nil, raise(userError, "Object %s doesn't exist", r.model)
	}
	e := &env{database: db, user: r.user}
	if err := e.private(r.model, r.method); err != nil {
		return nil, err
	}
	m := db.find(r.model, r.method)
	if m == nil {
		return nil, db.unknownMethod(r)
	}
	c := &call{env: e, t: t, name: r.method, named: r.named}
	if err := c.prepare(m, r); err != nil {
		return nil, err
	}
	if m.reads {
		db.mu.RLock()
		defer db.mu.RUnlock()
		return m.run(c)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	e.stamp = db.timestamp()
	result, err := m.run(c)
	if err != nil {
		e.rollback()
	}
	return result, err
}

func (db *database) unknownMethod(r request) error {
	switch {
	case r.named:
		return &exception{name: notFound, text: fmt.Sprintf("The method '%s.%s' does not exist", r.model, r.method), status: 404}
	case db.major >= 18:
		return raise(attributeError, "The method '%s.%s' does not exist", r.model, r.method)
	case db.major == 15 || db.major == 13:
		return raise(attributeError, "type object '%s' has no attribute '%s'", r.model, r.method)
	}
	return raise(attributeError, "The method '%s' does not exist on the model '%s'", r.method, r.model)
}

// prepare reads context, ids and arguments.
func (c *call) prepare(m *method, r request) error {
	args, kwargs := r.args, r.kwargs
	context := r.context
	if v, ok := kwargs["context"]; ok && !r.named {
		context = v
		rest := make(map[string]any, len(kwargs))
		for k, v := range kwargs {
			if k != "context" {
				rest[k] = v
			}
		}
		kwargs = rest
	}
	switch v := context.(type) {
	case map[string]any:
		c.context = v
	case []any:
		if len(v) > 0 {
			return raise(valueError, "dictionary update sequence element #0 has length 1; 2 is required")
		}
	}
	if err := c.checkContext(); err != nil {
		return err
	}
	if r.named {
		return c.prepareNamed(m, r)
	}
	if m.record {
		if len(args) == 0 {
			if c.major >= 19 {
				return raise(indexError, "list index out of range")
			}
			return raise(indexError, "tuple index out of range")
		}
		if err := c.readIDs(args[0]); err != nil {
			return err
		}
		args = args[1:]
	}
	bound, err := m.bind(r.model, r.method, c.major, args, kwargs)
	c.args = bound
	return err
}

// prepareNamed binds as JSON-2 does: wrong names are answered with 422.
func (c *call) prepareNamed(m *method, r request) error {
	if m.record {
		if err := c.readIDs(r.ids); err != nil {
			return err
		}
	} else if truthy(r.ids) {
		return &exception{name: unprocessable, text: fmt.Sprintf("cannot call %s.%s with ids", r.model, r.method), status: 422}
	}
	params := m.parameters(c.major)
	for _, p := range params {
		if _, ok := r.kwargs[p.name]; !ok && p.required {
			return &exception{name: unprocessable, text: fmt.Sprintf("missing a required argument: '%s'", p.name), status: 422}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.kwargs)) {
		if slices.ContainsFunc(params, func(p param) bool { return p.name == key }) {
			continue
		}
		if m.kwargs != "" {
			return raise(typeError, "%s() got an unexpected keyword argument '%s'", m.kwargs, key)
		}
		return &exception{name: unprocessable, text: fmt.Sprintf("got an unexpected keyword argument '%s'", key), status: 422}
	}
	c.args = r.kwargs
	return nil
}

func (c *call) readIDs(v any) error {
	switch v := v.(type) {
	case nil, bool:
	case []any:
		c.ids = make([]int64, 0, len(v))
		for _, item := range v {
			id, ok := intOf(item)
			if !ok {
				return raise(invalidText, "invalid input syntax for type integer: \"%v\"\nLINE 1: ...\"%s\".\"id\" IN (%s)\n", item, tableName(c.t.model), repr(item))
			}
			c.ids = append(c.ids, id)
		}
	case string:
		return raise(invalidText, "invalid input syntax for type integer: \"%s\"\nLINE 1: ...\"%s\".\"id\" IN (%s)\n", v, tableName(c.t.model), repr(v))
	default:
		id, ok := intOf(v)
		if !ok {
			return raise(typeError, "'%s' object is not iterable", pyType(v))
		}
		c.ids = []int64{id}
	}
	return nil
}

// one is for methods that take a single record.
func (c *call) one() (int64, error) {
	if len(c.ids) != 1 {
		return 0, raise(valueError, "Expected singleton: %s", recordset{c.t.model, c.ids})
	}
	return c.ids[0], c.existing()
}

// existing refuses ids without a record.
func (c *call) existing() error {
	for _, id := range c.ids {
		if c.t.rows[id] == nil {
			return missing(c.t.model, id, c.uid())
		}
	}
	return nil
}
