package mapping

import (
	"cmp"
	"fmt"

	"github.com/bridgecore/bridgecore/adapter"
)

// Position is a place in a file.
type Position struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// String returns "file:line".
func (p Position) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

func byPosition(a, b Position) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
}

// Mapping says how one kind of system has a universal model, in a range of its
// versions.
type Mapping struct {
	Universal string
	System    string
	Versions  Range
	Model     string // the system's
	ID        string // the field that holds the record's id, "" where the mapping leaves it open
	Doc       string
	Where     adapter.Filter
	Set       []Assignment
	Fields    map[string][]*Rule // by universal field; alternatives by version
	Order     []string           // the names of Fields as the file has them
	Tests     []Case
	Pos       Position

	ReadOnly    string // why records can't be created, changed or deleted
	Unsupported string // why the system has no such model; then there is no Model

	extends bool
	removed []string // with extends: the fields taken away
}

// Assignment is a value that new records get.
type Assignment struct {
	Path   Path
	Value  any
	Lookup *LookupRule // the value is the id of the record that has Value; nil: it is Value
	Pos    Position
}

// rule returns the rule of a field in a version, nil if there is none.
func (m *Mapping) rule(field, version string) *Rule {
	for _, r := range m.Fields[field] {
		if r.Versions.Has(version) {
			return r
		}
	}
	return nil
}

// Unknown says what becomes of a value that a value map does not have.
type Unknown string

// The ways.
const (
	UnknownWarn   Unknown = ""       // refused in writing, kept with a warning in reading
	UnknownKeep   Unknown = "keep"   // kept
	UnknownRefuse Unknown = "refuse" // an error
	UnknownNull   Unknown = "null"   // refused in writing, null with a warning in reading
)

// Form is the form of a value in the system.
type Form string

// The forms.
const (
	FormOwn      Form = "" // that of the field's type
	FormMany2One Form = "many2one"
	FormName     Form = "name"
	FormCommands Form = "commands"
	FormRecords  Form = "records"
	FormText     Form = "text"
	FormNumber   Form = "number"
	FormDate     Form = "date"
	FormDateTime Form = "datetime"
	FormRFC3339  Form = "rfc3339"
	FormCompact  Form = "compact"
	FormEpoch    Form = "epoch"
	FormHTML     Form = "html"
)

// forms are the forms that each type may have.
var forms = map[Type][]Form{
	Char: {FormName, FormNumber}, Text: {FormNumber, FormHTML}, Selection: {FormNumber},
	Integer: {FormText}, Float: {FormText}, Monetary: {FormText},
	Date:     {FormDate, FormDateTime, FormRFC3339, FormCompact, FormEpoch},
	DateTime: {FormDate, FormDateTime, FormRFC3339, FormCompact, FormEpoch},
	Ref:      {FormMany2One, FormText, FormNumber},
	Refs:     {FormCommands, FormText, FormNumber},
	List:     {FormCommands},
	Lines:    {FormCommands, FormRecords},
}

var formNames = []string{"many2one", "name", "commands", "records", "text", "number", "date", "datetime", "rfc3339", "compact", "epoch", "html"}

// Rule says how a system has one universal field.
type Rule struct {
	Field string // universal

	Path     Path   // where it is read, and written where Write is empty
	Write    Path   // where it is written, if that is another place
	Fallback []Path // further places to read from
	As       Form   // of the value read
	WriteAs  Form   // of the value written

	Values  []Pair // the value map; nil: none
	Unknown Unknown
	Invert  bool
	Scale   string // a decimal; "": none
	Round   int    // digits, -1: exact

	Default    any
	HasDefault bool
	Now        bool // the default is the day or moment of writing
	Empty      any
	HasEmpty   bool

	Lookup  *LookupRule
	Lines   string // the universal model of the lines
	Inverse string
	Nest    bool

	ReadOnly   bool
	WriteOnly  bool
	CreateOnly bool

	Split       *SplitRule
	Join        *JoinRule
	Table       *TableRule
	Constant    any
	HasConstant bool
	Compute     *ComputeRule
	Unsupported string // why

	Versions Range
	Doc      string
	Pos      Position
}

// Pair is a row of a value map.
type Pair struct {
	Universal any
	System    []any // the first is written
	Pos       Position
}

// LookupRule says which record a value stands for.
type LookupRule struct {
	Model string
	By    string
	With  []With
	Where []Where
	Read  bool // reading asks the Lookup too
}

// Where is a condition of a lookup that always holds.
type Where struct {
	Field string // of the looked-up model
	Value any
}

// TableRule is a value that the system has in several fields.
type TableRule struct {
	Paths []Path
	Rows  []TableRow
}

// TableRow is a universal value and what the fields hold for it. A cell that
// is nil fits anything, and is not written.
type TableRow struct {
	Universal any
	Cells     []any
	Pos       Position
}

// With is a further condition of a lookup.
type With struct {
	Field     string // of the looked-up model
	Universal string // the universal field that it equals
}

// Cut says where a text is cut.
type Cut string

// The ways to cut.
const (
	CutFirst Cut = "first"
	CutLast  Cut = "last"
)

// SplitRule is one part of a text of the system.
type SplitRule struct {
	Path Path
	Part int // from 1
	Of   int
	Sep  string
	Cut  Cut
}

// JoinRule is a text that the system has in several fields.
type JoinRule struct {
	Paths []Path
	Sep   string
	Cut   Cut
}

// ComputeRule is a value made from other universal fields.
type ComputeRule struct {
	Kind string // concat, sum, subtract, multiply, count, first
	Of   []string
	Line string // sum over lines: the line's field, where Of has the lines
	Sep  string
}

// reads reports whether the rule reads anything from the system.
func (r *Rule) reads() bool {
	return r.Unsupported == "" && !r.WriteOnly && r.Compute == nil && !r.HasConstant
}

// readPaths are all paths that the rule reads.
func (r *Rule) readPaths() []Path {
	switch {
	case !r.reads():
		return nil
	case r.Split != nil:
		return []Path{r.Split.Path}
	case r.Join != nil:
		return r.Join.Paths
	case r.Table != nil:
		return r.Table.Paths
	}
	return append([]Path{r.Path}, r.Fallback...)
}

// writePath is where the rule writes to; empty for none.
func (r *Rule) writePath() Path {
	if len(r.Write) > 0 {
		return r.Write
	}
	return r.Path
}

// whyReadOnly says why the field can't be written, "" if it can.
func (r *Rule) whyReadOnly() string {
	const byRelation = "it is a field of a related record"
	switch {
	case r.Unsupported != "":
		return r.Unsupported
	case r.ReadOnly:
		return "it is for reading"
	case r.Compute != nil:
		return "it is computed"
	case r.HasConstant, r.Split != nil && r.Split.Path.writable(r.Nest), r.Join != nil, r.Table != nil:
		return ""
	case r.Split != nil:
		return byRelation
	case r.WriteAs == FormName:
		return "it is the name of a related record"
	case !r.writePath().writable(r.Nest):
		return byRelation
	}
	return ""
}
