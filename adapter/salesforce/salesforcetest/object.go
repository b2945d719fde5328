package salesforcetest

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The types of fields, named as a describe names them.
const (
	TypeID            = "id"
	TypeString        = "string"
	TypeTextArea      = "textarea"
	TypeBoolean       = "boolean"
	TypeInt           = "int"
	TypeDouble        = "double"
	TypeCurrency      = "currency"
	TypePercent       = "percent"
	TypeDate          = "date"
	TypeDateTime      = "datetime"
	TypeEmail         = "email"
	TypePhone         = "phone"
	TypeURL           = "url"
	TypePicklist      = "picklist"
	TypeMultiPicklist = "multipicklist"
	TypeReference     = "reference"
	TypeAddress       = "address"
	TypeBase64        = "base64"
)

// Object is the definition of an sObject.
type Object struct {
	Name      string // "Account", "Invoice__c"
	Label     string // "" is made of Name
	Plural    string // "" is the label and an s
	KeyPrefix string // the first three characters of its ids; "" is one made up
	Fields    []Field

	NotCreateable bool
	NotUpdateable bool
	NotDeletable  bool
}

// Field is the definition of a field. Objects get Id, IsDeleted and the
// fields of who wrote when besides those that are given.
type Field struct {
	Name   string
	Label  string // "" is made of Name
	Type   string // one of the Type constants
	Length int    // of text, in characters; 0 is 255
	// Precision and Scale are the digits in all and behind the point.
	Precision, Scale int

	Required      bool // a value must be given when the record is made
	Unique        bool
	ExternalID    bool
	CaseSensitive bool // as an external id or for being unique
	ReadOnly      bool // set by the system
	CreateOnly    bool // may be set when the record is made and not afterwards
	NameField     bool // what the record is called by
	NotNull       bool // is never empty though it need not be given
	NotFilterable bool
	NotSortable   bool

	// AutoNumber is the shape of a number that the system counts, such as
	// "INV-{00000}".
	AutoNumber string
	// Values are those of a picklist. Restricted refuses all others.
	Values     []string
	Restricted bool
	// Default is set when the record is made without a value.
	Default any

	ReferenceTo []string // the objects that a reference leads to
	// Relationship is the name of the way to the parent ("Account", "Parent__r"),
	// and Children that of the way back ("Contacts", "Children__r").
	Relationship, Children string
	// Cascade deletes the record along with its parent. Restrict keeps a
	// parent that has such records from being deleted. Neither: the reference
	// is emptied.
	Cascade, Restrict bool
}

func (f *Field) isText() bool {
	switch f.Type {
	case TypeString, TypeTextArea, TypeEmail, TypePhone, TypeURL, TypePicklist, TypeMultiPicklist:
		return true
	}
	return false
}

func (f *Field) isNumber() bool {
	switch f.Type {
	case TypeInt, TypeDouble, TypeCurrency, TypePercent:
		return true
	}
	return false
}

// isLong says whether it is a long text, which can be neither filtered nor
// sorted by.
func (f *Field) isLong() bool { return f.Type == TypeTextArea && f.Length > 255 }

func (f *Field) custom() bool { return strings.HasSuffix(f.Name, "__c") }

func (f *Field) filterable() bool {
	return !f.NotFilterable && !f.isLong() && f.Type != TypeAddress && f.Type != TypeBase64
}

func (f *Field) sortable() bool {
	return !f.NotSortable && !f.isLong() && f.Type != TypeAddress && f.Type != TypeBase64 && f.Type != TypeMultiPicklist
}

func (f *Field) createable() bool {
	return !f.ReadOnly && f.Type != TypeID && f.Type != TypeAddress && f.AutoNumber == ""
}

func (f *Field) updateable() bool { return f.createable() && !f.CreateOnly }

func (f *Field) nillable() bool {
	return !f.Required && !f.NotNull && f.Type != TypeBoolean && f.Type != TypeID && f.AutoNumber == ""
}

// object is a definition at work.
type object struct {
	Object
	index    map[string]int // by lower-case name
	parents  map[string]int // by lower-case relationship name
	children []childRelationship
	name     int // the name field; -1 is none
	table    *table
	custom   bool
	rules    rules
}

// childRelationship is a way from an object to those that refer to it.
type childRelationship struct {
	name   string
	object *object
	field  int
}

const (
	fieldID = iota
	fieldIsDeleted
	fieldCreatedDate
	fieldCreatedBy
	fieldModifiedDate
	fieldModifiedBy
	fieldModstamp
	systemFields
)

// every object has these, in this order.
var everyField = mustFields(`
	Id id
	IsDeleted boolean readonly notnull
	CreatedDate datetime readonly notnull
	CreatedById reference(User) rel=CreatedBy readonly notnull
	LastModifiedDate datetime readonly notnull
	LastModifiedById reference(User) rel=LastModifiedBy readonly notnull
	SystemModstamp datetime readonly notnull
`)

// newObject makes a definition work.
func newObject(o Object) (*object, error) {
	if !validName(o.Name) {
		return nil, fmt.Errorf("%q is no name of an object", o.Name)
	}
	if o.Label == "" {
		o.Label = labelOf(o.Name)
	}
	if o.Plural == "" {
		o.Plural = o.Label + "s"
	}
	made := &object{Object: o, index: map[string]int{}, parents: map[string]int{}, name: -1, custom: strings.HasSuffix(o.Name, "__c")}
	made.Fields = append(slices.Clone(everyField), o.Fields...)
	for i := range made.Fields {
		if err := made.addField(i); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", o.Name, made.Fields[i].Name, err)
		}
	}
	made.table = newTable(made)
	return made, nil
}

