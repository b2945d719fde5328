package adapter_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

// pages is an adapter that answers queries with prepared pages.
type pages struct {
	adapter.Adapter

	kind    string
	idField string
	pages   []adapter.Page
	err     error
	queries []adapter.Query
	create  func(values adapter.Record) (adapter.ID, error)
}

func (p *pages) Info() adapter.Info { return adapter.Info{Kind: p.kind, IDField: p.idField} }

func (p *pages) Query(_ context.Context, q adapter.Query) (adapter.Page, error) {
	p.queries = append(p.queries, q)
	if len(p.pages) == 0 {
		return adapter.Page{}, p.err
	}
	page := p.pages[0]
	p.pages = p.pages[1:]
	return page, nil
}

func (p *pages) Create(_ context.Context, _ string, values adapter.Record) (adapter.ID, error) {
	return p.create(values)
}

func page(next string, ids ...int) adapter.Page {
	p := adapter.Page{Next: next, Truncated: next != ""}
	for _, id := range ids {
		p.Records = append(p.Records, adapter.Record{"id": id})
	}
	return p
}

func collect(t *testing.T, a adapter.Adapter, q adapter.Query) (ids []int64, err error) {
	t.Helper()
	for r, e := range adapter.All(t.Context(), a, q) {
		if e != nil {
			assert.Nil(t, r)
			assert.NoError(t, err, "it goes on after an error")
			err = e
			continue
		}
		ids = append(ids, r.Int("id"))
	}
	return ids, err
}

func TestAll(t *testing.T) {
	a := &pages{pages: []adapter.Page{page("b", 1, 2), page("c", 3), page("", 4)}}
	ids, err := collect(t, a, adapter.Query{Model: "m", Offset: 5})
	require.NoError(t, err)
	assert.Equal(t, []int64{1, 2, 3, 4}, ids)
	byID := []adapter.Order{{Field: "id"}}
	assert.Equal(t, []adapter.Query{{Model: "m", Offset: 5, Order: byID}, {Model: "m", Cursor: "b", Order: byID}, {Model: "m", Cursor: "c", Order: byID}}, a.queries)

	a = &pages{kind: "salesforce", idField: "Id", pages: []adapter.Page{page("b", 1, 2), page("c", 3, 4)}}
	ids, err = collect(t, a, adapter.Query{Limit: 4})
	require.NoError(t, err)
	assert.Equal(t, []int64{1, 2, 3, 4}, ids, "the limit bounds the whole")
	assert.Equal(t, []adapter.Query{{Limit: 4, Order: []adapter.Order{{Field: "Id"}}}, {Limit: 2, Cursor: "b", Order: []adapter.Order{{Field: "Id"}}}}, a.queries)

	boom := errors.New("boom")
	a = &pages{pages: []adapter.Page{page("b", 1)}, err: boom}
	ids, err = collect(t, a, adapter.Query{})
	assert.Equal(t, []int64{1}, ids)
	assert.ErrorIs(t, err, boom)

	a = &pages{pages: []adapter.Page{page("b", 1), page("b", 2), page("b", 3)}}
	ids, err = collect(t, a, adapter.Query{})
	assert.Equal(t, []int64{1, 2}, ids)
	assert.ErrorIs(t, err, adapter.ErrInternal, "a cursor that stands still")

	a = &pages{pages: []adapter.Page{page("b", 1, 2)}}
	for range adapter.All(t.Context(), a, adapter.Query{}) {
		break
	}
	assert.Len(t, a.queries, 1, "no page is read ahead")
}

