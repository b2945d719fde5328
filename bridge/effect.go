package bridge

// Effect is what a call may do to records.
type Effect int

// The effects.
const (
	Reads   Effect = iota // changes nothing
	Writes                // may change something
	Deletes               // removes records
)

// EffectOf tells the effect of one of the unified operations; method is the one
// that call_kw and call_method name. A method that is not known may change
// something, and so may an operation that does not exist.
func EffectOf(name, method string) Effect {
	op := operations[name]
	if op != nil && op.kind == generic {
		name, op = method, operations[method]
	}
	switch {
	case name == "unlink":
		return Deletes
	case op != nil && (op.kind == reads || op.kind == schema), readingMethods[name]:
		return Reads
	}
	return Writes
}
