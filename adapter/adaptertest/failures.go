package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

// A call is one of every kind, for what must hold of all of them.
type call struct {
	name   string
	writes bool
	do     func(ctx context.Context, model string) error
}

func (s *suite) calls(id adapter.ID) []call {
	filter := s.only(id)
	return []call{
		{"Schema", false, func(ctx context.Context, model string) error {
			_, err := s.Adapter.Schema(ctx, model)
			return err
		}},
		{"Query", false, func(ctx context.Context, model string) error {
			_, err := s.Adapter.Query(ctx, adapter.Query{Model: model, Filter: filter, Fields: []string{s.Text}})
			return err
		}},
		{"Count", false, func(ctx context.Context, model string) error {
			_, err := adapter.Count(ctx, s.Adapter, model, filter)
			return err
		}},
		{"SearchIDs", false, func(ctx context.Context, model string) error {
			_, err := adapter.SearchIDs(ctx, s.Adapter, adapter.Query{Model: model, Filter: filter})
			return err
		}},
		{"Read", false, func(ctx context.Context, model string) error {
			_, err := adapter.Read(ctx, s.Adapter, model, []adapter.ID{id}, []string{s.Text})
			return err
		}},
		{"Create", true, func(ctx context.Context, model string) error {
			_, err := s.Adapter.Create(ctx, model, s.values("never"))
			return err
		}},
		{"CreateMany", true, func(ctx context.Context, model string) error {
			_, err := adapter.CreateMany(ctx, s.Adapter, model, []adapter.Record{s.values("never")})
			return err
		}},
		{"Update", true, func(ctx context.Context, model string) error {
			return s.Adapter.Update(ctx, model, []adapter.ID{id}, adapter.Record{s.Text: s.name("never")})
		}},
		{"Delete", true, func(ctx context.Context, model string) error {
			return s.Adapter.Delete(ctx, model, []adapter.ID{id})
		}},
	}
}

func testUnknownModel(t *testing.T, s *suite) {
	t.Helper()
	id := s.create(t, "here")
	for _, call := range s.calls(id) {
		requireCodeOrPartial(t, adapter.NotFound, call.do(t.Context(), "no.such.model"), call.name+" of an unknown model")
	}
}

// requireCodeOrPartial looks into the partial failure of a call that is made
// of several.
func requireCodeOrPartial(t *testing.T, want adapter.Code, err error, doing string) {
	t.Helper()
	var partial *adapter.PartialError
	if errors.As(err, &partial) {
		for _, err := range partial.Failed {
			requireCode(t, want, err, doing)
		}
		return
	}
	requireCode(t, want, err, doing)
}

func testUnknownFields(t *testing.T, s *suite) {
	t.Helper()
	const unknown = "no_such_field"
	ctx := t.Context()
	id := s.create(t, "here")
	query := func(q adapter.Query) error {
		q.Model = s.Model
		if q.Fields == nil {
			q.Fields = []string{s.Text}
		}
		_, err := s.Adapter.Query(ctx, q)
		return err
	}
	requireNames(t, unknown, query(adapter.Query{Fields: []string{s.Text, unknown}}), "an unknown field to read")
	requireNames(t, unknown, query(adapter.Query{Fields: []string{unknown}, Filter: s.only(s.MissingID)}), "an unknown field to read, of no records")
	requireNames(t, unknown, query(adapter.Query{Filter: adapter.Cond{Field: unknown, Op: adapter.Equal, Value: 1}}), "an unknown field in the filter")
	requireNames(t, unknown, query(adapter.Query{Filter: adapter.And{s.only(s.MissingID), adapter.Not{Part: adapter.Cond{Field: unknown, Op: adapter.Equal, Value: 1}}}}), "an unknown field deep in the filter")
	requireNames(t, unknown, query(adapter.Query{Order: []adapter.Order{{Field: unknown}}}), "an unknown field in the order")
	if s.Reference != "" {
		requireNames(t, unknown, query(adapter.Query{Filter: adapter.Cond{Field: s.Reference + "." + unknown, Op: adapter.Equal, Value: 1}}), "an unknown field behind a reference")
	}
	_, err := adapter.Count(ctx, s.Adapter, s.Model, adapter.Cond{Field: unknown, Op: adapter.Equal, Value: 1})
	requireNames(t, unknown, err, "an unknown field to count by")
	_, err = s.Adapter.Create(ctx, s.Model, s.values("never", adapter.Record{unknown: 1}))
	requireNames(t, unknown, err, "an unknown field to create with")
	err = s.Adapter.Update(ctx, s.Model, []adapter.ID{id}, adapter.Record{s.Text: s.name("never"), unknown: 1})
	requireNames(t, unknown, err, "an unknown field to update")
	assert.Equal(t, s.name("here"), s.get(t, id).String(s.Text), "a refused update changes nothing")
	s.requireNone(t, "never")
}

// requireNone asserts that no record of that name was made.
func (s *suite) requireNone(t *testing.T, name string) {
	t.Helper()
	found := s.query(t, adapter.Query{Model: s.Model, Fields: []string{s.Text}, Filter: adapter.Cond{Field: s.Text, Op: adapter.Equal, Value: s.name(name)}})
	for _, r := range found {
		s.made = append(s.made, r.ID())
	}
	assert.Empty(t, found, "a refused call made a record")
}

