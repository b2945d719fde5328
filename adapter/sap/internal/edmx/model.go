// Package edmx reads the metadata documents of OData services, v2 and v4: what
// entities they have, how these hang together, and what SAP's annotations say
// about them.
//
// It reads a document as a stream and keeps only what a client needs, so that
// metadata of many megabytes, most of which is annotations for user
// interfaces, takes little memory.
package edmx

// Metadata is what a service says of itself.
type Metadata struct {
	V4      bool
	Version string // of the format: "1.0", "4.0", "4.01"

	Sets       map[string]*Set
	Singletons map[string]*Set
	Types      map[string]*Type // entity and complex types, by qualified name
	Enums      map[string]*Enum // by qualified name
	Operations []*Operation     // what can be called, in the order of the document
}

// Type is an entity type or a complex type. Base types are merged into it.
type Type struct {
	Name      string // without its namespace
	Namespace string
	Complex   bool
	HasStream bool // its entities are media, such as files
	Label     string

	Keys  []string    // the names of the key properties, in order
	Props []*Property // in the order of the document
	Navs  []*Navigation

	base   string
	props  map[string]*Property
	navs   map[string]*Navigation
	merged bool
}

// QualifiedName is the name with its namespace.
func (t *Type) QualifiedName() string { return t.Namespace + "." + t.Name }

// Prop returns a property by its name, nil if there is none.
func (t *Type) Prop(name string) *Property { return t.props[name] }

// Nav returns a navigation property by its name, nil if there is none.
func (t *Type) Nav(name string) *Navigation { return t.navs[name] }

// Property is a structural property.
type Property struct {
	Name       string
	Type       string // "Edm.String", or the qualified name of an enum or complex type
	Collection bool
	Key        bool
	Nullable   bool
	HasDefault bool
	MaxLength  int // 0 for unlimited or unknown
	Precision  int
	Scale      int
	Fixed      bool // ConcurrencyMode="Fixed": part of the ETag

	Label      string
	Help       string
	Text       string // the property that holds the text for this one's code
	Unit       string // the property that holds the unit or the currency
	Semantics  string // sap:semantics: "currency-code", "unit-of-measure", "email", ...
	DateOnly   bool   // v2: a date in the form of a date-time
	Currency   bool   // v4: the unit is a currency
	Mandatory  bool
	Computed   bool // v4: the server alone writes it
	Immutable  bool // v4: may be given on creation, not changed later
	NoCreate   bool
	NoUpdate   bool
	NoFilter   bool
	NoSort     bool
	MustFilter bool
}

// Navigation is a navigation property.
type Navigation struct {
	Name     string
	Label    string
	Target   string // the qualified name of the entity type
	Many     bool
	Partner  string // the navigation property that leads back, if known
	Contains bool   // v4: what it leads to lives within the entity
	NoFilter bool
	NoCreate bool
	// Constraint maps properties of the entity to those of the target that
	// have the same values.
	Constraint [][2]string

	association, fromRole, toRole string // v2
	mirrored                      bool   // Constraint was taken from the way back
}

// Set is an entity set, or a singleton.
type Set struct {
	Name  string
	Type  *Type
	Label string

	NoCreate, NoUpdate, NoDelete bool
	NoRead                       bool // sap:addressable="false": readable through navigation alone
	NoPage                       bool // takes no $top and $skip
	NoCount                      bool
	MustFilter                   bool // wants a filter
	HasETag                      bool

	NoFilter, NoSort, MustFilterProps map[string]bool // v4: by property
	NoCreateProps, NoUpdateProps      map[string]bool

	// Bindings tell which set a navigation property leads to.
	Bindings map[string]string

	typeName string
}

// Enum is an enumeration type.
type Enum struct {
	Name    string // qualified
	Members []string
}

// Operation is a function import of v2, or a function or an action of v4.
type Operation struct {
	Name      string // as it is called
	Qualified string // v4, bound: with the namespace
	Method    string // "GET" or "POST"
	Action    bool   // it may change something
	Bound     bool   // v4: it belongs to an entity or a set
	BoundTo   string // v4: the qualified type it is bound to; v2: that of sap:action-for
	BoundMany bool   // v4: it is bound to a collection
	Params    []*Parameter
	Returns   string // the type, "" for nothing
	Many      bool
}

// Parameter is a parameter of an operation.
type Parameter struct {
	Name       string
	Type       string
	Collection bool
	Nullable   bool
}
