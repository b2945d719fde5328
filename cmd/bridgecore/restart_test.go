package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
)

// services are a PostgreSQL and a Redis of a test's own, which it may stop.
type services struct {
	t     *testing.T
	dir   string // with a short name: sockets lie in it
	bin   string // where PostgreSQL's programs are
	as    *syscall.SysProcAttr
	redis *exec.Cmd
}

func newServices(t *testing.T) *services {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if path, err := exec.LookPath("initdb"); err == nil {
		found = append(found, path)
	}
	_, missing := exec.LookPath("redis-server")
	if err != nil || len(found) == 0 || missing != nil {
		t.Skip("SKIPPED: no PostgreSQL and redis-server on this machine; .ci/with-services installs them")
	}
	dir, err := os.MkdirTemp("", "own")
	require.NoError(t, err)
	s := &services{t: t, dir: dir, bin: filepath.Dir(found[len(found)-1])}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		who, err := user.Lookup("postgres")
		if err != nil {
			who, err = user.Lookup("nobody")
		}
		require.NoError(t, err)
		uid, err := strconv.Atoi(who.Uid)
		require.NoError(t, err)
		gid, err := strconv.Atoi(who.Gid)
		require.NoError(t, err)
		require.NoError(t, os.Chown(dir, uid, gid))
		s.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}} //nolint:gosec // small numbers
	}
	t.Cleanup(func() {
		s.postgres("pg_ctl", "-m", "immediate", "stop")
		s.killRedis()
		_ = os.RemoveAll(dir)
	})
	s.postgres("initdb", "-U", "bridgecore", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	s.postgres("pg_ctl", "-w", "-l", filepath.Join(dir, "postgres.log"), "-o", "-c listen_addresses='' -c unix_socket_directories='"+dir+"' -c fsync=off -c max_connections=200", "start")
	s.startRedis()
	return s
}

// postgres runs one of PostgreSQL's programs over the database.
func (s *services) postgres(program string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(filepath.Join(s.bin, program), append([]string{"-D", filepath.Join(s.dir, "data")}, args...)...) //nolint:noctx,gosec // it ends
	cmd.Dir, cmd.SysProcAttr, cmd.Env = s.dir, s.as, append(os.Environ(), "HOME="+s.dir)
	// Not a pipe, which the server would hold open.
	out, err := os.Create(filepath.Join(s.dir, program+".out"))
	require.NoError(s.t, err)
	defer func() { _ = out.Close() }()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		assert.NoError(s.t, err, string(text))
	}
}

func (s *services) database() string {
	return "postgres://bridgecore@/postgres?host=" + url.QueryEscape(s.dir)
}

func (s *services) redisURL() string { return "unix://" + filepath.Join(s.dir, "redis.sock") }

// restartPostgres ends all its processes in the midst of whatever they do.
func (s *services) restartPostgres() {
	s.t.Helper()
	s.postgres("pg_ctl", "-w", "-m", "immediate", "-l", filepath.Join(s.dir, "postgres.log"), "restart")
}

// startRedis starts an empty Redis.
func (s *services) startRedis() {
	s.t.Helper()
	path := filepath.Join(s.dir, "redis.sock")
	_ = os.Remove(path)
	s.redis = exec.Command("redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--appendonly", "no", "--dir", s.dir) //nolint:noctx,gosec // it is killed
	require.NoError(s.t, s.redis.Start())
	require.Eventually(s.t, func() bool {
		out, err := exec.Command("redis-cli", "-s", path, "ping").Output() //nolint:noctx,gosec // it ends
		return err == nil && strings.HasPrefix(string(out), "PONG")
	}, time.Minute, 10*time.Millisecond)
}

func (s *services) killRedis() {
	if s.redis != nil {
		_ = s.redis.Process.Kill()
		_ = s.redis.Wait()
	}
}

// audience is a socket that hears what is made, and what it heard.
type audience struct {
	*liveSocket
	mu       sync.Mutex
	created  map[adapter.ID]int
	marks    map[string]bool
	resynced int
	unrising int
	last     uint64
	ended    error
}

