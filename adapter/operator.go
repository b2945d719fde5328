package adapter

import "strings"

// operator says how an operator is read and evaluated.
type operator struct {
	list     bool // takes a list of values
	negative Op   // for a negation: what it negates
	like     bool // compares by pattern
	whole    bool // like: the pattern covers the whole value
	fold     bool // like: ignoring case
	order    bool // compares by size
}

// operators are those of filter.go.
var operators = map[Op]operator{
	Equal:       {list: true},
	NotEqual:    {list: true, negative: Equal},
	Less:        {order: true},
	LessEq:      {order: true},
	Greater:     {order: true},
	GreaterEq:   {order: true},
	In:          {list: true},
	NotIn:       {list: true, negative: In},
	Like:        {like: true},
	NotLike:     {like: true, negative: Like},
	ILike:       {like: true, fold: true},
	NotILike:    {like: true, fold: true, negative: ILike},
	EqLike:      {like: true, whole: true},
	EqILike:     {like: true, whole: true, fold: true},
	NotEqLike:   {like: true, whole: true, negative: EqLike},
	NotEqILike:  {like: true, whole: true, fold: true, negative: EqILike},
	EqualOrNone: {list: true},
	ChildOf:     {list: true},
	ParentOf:    {list: true},
	Any:         {},
	NotAny:      {negative: Any},
}

// operatorNames is for messages, in the order of filter.go.
const operatorNames = `= != < <= > >= in, not in, like, not like, ilike, not ilike, =like, =ilike, not =like, not =ilike, =?, child_of, parent_of, any, not any`

// operatorAliases are further spellings that some version accepts.
var operatorAliases = map[string]Op{"<>": NotEqual, "==": Equal}

// operatorOf reads an operator in any case and spacing.
func operatorOf(s string) (Op, bool) {
	if _, ok := operators[Op(s)]; ok {
		return Op(s), true
	}
	if op, ok := operatorAliases[s]; ok {
		return op, true
	}
	if len(s) > 40 {
		return "", false
	}
	op := Op(strings.Join(strings.Fields(strings.ToLower(s)), " "))
	if _, ok := operators[op]; ok {
		return op, true
	}
	alias, ok := operatorAliases[string(op)]
	return alias, ok
}

// Known reports whether op is one of the operators above.
func (op Op) Known() bool {
	_, ok := operators[op]
	return ok
}

// Negates returns the operator of which op is the negation ("=" for "!="), and
// whether it is one.
func (op Op) Negates() (Op, bool) {
	o := operators[op]
	return o.negative, o.negative != ""
}
