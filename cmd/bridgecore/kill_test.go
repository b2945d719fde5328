package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/salesforce"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store/storetest"
)

// How hard these tests try. On SQLite, where the one server is killed, and on
// PostgreSQL, where three workers are killed in turn:
//
//	go test ./cmd/bridgecore -run 'TestNothingIsLost.*/batch_on_Odoo_17.0$' -kills 50 -items 4000 -v
//	.ci/with-services go test ./cmd/bridgecore -run 'TestNothingIsLost.*/batch_on_Odoo_17.0$' -kills 50 -items 4000 -v
//	.ci/with-services go test ./cmd/bridgecore -run 'TestNothingIsLost.*/sync$' -kills 50 -items 5000 -v
//	.ci/with-services go test ./cmd/bridgecore -run TestServicesAreRestarted -restarts 5 -kinds -v
var (
	kills    = flag.Int("kills", 2, "how often a process is killed during each operation")
	restarts = flag.Int("restarts", 1, "how often PostgreSQL and Redis are started anew during each operation")
	kinds    = flag.Bool("kinds", false, "break off operations of all kinds, not one on each kind of system alone")
	items    = flag.Int("items", 0, "the size of each operation; 0 is enough for -kills")
)

// size is how large an operation is.
func size() int {
	if *items > 0 {
		return *items
	}
	return 150 + 60**kills
}

// stand is a simulated system that an operation changes.
type stand struct {
	config map[string]any // to register it
	open   func(context.Context) (adapter.Adapter, error)
	model  string
	fields []string // what is compared of its records, besides their number
	slow   func(time.Duration)
	fail   func(breakOff, int)
}

// breakOff is what goes wrong on a system besides kills.
type breakOff int

const (
	nothing      breakOff = iota
	unavailable           // 503 before anything is done
	unanswered            // what was asked for is done, and the connection cut
	silent                // nothing is done, and no answer ever comes
	silentlyDone          // what was asked for is done, and no answer ever comes
)

// breakOffs name what goes wrong. Without -kinds, what takes long is tried with
// one kind of operation alone.
var breakOffs = []struct {
	name string
	how  breakOff
	only string
}{{"unavailable", unavailable, ""}, {"unanswered", unanswered, ""}, {"silent", silent, "no kind"}, {"silently done", silentlyDone, "batch on Odoo 17.0"}}

// answerSeconds is how long a system is waited for.
const answerSeconds = 3

func odooStand(t *testing.T, version string) *stand {
	t.Helper()
	s, _ := odooSim(t, version)
	return s
}

func odooSim(t *testing.T, version string) (*stand, *odootest.Server) {
	t.Helper()
	sim := odootest.New(t, version)
	return &stand{
		config: map[string]any{"system_type": "odoo", "system_version": version, "connection_config": map[string]any{
			"url": sim.URL, "database": sim.Database, "username": sim.Username, "password": sim.Password, "timeout": answerSeconds,
		}},
		open: func(ctx context.Context) (adapter.Adapter, error) {
			return odoo.Dial(ctx, odoo.Config{URL: sim.URL, Database: sim.Database, Username: sim.Username, Password: sim.Password})
		},
		model: "res.partner", fields: []string{"name", "ref", "comment"},
		slow: func(d time.Duration) {
			sim.SetFault(odootest.Fault{Contains: "create", Latency: d}, odootest.Fault{Contains: "write", Latency: d / 2}, odootest.Fault{Contains: "unlink", Latency: d / 2})
		},
		fail: func(how breakOff, times int) {
			switch how {
			case nothing:
				sim.SetFault()
			case unavailable:
				sim.SetFault(odootest.Fault{Status: 503, Times: times})
			case unanswered:
				sim.SetFault(odootest.Fault{Contains: "create", AfterCall: true, Reset: true, Times: times})
			case silent:
				sim.SetFault(odootest.Fault{Contains: "create", Hang: true, Times: times})
			case silentlyDone:
				sim.SetFault(odootest.Fault{Contains: "create", AfterCall: true, Hang: true, Times: times})
			}
		},
	}, sim
}

