package standard

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write docs/mapping-coverage.md")

// Every test that stands beside a mapping passes.
func TestCasesBesideTheMappings(t *testing.T) {
	results := Set().Test(t.Context())
	require.Greater(t, len(results), 100)
	for _, r := range results {
		assert.Empty(t, r.Problems, "%s: %s of %s %s: %s", r.Case.Pos, r.Model, r.System, r.Version, r.Case.Name)
	}
}

// Every model that a system has is tried by a test of its own.
func TestEveryMappingHasTests(t *testing.T) {
	for _, d := range documents(t) {
		if d.System != "" && d.Unsupported == "" {
			assert.NotEmpty(t, d.Tests, "%s: %s of %s has no tests", d.file, d.Mapping, d.System)
		}
	}
}

// The table in docs is the one that the mappings give.
func TestCoverage(t *testing.T) {
	const intro = `# Which system has what

The universal models and their fields, and how each system has them. A dash is a field that a system has no
counterpart for; the reasons stand below each table. The table is made from the mappings in mapping/standard:

    go test ./mapping/standard -run TestCoverage -update

`
	name := filepath.Join("..", "..", "docs", "mapping-coverage.md")
	want := intro + Set().Coverage().String()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(want), 0o644))
	}
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "docs/mapping-coverage.md is out of date: run this test with -update")
}

func TestSource(t *testing.T) {
	for _, m := range Set().Models() {
		text, ok := Source(m.Name)
		assert.True(t, ok, m.Name)
		assert.Contains(t, text, "universal: "+m.Name+"\n")
	}
	_, ok := Source("nope")
	assert.False(t, ok)
}
