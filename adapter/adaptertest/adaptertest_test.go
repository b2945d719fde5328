package adaptertest_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/adaptertest"
	"github.com/bridgecore/bridgecore/adapter/memory"
)

// harness is a memory adapter behind wrap.
func harness(t *testing.T, wrap func(*memory.Adapter) adapter.Adapter) adaptertest.Harness {
	t.Helper()
	m := memory.New(
		adapter.Schema{Model: "task", Fields: map[string]adapter.Field{
			"name": {Type: adapter.Char, Required: true}, "note": {Type: adapter.Char}, "rank": {Type: adapter.Integer}, "hours": {Type: adapter.Float},
			"done": {Type: adapter.Boolean}, "due": {Type: adapter.Date}, "seen": {Type: adapter.DateTime}, "project_id": {Type: adapter.Many2One, Relation: "project"},
		}},
		adapter.Schema{Model: "project", Fields: map[string]adapter.Field{"name": {Type: adapter.Char}}},
	)
	ids, err := m.CreateMany(t.Context(), "project", []adapter.Record{{"name": "North"}, {"name": "South"}})
	require.NoError(t, err)
	return adaptertest.Harness{
		Adapter: wrap(m), Model: "task", Text: "name", OptionalText: "note", Integer: "rank", Float: "hours", Boolean: "done",
		Date: "due", DateTime: "seen", Reference: "project_id", Targets: []adapter.Ref{{ID: ids[0], Name: "North"}, {ID: ids[1], Name: "South"}},
	}
}

// faulty is an adapter of which one thing is wrong.
type faulty struct {
	*memory.Adapter

	query  func(ctx context.Context, m *memory.Adapter, q adapter.Query) (adapter.Page, error)
	create func(ctx context.Context, m *memory.Adapter, model string, values adapter.Record) (adapter.ID, error)
	update func(ctx context.Context, m *memory.Adapter, model string, ids []adapter.ID, values adapter.Record) error
	remove func(ctx context.Context, m *memory.Adapter, model string, ids []adapter.ID) error
	close  func(m *memory.Adapter) error
	ids    func(ctx context.Context, m *memory.Adapter, q adapter.Query) ([]adapter.ID, error)
	read   func(ctx context.Context, m *memory.Adapter, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error)
	change func(ctx context.Context, m *memory.Adapter, model string, id adapter.ID, etag string, values adapter.Record) error
	each   func(ctx context.Context, m *memory.Adapter, model string, values []adapter.Record) ([]adapter.ID, error)
}

func (f faulty) Query(ctx context.Context, q adapter.Query) (adapter.Page, error) {
	if f.query == nil {
		return f.Adapter.Query(ctx, q)
	}
	return f.query(ctx, f.Adapter, q)
}

func (f faulty) Create(ctx context.Context, model string, values adapter.Record) (adapter.ID, error) {
	if f.create == nil {
		return f.Adapter.Create(ctx, model, values)
	}
	return f.create(ctx, f.Adapter, model, values)
}

func (f faulty) Update(ctx context.Context, model string, ids []adapter.ID, values adapter.Record) error {
	if f.update == nil {
		return f.Adapter.Update(ctx, model, ids, values)
	}
	return f.update(ctx, f.Adapter, model, ids, values)
}

func (f faulty) Delete(ctx context.Context, model string, ids []adapter.ID) error {
	if f.remove == nil {
		return f.Adapter.Delete(ctx, model, ids)
	}
	return f.remove(ctx, f.Adapter, model, ids)
}

func (f faulty) Close() error {
	if f.close == nil {
		return f.Adapter.Close()
	}
	return f.close(f.Adapter)
}

func (f faulty) SearchIDs(ctx context.Context, q adapter.Query) ([]adapter.ID, error) {
	if f.ids == nil {
		return f.Adapter.SearchIDs(ctx, q)
	}
	return f.ids(ctx, f.Adapter, q)
}

func (f faulty) Read(ctx context.Context, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
	if f.read == nil {
		return f.Adapter.Read(ctx, model, ids, fields)
	}
	return f.read(ctx, f.Adapter, model, ids, fields)
}

func (f faulty) UpdateIf(ctx context.Context, model string, id adapter.ID, etag string, values adapter.Record) error {
	if f.change == nil {
		return f.Adapter.UpdateIf(ctx, model, id, etag, values)
	}
	return f.change(ctx, f.Adapter, model, id, etag, values)
}

