package config_test

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
)

// .env.example names every variable and nothing else, and as it stands it
// configures the server as no file at all does.
func TestTheExampleNamesEveryVariable(t *testing.T) {
	const path = "../../../../.env.example"
	example, err := os.ReadFile(path)
	require.NoError(t, err)
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^(?:# )?([A-Z][A-Z_]+)=`).FindAllSubmatch(example, -1) {
		listed = append(listed, string(m[1]))
	}
	var known []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		if name := f.Tag.Get("env"); name != "" {
			known = append(known, name)
		}
	}
	slices.Sort(listed)
	slices.Sort(known)
	assert.Equal(t, known, listed)

	want, err := config.Load(nil, "")
	require.NoError(t, err)
	got, err := config.Load(nil, path)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}