func TestAbilitiesFallBack(t *testing.T) {
	ctx := t.Context()
	a := &pages{kind: "small", pages: []adapter.Page{page("b", 1, 2), page("", 3)}}
	n, err := adapter.Count(ctx, a, "m", nil)
	require.NoError(t, err)
	assert.EqualValues(t, 3, n)

	a.pages = []adapter.Page{page("", 2, 1)}
	ids, err := adapter.SearchIDs(ctx, a, adapter.Query{Model: "m", Fields: []string{"name"}})
	require.NoError(t, err)
	assert.Equal(t, []adapter.ID{adapter.IntID(2), adapter.IntID(1)}, ids)
	assert.Equal(t, []string{"id"}, a.queries[len(a.queries)-1].Fields)

	a.pages = []adapter.Page{page("", 1, 2)}
	records, err := adapter.Read(ctx, a, "m", []adapter.ID{adapter.IntID(2), adapter.IntID(9), adapter.IntID(1)}, nil)
	require.NoError(t, err)
	assert.Equal(t, []adapter.Record{{"id": 2}, {"id": 1}}, records)
	assert.Equal(t, cond("id", "in", []any{int64(2), int64(9), int64(1)}), a.queries[len(a.queries)-1].Filter)

	calls := len(a.queries)
	records, err = adapter.Read(ctx, a, "m", nil, nil)
	require.NoError(t, err)
	assert.Empty(t, records)
	assert.Len(t, a.queries, calls, "no ids, no call")

	require.NoError(t, adapter.Ping(ctx, a))
	for what, err := range map[string]error{
		"search by name": second(adapter.NameSearch(ctx, a, "m", "x", nil, 1)),
		"call methods":   second(adapter.Invoke(ctx, a, adapter.Call{})),
		"keep files":     second(adapter.Attach(ctx, a, adapter.Attachment{}, nil)),
	} {
		assert.ErrorIs(t, err, adapter.ErrUnsupported)
		assert.ErrorIs(t, err, errors.ErrUnsupported)
		assert.Contains(t, err.Error(), "small can't "+what)
	}
}

func second[A any](_ A, err error) error { return err }

func TestCreateManyOneByOne(t *testing.T) {
	made := int64(0)
	a := &pages{create: func(values adapter.Record) (adapter.ID, error) {
		if values["bad"] == true {
			return adapter.ID{}, adapter.ErrInvalidArgument
		}
		made++
		return adapter.IntID(made), nil
	}}
	ids, err := adapter.CreateMany(t.Context(), a, "m", []adapter.Record{{}, {}})
	require.NoError(t, err)
	assert.Equal(t, []adapter.ID{adapter.IntID(1), adapter.IntID(2)}, ids)
	ids, err = adapter.CreateMany(t.Context(), a, "m", []adapter.Record{{}, {"bad": true}, {}})
	var partial *adapter.PartialError
	require.ErrorAs(t, err, &partial)
	assert.Equal(t, []adapter.ID{adapter.IntID(3), {}, adapter.IntID(4)}, ids)
	assert.Equal(t, ids, partial.Done)
	assert.Len(t, partial.Failed, 1)
	assert.ErrorIs(t, partial.Failed[1], adapter.ErrInvalidArgument)
}

func TestZeroIDsStayOutOfJSON(t *testing.T) {
	b, err := json.Marshal(adapter.Info{Kind: "memory", Version: "1"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"kind": "memory", "version": "1"}`, string(b))
	b, err = json.Marshal(adapter.Attachment{Name: "x"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"id": null, "name": "x", "mimetype": "", "size": 0}`, string(b))
}

// shelf creates all or none, and refuses what is named bad.
type shelf struct {
	pages

	calls int
	err   error // of a chunk that holds "away"
}

func (s *shelf) CreateMany(_ context.Context, _ string, values []adapter.Record) ([]adapter.ID, error) {
	s.calls++
	ids := make([]adapter.ID, len(values))
	for i, v := range values {
		switch v.String("name") {
		case "bad":
			return nil, adapter.Errorf(adapter.InvalidArgument, "bad is no name")
		case "away":
			return nil, s.err
		}
		ids[i] = adapter.IntID(v.Int("n"))
	}
	return ids, nil
}

