package adapter_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/bridgecore/bridgecore/adapter"
)

func TestRefOfARecordWithoutName(t *testing.T) {
	ref, ok := adapter.RefOf([]any{json.Number("209"), false})
	assert.True(t, ok)
	assert.Equal(t, "209", ref.ID.String())
	assert.Empty(t, ref.Name)
	for _, v := range []any{[]any{json.Number("209"), true}, []any{false, false}, []any{json.Number("1"), json.Number("2")}} {
		_, ok := adapter.RefOf(v)
		assert.False(t, ok, "%v", v)
	}
}
