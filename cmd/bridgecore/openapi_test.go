package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheDescriptionWithoutAServer(t *testing.T) {
	p := newProgram(t)
	for version, want := range map[string]string{"3.1": "3.1.0", "3.0.3": "3.0.3"} {
		status, out, _ := p.run("", "openapi", "--version", version)
		require.Equal(t, statusOK, status)
		var spec map[string]any
		require.NoError(t, json.Unmarshal([]byte(out), &spec))
		assert.Equal(t, want, spec["openapi"])
		assert.Contains(t, spec["paths"], "/api/v1/auth/login")
		status, out, _ = p.run("", "openapi", "--version", version, "--yaml")
		require.Equal(t, statusOK, status)
		assert.Contains(t, out, "openapi: "+want)
	}
	status, _, errs := p.run("", "openapi", "--version", "2.0")
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs, "3.0.3")
}