// readStand is an Odoo whose reads are slow and fail: its records are written to
// a file.
func readStand(t *testing.T) *stand {
	t.Helper()
	s, sim := odooSim(t, "17.0")
	s.slow = func(d time.Duration) { sim.SetFault(odootest.Fault{Contains: "search", Latency: 10 * d}) }
	s.fail = func(how breakOff, times int) {
		switch how {
		case nothing:
			sim.SetFault()
		case unavailable:
			sim.SetFault(odootest.Fault{Status: 503, Times: times})
		case unanswered:
			sim.SetFault(odootest.Fault{Contains: "search", AfterCall: true, Reset: true, Times: times})
		case silent, silentlyDone:
			sim.SetFault(odootest.Fault{Contains: "search", Hang: true, Times: times})
		}
	}
	return s
}

func salesforceStand(t *testing.T) *stand {
	t.Helper()
	sim := salesforcetest.New(t)
	return &stand{
		config: map[string]any{"system_type": "salesforce", "connection_config": map[string]any{
			"url": sim.URL, "client_id": sim.ClientID, "client_secret": sim.ClientSecret, "timeout": answerSeconds,
		}},
		open: func(ctx context.Context) (adapter.Adapter, error) {
			return salesforce.Dial(ctx, salesforce.Config{URL: sim.URL, ClientID: sim.ClientID, ClientSecret: sim.ClientSecret})
		},
		model: "Account", fields: []string{"Name", "AccountNumber", "Site"},
		slow: func(d time.Duration) {
			sim.SetFault(salesforcetest.Fault{Method: "POST", Latency: d}, salesforcetest.Fault{Method: "PATCH", Latency: d}, salesforcetest.Fault{Method: "DELETE", Latency: d})
		},
		fail: func(how breakOff, times int) {
			switch how {
			case nothing:
				sim.SetFault()
			case unavailable:
				sim.SetFault(salesforcetest.Fault{Status: 503, Times: times})
			case unanswered:
				sim.SetFault(salesforcetest.Fault{Method: "POST", AfterCall: true, Reset: true, Times: times})
			case silent:
				sim.SetFault(salesforcetest.Fault{Method: "POST", Hang: true, Times: times})
			case silentlyDone:
				sim.SetFault(salesforcetest.Fault{Method: "POST", AfterCall: true, Hang: true, Times: times})
			}
		},
	}
}

func sapStand(t *testing.T) *stand {
	t.Helper()
	sim := saptest.New(t)
	return &stand{
		config: map[string]any{"system_type": "sap", "system_version": "S/4HANA 2023", "connection_config": map[string]any{
			"url": sim.URL, "username": sim.Username, "password": sim.Password, "client": sim.Client, "timeout": answerSeconds,
			"services": []any{map[string]any{"name": "ZSAMPLE_SRV", "version": "v2"}},
		}},
		open: func(ctx context.Context) (adapter.Adapter, error) {
			return sap.Dial(ctx, sap.Config{
				URL: sim.URL, Username: sim.Username, Password: sim.Password, Client: sim.Client, Version: "S/4HANA 2023", Services: []sap.Service{{Name: "ZSAMPLE_SRV"}},
			})
		},
		model: "ZSAMPLE_SRV.Samples", fields: []string{"Name", "Code", "Note"},
		slow: func(d time.Duration) {
			sim.SetFault(saptest.Fault{Method: "POST", Latency: d}, saptest.Fault{Method: "PATCH", Latency: d}, saptest.Fault{Method: "DELETE", Latency: d})
		},
		fail: func(how breakOff, times int) {
			switch how {
			case nothing:
				sim.SetFault()
			case unavailable:
				sim.SetFault(saptest.Fault{Status: 503, Times: times})
			case unanswered:
				sim.SetFault(saptest.Fault{Method: "POST", Contains: "Samples", AfterCall: true, Reset: true, Times: times})
			case silent:
				sim.SetFault(saptest.Fault{Method: "POST", Contains: "Samples", Hang: true, Times: times})
			case silentlyDone:
				sim.SetFault(saptest.Fault{Method: "POST", Contains: "Samples", AfterCall: true, Hang: true, Times: times})
			}
		},
	}
}

