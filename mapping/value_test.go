package mapping

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDecimals(t *testing.T) {
	for in, want := range map[string]string{
		"1.50": "1.5", "-0": "0", "1e3": "1000", "1.5e-3": "0.0015", "007": "7", "-.5": "-0.5", "+2": "2", "5.": "5", "0.000": "0",
	} {
		d, ok := parseDecimal(in)
		require.True(t, ok, in)
		assert.Equal(t, want, d.String(), in)
	}
	for _, in := range []string{"", "x", "1e999999999", "--1", "1-", "1.2.3", "-", ".", "0x1", "NaN", "1e", "Inf"} {
		_, ok := parseDecimal(in)
		assert.False(t, ok, in)
	}
}

// Halves go to the even digit.
func TestDivide(t *testing.T) {
	for _, tc := range []struct {
		n, by  string
		digits int
		want   string
	}{
		{"10", "3", 2, "3.33"}, {"20", "3", 2, "6.67"}, {"1", "2", 0, "0"}, {"3", "2", 0, "2"}, {"5", "2", 0, "2"}, {"-3", "2", 0, "-2"}, {"-1", "2", 0, "0"},
		{"1", "-3", 3, "-0.333"}, {"0.125", "1", 2, "0.12"}, {"0.135", "1", 2, "0.14"}, {"7", "0.7", 1, "10"},
	} {
		n, _ := parseDecimal(tc.n)
		by, _ := parseDecimal(tc.by)
		assert.Equal(t, tc.want, n.divide(by, tc.digits).String(), "%s / %s", tc.n, tc.by)
	}
}

func TestInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, _ := parseDecimal(rapid.StringMatching(`-?[1-9][0-9]{0,5}(\.[0-9]{1,4})?`).Draw(t, "number"))
		inverse, ok := d.inverse()
		if ok {
			assert.Equal(t, "1", d.mul(inverse).String())
		}
	})
	third, _ := parseDecimal("3")
	_, ok := third.inverse()
	assert.False(t, ok)
}

// The quick way to multiply gives what the long way does.
func TestShort(t *testing.T) {
	literals := rapid.StringMatching(`-?[0-9]{1,5}(\.[0-9]{1,4})?`)
	rapid.Check(t, func(t *rapid.T) {
		x, y := literals.Draw(t, "x"), literals.Draw(t, "y")
		a, ok := shortOf(x)
		b, ok2 := shortOf(y)
		require.True(t, ok && ok2)
		c, _ := parseDecimal(x)
		d, _ := parseDecimal(y)
		assert.Equal(t, c.mul(d).number(), a.mul(b))
	})
	for _, s := range []string{"", "-", "1e3", "1.2.3", ".5", "0123456789", "x", "+1"} {
		_, ok := shortOf(s)
		assert.False(t, ok, s)
	}
}

// The quick ways to write moments give what the long way does.
func TestMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9][ T][0-2][0-9]:[0-6][0-9]:[0-6][0-9]Z?`).Draw(t, "moment")
		m := momentConv{form: FormDateTime}
		up, err := m.up(nil, s)
		require.NoError(t, err)
		at, ok := parseMoment(s)
		if !ok {
			assert.Equal(t, s, up)
			return
		}
		assert.Equal(t, m.universal(at), up)
		down, err := m.down(nil, s)
		require.NoError(t, err)
		assert.Equal(t, m.system(at), down)
	})
}

func TestSame(t *testing.T) {
	for _, pair := range [][2]any{{1, "1"}, {true, 1}, {nil, false}, {nil, ""}, {[]any{1}, []any{1, 2}}, {map[string]any{"a": 1}, map[string]any{"b": 1}}, {[]any{1, "x"}, 1}} {
		assert.False(t, same(pair[0], pair[1]), "%v", pair)
	}
	for _, pair := range [][2]any{{1, 1.0}, {nil, nil}, {[]any{1}, []any{1.0}}, {map[string]any{"a": 1}, map[string]any{"a": int64(1)}}} {
		assert.True(t, same(pair[0], pair[1]), "%v", pair)
	}
}
