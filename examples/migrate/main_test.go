package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/migrate"
)

func TestRun(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 6)
	record := func(i int) (r map[string]any) {
		words := strings.SplitN(lines[i], " ", 3) // pack, version, record
		require.NoError(t, json.Unmarshal([]byte(words[2]), &r))
		return r
	}
	assert.Equal(t, map[string]any{"name": "Ahmed Al-Saudi", "type": "contact", "phone_secondary": "+966501234567", "x_vip": true}, record(0))
	assert.NotContains(t, record(2), "mobile", "19.0 has none")
	assert.Equal(t, true, record(4)["x_is_vip"], "the rule of our own")
	for _, i := range []int{1, 3, 5} {
		assert.Equal(t, map[string]any{"name": "Ahmed Al-Saudi", "customer": true, "mobile": "+966501234567", "x_vip": true}, record(i), "and back")
	}
}

func TestOwnRules(t *testing.T) {
	own, err := migrate.Load(ownFiles)
	require.NoError(t, err)
	results := own.Test(t.Context())
	require.NotEmpty(t, results)
	for _, r := range results {
		assert.True(t, r.Passed(), r)
	}
}
