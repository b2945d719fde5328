package salesforce

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/bridgecore/bridgecore/adapter"
)

const (
	// objectTTL is how long a description is taken to hold; after it Salesforce
	// is asked whether it has changed.
	objectTTL = time.Hour
	// freshFor is the age up to which a description is not asked for again
	// merely because a caller names a field that it lacks.
	freshFor = 30 * time.Second
)

// field is a field as a describe has it.
type field struct {
	Name              string   `json:"name"`
	Label             string   `json:"label"`
	Help              string   `json:"inlineHelpText"`
	Type              string   `json:"type"`
	Length            int      `json:"length"`
	Precision         int      `json:"precision"`
	Scale             int      `json:"scale"`
	Nillable          bool     `json:"nillable"`
	Defaulted         bool     `json:"defaultedOnCreate"`
	Createable        bool     `json:"createable"`
	Updateable        bool     `json:"updateable"`
	Filterable        bool     `json:"filterable"`
	Sortable          bool     `json:"sortable"`
	Unique            bool     `json:"unique"`
	ExternalID        bool     `json:"externalId"`
	IDLookup          bool     `json:"idLookup"`
	CaseSensitive     bool     `json:"caseSensitive"`
	NameField         bool     `json:"nameField"`
	HTML              bool     `json:"htmlFormatted"`
	ReferenceTo       []string `json:"referenceTo"`
	Relationship      string   `json:"relationshipName"`
	Compound          string   `json:"compoundFieldName"`
	PicklistValues    []option `json:"picklistValues"`
	RestrictedOptions bool     `json:"restrictedPicklist"`

	kind kind // what its values are to conditions
	// out is the field as the schema has it.
	out adapter.Field
}

type option struct {
	Value  string `json:"value"`
	Label  string `json:"label"`
	Active bool   `json:"active"`
}

// child is a way from a record to those that refer to it.
type child struct {
	Object       string `json:"childSObject"`
	Field        string `json:"field"`
	Relationship string `json:"relationshipName"`
	Hidden       bool   `json:"deprecatedAndHidden"`
}

// object is what is known of an sObject. It is not changed once it is made.
type object struct {
	Name          string  `json:"name"`
	Label         string  `json:"label"`
	Fields        []field `json:"fields"`
	Children      []child `json:"childRelationships"`
	KeyPrefix     string  `json:"keyPrefix"` // how the ids of its records begin, if they do
	Replicateable bool    `json:"replicateable"`

	fields    map[string]*field
	relations map[string]*field // by the name of the relationship: "Account"
	children  map[string]*child // by the name of the relationship: "Contacts"
	nameField string            // "" where there is none
	parent    string            // the reference that makes a hierarchy, if there is one
	schema    *adapter.Schema

	loaded   time.Time
	modified string // the description's Last-Modified
}

// kind is what a field's values are to conditions.
type kind int

const (
	kindOpaque kind = iota // no condition can be on it
	kindText
	kindPicklist // a text of which no two spellings differ by case alone
	kindID
	kindNumber
	kindBoolean
	kindDate
	kindDateTime
	kindTime
)

// fieldType is the adapter's word for a type of Salesforce.
type fieldType struct {
	t    adapter.FieldType
	kind kind
	// native says that the system's own word is kept in the schema.
	native bool
}

var fieldTypes = map[string]fieldType{
	"id":              {adapter.Char, kindID, true},
	"string":          {adapter.Char, kindText, false},
	"textarea":        {adapter.Text, kindText, false},
	"email":           {adapter.Char, kindText, true},
	"phone":           {adapter.Char, kindText, true},
	"url":             {adapter.Char, kindText, true},
	"encryptedstring": {adapter.Char, kindText, true},
	"combobox":        {adapter.Char, kindText, true},
	"anyType":         {adapter.Char, kindText, true},
	"picklist":        {adapter.Selection, kindPicklist, false},
	"multipicklist":   {adapter.Selection, kindPicklist, true},
	"boolean":         {adapter.Boolean, kindBoolean, false},
	"int":             {adapter.Integer, kindNumber, false},
	"long":            {adapter.Integer, kindNumber, true},
	"double":          {adapter.Float, kindNumber, false},
	"percent":         {adapter.Float, kindNumber, true},
	"currency":        {adapter.Monetary, kindNumber, false},
	"date":            {adapter.Date, kindDate, false},
	"datetime":        {adapter.DateTime, kindDateTime, false},
	"time":            {adapter.Char, kindTime, true},
	"reference":       {adapter.Many2One, kindID, false},
	"base64":          {adapter.Binary, kindOpaque, false},
	"address":         {adapter.JSON, kindOpaque, true},
	"location":        {adapter.JSON, kindOpaque, true},
	"complexvalue":    {adapter.JSON, kindOpaque, true},
	"json":            {adapter.JSON, kindOpaque, true},
}