func (f faulty) CreateEach(ctx context.Context, model string, values []adapter.Record) ([]adapter.ID, error) {
	if f.each == nil {
		return f.Adapter.CreateEach(ctx, model, values)
	}
	return f.each(ctx, f.Adapter, model, values)
}

// eachRecord returns a Query whose records pass through change.
func eachRecord(change func(adapter.Record)) func(context.Context, *memory.Adapter, adapter.Query) (adapter.Page, error) {
	return func(ctx context.Context, m *memory.Adapter, q adapter.Query) (adapter.Page, error) {
		page, err := m.Query(ctx, q)
		for _, r := range page.Records {
			change(r)
		}
		return page, err
	}
}

// faults are what goes wrong in adapters, and the test that must find each.
var faults = map[string]struct {
	caughtBy string
	faulty   faulty
}{
	"numbers read as floats": {"Numbers", faulty{query: eachRecord(func(r adapter.Record) {
		if r["rank"] != nil {
			r["rank"] = r.Float("rank")
		}
	})}},
	"texts are trimmed at a newline": {"Texts", faulty{create: func(ctx context.Context, m *memory.Adapter, model string, values adapter.Record) (adapter.ID, error) {
		clone := maps.Clone(values)
		if s, ok := clone["name"].(string); ok {
			clone["name"], _, _ = strings.Cut(s, "\n")
		}
		return m.Create(ctx, model, clone)
	}}},
	"the caller's map is changed": {"CallersMaps", faulty{create: func(ctx context.Context, m *memory.Adapter, model string, values adapter.Record) (adapter.ID, error) {
		values["seen"] = "2025-03-14 15:09:26"
		return m.Create(ctx, model, values)
	}}},
	"a cut limit is not said": {"Pages", faulty{query: func(ctx context.Context, m *memory.Adapter, q adapter.Query) (adapter.Page, error) {
		page, err := m.Query(ctx, q)
		page.Truncated = false
		return page, err
	}}},
	"pages by offset": {"PagesWhileDeleting", faulty{query: func(ctx context.Context, m *memory.Adapter, q adapter.Query) (adapter.Page, error) {
		q.Offset, q.Cursor = len(q.Cursor), ""
		page, err := m.Query(ctx, q)
		if page.Next != "" {
			page.Next = strings.Repeat("x", q.Offset+len(page.Records))
		}
		return page, err
	}}},
	"not set is not unequal": {"Filters", faulty{query: func(ctx context.Context, m *memory.Adapter, q adapter.Query) (adapter.Page, error) {
		f, err := adapter.Map(q.Filter, func(c adapter.Cond) (adapter.Filter, error) {
			if c.Op == adapter.NotEqual && !adapter.IsEmpty(c.Value) {
				return adapter.And{c, adapter.Cond{Field: c.Field, Op: adapter.NotEqual, Value: false}}, nil
			}
			return c, nil
		})
		if err != nil {
			return adapter.Page{}, err
		}
		q.Filter = f
		return m.Query(ctx, q)
	}}},
	"the order is ignored": {"Order", faulty{query: func(ctx context.Context, m *memory.Adapter, q adapter.Query) (adapter.Page, error) {
		q.Order = nil
		return m.Query(ctx, q)
	}}},
	"errors are not of the adapter's kind": {"UnknownModel", faulty{query: func(ctx context.Context, m *memory.Adapter, q adapter.Query) (adapter.Page, error) {
		page, err := m.Query(ctx, q)
		if err != nil {
			err = os.ErrNotExist
		}
		return page, err
	}}},
	"unknown fields are dropped": {"UnknownFields", faulty{query: func(ctx context.Context, m *memory.Adapter, q adapter.Query) (adapter.Page, error) {
		if len(q.Fields) > 0 && q.Fields[len(q.Fields)-1] == "no_such_field" {
			q.Fields = q.Fields[:len(q.Fields)-1]
		}
		return m.Query(ctx, q)
	}}},
	"a missing id is no error": {"MissingIDs", faulty{update: func(ctx context.Context, m *memory.Adapter, model string, ids []adapter.ID, values adapter.Record) error {
		if err := m.Update(ctx, model, ids, values); adapter.CodeOf(err) != adapter.NotFound {
			return err
		}
		return nil
	}}},
	"the context is ignored": {"Context", faulty{remove: func(ctx context.Context, m *memory.Adapter, model string, ids []adapter.ID) error {
		return m.Delete(context.WithoutCancel(ctx), model, ids)
	}}},
	"closing does nothing": {"Close", faulty{close: func(*memory.Adapter) error { return nil }}},
	"the limit of a search is ignored": {"SearchIDs", faulty{ids: func(ctx context.Context, m *memory.Adapter, q adapter.Query) ([]adapter.ID, error) {
		q.Limit = 0
		return m.SearchIDs(ctx, q)
	}}},
	"a missing record is read": {"Read", faulty{read: func(ctx context.Context, m *memory.Adapter, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
		records := make([]adapter.Record, len(ids))
		for i, id := range ids {
			found, err := m.Read(ctx, model, []adapter.ID{id}, fields)
			if err != nil {
				return nil, err
			}
			if records[i] = (adapter.Record{"id": id.Value()}); len(found) > 0 {
				records[i] = found[0]
			}
		}
		return records, nil
	}}},
	"plain values are not": {"Plain", faulty{query: func(ctx context.Context, m *memory.Adapter, q adapter.Query) (adapter.Page, error) {
		q.Plain = false
		return m.Query(ctx, q)
	}}},
	"a stale tag is taken": {"Conditional", faulty{change: func(ctx context.Context, m *memory.Adapter, model string, id adapter.ID, _ string, values adapter.Record) error {
		return m.Update(ctx, model, []adapter.ID{id}, values)
	}}},
	"the check and the change are two steps": {"ConditionalRace", faulty{change: func() func(ctx context.Context, m *memory.Adapter, model string, id adapter.ID, etag string, values adapter.Record) error {
		var checked sync.WaitGroup
		checked.Add(8)
		return func(ctx context.Context, m *memory.Adapter, model string, id adapter.ID, etag string, values adapter.Record) error {
			if text, _ := values["name"].(string); !strings.Contains(text, " by ") {
				return m.UpdateIf(ctx, model, id, etag, values)
			}
			now, err := m.ETag(ctx, model, id)
			checked.Done()
			checked.Wait()
			if err != nil || now != etag {
				return adapter.Errorf(adapter.PreconditionFailed, "it has changed")
			}
			return m.Update(ctx, model, []adapter.ID{id}, values)
		}
	}()}},
	"a bad record stops the others": {"CreateEach", faulty{each: func(ctx context.Context, m *memory.Adapter, model string, values []adapter.Record) ([]adapter.ID, error) {
		ids := make([]adapter.ID, len(values))
		for i, v := range values {
			id, err := m.Create(ctx, model, v)
			if err != nil {
				return ids, &adapter.PartialError{Done: ids, Failed: map[int]error{i: err}}
			}
			ids[i] = id
		}
		return ids, nil
	}}},
	"a pair written back clears": {"References", faulty{update: func(ctx context.Context, m *memory.Adapter, model string, ids []adapter.ID, values adapter.Record) error {
		values = maps.Clone(values)
		if _, pair := values["project_id"].([]any); pair {
			values["project_id"] = nil
		}
		return m.Update(ctx, model, ids, values)
	}}},
}