func (c *crew) audience(system, model, mark string) *audience {
	c.t.Helper()
	u := &liveUser{t: c.t, address: strings.TrimPrefix(c.server.url, "http://"), token: c.call.token, slowestWait: 10 * time.Minute}
	u.id = int64(u.send("GET", "/api/v1/auth/me", "", 200)["id"].(float64))
	a := &audience{liveSocket: u.socket(0), created: map[adapter.ID]int{}, marks: map[string]bool{}}
	a.subscribe(system, model, `,"external":false`)
	go func() {
		for {
			m, err := a.next()
			a.mu.Lock()
			switch {
			case err != nil:
				a.ended = err
				a.mu.Unlock()
				return
			case m.Type == "resync":
				a.resynced++
			case m.Operation == "create":
				a.created[m.RecordID]++
			case m.EventID > 0:
				if word, is := m.Data[mark].(string); is {
					a.marks[word] = true
				}
			}
			if m.EventID > 0 && m.Type != "resync" {
				if m.EventID <= a.last {
					a.unrising++
				}
				a.last = m.EventID
			}
			a.mu.Unlock()
		}
	}()
	return a
}

// hears says whether a marker was heard, with a number; and why not.
func (a *audience) hears(word string) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.marks[word], a.ended
}

// made are the records that an operation made: those that were there before
// have other names.
func (s *stand) made(t *testing.T) map[adapter.ID]bool {
	t.Helper()
	made := map[adapter.ID]bool{}
	for _, r := range s.records(t) {
		if name, _ := r[s.fields[0]].(string); name == "twin" || strings.HasPrefix(name, "new ") || strings.HasPrefix(name, "Partner ") {
			made[r.ID()] = true
		}
	}
	return made
}

// note makes a record to write marks into.
func (s *stand) note(t *testing.T) adapter.ID {
	t.Helper()
	a, err := s.open(t.Context())
	require.NoError(t, err)
	defer func() { _ = a.Close() }()
	id, err := a.Create(t.Context(), s.model, adapter.Record{s.fields[0]: "note", s.fields[1]: "note"})
	require.NoError(t, err)
	return id
}

// tolerant waits for an operation while the database may be away.
func (c *crew) tolerant(id string, enough func(store.Operation) bool) store.Operation {
	c.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if op, err := c.store.Operation(c.t.Context(), id); err == nil && enough(op) {
			return op
		}
		select {
		case <-tick.C:
		case <-c.t.Context().Done():
			require.Fail(c.t, "the operation did not get there")
		}
	}
}

