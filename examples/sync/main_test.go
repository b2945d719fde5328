package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

func TestRun(t *testing.T) {
	from, to := odootest.New(t, "17.0"), odootest.New(t, "19.0")
	_, err := from.Create("res.partner", map[string]any{"name": "Only There", "email": "only@example.com", "is_company": true})
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, config(from), config(to)))
	found, err := to.Call("res.partner", "search_count", []any{[]any{"email", "=", "only@example.com"}})
	require.NoError(t, err)
	assert.EqualValues(t, 1, found)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	assert.Contains(t, lines[len(lines)-1], ", 0 written", out.String())
	assert.Greater(t, len(lines), 2, out.String())
}

func config(s *odootest.Server) odoo.Config {
	return odoo.Config{URL: s.URL, Database: s.Database, Username: s.Username, Password: s.Password}
}
