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
	srv := odootest.New(t, "17.0")
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out, odoo.Config{
		URL: srv.URL, Database: srv.Database, Username: srv.Username, Password: srv.Password,
	}))
	assert.Regexp(t, `^partners: (\d+), cached: false
partners: (\d+), cached: true
partners: (\d+), cached: false, since the write
Odoo 17.0, breaker closed, \d+ calls
$`, out.String())
}