// TestServicesAreRestarted has PostgreSQL and Redis end in the midst of
// operations, with sockets open, and start anew: Redis has forgotten everything.
// The end is that of an unbroken run, and whoever listens heard of every record
// once, or that something was missed.
func TestServicesAreRestarted(t *testing.T) {
	t.Parallel()
	if os.Getenv(storetest.PostgresVariable) == "" {
		t.Skip("SKIPPED: it is for PostgreSQL and Redis. Run it by .ci/with-services.")
	}
	for _, e := range endurances() {
		if !*kinds && e.name != "batch on Odoo 17.0" {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			s := newServices(t)
			w := enduring(t)
			i := slices.IndexFunc(w.environ, func(v string) bool { return strings.HasPrefix(v, "DATABASE_URL=") })
			w.environ[i] = "DATABASE_URL=" + s.database()
			w.environ = append(w.environ, "REDIS_URL="+s.redisURL(), "SECRET_KEY=0123456789abcdef0123456789abcdef")
			c := newCrew(w)
			c.openStore()
			n := size()
			whole, broken := e.stands(t), e.stands(t)
			whole[len(whole)-1].note(t)
			_, want := c.outcome(e.start(c.workload, whole, c.register("whole", whole), n))
			last := broken[len(broken)-1]
			ids := c.register("broken", broken)
			system := ids[len(ids)-1]
			mark := last.fields[1]
			note := last.note(t)
			near := c.audience(system, last.model, mark)
			last.slow(15 * time.Millisecond)
			id := e.start(c.workload, broken, ids, n)
			at := int64(0)
			done := 0
			further := func() bool {
				op := c.tolerant(id, func(op store.Operation) bool { return op.Done > at || op.State.Final() })
				at = op.Done
				wait := time.NewTimer(time.Duration(rand.IntN(80)) * time.Millisecond)
				<-wait.C
				return !op.State.Final()
			}
			for range *restarts {
				if further() {
					s.restartPostgres()
					done++
				}
				if further() {
					s.killRedis()
					wait := time.NewTimer(time.Duration(rand.IntN(400)) * time.Millisecond)
					<-wait.C
					s.startRedis()
					done++
				}
			}
			assert.Positive(t, done, "it ended too soon")
			last.slow(0)
			op := c.tolerant(id, func(op store.Operation) bool { return op.State.Final() })
			_, got := c.outcome(id)
			assert.Equal(t, want, got, "what the operation says")

			// The socket goes on, with numbers.
			for n := 0; ; n++ {
				word := fmt.Sprint("mark ", n)
				values := map[string]any{"action": "update", "model": last.model, "record_id": note.Value(), "data": map[string]any{mark: word}}
				c.call.send("POST", "/api/v1/systems/"+system+"/crud", values, 200)
				tick := time.NewTimer(100 * time.Millisecond)
				<-tick.C
				heard, err := near.hears(word)
				require.NoError(t, err, "the socket was closed")
				if heard {
					break
				}
				require.Less(t, n, 600, "nothing is heard any more")
			}
			c.call.send("POST", "/api/v1/systems/"+system+"/crud", map[string]any{"action": "update", "model": last.model, "record_id": note.Value(), "data": map[string]any{mark: "note"}}, 200)
			assert.Equal(t, whole[len(whole)-1].state(t), last.state(t), "what the system has")
			near.mu.Lock()
			defer near.mu.Unlock()
			made := last.made(t)
			missed, twice := 0, 0
			for id := range made {
				if near.created[id] == 0 {
					missed++
				}
			}
			for _, n := range near.created {
				if n > 1 {
					twice++
				}
			}
			assert.Zero(t, twice, "records that were told twice")
			assert.Zero(t, near.unrising, "numbers that did not rise")
			if near.resynced == 0 {
				assert.Zero(t, missed, "records that were not told, and nobody said so")
			}
			text, _ := json.Marshal(map[string]any{"items": op.Total, "restarts": done, "made": len(made), "heard": len(near.created), "missed": missed, "resync": near.resynced})
			t.Logf("%s: %s", e.name, text)
		})
	}
}

// TestCancelling ends operations of every kind in the midst of their work, with
// a system that answers, and with one that does not; and lets them go on, to
// the end of an unbroken run. With -kinds -v it prints how long it takes.
func TestCancelling(t *testing.T) {
	for _, e := range endurances() {
		if !*kinds && e.name != "batch on Odoo 17.0" {
			continue
		}
		for _, hung := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/hung=%t", e.name, hung), func(t *testing.T) {
				c := newCrew(enduring(t))
				c.openStore()
				n := size()
				whole, broken := e.stands(t), e.stands(t)
				_, want := c.outcome(e.start(c.workload, whole, c.register("whole", whole), n))
				last := broken[len(broken)-1]
				ids := c.register("broken", broken)
				last.slow(15 * time.Millisecond)
				id := e.start(c.workload, broken, ids, n)
				c.follow(c.store, id, func(op store.Operation) bool { return op.Done > 0 })
				if hung {
					last.fail(silent, 0)
				}
				wait := time.NewTimer(time.Duration(200+rand.IntN(300)) * time.Millisecond)
				<-wait.C
				began := time.Now()
				c.call.send("POST", "/api/v1/operations/"+id+"/cancel", nil, 200)
				answered := time.Since(began)
				op := c.follow(c.store, id, func(op store.Operation) bool { return op.State.Final() })
				took := time.Since(began)
				require.Equal(t, store.Cancelled, op.State)
				if op.Kind != "sync" { // which does not know how much there is to do
					assert.Less(t, op.Done, op.Total)
				}
				last.fail(nothing, 0)
				c.call.send("POST", "/api/v1/operations/"+id+"/retry", nil, 200)
				_, got := c.outcome(id)
				assert.Equal(t, want, got, "what the operation says")
				assert.Equal(t, whole[len(whole)-1].state(t), last.state(t), "what the system has")
				t.Logf("%s on %s, hung=%t: cancelled at %d of %d within %s (answer after %s)", e.name, c.store.Driver(), hung, op.Done, op.Total, took.Round(time.Millisecond), answered.Round(time.Millisecond))
			})
		}
	}
}