func (o *object) addField(i int) error {
	f := &o.Fields[i]
	if !validName(f.Name) {
		return errors.New("that is no name of a field")
	}
	if f.Label == "" {
		f.Label = labelOf(f.Name)
	}
	key := strings.ToLower(f.Name)
	if _, twice := o.index[key]; twice {
		return errors.New("there is such a field already")
	}
	o.index[key] = i
	if f.NameField {
		o.name = i
	}
	switch f.Type {
	case TypeString, TypePicklist, TypeTextArea, TypeMultiPicklist, TypeURL, TypePhone, TypeEmail:
		if f.Length == 0 {
			f.Length = map[string]int{TypePhone: 40, TypeEmail: 80, TypeMultiPicklist: 4099}[f.Type]
		}
		if f.Length == 0 {
			f.Length = 255
		}
	case TypeReference:
		if len(f.ReferenceTo) == 0 {
			return errors.New("it refers to nothing: set ReferenceTo")
		}
		if f.Relationship != "" {
			o.parents[strings.ToLower(f.Relationship)] = i
		}
	case TypeCurrency, TypeDouble, TypePercent:
		if f.Precision == 0 {
			f.Precision, f.Scale = 18, 2
		}
	case TypeID, TypeBoolean, TypeInt, TypeDate, TypeDateTime, TypeAddress, TypeBase64:
	default:
		return fmt.Errorf("%q is no type of a field", f.Type)
	}
	return nil
}

func validName(name string) bool {
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return name != "" && len(name) <= 80
}

// labelOf makes "External Id" of "External_Id__c" and "Billing City" of
// "BillingCity".
func labelOf(name string) string {
	name = strings.ReplaceAll(strings.TrimSuffix(name, "__c"), "_", " ")
	var b strings.Builder
	for i := range len(name) {
		if i > 0 && name[i] >= 'A' && name[i] <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z' {
			b.WriteByte(' ')
		}
		b.WriteByte(name[i])
	}
	label := b.String()
	if strings.HasSuffix(label, " Id") && len(label) > 3 {
		label = label[:len(label)-2] + "ID"
	}
	return label
}

// field finds a field by its name in any case.
func (o *object) field(name string) (int, *Field) {
	i, ok := o.index[strings.ToLower(name)]
	if !ok {
		return -1, nil
	}
	return i, &o.Fields[i]
}

// at is the ordinal of a field that is there.
func (o *object) at(name string) int {
	i, ok := o.index[strings.ToLower(name)]
	if !ok {
		return -1
	}
	return i
}

// mustFields reads fields in the notation of the standard objects: a line for
// each, of the name, the type with its arguments in parentheses, and words.
//
//	string(80)  double(16,4)  picklist(A|B)  restricted(A|B)  reference(Account)
//	required unique external readonly createonly name notnull cascade restrict
//	rel=Account children=Contacts default=Draft number={00000000} label=A_name
func mustFields(lines string) []Field {
	var fields []Field
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line != "" {
			fields = append(fields, mustField(line))
		}
	}
	return fields
}

func mustField(line string) Field {
	name, rest, _ := strings.Cut(line, " ")
	f := Field{Name: name}
	kind, words := rest, ""
	if at := strings.IndexAny(rest, " ("); at >= 0 {
		kind, words = rest[:at], rest[at:]
	}
	args := ""
	if strings.HasPrefix(words, "(") {
		args, words, _ = strings.Cut(words[1:], ")")
	}
	f.Type = kind
	switch kind {
	case "restricted":
		f.Type, f.Restricted, f.Values = TypePicklist, true, strings.Split(args, "|")
	case TypePicklist, TypeMultiPicklist:
		f.Values = strings.Split(args, "|")
	case TypeReference:
		f.ReferenceTo = strings.Split(args, "|")
	default:
		first, second, _ := strings.Cut(args, ",")
		f.Length, _ = strconv.Atoi(first)
		if second != "" {
			f.Precision, f.Length = f.Length, 0
			f.Scale, _ = strconv.Atoi(second)
		}
	}
	for _, word := range strings.Fields(words) {
		f.word(word)
	}
	return f
}

func (f *Field) word(word string) {
	key, value, _ := strings.Cut(word, "=")
	switch key {
	case "required":
		f.Required = true
	case "unique":
		f.Unique = true
	case "external":
		f.ExternalID = true
	case "readonly":
		f.ReadOnly = true
	case "createonly":
		f.CreateOnly = true
	case "name":
		f.NameField = true
	case "notnull":
		f.NotNull = true
	case "cascade":
		f.Cascade = true
	case "restrict":
		f.Restrict = true
	case "rel":
		f.Relationship = value
	case "children":
		f.Children = value
	case "number":
		f.AutoNumber = value
	case "label":
		f.Label = strings.ReplaceAll(value, "_", " ")
	case "default":
		f.Default = strings.ReplaceAll(value, "_", " ")
		if f.Type == TypeBoolean {
			f.Default = value == "true"
		}
	default:
		panic("salesforcetest: " + f.Name + ": unknown word " + word) //nolint:forbidigo // a mistake in this package's own tables
	}
}