// state is what a system has, without its ids: each record as a line, sorted.
func (s *stand) state(t *testing.T) []string {
	t.Helper()
	var lines []string
	for _, r := range s.records(t) {
		var line strings.Builder
		for _, f := range s.fields {
			v := r[f]
			if pair, is := v.([]any); is && len(pair) == 2 {
				v = pair[1] // a reference: its number is not the same
			}
			fmt.Fprintf(&line, "%s=%v ", f, v)
		}
		lines = append(lines, line.String())
	}
	slices.Sort(lines)
	return lines
}

// records are those that a system has.
func (s *stand) records(t *testing.T) (all []adapter.Record) {
	t.Helper()
	a, err := s.open(t.Context())
	require.NoError(t, err)
	defer func() { _ = a.Close() }()
	q := adapter.Query{Model: s.model, Fields: s.fields, Limit: 500}
	for {
		page, err := a.Query(t.Context(), q)
		require.NoError(t, err)
		all = append(all, page.Records...)
		if q.Offset += len(page.Records); len(page.Records) < 500 {
			return all
		}
	}
}

// endurance is a kind of operation that is broken off.
type endurance struct {
	name string
	// stands makes the systems: the operation changes the last one.
	stands func(t *testing.T) []*stand
	// start starts the operation, of about n items, over the systems with those
	// ids, and returns its id.
	start func(w *workload, stands []*stand, ids []string, n int) string
}

func endurances() []endurance {
	var all []endurance
	one := func(s func(*testing.T) *stand) func(*testing.T) []*stand {
		return func(t *testing.T) []*stand { t.Helper(); return []*stand{s(t)} }
	}
	for _, version := range []string{"13.0", "17.0", "19.0"} {
		all = append(all, endurance{"batch on Odoo " + version, one(func(t *testing.T) *stand { t.Helper(); return odooStand(t, version) }), startBatch(false)})
	}
	all = append(
		all,
		endurance{"batch on Salesforce", one(salesforceStand), startBatch(false)},
		endurance{"batch on SAP", one(sapStand), startBatch(false)},
		endurance{"batch in universal words", one(func(t *testing.T) *stand {
			t.Helper()
			s := salesforceStand(t)
			s.model, s.fields = "Account", []string{"Name", "Phone", "Website"}
			return s
		}), startBatch(true)},
		endurance{"migrate", func(t *testing.T) []*stand {
			t.Helper()
			target := odooStand(t, "19.0")
			target.fields = []string{"name", "ref", "parent_id"}
			return []*stand{odooStand(t, "17.0"), target}
		}, startMigration},
		endurance{"sync", func(t *testing.T) []*stand {
			t.Helper()
			return []*stand{odooStand(t, "17.0"), odooStand(t, "17.0")}
		}, startSync},
		endurance{"report", one(readStand), startReport},
	)
	if *kinds {
		return all
	}
	return slices.DeleteFunc(all, func(e endurance) bool {
		if testing.Short() { // the pass with the race detector, which is slow
			return e.name != "batch on Odoo 17.0" && e.name != "sync"
		}
		return slices.Contains([]string{"batch on Odoo 13.0", "batch on Odoo 19.0", "batch on SAP", "batch in universal words"}, e.name)
	})
}

