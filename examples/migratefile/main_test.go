package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, dir, 2000))
	assert.Regexp(t, `^2000 records, 2000 migrated, \d+ with residue, 0 refused\n$`, out.String())
	b, err := os.ReadFile(filepath.Join(dir, "19.ndjson"))
	require.NoError(t, err)
	assert.Equal(t, 2000, strings.Count(string(b), "\n"))
	assert.NotContains(t, string(b), `"mobile"`, "19.0 has none")
}