func testBadArguments(t *testing.T, s *suite) {
	t.Helper()
	ctx := t.Context()
	id := s.create(t, "here")
	bad := func(doing string, q adapter.Query) {
		t.Helper()
		q.Model, q.Fields = s.Model, []string{s.Text}
		_, err := s.Adapter.Query(ctx, q)
		requireCode(t, adapter.InvalidArgument, err, doing)
	}
	bad("an operator that is none", adapter.Query{Filter: adapter.Cond{Field: s.Text, Op: "~~", Value: "x"}})
	bad("a condition of nothing", adapter.Query{Filter: adapter.Cond{}})
	bad("a list where one value belongs", adapter.Query{Filter: adapter.Cond{Field: s.Text, Op: adapter.Less, Value: []any{"x"}}})
	bad("a negative limit", adapter.Query{Limit: -1})
	bad("a negative offset", adapter.Query{Offset: -1})
	bad("an order that is none", adapter.Query{Order: []adapter.Order{{Field: "name; drop table"}}})

	values := s.values("never")
	delete(values, s.Text)
	_, err := s.Adapter.Create(ctx, s.Model, values)
	requireCode(t, adapter.InvalidArgument, err, "Create without a required field")
	if s.Readonly != "" {
		err := s.Adapter.Update(ctx, s.Model, []adapter.ID{id}, adapter.Record{s.Readonly: "x"})
		requireNames(t, s.Readonly, err, "Update of a read-only field")
	}
}

func testContext(t *testing.T, s *suite) {
	t.Helper()
	id := s.create(t, "here")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancelLate()
	for _, call := range s.calls(id) {
		requireCodeOrPartial(t, adapter.Canceled, call.do(canceled, s.Model), call.name+" for a caller that left")
		requireCodeOrPartial(t, adapter.Timeout, call.do(late, s.Model), call.name+" past its deadline")
	}
	assert.Equal(t, s.name("here"), s.get(t, id).String(s.Text), "a call that was not made changes nothing")
	s.requireNone(t, "never")

	// In the midst of reading, the error comes and nothing after it.
	s.createNamed(t, "a", "b", "c")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	q := adapter.Query{Model: s.Model, Filter: s.only(s.made...), Fields: []string{s.Text}, Limit: 2}
	page, err := s.Adapter.Query(ctx, q)
	require.NoError(t, err)
	require.True(t, page.Truncated)
	cancel()
	q.Cursor = page.Next
	_, err = s.Adapter.Query(ctx, q)
	requireCode(t, adapter.Canceled, err, "the next page for a caller that left")
}

func testConcurrency(t *testing.T, s *suite) {
	t.Helper()
	const workers, rounds = 8, 3
	ctx := t.Context()
	work := func(worker int) error {
		for round := range rounds {
			name := fmt.Sprintf("worker %d round %d", worker, round)
			id, err := s.Adapter.Create(ctx, s.Model, s.values(name))
			if err != nil {
				return fmt.Errorf("create: %w", err)
			}
			read := func() (string, error) {
				page, err := s.Adapter.Query(ctx, adapter.Query{Model: s.Model, Filter: s.only(id), Fields: []string{s.Text}})
				if err != nil || len(page.Records) != 1 {
					return "", fmt.Errorf("query: %d records, %w", len(page.Records), err)
				}
				return page.Records[0].String(s.Text), nil
			}
			if got, err := read(); err != nil || got != s.name(name) {
				return fmt.Errorf("read %q for %q: %w", got, s.name(name), err)
			}
			changed := s.name(name + " changed")
			if err := s.Adapter.Update(ctx, s.Model, []adapter.ID{id}, adapter.Record{s.Text: changed}); err != nil {
				return fmt.Errorf("update: %w", err)
			}
			if got, err := read(); err != nil || got != changed {
				return fmt.Errorf("read %q for %q: %w", got, changed, err)
			}
			if _, err := s.Adapter.Schema(ctx, s.Model); err != nil {
				return fmt.Errorf("schema: %w", err)
			}
			if err := s.Adapter.Delete(ctx, s.Model, []adapter.ID{id}); err != nil {
				return fmt.Errorf("delete: %w", err)
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for worker := range workers {
		wg.Go(func() { errs[worker] = work(worker) })
	}
	wg.Wait()
	for _, err := range errs {
		assert.NoError(t, err)
	}
}

func testClose(t *testing.T, s *suite) {
	t.Helper()
	id := s.create(t, "left behind")
	require.NoError(t, s.Adapter.Delete(t.Context(), s.Model, []adapter.ID{id}))
	info := s.Adapter.Info()
	s.closed = true
	require.NoError(t, s.Adapter.Close())
	assert.NoError(t, s.Adapter.Close(), "a second Close does no harm")
	assert.Equal(t, info, s.Adapter.Info())
	for _, call := range s.calls(id) {
		requireCodeOrPartial(t, adapter.Unavailable, call.do(t.Context(), s.Model), call.name+" after Close")
	}
}
