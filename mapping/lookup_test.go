package mapping_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

const lookedUp = `universal: m
fields: {state: char, country: char, book: char, tags: list, day: date, at: datetime, ext: char}
---
mapping: m
system: s
model: M
set: {price_list: {lookup: {model: list, by: standard, value: true}}}
fields:
  country: {path: country_id.code, lookup: {model: country, by: code}}
  state: {path: state_id.code, lookup: {model: state, by: code, with: {country_id.code: country}}}
  book: {path: book_id.name, lookup: {model: book, by: name, where: {active: true}}}
  tags: {path: tag_ids.name, write: {path: tag_ids, lookup: {model: tag, by: name}, as: commands}}
  day: {path: day, default: {now: date}}
  at: {path: at, default: {now: datetime}}
  ext: {path: ref_id, lookup: {model: country, by: external_id, read: true}}
`

var records = mapping.Tables{
	"country": {{"id": 1, "code": "US", "external_id": "base.us"}, {"id": 2, "code": "AU", "external_id": "base.au"}},
	"state":   {{"id": 10, "code": "WA", "country_id": map[string]any{"id": 1, "code": "US"}}, {"id": 11, "code": "WA", "country_id": map[string]any{"id": 2, "code": "AU"}}},
	"book":    {{"id": 20, "name": "B", "active": false}, {"id": 21, "name": "B", "active": true}},
	"tag":     {{"id": 30, "name": "x"}, {"id": 31, "name": "y"}},
	"list":    {{"id": 40, "standard": true}, {"id": 41, "standard": false}},
}

func lookupPlan(tb testing.TB) *mapping.Plan {
	tb.Helper()
	s, err := mapping.Parse("m.yaml", []byte(lookedUp))
	require.NoError(tb, err)
	return compile(tb, s, "s", "", "m", mapping.Options{Unmapped: mapping.Extra})
}

func TestLookup(t *testing.T) {
	ctx := mapping.WithLookup(t.Context(), records)
	p := lookupPlan(t)
	v, err := p.Update(ctx, record(t, `{"country":"AU","state":"WA","book":"B","tags":["y","x"],"ext":"base.us"}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"country_id":2,"state_id":11,"book_id":21,"tag_ids":[[6,0,[31,30]]],"ref_id":1}`, toJSON(t, v.Record))
	v, err = p.Update(ctx, record(t, `{"country":null,"tags":[],"ext":null}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"country_id":null,"tag_ids":[[6,0,[]]],"ref_id":null}`, toJSON(t, v.Record))

	_, err = p.Update(ctx, record(t, `{"state":"WA"}`))
	assert.ErrorContains(t, err, `field "state": several records of state fit`)
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
	_, err = p.Update(ctx, record(t, `{"book":"C"}`))
	assert.ErrorContains(t, err, `there is no book whose name is "C"`)

	got, _, err := p.ToUniversal(ctx, record(t, `{"country_id":{"id":2,"code":"AU"},"tag_ids":[{"name":"x"},{"name":"y"}],"ref_id":[2,"Australia"]}`), []string{"country", "tags", "ext"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"country":"AU","tags":["x","y"],"ext":"base.au"}`, toJSON(t, got))

	f, err := p.Filter(ctx, domain(t, `[["ext","in",["base.us","base.au",false]]]`))
	require.NoError(t, err)
	assert.Equal(t, `[["ref_id","in",[1,2,false]]]`, string(adapter.AppendDomainJSON(nil, f)))
}

// A filter that holds for nothing holds for records without the related one.
func TestFilterThroughNothing(t *testing.T) {
	p := lookupPlan(t)
	for give, want := range map[string]string{
		`[["country","!=","AU"]]`:        `["|",["country_id.code","!=","AU"],["country_id","=",false]]`,
		`[["country","=",false]]`:        `["|",["country_id.code","=",false],["country_id","=",false]]`,
		`[["country","=","AU"]]`:         `[["country_id.code","=","AU"]]`,
		`[["country","not in",[false]]]`: `[["country_id.code","not in",[false]]]`,
	} {
		f, err := p.Filter(t.Context(), domain(t, give))
		require.NoError(t, err)
		assert.Equal(t, want, string(adapter.AppendDomainJSON(nil, f)))
	}
}

// counting tells what was asked.
type counting struct {
	mapping.Tables
	asked []string
	err   error
}

func (c *counting) FindID(ctx context.Context, model string, f adapter.Filter) (adapter.ID, error) {
	c.asked = append(c.asked, model)
	if c.err != nil {
		return adapter.ID{}, c.err
	}
	return c.Tables.FindID(ctx, model, f)
}

// What is set for new records is looked up, but not where the record has it.
func TestSetByLookup(t *testing.T) {
	c := &counting{Tables: records}
	ctx := mapping.WithLookup(t.Context(), c)
	p := lookupPlan(t)
	v, err := p.Create(ctx, record(t, `{"day":"2024-01-31"}`))
	require.NoError(t, err)
	assert.Equal(t, adapterNumber("40"), v.Record["price_list"])
	assert.Equal(t, []string{"list"}, c.asked)
	v, err = p.Create(ctx, record(t, `{"extra":{"price_list":7}}`))
	require.NoError(t, err)
	assert.Equal(t, adapterNumber("7"), v.Record["price_list"])
	assert.Equal(t, []string{"list"}, c.asked)
	v, err = p.Update(ctx, record(t, `{"day":"2024-01-31"}`))
	require.NoError(t, err)
	assert.NotContains(t, v.Record, "price_list")

	// Today and now.
	v, err = p.Create(ctx, adapter.Record{})
	require.NoError(t, err)
	day, err := time.Parse(time.DateOnly, v.Record["day"].(string))
	require.NoError(t, err)
	at, err := time.Parse(time.DateTime, v.Record["at"].(string))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), at, time.Hour)
	assert.WithinDuration(t, time.Now(), day, 25*time.Hour)
}

// What a lookup fails with is told with the field, its code kept.
func TestLookupFails(t *testing.T) {
	down := &adapter.Error{Code: adapter.Unavailable, Message: "the system is away", Temporary: true}
	ctx := mapping.WithLookup(t.Context(), &counting{err: down})
	_, err := lookupPlan(t).Update(ctx, adapter.Record{"country": "AU"})
	assert.ErrorIs(t, err, adapter.ErrUnavailable)
	assert.ErrorContains(t, err, `field "country": the system is away`)
	assert.ErrorIs(t, err, down)
	assert.True(t, adapter.Retryable(err, true), "nothing was sent")
}

// A record is not shared with what mappings set.
func TestSetIsCloned(t *testing.T) {
	s, err := mapping.Parse("m.yaml", []byte("universal: m\nfields: {a: char}\n---\nmapping: m\nsystem: s\nmodel: M\nset: {roles: [{role: x}]}\nfields: {a: a}"))
	require.NoError(t, err)
	p := compile(t, s, "s", "", "m", mapping.Options{})
	for range 2 {
		v, err := p.Create(t.Context(), adapter.Record{"a": "b"})
		require.NoError(t, err)
		role := v.Record["roles"].([]any)[0].(map[string]any)
		assert.Equal(t, "x", role["role"])
		role["role"] = "changed"
	}
}
