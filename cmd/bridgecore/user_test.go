package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fernet/fernet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
)

// program runs commands over one database.
type program struct {
	t       *testing.T
	environ []string
}

func newProgram(t *testing.T, environ ...string) program {
	t.Helper()
	if o := storetest.Options(t); o.Driver == "postgres" {
		environ = append([]string{"DATABASE_URL=" + o.DSN}, environ...)
	}
	return program{t, append([]string{"BRIDGECORE_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}, environ...)}
}

func (p program) run(stdin string, args ...string) (status int, stdout, stderr string) {
	p.t.Helper()
	var out, errs bytes.Buffer
	status = run(p.t.Context(), args, world{environ: p.environ, stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs})
	return status, out.String(), errs.String()
}

func TestUserCommands(t *testing.T) {
	p := newProgram(t)
	status, out, _ := p.run("correct-horse-9\n", "user", "add", "Admin", "--admin", "--email", "admin@example.com", "--full-name", "Ahmed Al-Saudi")
	assert.Equal(t, statusOK, status)
	assert.Equal(t, "added admin \"admin\" to tenant \"default\"\n", out)

	status, out, _ = p.run("correct-horse-9", "user", "add", "sara", "--tenant", "acme")
	assert.Equal(t, statusOK, status)
	assert.Equal(t, "added user \"sara\" to tenant \"acme\"\n", out)

	status, out, _ = p.run("", "user", "list")
	assert.Equal(t, statusOK, status)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 3)
	assert.Regexp(t, `^ID +USERNAME +TENANT +ROLE`, lines[0])
	assert.Regexp(t, `^\d+ +admin +default +admin +true .* Ahmed Al-Saudi +admin@example.com`, lines[1])
	assert.Regexp(t, `^\d+ +sara +acme +user +true`, lines[2])

	status, out, _ = p.run("another-password\n", "user", "passwd", "SARA")
	assert.Equal(t, statusOK, status)
	assert.Contains(t, out, `changed the password of "sara"`)
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	p := newProgram(t)
	status, _, stderr := p.run("correct-horse-9", "user", "add", "admin")
	require.Equal(t, statusOK, status, stderr)
	for name, tc := range map[string]struct {
		stdin  string
		args   []string
		status int
		want   string
	}{
		"unknown command":  {"", []string{"fly"}, statusUsage, "bridgecore --help"},
		"unknown flag":     {"", []string{"keygen", "--fast"}, statusUsage, "unknown flag --fast"},
		"missing argument": {"", []string{"user", "add"}, statusUsage, "<username>"},
		"taken":            {"correct-horse-9", []string{"user", "add", "ADMIN"}, statusFailed, "already a user"},
		"short password":   {"short\n", []string{"user", "add", "x"}, statusFailed, "12 characters"},
		"no password":      {"", []string{"user", "add", "x"}, statusFailed, "no password"},
		"no such user":     {"correct-horse-9", []string{"user", "passwd", "x"}, statusFailed, `no user "x"`},
		"no tenant":        {"correct-horse-9", []string{"user", "add", "x", "--tenant", " "}, statusFailed, "tenant needs a name"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, stderr := p.run(tc.stdin, tc.args...)
			assert.Equal(t, tc.status, status)
			assert.Contains(t, stderr, tc.want)
			assert.NotContains(t, stderr, "correct-horse-9")
		})
	}
	p.environ = append(p.environ, "PORT=x", "CACHE_TTL=y")
	status, _, stderr = p.run("", "user", "list")
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, stderr, "PORT: ")
	assert.Contains(t, stderr, "CACHE_TTL: ")
}

func TestKeygenPrintsAFernetKey(t *testing.T) {
	status, out, _ := newProgram(t).run("", "keygen")
	assert.Equal(t, statusOK, status)
	_, err := fernet.DecodeKey(strings.TrimSpace(out))
	assert.NoError(t, err)
}

func TestHelpAndVersion(t *testing.T) {
	p := newProgram(t)
	for _, args := range [][]string{{"--help"}, {}, {"serve", "--help"}, {"demo", "--help"}, {"user", "add", "--help"}} {
		status, out, _ := p.run("", args...)
		assert.Equal(t, statusOK, status, args)
		assert.Contains(t, out, "Usage: bridgecore", args)
	}
	status, out, _ := p.run("", "version")
	assert.Equal(t, statusOK, status)
	assert.Regexp(t, `^bridgecore \S+\n$`, out)
}

func TestTheDotenvFileIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	require.NoError(t, os.WriteFile(path, []byte("PORT=x\n"), 0o600))
	var errs bytes.Buffer
	status := run(t.Context(), []string{"--env-file", path, "user", "list"}, world{stdin: strings.NewReader(""), stdout: &errs, stderr: &errs})
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs.String(), "PORT: ")
}
