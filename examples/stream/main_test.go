package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

func TestRun(t *testing.T) {
	srv := odootest.New(t, "17.0")
	client, err := odoo.Dial(t.Context(), odoo.Config{
		URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password, PageSize: 10,
	})
	require.NoError(t, err)
	defer client.Close()
	values := make([]adapter.Record, 25)
	for i := range values {
		values[i] = adapter.Record{"name": "Streamed"}
	}
	_, err = adapter.CreateMany(t.Context(), client, "res.partner", values)
	require.NoError(t, err)

	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out, client, adapter.Query{
		Model: "res.partner", Fields: []string{"name"},
		Filter: adapter.Cond{Field: "name", Op: adapter.Equal, Value: "Streamed"},
	}))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	assert.Len(t, lines, 25, "three pages in one stream")
	record, err := adapter.DecodeRecord([]byte(lines[24]))
	require.NoError(t, err)
	assert.Equal(t, "Streamed", record.String("name"))
}
