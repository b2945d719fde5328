package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
	"github.com/bridgecore/bridgecore/recordsync"
)

// syncing is two systems with the same demo data, and a few records of the
// source's own.
func syncing(t *testing.T) (p program, a, b *odootest.Server, args func(more ...string) []string) {
	t.Helper()
	a, b = odootest.New(t, "17.0"), odootest.New(t, "19.0")
	for i := range 12 {
		_, err := a.Create("res.partner", map[string]any{"name": fmt.Sprint("Synced ", i), "ref": "sync", "email": fmt.Sprint("s", i, "@example.com")})
		require.NoError(t, err)
	}
	p = newProgram(t, "SYNC_SOURCE_PASSWORD="+a.Password, "SYNC_TARGET_PASSWORD="+b.Password)
	links := filepath.Join(t.TempDir(), "links.db")
	return p, a, b, func(more ...string) []string {
		return append([]string{"sync", syncAddress(a), syncAddress(b), "--models=res.partner", "--version=17.0", "--fields=name,email,phone", `--filter=[["ref","=","sync"]]`, "--links", links, "--lease=200ms", "--settle=-1s"}, more...)
	}
}

func syncAddress(s *odootest.Server) string {
	return strings.Replace(s.URL, "://", "://"+s.Username+"@", 1) + "/" + s.Database
}

func called(t *testing.T, s *odootest.Server, name string, values map[string]any) {
	t.Helper()
	ids, err := s.Call("res.partner", "search", []any{[]any{"name", "=", name}})
	require.NoError(t, err)
	_, err = s.Call("res.partner", "write", ids, values)
	require.NoError(t, err)
}

func counted(t *testing.T, s *odootest.Server, domain ...any) any {
	t.Helper()
	n, err := s.Call("res.partner", "search_count", domain)
	require.NoError(t, err)
	return n
}

func TestSyncCommand(t *testing.T) {
	p, a, b, args := syncing(t)
	status, out, errs := p.run("", args("--dry-run")...)
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, `  + name: "Synced 3"`)
	assert.Contains(t, out, "nothing was written; 12 looked at; 12 to create")
	assert.EqualValues(t, 0, counted(t, b, []any{"ref", "=", "sync"}))

	status, out, errs = p.run("", args()...)
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "12 looked at; 12 created, 0 updated")
	assert.EqualValues(t, 12, counted(t, b, []any{"name", "like", "Synced"}))

	// The filter is for both sides, and its field is not among those that go over.
	for i := range 12 {
		called(t, b, fmt.Sprint("Synced ", i), map[string]any{"ref": "sync"})
	}
	status, out, errs = p.run("", args("--bidirectional", "--json")...)
	require.Equal(t, statusOK, status, errs)
	var account syncAccount
	require.NoError(t, json.Unmarshal([]byte(out), &account))
	require.Len(t, account.Models, 1)
	assert.Zero(t, account.Models[0].Wrote(), "a second run writes nothing: %s", out)

	called(t, a, "Synced 1", map[string]any{"phone": "1"})
	called(t, b, "Synced 2", map[string]any{"phone": "2"})
	status, out, errs = p.run("", args("-b", "--dry-run")...)
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, `+ phone: "2"`)
	status, out, errs = p.run("", args("-b")...)
	require.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "1 updated")
	assert.Contains(t, out, "in the source: 0 created, 1 updated")
	assert.EqualValues(t, 1, counted(t, a, []any{"phone", "=", "2"}))
	assert.EqualValues(t, 1, counted(t, b, []any{"phone", "=", "1"}))
}

