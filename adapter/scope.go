package adapter

import "context"

// Scope is what a call carries besides its arguments: for whom it is made and
// how strictly. It travels in the context, see [WithScope].
type Scope struct {
	Language  string  // the system's own code: "ar_001", "fr_FR"
	Timezone  string  // IANA: "Asia/Riyadh"
	Companies []int64 // Odoo's allowed_company_ids, the first one current
	// Values are further entries of the system's context. They win over the
	// fields above.
	Values map[string]any

	// Fallback says what becomes of fields that the system lacks.
	Fallback Fallback
	// FillEmpty fills empty values that were read from documented alternatives
	// (phone from mobile, name from display_name, ...), which are fetched
	// along with the rest. Each filled value is a [Warning].
	FillEmpty bool
}

// Fallback says what becomes of a field that the connected system lacks.
type Fallback string

// The ways to treat fields that the system lacks. Whatever is replaced or
// dropped is said in a [Warning].
const (
	// FallbackKnown, the default, replaces a field by its counterpart in the
	// system's version, and drops one that other versions are known to have.
	// A field that no version is known to have is ErrInvalidArgument.
	FallbackKnown Fallback = ""
	// FallbackAll drops unknown fields too.
	FallbackAll Fallback = "all"
	// FallbackOff changes nothing: the field is ErrInvalidArgument.
	FallbackOff Fallback = "off"
)

type scopeKey struct{}

// WithScope returns a context whose calls are made for s.
func WithScope(ctx context.Context, s Scope) context.Context {
	return context.WithValue(ctx, scopeKey{}, s)
}

// ScopeFrom returns the scope of the context, the zero Scope if it has none.
func ScopeFrom(ctx context.Context) Scope {
	s, _ := ctx.Value(scopeKey{}).(Scope)
	return s
}
