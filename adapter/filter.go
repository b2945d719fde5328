package adapter

// Filter is a condition on records, the one filter language of the project:
// Odoo's domains as a tree. A nil Filter matches everything. The concrete
// types are [And], [Or], [Not], [Cond] and [Always].
//
// ParseDomain reads one from Odoo's prefix notation, FormatDomain writes it
// back, Validate holds it against a schema, and Match evaluates it on a record.
type Filter interface{ filter() }

// And matches what all parts match; without parts, everything.
type And []Filter

// Or matches what any part matches; without parts, nothing.
type Or []Filter

// Not matches what its part does not.
type Not struct{ Part Filter }

// Always matches everything (true) or nothing (false). Odoo writes it
// (1, "=", 1) and (0, "=", 1).
type Always bool

// Cond is one condition: a field (or a path through relations such as
// "partner_id.country_id.code"), an operator and a value. The value of Any
// and NotAny is a Filter on the related records; that of In and NotIn a
// []any.
type Cond struct {
	Field string
	Op    Op
	Value any
}

func (And) filter()    {}
func (Or) filter()     {}
func (Not) filter()    {}
func (Always) filter() {}
func (Cond) filter()   {}

// Op is an operator of a condition, in Odoo's spelling.
type Op string

// The operators of Odoo 13.0 to 19.0.
const (
	Equal       Op = "="
	NotEqual    Op = "!="
	Less        Op = "<"
	LessEq      Op = "<="
	Greater     Op = ">"
	GreaterEq   Op = ">="
	In          Op = "in"
	NotIn       Op = "not in"
	Like        Op = "like" // contains; % and _ are wildcards
	NotLike     Op = "not like"
	ILike       Op = "ilike" // contains, ignoring case
	NotILike    Op = "not ilike"
	EqLike      Op = "=like" // the whole value, % and _ are wildcards
	EqILike     Op = "=ilike"
	NotEqLike   Op = "not =like"  // 19.0
	NotEqILike  Op = "not =ilike" // 19.0
	EqualOrNone Op = "=?"         // true when the value is empty, else =
	ChildOf     Op = "child_of"
	ParentOf    Op = "parent_of"
	Any         Op = "any"     // 17.0: some related record matches
	NotAny      Op = "not any" // 17.0
)
