package migrate

import (
	"cmp"
	"fmt"
	"math/big"
	"strings"
)

// Verb is what a rule does.
type Verb string

// The verbs, as pack files write them.
const (
	Rename    Verb = "rename"
	Remove    Verb = "remove"
	Map       Verb = "map"
	Table     Verb = "table"
	Convert   Verb = "convert"
	Constant  Verb = "constant"
	Default   Verb = "default"
	Add       Verb = "add"
	Split     Verb = "split"
	Merge     Verb = "merge"
	Move      Verb = "move"
	ModelName Verb = "model_name"
	Reference Verb = "reference"
	LookupOf  Verb = "lookup"
	Meaning   Verb = "meaning"
	Custom    Verb = "func"
)

// Severity says what happens to who ignores a change.
type Severity string

// The severities.
const (
	Rejected Severity = "rejected" // the new version refuses the record
	Lost     Severity = "lost"     // the value is gone
	Wrong    Severity = "wrong"    // the record is accepted and means something else
	Harmless Severity = "harmless"
)

// Policy says what becomes of a value that a rule does not know.
type Policy string

// The policies.
const (
	Keep      Policy = "keep"    // it passes through
	ToResidue Policy = "residue" // it goes to the residue, the field is left out
	Refuse    Policy = "error"   // the record is refused
	Otherwise Policy = "default" // it becomes the rule's Otherwise, and the residue keeps it
)

// Position is a place in a pack's file.
type Position struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// String returns "file:line".
func (p Position) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// Rule is one rule of a pack, as loaded. A rename or removal of several fields
// is as many rules.
type Rule struct {
	Verb Verb
	Key  string   // names the rule within its hop and model: "rename phone"
	From []string // the fields it takes from the old record
	To   []string // the fields it gives to the new record
	When []Test   // all must hold on the old record

	Values    []Row  // map, table, remove with instead, add with values
	Back      []Row  // map, add: the way back where it is not the inverse of Values
	Unknown   Policy // of values that the rule does not know
	Otherwise []any  // with Unknown == Otherwise, one value for each of To

	Value    any // constant, default, add, convert id_to_keyed
	HasValue bool
	BackTo   any // remove, constant: what to make up without residue
	HasBack  bool

	Kind      string // convert: as; merge: by; func: name
	By        any    // convert scale: a json.Number
	by        *big.Rat
	times     factor // by, and its inverse
	through   factor
	Time      string // convert date_to_datetime
	Texts     [2]string
	Separator string
	Via       string // lookup: the old record's relation; add: from
	Read      string // lookup: the field of the other record
	Model     string // move, lookup: the other model
	Side      string // move: the other model's field
	Link      string // move: the other model's field that refers here
	Whole     bool   // acts on whole records alone, see Options.Partial
	OverEmpty bool   // default, add: false is filled too

	Source   string
	Severity []Severity
	Person   bool
	PersonIf *Test // on the first old field: only such values need a person; nil: all do, if Person
	Note     string
	Refs     []string
	Pos      Position
}

// Row is one line of a value table; a nil value is an absent field.
type Row struct {
	From []any
	To   []any
	Line int
}

// Test is a condition on one field of the old record.
type Test struct {
	Field  string
	Values []any // any of these
	Not    bool  // none of these
	Empty  *bool // is (not) absent, null, false, "" or []
}

// Model is what a hop does with a model.
type Model struct {
	Name     string   // in the old version
	To       string   // in the new version; "" when removed or split
	Removed  bool     // its records can't be migrated
	Branches []Branch // a split
	Rules    []*Rule
	Notes    []string
	Source   string
	Person   bool
	Refs     []string
	Tests    []Case
	Pos      Position
}

// Branch is one of the models that a model is split into.
type Branch struct {
	To    string
	When  []Test
	Rules []*Rule // the branch's own
	Pos   Position
}

// Hop is an edge of the graph of versions.
type Hop struct {
	From, To string
	Cost     int
	Models   map[string]*Model // by the name in From
	Pos      Position          // of its first file
}

// Case is a test beside the rules: a record and what must become of it.
type Case struct {
	Name    string
	Up      map[string]any
	Gives   map[string]any
	Residue map[string]any // old fields that the residue must hold; nil: not checked
	Model   string         // the new model's name; "" is not checked
	Down    map[string]any // with Residue ignored: what Gives becomes without it; nil: not checked
	Error   string         // a part of the error that Up must give
	Side    []Side         // side records; nil: not checked
	Pos     Position
}

// Skipped is a known change that the pack has no rule for, with the reason.
type Skipped struct {
	Refs   []string
	Reason string
	Pos    Position
}

// Side is a record of another model that holds values moved out of a record.
type Side struct {
	Model string `json:"model"`
	// Link is the side record's field that refers to the record the values
	// came from; "" where the rule names none.
	Link   string         `json:"link,omitempty"`
	Values map[string]any `json:"values"`
}

func (r *Rule) String() string {
	var b strings.Builder
	b.WriteString(r.Key)
	if len(r.To) > 0 && strings.Join(r.To, " ") != strings.Join(r.From, " ") {
		b.WriteString(" -> " + strings.Join(r.To, ", "))
	}
	b.WriteString(" (" + r.Pos.String() + ")")
	return b.String()
}

func byPosition(a, b Position) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
}