func TestSyncCommandEndsWithWhatIsLeft(t *testing.T) {
	p, a, b, args := syncing(t)
	status, _, errs := p.run("", args("-b")...)
	require.Equal(t, statusOK, status, errs)
	for _, s := range []*odootest.Server{a, b} {
		called(t, s, "Synced 3", map[string]any{"phone": "of " + s.Version, "ref": "sync"})
	}
	manual := args("-b", "--conflicts=manual")
	status, out, errs := p.run("", append(manual, "--dry-run")...)
	assert.Equal(t, statusFound, status, errs)
	assert.Contains(t, out, `! phone: "of 17.0" | "of 19.0"`)
	status, out, errs = p.run("", manual...)
	assert.Equal(t, statusFound, status)
	assert.Contains(t, errs, "0 records are refused, 1 conflicts wait for a choice")
	assert.Contains(t, out, "--resolve ")
	for _, again := range []string{"waiting", "changed, and asked about again"} {
		status, out, errs = p.run("", append(manual, "--dry-run")...)
		assert.Equal(t, statusFound, status, again)
		assert.Contains(t, errs, "0 records are refused, 1 conflicts wait for a choice", again)
		assert.Contains(t, out, "--resolve ", again)
		called(t, a, "Synced 3", map[string]any{"phone": "again"})
	}
	_, number, _ := strings.Cut(out, "--resolve ")
	number, _, _ = strings.Cut(number, "=")
	status, _, errs = p.run("", append(manual, "--resolve="+number+"=nobody")...)
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs, "nobody")
	status, out, errs = p.run("", append(manual, "--resolve="+number+"=target")...)
	require.Equal(t, statusOK, status, errs+out)
	assert.EqualValues(t, 1, counted(t, a, []any{"phone", "=", "of 19.0"}))

	b.SetFault(odootest.Fault{Contains: "Synced 4 refused", ContentType: "application/json", Body: `{"jsonrpc":"2.0","error":{"code":200,"message":"Odoo Server Error","data":{"name":"odoo.exceptions.ValidationError","message":"names like this are not wanted"}}}`})
	called(t, a, "Synced 4", map[string]any{"name": "Synced 4 refused"})
	status, out, errs = p.run("", manual...)
	assert.Equal(t, statusFound, status, errs)
	assert.Contains(t, errs, "1 records are refused")
	assert.Contains(t, out, "refused by the target: ")
	status, out, errs = p.run("", manual...)
	assert.Equal(t, statusFound, status, "it is still refused: %s", errs)
	assert.Contains(t, out, "refused by the target: ")
	status, out, errs = p.run("", append(manual, "--dry-run")...)
	assert.Equal(t, statusFound, status)
	assert.Contains(t, errs, "1 records are refused")
	assert.Contains(t, out, "refused by the target: ")
	status, out, _ = p.run("", append(manual, "--dry-run", "--retry-refused")...)
	assert.Equal(t, statusFound, status, "it is refused until it is tried")
	assert.Contains(t, out, "1 to update")
	b.SetFault()
	status, out, errs = p.run("", append(manual, "--retry-refused")...)
	assert.Equal(t, statusOK, status, errs)
	assert.Contains(t, out, "1 updated")
}

func TestMistakesInSyncCommands(t *testing.T) {
	p, _, b, args := syncing(t)
	for name, wrong := range map[string][]string{
		"--match: x.y is none of --models":    args("--match=x.y:name"),
		"SYNC_SOURCE_PASSWORD":                {"sync", "http://u:secret@x/d", syncAddress(b), "--models=res.partner"},
		"TARGET: it must read like":           {"sync", syncAddress(b), "http://x", "--models=res.partner"},
		"are the same system":                 {"sync", syncAddress(b), syncAddress(b), "--models=res.partner"},
		"--filter: it must be a domain":       args(`--filter=[["x"`),
		"contradicts --words universal":       args("--words=universal"),
		"--words pinned needs --version":      args("--version=", "--words=pinned"),
		"--page-size must be":                 args("--page-size=0"),
		"--concurrency must be":               args("--concurrency=99"),
		`did you mean "name"?`:                args("--fields=nam"),
		"has no field \"nam\"":                args("--match=nam"),
		"has no model":                        args("--models=res.partnr"),
		"does not read like 17=source":        args("--resolve=x=y"),
		"there is no such conflict":           args("--resolve=17=source"),
		"--dry-run writes nothing":            args("--dry-run", "--resolve=17=source"),
		"--links: ":                           args("--links", t.TempDir()),
		"no tenant":                           {"sync", "odoo_main", syncAddress(b), "--models=res.partner", "--tenant=nobody"},
		`--conflicts must be one of "source"`: args("--conflicts=mine"),
	} {
		status, _, errs := p.run("", wrong...)
		assert.Equal(t, statusUsage, status, "%s: %s", name, errs)
		assert.Contains(t, errs, name)
		assert.NotContains(t, errs, "secret")
	}
	b.Close()
	status, _, errs := p.run("", args()...)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "TARGET, ", "whose address it is")
}