func (s *shelf) Create(ctx context.Context, model string, values adapter.Record) (adapter.ID, error) {
	ids, err := s.CreateMany(ctx, model, []adapter.Record{values})
	if err != nil {
		return adapter.ID{}, err
	}
	return ids[0], nil
}

func TestCreateEachFindsTheBadOnes(t *testing.T) {
	values := make([]adapter.Record, 250)
	for i := range values {
		values[i] = adapter.Record{"name": "good", "n": i + 1}
	}
	bad := []int{0, 99, 249}
	for _, i := range bad {
		values[i]["name"] = "bad"
	}
	s := &shelf{}
	ids, err := adapter.CreateEach(t.Context(), s, "m", values)
	var partial *adapter.PartialError
	require.ErrorAs(t, err, &partial)
	require.Len(t, partial.Failed, len(bad))
	for i, id := range ids {
		if err := partial.Failed[i]; err != nil {
			assert.Contains(t, bad, i)
			assert.True(t, id.IsZero())
			assert.Equal(t, adapter.InvalidArgument, adapter.CodeOf(err))
			continue
		}
		assert.Equal(t, adapter.IntID(int64(i+1)), id)
	}
	assert.Less(t, s.calls, 60, "halving, not one by one")
}

func TestCreateEachStopsWhereNothingIsKnown(t *testing.T) {
	s := &shelf{err: &adapter.Error{Code: adapter.UnknownOutcome, Message: "no answer"}}
	values := make([]adapter.Record, 250)
	for i := range values {
		values[i] = adapter.Record{"name": "good", "n": i + 1}
	}
	values[120]["name"] = "away"
	_, err := adapter.CreateEach(t.Context(), s, "m", values)
	var partial *adapter.PartialError
	require.ErrorAs(t, err, &partial)
	assert.Len(t, partial.Failed, 150)
	assert.NoError(t, partial.Failed[99])
	assert.Equal(t, adapter.UnknownOutcome, adapter.CodeOf(partial.Failed[100]), "the chunk was sent")
	assert.False(t, adapter.Retryable(partial.Failed[100], true))
	assert.True(t, adapter.Retryable(partial.Failed[200], true), "what was not sent may be sent again")
	assert.Equal(t, 2, s.calls)
}

func TestCreateEachOneByOne(t *testing.T) {
	p := &pages{create: func(v adapter.Record) (adapter.ID, error) {
		if v.String("name") == "bad" {
			return adapter.ID{}, adapter.Errorf(adapter.AlreadyExists, "taken")
		}
		return adapter.StringID(v.String("name")), nil
	}}
	ids, err := adapter.CreateEach(t.Context(), p, "m", []adapter.Record{{"name": "a"}, {"name": "bad"}, {"name": "c"}})
	var partial *adapter.PartialError
	require.ErrorAs(t, err, &partial)
	assert.Equal(t, []adapter.ID{adapter.StringID("a"), {}, adapter.StringID("c")}, ids)
	assert.ErrorIs(t, partial.Failed[1], adapter.ErrAlreadyExists)
}

func TestAbilitiesThatAreMissing(t *testing.T) {
	p := &pages{kind: "plain"}
	id := adapter.IntID(1)
	assert.False(t, adapter.Nests(p))
	_, err := adapter.ETag(t.Context(), p, "m", id)
	assert.ErrorIs(t, err, adapter.ErrUnsupported)
	assert.ErrorIs(t, adapter.UpdateIf(t.Context(), p, "m", id, "x", nil), adapter.ErrUnsupported)
	assert.ErrorIs(t, adapter.DeleteIf(t.Context(), p, "m", id, "x"), adapter.ErrUnsupported)
	_, _, err = adapter.Upsert(t.Context(), p, "m", "key", "x", nil)
	assert.ErrorIs(t, err, adapter.ErrUnsupported)
	_, err = adapter.Changes(t.Context(), p, adapter.ChangeQuery{Model: "m"})
	assert.ErrorIs(t, err, adapter.ErrUnsupported)
}
