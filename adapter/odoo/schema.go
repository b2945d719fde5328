package odoo

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/bridgecore/bridgecore/adapter"
)

// schemaTTL is how long a model's fields are taken to stay as they are. A
// contradiction by the server ends it sooner.
const schemaTTL = time.Hour

// freshFor is the age up to which a schema is not loaded again merely because
// a caller asks for a field that it lacks, so that wrong calls do not double
// the load of a server.
const freshFor = 30 * time.Second

// model is what the adapter knows of a model: its schema, and what the server
// said against other sources.
type model struct {
	*adapter.Schema
	loaded time.Time

	mu sync.Mutex
	// denied are fields that this version has in general and the server
	// refused: their module is not installed.
	denied map[string]bool
}

func (m *model) deny(field string) (news bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.denied[field] {
		return false
	}
	if m.denied == nil {
		m.denied = map[string]bool{}
	}
	m.denied[field] = true
	return true
}

func (m *model) isDenied(field string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.denied[field]
}

type schemaKey struct{ model, language string }

// schemaCache holds the models by name and language. Concurrent callers share
// one load.
type schemaCache struct {
	load  func(ctx context.Context, name, language string) (*adapter.Schema, error)
	group singleflight.Group

	mu      sync.Mutex
	entries map[schemaKey]*model
}

func newSchemaCache(load func(context.Context, string, string) (*adapter.Schema, error)) *schemaCache {
	return &schemaCache{load: load, entries: map[schemaKey]*model{}}
}

// cached returns the model if it is there and young enough.
func (s *schemaCache) cached(key schemaKey) *model {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.entries[key]
	if m != nil && time.Since(m.loaded) >= schemaTTL {
		delete(s.entries, key)
		return nil
	}
	return m
}

// get returns the model, loading it if need be. A caller that goes away does
// not fail the others who wait for the same load.
func (s *schemaCache) get(ctx context.Context, key schemaKey) (*model, error) {
	if m := s.cached(key); m != nil {
		return m, nil
	}
	result := s.group.DoChan(key.model+"\x00"+key.language, func() (any, error) {
		if m := s.cached(key); m != nil {
			return m, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), schemaTimeout)
		defer cancel()
		schema, err := s.load(ctx, key.model, key.language)
		if err != nil {
			return nil, err
		}
		m := &model{Schema: schema, loaded: time.Now()}
		s.mu.Lock()
		s.entries[key] = m
		s.mu.Unlock()
		return m, nil
	})
	select {
	case <-ctx.Done():
		return nil, contextError(ctx.Err())
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*model), nil
	}
}

// drop forgets a model in every language, if it is still the given one.
func (s *schemaCache) drop(m *model) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.entries[schemaKey{model: m.Model}] != m {
		return
	}
	for key := range s.entries {
		if key.model == m.Model {
			delete(s.entries, key)
		}
	}
}

// fieldAttributes are what the adapter wants to know of each field. Odoo
// leaves out what a version does not have.
var fieldAttributes = []any{
	"type", "string", "help", "relation", "relation_field", "required", "readonly",
	"store", "searchable", "sortable", "translate", "size", "selection",
}

// fieldInfo is a field as fields_get describes it. Odoo writes false for most
// things that are absent.
type fieldInfo struct {
	Type       string          `json:"type"`
	String     text            `json:"string"`
	Help       text            `json:"help"`
	Relation   text            `json:"relation"`
	Inverse    text            `json:"relation_field"`
	Required   truth           `json:"required"`
	Readonly   truth           `json:"readonly"`
	Store      *truth          `json:"store"`
	Searchable *truth          `json:"searchable"`
	Sortable   *truth          `json:"sortable"`
	Translate  truth           `json:"translate"`
	Size       json.RawMessage `json:"size"`
	Selection  json.RawMessage `json:"selection"`
}

// loadSchema asks the server for a model's fields.
func (c *Client) loadSchema(ctx context.Context, name, language string) (*adapter.Schema, error) {
	ctx = adapter.WithScope(ctx, adapter.Scope{Language: language})
	var fields map[string]fieldInfo
	err := c.fetch(ctx, &fields, name, "fields_get", nil, map[string]any{"attributes": fieldAttributes})
	if err != nil {
		if errors.Is(err, adapter.ErrNotFound) {
			err = unknownModel(name, err)
		}
		return nil, err
	}
	s := &adapter.Schema{Model: name, Fields: make(map[string]adapter.Field, len(fields))}
	for field, info := range fields {
		s.Fields[field] = info.field()
	}
	return s, nil
}