// Where the server knows both systems the links are its own, and somebody who
// has the pair is named.
func TestSyncCommandOfStoredSystems(t *testing.T) {
	p, a, b, _ := syncing(t)
	key, err := vault.GenerateKey()
	require.NoError(t, err)
	p.environ = append(p.environ, "ENCRYPTION_KEY="+key, "ENVIRONMENT=development")
	c, err := config.Load(p.environ, "")
	require.NoError(t, err)
	s, err := openStore(t.Context(), c, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	tenant, err := s.EnsureTenant(t.Context(), "default")
	require.NoError(t, err)
	v, err := vault.New(c.EncryptionKey)
	require.NoError(t, err)
	var refs []int64
	for id, sys := range map[string]*odootest.Server{"main": a, "backup": b} {
		sealed, err := v.Seal(map[string]any{"url": sys.URL, "database": sys.Database, "username": sys.Username, "password": sys.Password})
		require.NoError(t, err)
		row := store.System{TenantID: tenant.ID, SystemID: id, Kind: systems.Odoo, Name: id, IsActive: true, SealedConfig: sealed}
		require.NoError(t, s.CreateSystem(t.Context(), &row))
	}
	for _, id := range []string{"main", "backup"} {
		row, err := s.System(t.Context(), tenant.ID, id)
		require.NoError(t, err)
		refs = append(refs, row.ID)
	}
	links := s.SyncLinks(store.SyncPair{TenantID: tenant.ID, SourceRef: refs[0], TargetRef: refs[1], Words: store.SyncWords(recordsync.Pinned, "17.0")})
	args := []string{"sync", "main", "backup", "--models=res.partner", "--version=17.0", "--fields=name", `--filter=[["ref","=","sync"]]`, "--lease=200ms", "--settle=-1s"}

	// One that was killed has the pair for a while, an operation as long as it is
	// at it.
	const other = "bridgecore sync, process 1"
	require.NoError(t, links.Lease(t.Context(), "res.partner", other, time.Hour))
	var told, said lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(t.Context(), args, world{environ: p.environ, stdin: strings.NewReader(""), stdout: &told, stderr: &said})
	}()
	require.Eventually(t, func() bool { return strings.Contains(said.String(), "process 1 has these two systems") }, time.Minute, 10*time.Millisecond)
	require.NoError(t, links.Lease(t.Context(), "res.partner", other, 0))
	require.Equal(t, statusOK, <-ended, said.String())
	assert.Contains(t, told.String(), "12 created")
	got, err := links.Select(t.Context(), "res.partner", recordsync.Want{Kind: recordsync.WantAll})
	require.NoError(t, err)
	assert.Len(t, got, 12, "the server knows them")
	entries := func() []store.AuditEntry {
		list, err := s.Audit(t.Context(), tenant.ID, store.AuditFilter{Username: "bridgecore sync"})
		require.NoError(t, err)
		return list
	}
	if list := entries(); assert.Len(t, list, 1) {
		e := list[0]
		assert.Equal(t, []string{"sync", "main", "res.partner", "ok"}, []string{e.Action, e.SystemID, e.Model, e.Outcome})
		assert.Contains(t, e.Agent, "process ")
		assert.Contains(t, e.Details, `"source":"main","target":"backup"`)
		assert.Contains(t, e.Details, `"created":12`)
	}

	const operation = "0197b6ac-0000-7000-8000-000000000001"
	require.NoError(t, links.Lease(t.Context(), "res.partner", operation, time.Hour))
	status, _, errs := p.run("", args...)
	assert.Equal(t, statusFailed, status)
	assert.Contains(t, errs, "by operation "+operation)
	if list := entries(); assert.Len(t, list, 2) {
		assert.Equal(t, "conflict", list[0].Outcome)
		assert.Contains(t, list[0].Details, operation)
	}
	require.NoError(t, links.Lease(t.Context(), "res.partner", operation, 0))

	// What writes nothing is recorded where reads are; nothing where there is no
	// log. What can't be recorded is told.
	for _, c := range []struct {
		environ, flag string
		more          int
	}{{"AUDIT_POLICY=required", "--dry-run", 0}, {"AUDIT_READS=true", "--dry-run", 1}, {"AUDIT_POLICY=off", "--page-size=9", 0}, {"AUDIT_POLICY=required", "--links=" + filepath.Join(t.TempDir(), "own.db"), 1}} {
		before := len(entries())
		q := p
		q.environ = append(slices.Clone(p.environ), c.environ)
		status, _, errs := q.run("", append(args, c.flag)...)
		assert.Equal(t, statusOK, status, errs)
		assert.Len(t, entries(), before+c.more, "%s %s", c.environ, c.flag)
	}
	status, out, errs := p.run("", "audit", "verify")
	assert.Equal(t, statusOK, status, out+errs)

	require.NoError(t, s.Close())
	var warned lockedBuffer
	w := world{stderr: &warned}
	lost := &syncAudit{store: s, tenant: tenant.ID}
	assert.ErrorContains(t, lost.record(t.Context(), w, &syncCommand{}, "", &syncAccount{}, nil), "not in the audit log")
	lost.bestEffort = true
	assert.NoError(t, lost.record(t.Context(), w, &syncCommand{}, "", &syncAccount{}, nil))
	assert.Contains(t, warned.String(), "not in the audit log")
}
