package main

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

func TestHealthCommand(t *testing.T) {
	answer := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(answer) }))
	p := newProgram(t)
	status, out, _ := p.run("", "health", "--url", srv.URL)
	assert.Equal(t, statusOK, status)
	assert.Equal(t, "ok\n", out)
	answer = http.StatusServiceUnavailable
	status, _, errs := p.run("", "health", "--url", srv.URL)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "503")
	srv.Close()
	status, _, errs = p.run("", "health", "--url", srv.URL)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "does not answer")
}

func TestConfigCheck(t *testing.T) {
	p := newProgram(t)
	status, out, errs := p.run("", "config", "check")
	assert.Equal(t, statusOK, status, errs)
	assert.Equal(t, "the configuration is good (development)\n", out)

	for want, environ := range map[string][]string{
		"PORT":           {"PORT=99999"},
		"SECRET_KEY":     {"ENVIRONMENT=production"},
		"ENCRYPTION_KEY": {"ENVIRONMENT=production", "SECRET_KEY=0123456789abcdef0123456789abcdef0123456789abcdef"},
		"DATABASE_URL":   {"DATABASE_URL=postgresql://user:hunter2@127.0.0.1:1/nothing"},
		"REDIS_URL":      {"REDIS_URL=redis://user:hunter2@127.0.0.1:1/0"},
	} {
		p := newProgram(t)
		p.environ = append(p.environ, environ...)
		status, _, errs := p.run("", "config", "check")
		assert.Equal(t, statusUsage, status, want)
		assert.Contains(t, errs, want)
		assert.NotContains(t, errs, "hunter2")
	}
	p.environ = append(p.environ, "REDIS_URL=redis://127.0.0.1:1/0")
	status, _, errs = p.run("", "config", "check", "--offline")
	assert.Equal(t, statusOK, status, errs)
}

func TestAuditCommands(t *testing.T) {
	p := newProgram(t)
	_, _, _ = p.run("correct-horse-9\n", "user", "add", "admin", "--tenant", "acme")
	s, err := world{environ: p.environ}.open(t.Context())
	require.NoError(t, err)
	defer func() { _ = s.Close() }()
	tenants, err := s.Tenants(t.Context())
	require.NoError(t, err)
	id := tenants[0].ID
	for _, at := range []time.Time{time.Now().AddDate(0, 0, -100), time.Now(), time.Now()} {
		require.NoError(t, s.AppendAudit(t.Context(), []*store.AuditEntry{{TenantID: id, Action: "login", Outcome: "ok", At: at}}))
	}
	status, out, errs := p.run("", "audit", "verify")
	assert.Equal(t, statusOK, status, errs)
	end := regexp.MustCompile(`acme:3:[0-9a-f]{64}`).FindString(out)
	require.NotEmpty(t, end, out)
	assert.Contains(t, out, "acme: 3 entries hold")

	status, out, errs = p.run("", "audit", "purge", "30")
	assert.Equal(t, statusOK, status, errs)
	assert.Equal(t, "deleted 1 entries\n", out)
	status, out, errs = p.run("", "audit", "verify", "--tenant", "acme", "--expect", end)
	assert.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "acme: 2 entries hold")

	forged := "acme:3:" + strings.Repeat("0", 64)
	status, out, _ = p.run("", "audit", "verify", "--expect", forged)
	assert.Equal(t, statusFound, status)
	assert.Contains(t, out, "entry 3: it is another one than was noted")
	for _, bad := range [][]string{{"verify", "--expect", "x"}, {"verify", "--expect", "acme:0:" + strings.Repeat("0", 64)}, {"purge", "0"}} {
		status, _, _ = p.run("", append([]string{"audit"}, bad...)...)
		assert.Equal(t, statusUsage, status, bad)
	}
	status, _, errs = p.run("", "audit", "verify", "--tenant", "nowhere")
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "nowhere")
	status, out, _ = p.run("", "audit", "verify", "--expect", "gone:1:"+strings.Repeat("0", 64))
	assert.Equal(t, statusFound, status)
	assert.Contains(t, out, "gone: its audit log is gone")
}
