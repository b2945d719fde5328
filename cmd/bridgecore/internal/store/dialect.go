package store

import (
	"strings"

	"github.com/uptrace/bun/schema"
)

// printable is a dialect whose texts can be written. Neither database takes a
// NUL, which a client may send in any name: it becomes the character that
// stands for what can't be shown, so that nothing has such a name.
type printable struct{ schema.Dialect }

// AppendString implements [schema.Dialect].
func (d printable) AppendString(b []byte, s string) []byte {
	return d.Dialect.AppendString(b, strings.ReplaceAll(s, "\x00", "\uFFFD"))
}
