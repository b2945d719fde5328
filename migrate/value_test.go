package migrate

import (
	"encoding/json"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The short way to multiply gives what fractions give, or nothing.
func TestFactorIsExact(t *testing.T) {
	short := 0
	rapid.Check(t, func(t *rapid.T) {
		literal := json.Number(rapid.StringMatching(`-?(0|[1-9][0-9]{0,16})(\.[0-9]{1,8})?`).Draw(t, "number"))
		by, ok := new(big.Rat).SetString(rapid.StringMatching(`-?(0\.0{0,3}[1-9]|[1-9][0-9]{0,6}|10{0,15})`).Draw(t, "by"))
		require.True(t, ok)
		n, ok := parseNumber(literal.String())
		require.True(t, ok)
		got, ok := factorOf(by).of(literal)
		if !ok {
			return
		}
		short++
		require.Equal(t, formatNumber(new(big.Rat).Mul(n, by)), got)
	})
	assert.Positive(t, short)
	for _, v := range []any{"5", nil, true, 5, json.Number("1e3"), json.Number("01"), json.Number("")} {
		_, ok := factor{mul: 2}.of(v)
		assert.False(t, ok, "%v", v)
	}
	_, ok := factorOf(big.NewRat(1, 3)).of(json.Number("3"))
	assert.False(t, ok)
	_, ok = factor{mul: 1 << 62}.of(json.Number("4"))
	assert.False(t, ok, "too large")
	got, ok := factor{mul: -1, places: 3}.of(json.Number("5"))
	assert.True(t, ok)
	assert.Equal(t, json.Number("-0.005"), got)
}

func TestScalarsOfOtherTypesDiffer(t *testing.T) {
	seen := map[scalar]any{}
	for _, v := range []any{nil, true, false, "", "t", "1", "true", json.Number("1"), json.Number("0.5")} {
		k, ok := scalarKey(v)
		require.True(t, ok)
		assert.NotContains(t, seen, k, "%v", v)
		seen[k] = v
	}
	for _, v := range []any{json.Number("1.0"), json.Number("1e0"), 1, 1.0, []any{json.Number("1"), "Ann"}, json.RawMessage("1")} {
		k, ok := scalarKey(v)
		require.True(t, ok)
		assert.Equal(t, json.Number("1"), seen[k], "%v", v)
	}
	_, ok := scalarKey(map[string]any{})
	assert.False(t, ok)
	one, _ := tupleKey([]any{"a", "b1:c"})
	other, _ := tupleKey([]any{"a", "b"})
	third, _ := tupleKey([]any{"as1:b", "c"})
	assert.Len(t, map[string]bool{one: true, other: true, third: true}, 3)
}