// startBatch creates records, some of which are alike, and changes and deletes
// others.
func startBatch(universal bool) func(*workload, []*stand, []string, int) string {
	return func(w *workload, stands []*stand, ids []string, n int) string {
		w.t.Helper()
		s := stands[0]
		a, err := s.open(w.t.Context())
		require.NoError(w.t, err)
		defer func() { _ = a.Close() }()
		var there []adapter.ID
		for i := range n / 5 {
			id, err := a.Create(w.t.Context(), s.model, adapter.Record{s.fields[0]: fmt.Sprint("old ", i)})
			require.NoError(w.t, err)
			there = append(there, id)
		}
		model, fields := s.model, s.fields
		if universal {
			model, fields = "contact", []string{"name", "phone", "website"}
		}
		create := func(name, second string) map[string]any {
			data := map[string]any{fields[0]: name, fields[1]: second}
			if universal {
				data["is_company"] = true
			}
			return map[string]any{"action": "create", "model": model, "data": data}
		}
		var ops []map[string]any
		for i := range n * 4 / 5 {
			name := fmt.Sprint("new ", i)
			if i%10 == 0 {
				name = "twin"
			}
			ops = append(ops, create(name, "000"))
			switch old := i / 4; i % 8 {
			case 3:
				ops = append(ops, map[string]any{"action": "update", "model": model, "record_id": there[old].Value(), "data": map[string]any{fields[2]: fmt.Sprint("changed ", i)}})
			case 7:
				ops = append(ops, map[string]any{"action": "delete", "model": model, "record_id": there[old].Value()})
			}
			if i%40 == 11 {
				bad := map[string]any{"no_such_field": 1}
				if universal {
					bad = map[string]any{"name": "bad", "is_company": true, "country": "NOWHERE"}
				}
				ops = append(ops, map[string]any{"action": "create", "model": model, "data": bad})
			}
		}
		v := w.call.send("POST", "/api/v1/batch/execute", map[string]any{"system_id": ids[0], "async": true, "use_universal_schema": universal, "operations": ops}, 202)
		return v["operation_id"].(string)
	}
}

// startMigration carries records with parents from one Odoo into another.
func startMigration(w *workload, stands []*stand, ids []string, n int) string {
	w.t.Helper()
	a, err := stands[0].open(w.t.Context())
	require.NoError(w.t, err)
	defer func() { _ = a.Close() }()
	var moved []adapter.ID
	for i := range n / 2 {
		values := adapter.Record{"name": fmt.Sprint("Partner ", i), "ref": "moved"}
		switch i % 10 {
		case 0:
			values["name"] = "twin"
		case 5:
			values["parent_id"] = moved[i-1].Value()
		}
		id, err := a.Create(w.t.Context(), "res.partner", values)
		require.NoError(w.t, err)
		moved = append(moved, id)
	}
	v := w.call.send("POST", "/api/v1/systems/"+ids[0]+"/migrate", map[string]any{
		"model": "res.partner", "fields": []string{"name", "ref", "parent_id"}, "target_system_id": ids[1], "record_ids": moved, "async": true,
	}, 202)
	return v["operation_id"].(string)
}

// startReport writes many records to a file: a few pages are read, and then it
// is made.
func startReport(w *workload, stands []*stand, ids []string, n int) string {
	w.t.Helper()
	a, err := stands[0].open(w.t.Context())
	require.NoError(w.t, err)
	defer func() { _ = a.Close() }()
	values := make([]adapter.Record, 20*n)
	for i := range values {
		values[i] = adapter.Record{"name": fmt.Sprint("Row ", i), "ref": strconv.Itoa(i % 7)}
	}
	for some := range slices.Chunk(values, 2000) {
		_, err := adapter.CreateMany(w.t.Context(), a, "res.partner", some)
		require.NoError(w.t, err)
	}
	v := w.call.send("POST", "/api/v1/files/export", map[string]any{
		"system_id": ids[0], "model": "res.partner", "fields": []string{"id", "name", "ref"}, "format": "csv", "async": true,
	}, 202)
	return v["operation_id"].(string)
}

