package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheTourGivesWhatItMust(t *testing.T) {
	if testing.Short() {
		t.Skip("waits two seconds for a breaker")
	}
	t.Setenv("TMPDIR", t.TempDir())
	var out, errs lockedBuffer
	status := run(t.Context(), []string{"demo", "--exit", "--port", "0"}, world{stdin: strings.NewReader(""), stdout: &out, stderr: &errs})
	require.Equal(t, statusOK, status, "%s\n%s", out.String(), errs.String())
	for _, want := range []string{"1. Log in", "201 in", `says: Odoo 13.0 has field "move_type" of account.move as "type"`, "The breaker is open", "The breaker is closed again", "Three systems, one answer but for the ids.", "All 12 steps gave what they must."} {
		assert.Contains(t, out.String(), want)
	}
	assert.Empty(t, errs.String())
	assert.NotContains(t, out.String(), demoPassword)
	assert.NotContains(t, out.String(), "eyJ", "no token on the screen")
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "bridgecore-demo-*"))
	require.NoError(t, err)
	assert.Empty(t, left, "nothing is kept")
}

// Another program starts the demo, reads one line, and uses it.
func TestTheDemoIsReadyForOtherPrograms(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var errs lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"demo", "--no-tour", "--json", "--port", "0"}, world{stdin: strings.NewReader(""), stdout: w, stderr: &errs})
		_ = w.Close()
	}()
	lines := bufio.NewScanner(r)
	require.True(t, lines.Scan())
	var line map[string]any
	require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
	assert.Len(t, line, 4)
	var demo ready
	dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&demo))
	require.Len(t, demo.Systems, 5)
	for i, want := range []string{"odoo13 odoo 13.0 admin", "odoo17 odoo 17.0 admin", "odoo19 odoo 19.0 admin", "salesforce salesforce 62.0 ", "sap sap S/4HANA BRIDGE"} {
		s := demo.Systems[i]
		assert.Equal(t, want, s.SystemID+" "+s.Kind+" "+s.Version+" "+s.Username)
		assert.NotEmpty(t, s.URL)
		assert.Equal(t, s.Kind == "odoo", s.Database != "")
		assert.NotEmpty(t, s.Password+s.ClientSecret)

		body := `{"model":"contact","use_universal_schema":true}`
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, demo.URL+"/api/v1/systems/"+s.SystemID+"/odoo/search_count", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+demo.AccessToken)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, 200, res.StatusCode, string(b))
		assert.Regexp(t, `"result":[1-9]`, string(b))
	}
	cancel()
	assert.False(t, lines.Scan(), "one line and no more")
	assert.Equal(t, statusOK, <-ended, "an interrupted demo is no failure")
	assert.Contains(t, errs.String(), "/docs")
	http.DefaultClient.CloseIdleConnections()
}