// relationship is the native type of the fields that lead along a reference
// rather than hold one.
const relationship = "relationship"

// nameObject is Salesforce's name for what all targets of a polymorphic
// reference have in common.
const nameObject = "Name"

// target is the object that a reference leads to: the only one, or the user
// where an owner may be a queue too; "" where it may be one of several.
func (f *field) target() string {
	if len(f.ReferenceTo) == 1 {
		return f.ReferenceTo[0]
	}
	for _, name := range f.ReferenceTo {
		if name == "User" {
			return name
		}
	}
	return ""
}

func (f *field) finish() {
	known, ok := fieldTypes[f.Type]
	if !ok {
		known = fieldType{adapter.Unknown, kindOpaque, true}
	}
	f.kind = known.kind
	out := adapter.Field{
		Type: known.t, Label: f.Label, Help: f.Help, Size: f.Length,
		Required: f.Createable && !f.Nillable && !f.Defaulted && f.Type != "boolean",
		Readonly: !f.Createable && !f.Updateable,
		Stored:   true, Searchable: f.Filterable, Sortable: f.Sortable,
	}
	if known.native {
		out.Native = f.Type
	}
	switch {
	case f.Type == "double" && f.Scale == 0 && f.Precision > 0:
		out.Type = adapter.Integer
	case f.Type == "textarea" && f.HTML:
		out.Type = adapter.HTML
	case f.Type == "reference":
		out.Size = 0
		if out.Relation = f.target(); out.Relation == "" {
			out.Type = adapter.Reference
		}
		if len(f.ReferenceTo) > 1 {
			out.Native = "reference(" + strings.Join(f.ReferenceTo, ",") + ")"
		}
	case out.Type == adapter.Selection:
		for _, o := range f.PicklistValues {
			if o.Active {
				out.Selection = append(out.Selection, adapter.Option{Value: o.Value, Label: o.Label})
			}
		}
	}
	f.out = out
}

// finish indexes a description that was read.
func (o *object) finish() {
	o.fields = make(map[string]*field, len(o.Fields))
	o.relations, o.children = map[string]*field{}, map[string]*child{}
	schema := &adapter.Schema{Model: o.Name, Label: o.Label, Fields: make(map[string]adapter.Field, len(o.Fields)+len(o.Children))}
	selves := 0
	for i := range o.Fields {
		f := &o.Fields[i]
		f.finish()
		o.fields[f.Name] = f
		schema.Fields[f.Name] = f.out
		if f.NameField {
			o.nameField = f.Name
		}
		if f.Type != "reference" || f.Relationship == "" {
			continue
		}
		o.relations[f.Relationship] = f
		relation := f.out.Relation
		if relation == "" {
			relation = nameObject
		}
		schema.Fields[f.Relationship] = adapter.Field{
			Type: adapter.Many2One, Native: relationship, Relation: relation, Label: f.Label,
			Readonly: true, Stored: true, Searchable: f.Filterable,
		}
		if len(f.ReferenceTo) == 1 && f.ReferenceTo[0] == o.Name && f.Createable {
			selves++
			o.parent = f.Name
		}
	}
	if p, ok := o.fields["ParentId"]; ok && p.target() == o.Name {
		o.parent = "ParentId"
	} else if selves > 1 {
		o.parent = "" // which of them is meant can't be told
	}
	for i := range o.Children {
		c := &o.Children[i]
		if c.Relationship == "" || c.Hidden || schema.Has(c.Relationship) {
			continue
		}
		o.children[c.Relationship] = c
		schema.Fields[c.Relationship] = adapter.Field{
			Type: adapter.One2Many, Native: relationship, Relation: c.Object, Inverse: c.Field, Stored: true, Searchable: true,
		}
	}
	o.schema = schema
}