// outcome is an operation's result without what names single records; of a
// report, its file.
func (w *workload) outcome(id string) (store.Operation, string) {
	w.t.Helper()
	op := w.follow(w.store, id, func(op store.Operation) bool { return op.State.Final() })
	require.Equal(w.t, store.Succeeded, op.State, op.Error)
	if op.Kind == "report" {
		status, file, err := w.call.try("GET", "/api/v1/operations/"+id+"/result", nil)
		require.NoError(w.t, err)
		require.Equal(w.t, 200, status, string(file))
		assert.Equal(w.t, int(op.Total), strings.Count(string(file), "\n")-1, "a line for each record, and the heading")
		return op, string(file)
	}
	result := w.call.send("GET", "/api/v1/operations/"+id+"/result", nil, 200)
	b, err := json.MarshalIndent(nameless(result), "", " ")
	require.NoError(w.t, err)
	return op, string(b)
}

func nameless(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v["action"] != nil {
			delete(v, "changes") // of a synchronised record: a killed process takes them along
		}
		for name := range v {
			if slices.Contains([]string{"id", "record_id", "source_id", "target_id", "link", "etag", "request_id", "timestamp", "trace_id"}, name) {
				delete(v, name)
				continue
			}
			v[name] = nameless(v[name])
			if records, is := v[name].([]any); is && name == "records" {
				// In whatever order they were done.
				slices.SortFunc(records, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			}
		}
	case []any:
		for i := range v {
			v[i] = nameless(v[i])
		}
	}
	return v
}

// crew are the processes that do operations: on SQLite the server alone, on
// PostgreSQL workers beside it.
type crew struct {
	*workload
	command []string
	ready   *regexp.Regexp
	members []*killable
	server  *killable
}

const crewSize = 3

func newCrew(w *workload) *crew {
	w.t.Helper()
	c := &crew{workload: w, command: []string{"serve"}, ready: serving}
	if os.Getenv(storetest.PostgresVariable) != "" {
		w.environ = append(w.environ, "WORKERS_IN_SERVER=false")
		c.server = w.begin(serving, "serve")
		c.command, c.ready = []string{"worker"}, working
		for range crewSize {
			c.members = append(c.members, w.begin(c.ready, c.command...))
		}
	} else {
		c.members = []*killable{w.begin(c.ready, c.command...)}
		c.server = c.members[0]
	}
	w.t.Cleanup(func() {
		if c.server != c.members[0] {
			_ = c.server.cmd.Process.Kill()
			<-c.server.ended
		}
		for _, m := range c.members {
			_ = m.cmd.Process.Kill()
			<-m.ended
		}
	})
	c.login()
	return c
}

// login is needed at each server: its address is another.
func (c *crew) login() {
	if c.call == nil || c.call.url != c.server.url {
		c.call = &caller{t: c.t, url: c.server.url}
		c.call.token = c.call.send("POST", "/api/v1/auth/login", map[string]any{"username": "admin", "password": "a-long-password"}, 200)["access_token"].(string)
	}
}

// kill ends one of the processes with a signal that it can't see, and begins
// another in its place.
func (c *crew) kill() {
	c.t.Helper()
	i := rand.IntN(len(c.members))
	served := c.server == c.members[i]
	c.members[i].kill(c.t)
	c.members[i] = c.begin(c.ready, c.command...)
	if served {
		c.server = c.members[i]
		c.login()
	}
}

// register registers systems under names of their own.
func (c *crew) register(prefix string, stands []*stand) []string {
	c.t.Helper()
	var ids []string
	for i, s := range stands {
		id := fmt.Sprint(prefix, i)
		body := map[string]any{"system_id": id}
		for name, v := range s.config {
			body[name] = v
		}
		c.call.send("POST", "/api/v1/systems", body, 201)
		ids = append(ids, id)
	}
	return ids
}

func (c *crew) openStore() {
	c.t.Helper()
	settings, err := config.Load(c.environ, "")
	require.NoError(c.t, err)
	c.store, err = openStore(c.t.Context(), settings, nil)
	require.NoError(c.t, err)
	c.t.Cleanup(func() { _ = c.store.Close() })
}

