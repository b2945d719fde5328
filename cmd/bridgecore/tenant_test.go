package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// good runs commands that must succeed and returns what they print.
func (p program) good(stdin string, args ...string) string {
	p.t.Helper()
	status, out, errs := p.run(stdin, args...)
	require.Equal(p.t, statusOK, status, errs)
	return out
}

func TestTenantCommands(t *testing.T) {
	p := newProgram(t)
	assert.Contains(t, p.good("", "tenant", "add", "globex", "--trial-until", "2099-12-31", "--limits", "read=200, write=0",
		"--allow", "user=res.*,sale.order:read", "--allow", "viewer="), `added tenant "globex" (trial)`)
	p.good("", "tenant", "add", "acme")
	line := func(name string) string {
		return regexp.MustCompile(` +`).ReplaceAllString(regexp.MustCompile(`(?m)^\d+ +`+name+` .*$`).FindString(p.good("", "tenant", "list")), " ")
	}
	assert.Contains(t, line("globex"), " trial 2099-12-31T00:00:00Z 0 0 0 read=200,write=0 user=res.*,sale.order:read viewer=")
	assert.Contains(t, line("acme"), " active ")

	p.good("", "tenant", "set", "globex", "--rename", "initech", "--status", "active", "--limits", "", "--allow-all", "viewer", "--allow", "user=res.*")
	assert.Regexp(t, ` active 0 0 0 user=res\.\*$`, line("initech"))
	p.good("", "tenant", "set", "acme", "--status", "suspended")
	assert.Contains(t, line("acme"), " suspended ")
	p.good("", "tenant", "delete", "acme")
	assert.Contains(t, line("acme"), " deleted ")

	for name, tc := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"taken":            {[]string{"tenant", "add", "acme"}, statusFailed, "already a tenant"},
		"no such":          {[]string{"tenant", "set", "x", "--status", "active"}, statusFailed, `no tenant "x"`},
		"bad status":       {[]string{"tenant", "set", "acme", "--status", "closed"}, statusUsage, "--status"},
		"no end":           {[]string{"tenant", "set", "acme", "--status", "trial"}, statusFailed, "trial_ends_at"},
		"bad time":         {[]string{"tenant", "add", "y", "--trial-until", "soon"}, statusUsage, "2026-12-31"},
		"bad class":        {[]string{"tenant", "add", "y", "--limits", "reads=1"}, statusUsage, `no class "reads"`},
		"bad rule":         {[]string{"tenant", "add", "y", "--allow", "user=a b"}, statusFailed, "can't be read"},
		"no rule":          {[]string{"tenant", "add", "y", "--allow", "user"}, statusUsage, "--allow"},
		"unboundable":      {[]string{"tenant", "add", "y", "--allow", "admin=*"}, statusFailed, "roles that can be bounded"},
		"contradiction":    {[]string{"tenant", "set", "acme", "--status", "active", "--trial-until", "2099-01-01"}, statusUsage, "contradicts"},
		"delete no such":   {[]string{"tenant", "delete", "x"}, statusFailed, `no tenant "x"`},
		"users of no such": {[]string{"user", "list", "--tenant", "x"}, statusFailed, `no tenant "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, errs := p.run("", tc.args...)
			assert.Equal(t, tc.status, status, errs)
			assert.Contains(t, errs, tc.want)
		})
	}
}

func TestUserSetAndDelete(t *testing.T) {
	p := newProgram(t)
	p.good("correct-horse-9", "user", "add", "root", "--role", "operator", "--language", "fr")
	p.good("correct-horse-9", "user", "add", "sara", "--role", "viewer")
	user := func(name string) string {
		return regexp.MustCompile(`(?m)^\d+ +` + name + ` .*$`).FindString(p.good("", "user", "list", "--tenant", "default"))
	}
	assert.Regexp(t, ` operator +true .* all +fr`, user("root"))
	assert.Regexp(t, ` viewer `, user("sara"))
	p.good("", "user", "set", "SARA", "--role", "user", "--language", "ar", "--email", "sara@example.com", "--full-name", "Sara", "--no-active")
	assert.Regexp(t, ` user +false .* all +ar +Sara +sara@example.com`, user("sara"))
	p.good("", "user", "set", "sara", "--active", "--language", "")
	assert.Regexp(t, ` user +true `, user("sara"))
	p.good("", "user", "delete", "sara")
	assert.Empty(t, user("sara"))
	for name, tc := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"last operator":  {[]string{"user", "set", "root", "--role", "user"}, statusFailed, "last"},
		"delete last":    {[]string{"user", "delete", "root"}, statusFailed, "last"},
		"bad role":       {[]string{"user", "set", "root", "--role", "king"}, statusUsage, "--role"},
		"bad language":   {[]string{"user", "set", "root", "--language", "de"}, statusFailed, "language"},
		"no such system": {[]string{"user", "add", "x", "--systems", "none"}, statusFailed, `no system "none"`},
		"no such user":   {[]string{"user", "set", "x", "--active"}, statusFailed, `no user "x"`},
		"two roles":      {[]string{"user", "add", "x", "--admin", "--role", "viewer"}, statusUsage, "contradicts"},
		"both":           {[]string{"user", "set", "root", "--systems", "a", "--all-systems"}, statusUsage, "systems"},
		"weak password":  {[]string{"user", "add", "x"}, statusFailed, "tried first"},
	} {
		t.Run(name, func(t *testing.T) {
			password := "correct-horse-9"
			if name == "weak password" {
				password = "Password1234"
			}
			status, _, errs := p.run(password, tc.args...)
			assert.Equal(t, tc.status, status, errs)
			assert.Contains(t, errs, tc.want)
			assert.NotContains(t, errs, password)
		})
	}
	p.environ = append(p.environ, "PASSWORD_MIN_LENGTH=20")
	status, _, errs := p.run("correct-horse-9", "user", "passwd", "root")
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "20 characters")
	p.environ = append(p.environ, "PASSWORD_MIN_LENGTH=4")
	status, _, errs = p.run("", "user", "list")
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs, "PASSWORD_MIN_LENGTH: must be between 8 and 128")
}

func TestSessionCommands(t *testing.T) {
	p := newProgram(t)
	p.good("correct-horse-9", "user", "add", "sara", "--tenant", "acme")
	p.good("correct-horse-9", "user", "add", "omar", "--tenant", "globex")
	s, err := world{environ: p.environ}.open(t.Context())
	require.NoError(t, err)
	defer func() { _ = s.Close() }()
	a := auth.New(s, auth.Config{Key: vault.NewSecret("0123456789abcdef0123456789abcdef")})
	login := func(user, agent string) auth.Grant {
		g, err := a.Login(t.Context(), user, "correct-horse-9", auth.Client{Address: "192.0.2.1", Agent: agent})
		require.NoError(t, err)
		return g
	}
	phone, desk, other := login("sara", "phone"), login("sara", "desk"), login("omar", "tablet")
	all := p.good("", "session", "list")
	assert.Equal(t, 4, strings.Count(all, "\n"), all)
	assert.Regexp(t, ` sara +\d{4}-.* 192\.0\.2\.1 +phone\n`, all)
	assert.NotContains(t, p.good("", "session", "list", "--tenant", "acme"), "omar")
	assert.NotContains(t, p.good("", "session", "list", "--user", "OMAR"), "sara")

	id := regexp.MustCompile(`(?m)^(\S+) .*phone$`).FindStringSubmatch(all)[1]
	assert.Equal(t, "ended the session of \"sara\"\n", p.good("", "session", "revoke", id))
	refresh := func(g auth.Grant) error {
		_, err := a.Refresh(t.Context(), "Bearer "+g.RefreshToken, auth.Client{})
		return err
	}
	assert.Equal(t, auth.ErrTokenRevoked, refresh(phone))
	assert.NoError(t, refresh(desk))
	p.good("", "session", "revoke", "--user", "sara")
	assert.Equal(t, auth.ErrTokenRevoked, refresh(desk))
	assert.NoError(t, refresh(other))
	for _, args := range [][]string{{}, {id}, {"--user", "x"}, {id, "--user", "sara"}} {
		status, _, errs := p.run("", append([]string{"session", "revoke"}, args...)...)
		assert.NotEqual(t, statusOK, status)
		assert.NotEmpty(t, errs)
	}
}
