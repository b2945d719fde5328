package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

func TestRun(t *testing.T) {
	for _, version := range []string{"13.0", "19.0"} {
		srv := odootest.New(t, version)
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), &out, odoo.Config{URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password}))
		var lines []map[string]any
		require.NoError(t, json.Unmarshal(out.Bytes(), &lines))
		require.NotEmpty(t, lines, version)
		for _, line := range lines {
			assert.Contains(t, line, "tax_id", version)
			assert.Contains(t, line, "product_uom", version)
		}
	}
}