// field finds a field by its name. "id" is another name of Id, which every
// system has.
func (o *object) field(name string) (*field, bool) {
	if name == "id" {
		name = "Id"
	}
	f, ok := o.fields[name]
	return f, ok
}

var objectName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,79}$`)

func unknownObject(name string) *adapter.Error {
	return &adapter.Error{
		Code: adapter.NotFound, Model: clip(name, 80), Field: "model", NothingSent: true,
		Message: "this Salesforce has no object " + quote(name) + " that the connected user may see",
	}
}

// describe asks for the description of an object, or whether the one that is
// known still holds.
func (c *Client) describe(ctx context.Context, name string, known *object) (*object, error) {
	req := request{path: c.path("sobjects", name, "describe"), model: name}
	if known != nil && known.modified != "" {
		req.header = map[string]string{"If-Modified-Since": known.modified}
	}
	a, err := c.wire.send(ctx, req)
	if err != nil {
		if errors.Is(err, adapter.ErrNotFound) {
			e := unknownObject(name)
			e.Err = err
			return nil, e
		}
		return nil, err
	}
	if a.status == http.StatusNotModified && known != nil {
		same := *known
		same.loaded = time.Now()
		return &same, nil
	}
	o := &object{}
	if err := a.decode(o, name, "a description"); err != nil {
		return nil, err
	}
	o.loaded, o.modified = time.Now(), a.header.Get("Last-Modified")
	o.finish()
	return o, nil
}

// objectCache holds the descriptions by name. Concurrent callers share one
// load.
type objectCache struct {
	load  func(ctx context.Context, name string, known *object) (*object, error)
	now   func() time.Time
	group singleflight.Group

	mu      sync.Mutex
	entries map[string]*object
}

func newObjectCache(load func(context.Context, string, *object) (*object, error)) *objectCache {
	return &objectCache{load: load, now: time.Now, entries: map[string]*object{}}
}

func (s *objectCache) entry(name string) *object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[name]
}

// get returns a description of at most the given age. A caller that goes away
// does not fail the others who wait for the same load.
func (s *objectCache) get(ctx context.Context, name string, age time.Duration) (*object, error) {
	young := func() *object {
		if o := s.entry(name); o != nil && s.now().Sub(o.loaded) < age {
			return o
		}
		return nil
	}
	if o := young(); o != nil {
		return o, nil
	}
	result := s.group.DoChan(name, func() (any, error) {
		if o := young(); o != nil {
			return o, nil
		}
		// The wire bounds the call; no single caller's context does.
		o, err := s.load(context.WithoutCancel(ctx), name, s.entry(name))
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.entries[name] = o
		s.mu.Unlock()
		return o, nil
	})
	select {
	case <-ctx.Done():
		return nil, notSent(adapter.ContextError(ctx))
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*object), nil
	}
}

// object returns the description of a model. Its errors say that nothing was
// sent: whatever it was wanted for was not.
func (c *Client) object(ctx context.Context, name string) (*object, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	if !objectName.MatchString(name) {
		return nil, unknownObject(name)
	}
	o, err := c.objects.get(ctx, name, objectTTL)
	return o, notSent(err)
}

// fresh returns the description again if it may have changed since: a field
// that it lacks may be new.
func (c *Client) fresh(ctx context.Context, o *object) *object {
	if time.Since(o.loaded) < freshFor {
		return o
	}
	again, err := c.objects.get(ctx, o.Name, freshFor)
	if err != nil {
		return o
	}
	return again
}

// Schema implements [adapter.Adapter]. A reference is listed twice: as the
// field that holds the id ("AccountId"), and by the name of its relationship
// ("Account"), by which paths lead through it; child relationships
// ("Contacts") are one-to-many fields. The schema may be up to an hour old.
func (c *Client) Schema(ctx context.Context, model string) (*adapter.Schema, error) {
	o, err := c.object(ctx, model)
	if err != nil {
		return nil, err
	}
	return cloneSchema(o.schema), nil
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
