// Package bridgecore_test holds the house's plan (ARCHITECTURE.md) against the code.
package bridgecore_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/bridgecore/bridgecore"

// schemas is a room of its own inside another's: data that adapter/odoo and
// migrate/odoo both stand on.
const schemas = "adapter/odoo/schemas"

// floor returns the floor of one of our packages; packages inside a room,
// internal ones included, stand on the room's floor.
func floor(pkg string) int {
	rel := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
	for _, room := range []struct {
		prefix string
		floor  int
	}{
		{"cmd/", 6}, {"examples/", 6},
		{"recordsync", 5},
		{"transfer", 5},
		{"bridge", 4},
		{schemas, 2},
		// Test beds come above what they test with: odootest and adaptertest
		// are rooms of the adapter floor.
		{"adapter/", 3}, {"migrate/odoo", 3},
		{"barcode", 2}, {"mapping", 2}, {"migrate", 2}, {"cache", 2}, {"breaker", 2},
		{"adapter", 1},
	} {
		if rel == room.prefix || strings.HasPrefix(rel, strings.TrimSuffix(room.prefix, "/")+"/") {
			return room.floor
		}
	}
	return 0
}

// room returns the room a package belongs to: packages of one room may import
// each other, rooms of one floor may not.
func room(pkg string) string {
	rel := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
	if rel == schemas {
		return rel
	}
	parts := strings.Split(rel, "/")
	if (parts[0] == "adapter" || parts[0] == "migrate") && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// only lists which of our packages may import a dependency.
var only = map[string][]string{
	"github.com/redis/go-redis":   {"cache", "cmd"},
	"github.com/maypok86/otter":   {"cache", "cmd"},
	"github.com/sony/gobreaker":   {"breaker"},
	"github.com/boombuler":        {"barcode"},
	"github.com/kolo/xmlrpc":      {"adapter/odoo"},
	"golang.org/x/oauth2":         {"adapter/salesforce", "adapter/sap"},
	"github.com/labstack/echo":    {"cmd"},
	"github.com/danielgtaylor":    {"cmd"},
	"database/sql":                {"cmd"},
	"github.com/uptrace/bun":      {"cmd"},
	"github.com/jackc/pgx":        {"cmd"},
	"modernc.org/sqlite":          {"cmd"},
	"github.com/pressly/goose":    {"cmd"},
	"github.com/prometheus":       {"cmd"},
	"github.com/getsentry":        {"cmd"},
	"go.opentelemetry.io":         {"cmd"},
	"github.com/golang-jwt":       {"cmd"},
	"github.com/fernet/fernet-go": {"cmd"},
}

func TestFloors(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...").Output()
	require.NoError(t, err)
	dec := json.NewDecoder(strings.NewReader(string(out)))
	seen := 0
	for dec.More() {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		require.NoError(t, dec.Decode(&pkg))
		if pkg.ImportPath == module {
			continue // this test
		}
		seen++
		from := floor(pkg.ImportPath)
		assert.NotZero(t, from, "%s is in no room of ARCHITECTURE.md", pkg.ImportPath)
		for _, imp := range pkg.Imports {
			if strings.HasPrefix(imp, module) {
				same := room(imp) == room(pkg.ImportPath)
				assert.True(t, same || floor(imp) < from,
					"%s (floor %d) imports %s (floor %d)", pkg.ImportPath, from, imp, floor(imp))
				assert.False(t, from == 2 && !same && room(imp) != "adapter", "%s imports %s: floor 2 may import adapter alone", pkg.ImportPath, imp)
				assert.False(t, (from == 4 || from == 5) && floor(imp) == 3, "%s imports %s: systems come to the bridge through an Opener", pkg.ImportPath, imp)
				continue
			}
			if from == 1 {
				assert.NotContains(t, strings.Split(imp, "/")[0], ".", "%s imports %s: adapter imports the standard library alone", pkg.ImportPath, imp)
			}
			for dep, rooms := range only {
				if imp == dep || strings.HasPrefix(imp, dep+"/") {
					assert.True(t, from == 6 && slices.Contains(rooms, "cmd") || slices.Contains(rooms, room(pkg.ImportPath)),
						"%s imports %s, which only %v may", pkg.ImportPath, imp, rooms)
				}
			}
			assert.NotEqual(t, "log", imp, "%s imports log: log/slog is the logger", pkg.ImportPath)
		}
	}
	assert.Greater(t, seen, 5, "go list found our packages")
}

// TestTopLevel holds the top level of the repository against the plan: a new
// room is a decision, to be written down in ARCHITECTURE.md first.
func TestTopLevel(t *testing.T) {
	plan, err := os.ReadFile("ARCHITECTURE.md")
	require.NoError(t, err)
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || name == "go.sum" || name == "bin" || name == "data" {
			continue
		}
		if e.IsDir() {
			name += "/"
		}
		assert.Contains(t, string(plan), name, "%s stands at the top level but not in ARCHITECTURE.md", name)
	}
}
