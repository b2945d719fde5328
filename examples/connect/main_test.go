package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

func TestRun(t *testing.T) {
	for _, version := range []string{"13.0", "19.0"} {
		t.Run(version, func(t *testing.T) {
			srv := odootest.New(t, version)
			var out strings.Builder
			require.NoError(t, run(t.Context(), &out, odoo.Config{
				URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password,
			}))
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			assert.Contains(t, lines[0], "Odoo "+version)
			assert.GreaterOrEqual(t, len(lines), 3, "the demo data have companies")
			assert.Equal(t, version == "19.0", strings.Contains(out.String(), "note: "), "19.0 has no mobile, and only there it is said")
		})
	}
}