// TestNothingIsLostAndNothingDoubled does every kind of operation twice: once
// unbroken, and once while processes are killed at random. What the systems
// have in the end, and what the operation says of it, is the same.
func TestNothingIsLostAndNothingDoubled(t *testing.T) {
	t.Parallel()
	for _, e := range endurances() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			c := newCrew(enduring(t))
			c.openStore()
			n := size()
			whole, broken := e.stands(t), e.stands(t)
			id := e.start(c.workload, whole, c.register("whole", whole), n)
			_, want := c.outcome(id)
			last := broken[len(broken)-1]
			last.slow(15 * time.Millisecond)
			id = e.start(c.workload, broken, c.register("broken", broken), n)
			killed, writing := 0, 0
			at := int64(-1)
			for killed < *kills {
				if rand.IntN(5) > 0 {
					// It got further since the last one, which is a life's work: an
					// operation that does not is given up in the end. Otherwise whoever
					// just began is killed while it begins.
					op := c.follow(c.store, id, func(op store.Operation) bool { return op.Done > at || op.State.Final() })
					at = op.Done
				}
				wait := time.NewTimer(time.Duration(rand.IntN(80)) * time.Millisecond)
				<-wait.C
				op, err := c.store.Operation(t.Context(), id)
				require.NoError(t, err)
				if op.State.Final() {
					break
				}
				c.kill()
				killed++
				if op, err = c.store.Operation(t.Context(), id); err == nil && strings.Contains(op.Cursor, `"sent":true`) {
					writing++
				}
			}
			last.slow(0)
			op, got := c.outcome(id)
			assert.Equal(t, want, got, "what the operation says")
			assert.Equal(t, whole[len(whole)-1].state(t), last.state(t), "what the system has")
			t.Logf("%s on %s: %d items, %d kills, %d of them while something was being written", e.name, c.store.Driver(), op.Total, killed, writing)
		})
	}
}

// enduring is a workload for processes that are killed.
func enduring(t *testing.T) *workload {
	t.Helper()
	return &workload{program: newProgram(
		t, "BRIDGECORE_ADMIN_PASSWORD=a-long-password", "OPERATION_SETTLE_SECONDS=1", "ALLOWED_PRIVATE_NETWORKS=127.0.0.0/8", "RATE_LIMIT_ENABLED=false", "RECOVERY_TIMEOUT=1",
	)}
}

// TestSystemsThatBreakOff has the system refuse to answer for a while, and then
// do what it was asked for without an answer, in the midst of every kind of
// operation. The end is that of an unbroken run.
func TestSystemsThatBreakOff(t *testing.T) {
	t.Parallel()
	for _, e := range endurances() {
		for _, b := range breakOffs {
			if b.only != "" && !*kinds && e.name != b.only {
				continue
			}
			t.Run(e.name+"/"+b.name, func(t *testing.T) {
				t.Parallel()
				c := newCrew(enduring(t))
				c.openStore()
				const n = 150
				whole, broken := e.stands(t), e.stands(t)
				_, want := c.outcome(e.start(c.workload, whole, c.register("whole", whole), n))
				last := broken[len(broken)-1]
				ids := c.register("broken", broken)
				last.slow(10 * time.Millisecond)
				id := e.start(c.workload, broken, ids, n)
				op := c.follow(c.store, id, func(op store.Operation) bool { return op.Done >= op.Total/4 })
				last.fail(b.how, 3)
				c.follow(c.store, id, func(now store.Operation) bool { return now.State.Final() || now.Done > op.Done+op.Total/4 })
				last.fail(b.how, 1)
				_, got := c.outcome(id)
				assert.Equal(t, want, got, "what the operation says")
				assert.Equal(t, whole[len(whole)-1].state(t), last.state(t), "what the system has")
			})
		}
	}
}

// gate lies before PostgreSQL, and can be shut.
type gate struct {
	address  string // of what is behind it
	mu       sync.Mutex
	shut     bool
	open     map[net.Conn]bool
	listener net.Listener
}