func unknownModel(name string, cause error) error {
	e := &adapter.Error{
		Code: adapter.NotFound, Model: name, Field: "model", Err: cause,
		Message: "this Odoo has no model " + quote(name) + "; its name may be misspelt or its module not installed",
	}
	if native, ok := errors.AsType[*adapter.Error](cause); ok {
		e.Native = native.Native
	}
	return e
}

// fieldTypes are Odoo's names of types that differ from the adapter's.
var fieldTypes = map[string]adapter.FieldType{
	"many2one_reference":    adapter.Integer,
	"properties_definition": adapter.JSON,
	"image":                 adapter.Binary,
	"serialized":            adapter.JSON,
}

var commonTypes = map[adapter.FieldType]bool{
	adapter.Boolean: true, adapter.Integer: true, adapter.Float: true, adapter.Monetary: true,
	adapter.Char: true, adapter.Text: true, adapter.HTML: true, adapter.Date: true,
	adapter.DateTime: true, adapter.Binary: true, adapter.Selection: true,
	adapter.Many2One: true, adapter.One2Many: true, adapter.Many2Many: true,
	adapter.Reference: true, adapter.JSON: true, adapter.Properties: true,
}

func (i fieldInfo) field() adapter.Field {
	f := adapter.Field{
		Type: adapter.FieldType(i.Type), Label: string(i.String), Help: string(i.Help),
		Relation: string(i.Relation), Inverse: string(i.Inverse),
		Required: bool(i.Required), Readonly: bool(i.Readonly), Translate: bool(i.Translate),
		// What a version does not say is taken to hold.
		Stored:     i.Store == nil || bool(*i.Store),
		Searchable: i.Searchable == nil || bool(*i.Searchable),
		Sortable:   i.Sortable == nil || bool(*i.Sortable),
	}
	if !commonTypes[f.Type] {
		f.Native = i.Type
		f.Type = fieldTypes[i.Type]
		if f.Type == "" {
			f.Type = adapter.Unknown
		}
	}
	var size int
	if json.Unmarshal(i.Size, &size) == nil {
		f.Size = size
	}
	// Keys may be numbers, and a dynamic selection is no list at all.
	var pairs [][2]any
	if adapter.DecodeJSON(i.Selection, &pairs) == nil {
		for _, p := range pairs {
			f.Selection = append(f.Selection, adapter.Option{Value: textOf(p[0]), Label: textOf(p[1])})
		}
	}
	return f
}

// text is a string for which Odoo may write false.
type text string

// UnmarshalJSON reads a string; anything else is empty.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
	}
	return nil
}

// truth is a boolean for which Odoo may write what Python takes for one.
type truth bool

// UnmarshalJSON reads what Python takes for true.
func (t *truth) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "false", "null", "0", `""`, "[]", "{}":
		*t = false
	default:
		*t = true
	}
	return nil
}

// Schema implements [adapter.Adapter]. Labels are in the language of the
// context's scope, and the schema may be up to an hour old.
func (c *Client) Schema(ctx context.Context, name string) (*adapter.Schema, error) {
	name, err := c.modelName(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	m, err := c.schemas.get(ctx, schemaKey{model: name, language: adapter.ScopeFrom(ctx).Language})
	if err != nil {
		return nil, err
	}
	return cloneSchema(m.Schema), nil
}

// cloneSchema copies a schema, so that a caller may change what it was given.
func cloneSchema(s *adapter.Schema) *adapter.Schema {
	clone := *s
	clone.Fields = make(map[string]adapter.Field, len(s.Fields))
	for name, f := range s.Fields {
		f.Selection = append([]adapter.Option(nil), f.Selection...)
		clone.Fields[name] = f
	}
	return &clone
}

// modelOf returns the model as the adapter's own work needs it: without regard
// to language. name is the server's own name.
func (c *Client) modelOf(ctx context.Context, name string) (*model, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	m, err := c.schemas.get(ctx, schemaKey{model: name})
	if e, ok := errors.AsType[*adapter.Error](err); ok && !e.NothingSent {
		// Whatever the schema was wanted for was not sent, so that even
		// a change may be tried again.
		own := *e
		own.NothingSent = true
		return nil, &own
	}
	return m, err
}