const faultVariable = "ADAPTERTEST_FAULT"

// TestSuite passes on a sound adapter. In a process of its own it meets the
// fault that the environment names.
func TestSuite(t *testing.T) {
	f := faults[os.Getenv(faultVariable)].faulty
	adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
		t.Helper()
		return harness(t, func(m *memory.Adapter) adapter.Adapter {
			f := f
			f.Adapter = m
			return f
		})
	})
}

// TestTheSuiteFindsFaults runs the suite on adapters of which one thing is
// wrong.
func TestTheSuiteFindsFaults(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSuite$")
			run.Env = append(os.Environ(), faultVariable+"="+name)
			output, err := run.CombinedOutput()
			require.Error(t, err, "the suite passes")
			assert.Contains(t, string(output), "--- FAIL: TestSuite/"+fault.caughtBy+" ", "%s", output)
		})
	}
}

// few can do only what every adapter must.
type few struct{ adapter.Adapter }

// TestSuiteWithoutAbilities runs the suite on an adapter without any ability,
// of which the harness names the least.
func TestSuiteWithoutAbilities(t *testing.T) {
	adaptertest.Run(t, func(t *testing.T) adaptertest.Harness {
		t.Helper()
		h := harness(t, func(m *memory.Adapter) adapter.Adapter { return few{m} })
		return adaptertest.Harness{Adapter: h.Adapter, Model: h.Model, Text: h.Text}
	})
}