func newGate(t *testing.T, dsn string) (*gate, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	q := u.Query()
	dir, err := os.MkdirTemp("", "gate") // a socket's path has to be short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	const socket = ".s.PGSQL.5432"
	g := &gate{address: filepath.Join(q.Get("host"), socket), open: map[net.Conn]bool{}}
	g.listener, err = net.Listen("unix", filepath.Join(dir, socket)) //nolint:noctx // it is closed
	require.NoError(t, err)
	t.Cleanup(func() { _ = g.listener.Close() })
	go func() {
		for {
			conn, err := g.listener.Accept()
			if err != nil {
				return
			}
			go g.pass(conn)
		}
	}()
	q.Set("host", dir)
	u.RawQuery = q.Encode()
	return g, u.String()
}

func (g *gate) pass(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	behind, err := net.Dial("unix", g.address) //nolint:noctx // it is closed
	if err != nil {
		return
	}
	defer func() { _ = behind.Close() }()
	g.mu.Lock()
	if g.shut {
		g.mu.Unlock()
		return
	}
	g.open[conn] = true
	g.mu.Unlock()
	go func() { _, _ = io.Copy(conn, behind); _ = conn.Close() }()
	_, _ = io.Copy(behind, conn)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, conn)
}

// set shuts the gate, which cuts all connections, or opens it.
func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	if shut {
		for conn := range g.open {
			_ = conn.Close()
		}
	}
}

// TestTheDatabaseIsAwayForAWhile has PostgreSQL drop all connections and take
// none for some time, as when it is started anew, in the midst of every kind of
// operation.
func TestTheDatabaseIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	if os.Getenv(storetest.PostgresVariable) == "" {
		t.Skip("SQLite is a file: " + storetest.PostgresVariable)
	}
	for _, e := range endurances() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			w := enduring(t)
			i := slices.IndexFunc(w.environ, func(v string) bool { return strings.HasPrefix(v, "DATABASE_URL=") })
			straight := w.environ[i]
			g, dsn := newGate(t, strings.TrimPrefix(straight, "DATABASE_URL="))
			w.environ[i] = "DATABASE_URL=" + dsn
			c := newCrew(w)
			c.environ[i] = straight
			c.openStore()
			c.environ[i] = "DATABASE_URL=" + dsn
			const n = 200
			whole, broken := e.stands(t), e.stands(t)
			_, want := c.outcome(e.start(c.workload, whole, c.register("whole", whole), n))
			last := broken[len(broken)-1]
			ids := c.register("broken", broken)
			last.slow(10 * time.Millisecond)
			id := e.start(c.workload, broken, ids, n)
			at := int64(0)
			for i := range 3 {
				op := c.follow(c.store, id, func(op store.Operation) bool { return op.Done > at || op.State.Final() })
				at = op.Done
				wait := time.NewTimer(time.Duration(rand.IntN(50)) * time.Millisecond)
				<-wait.C
				g.set(true)
				away := time.NewTimer(time.Duration(i) * time.Second)
				<-away.C
				g.set(false)
			}
			_, got := c.outcome(id)
			assert.Equal(t, want, got, "what the operation says")
			assert.Equal(t, whole[len(whole)-1].state(t), last.state(t), "what the system has")
		})
	}
}

// startSync brings new records of one system to another.
func startSync(w *workload, stands []*stand, ids []string, n int) string {
	w.t.Helper()
	a, err := stands[0].open(w.t.Context())
	require.NoError(w.t, err)
	defer func() { _ = a.Close() }()
	var values []adapter.Record
	for i := range n {
		name := fmt.Sprint("Partner ", i)
		if i%10 == 0 {
			name = "twin"
		}
		values = append(values, adapter.Record{"name": name, "ref": "synced"})
	}
	for some := range slices.Chunk(values, 500) {
		_, err := adapter.CreateEach(w.t.Context(), a, "res.partner", some)
		require.NoError(w.t, err)
	}
	v := w.call.send("POST", "/api/v1/sync", map[string]any{
		"source_system_id": ids[0], "target_system_id": ids[1], "model": "res.partner", "fields": []string{"name", "ref"}, "filter": []any{[]any{"ref", "=", "synced"}},
	}, 202)
	return v["operation_id"].(string)
}
