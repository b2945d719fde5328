package mapping_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

func TestCompanions(t *testing.T) {
	set, err := mapping.Parse("test.yaml", []byte(`
universal: person
fields: {first: char, last: char, city: char}
---
mapping: person
system: one
model: P
fields:
  first: {split: {path: name, part: 1, of: 2, sep: " "}}
  last: {split: {path: name, part: 2, of: 2, sep: " "}}
  city: city
`))
	require.NoError(t, err)
	plan, err := set.Compile("one", "", "person", mapping.Options{})
	require.NoError(t, err)
	for _, c := range []struct {
		rec  adapter.Record
		want []string
	}{
		{adapter.Record{"city": "x"}, nil},
		{adapter.Record{"first": "x"}, []string{"last"}},
		{adapter.Record{"last": nil}, []string{"first"}},
		{adapter.Record{"first": "x", "last": "y"}, nil},
	} {
		assert.Equal(t, c.want, plan.Companions(c.rec), "%v", c.rec)
	}
}
