package bridge

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEffectOf(t *testing.T) {
	for _, c := range []struct {
		operation, method string
		want              Effect
	}{
		{"search_read", "", Reads}, {"fields_get", "", Reads}, {"read_group", "", Reads},
		{"create", "", Writes}, {"write", "", Writes}, {"unlink", "", Deletes}, {"copy", "", Writes},
		{"call_kw", "unlink", Deletes}, {"call_kw", "search_read", Reads}, {"call_kw", "action_confirm", Writes},
		{"call_kw", "has_group", Reads}, {"call_method", "unlink", Deletes}, {"call_kw", "", Writes},
		{"call_kw", "call_kw", Writes}, {"explode", "", Writes},
	} {
		assert.Equal(t, c.want, EffectOf(c.operation, c.method), "%s %s", c.operation, c.method)
	}
}
