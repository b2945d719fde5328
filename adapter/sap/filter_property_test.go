package sap_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap"
)

// nasty are texts that a careless writer of filters would let out of their
// quotes.
var nasty = []string{
	"plain", "Plain", "it's", "''", "'", "') or (Name ne '", "' or 1 eq 1 or Name eq '", "a\\b", "100%", "a_b", "a%b",
	"&$top=1", "$filter=x", "#", "?", "/", "a/b", "+", " ", "a b", "مرحبا", "éàü", "😀", "null", "true", "datetime'2020-01-01T00:00:00'",
	"%27", "%27 or 1 eq 1", "(", ")", "a,b", "\"", "x\ty", "--", "guid'1'", "",
}

type generator struct {
	t   *rapid.T
	ids []adapter.ID
	big int64
}

func (g generator) text(label string) any { return rapid.SampledFrom(nasty).Draw(g.t, label) }

func (g generator) cond() adapter.Filter {
	t := g.t
	texts := []adapter.Op{"=", "!=", "in", "not in", "like", "not like", "ilike", "not ilike", "=like", "=ilike", "not =like", "not =ilike", "=?"}
	orders := []adapter.Op{"=", "!=", "<", "<=", ">", ">=", "in", "not in"}
	value := func(op adapter.Op, one func(string) any) any {
		if op != "in" && op != "not in" {
			return one("value")
		}
		list := make([]any, rapid.IntRange(0, 4).Draw(t, "n"))
		for i := range list {
			list[i] = one(fmt.Sprint("value", i))
		}
		return list
	}
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0, 1, 2:
		op := rapid.SampledFrom(texts).Draw(t, "op")
		field := rapid.SampledFrom([]string{"Code", "Note"}).Draw(t, "field")
		return adapter.Cond{Field: field, Op: op, Value: value(op, func(l string) any {
			if rapid.IntRange(0, 9).Draw(t, l+" empty") == 0 {
				return false
			}
			return g.text(l)
		})}
	case 3:
		op := rapid.SampledFrom(orders).Draw(t, "op")
		return adapter.Cond{Field: rapid.SampledFrom([]string{"Count", "Ratio", "BigCount"}).Draw(t, "field"), Op: op, Value: value(op, func(l string) any {
			return rapid.SampledFrom([]any{0, 1, -1, 2, 3, json.Number("1.5"), json.Number("-0.5"), json.Number(strconv.FormatInt(g.big, 10)), 3_000_000_000, "2"}).Draw(t, l)
		})}
	case 4:
		op := rapid.SampledFrom(orders).Draw(t, "op")
		return adapter.Cond{Field: rapid.SampledFrom([]string{"Day", "Moment"}).Draw(t, "field"), Op: op, Value: value(op, func(l string) any {
			return rapid.SampledFrom([]any{false, "2025-01-01", "2025-01-02", "2025-01-01 12:00:00", "2025-01-01T23:59:59Z"}).Draw(t, l)
		})}
	case 5:
		return adapter.Cond{Field: "Flag", Op: rapid.SampledFrom([]adapter.Op{"=", "!="}).Draw(t, "op"), Value: rapid.Bool().Draw(t, "flag")}
	default:
		op := rapid.SampledFrom([]adapter.Op{"=", "!=", "in", "not in"}).Draw(t, "op")
		return adapter.Cond{Field: "id", Op: op, Value: value(op, func(l string) any {
			if rapid.Bool().Draw(t, l+" unknown") {
				return g.text(l + " id")
			}
			return rapid.SampledFrom(g.ids).Draw(t, l).Value()
		})}
	}
}

func (g generator) filter(depth int) adapter.Filter {
	if depth == 0 {
		return g.cond()
	}
	parts := func() []adapter.Filter {
		list := make([]adapter.Filter, rapid.IntRange(0, 3).Draw(g.t, "parts"))
		for i := range list {
			list[i] = g.filter(depth - 1)
		}
		return list
	}
	switch rapid.IntRange(0, 4).Draw(g.t, "node") {
	case 0:
		return adapter.And(parts())
	case 1:
		return adapter.Or(parts())
	case 2:
		return adapter.Not{Part: g.filter(depth - 1)}
	}
	return g.cond()
}

// Whatever filter there is, the service answers as the same filter does in
// memory on the records that were read.
func TestFiltersAnswerAsMemoryDoes(t *testing.T) {
	onEach(t, func(t *testing.T, client *sap.Client, service string) {
		t.Helper()
		ctx, model, name := t.Context(), service+".Samples", mark(t)
		big := int64(math.MaxInt64)
		if service == "probe" {
			big = 1<<53 - 1 // it is written in JavaScript, where greater ones lose digits
		}
		var values []adapter.Record
		for i, text := range nasty {
			r := adapter.Record{"Name": name, "Code": text[:min(len(text), 19)], "Count": i%5 - 1, "Flag": i%2 == 0}
			if i%3 != 0 {
				r["Note"] = nasty[(i*7)%len(nasty)]
				r["Ratio"] = json.Number(fmt.Sprintf("%d.5", i%4-1))
				r["Day"] = fmt.Sprintf("2025-01-%02d", i%3+1)
			}
			if i%4 != 0 {
				r["Moment"] = fmt.Sprintf("2025-01-01 %02d:59:59", i%24)
				r["BigCount"] = big - int64(i%3)
			}
			if len(text) > 19 {
				r["Code"] = "long"
			}
			values = append(values, r)
		}
		ids, err := client.CreateMany(ctx, model, values)
		require.NoError(t, err)
		own := adapter.Cond{Field: "Name", Op: adapter.Equal, Value: name}
		page, err := client.Query(ctx, adapter.Query{Model: model, Filter: own})
		require.NoError(t, err)
		require.Len(t, page.Records, len(values))
		schema, err := client.Schema(ctx, model)
		require.NoError(t, err)
		opts := adapter.MatchOptions{Model: model, Resolver: onlySchema{schema}}

		rapid.Check(t, func(rt *rapid.T) {
			f := generator{t: rt, ids: ids, big: big}.filter(2)
			matcher, err := adapter.NewMatcher(f, opts)
			require.NoError(rt, err)
			var want []string
			for _, r := range page.Records {
				ok, err := matcher.Match(r)
				require.NoError(rt, err)
				if ok {
					want = append(want, r.ID().String())
				}
			}
			got, err := client.SearchIDs(ctx, adapter.Query{Model: model, Filter: adapter.And{own, f}})
			require.NoError(rt, err, "%s", show(f))
			var found []string
			for _, id := range got {
				found = append(found, id.String())
			}
			slices.Sort(want)
			slices.Sort(found)
			if !slices.Equal(want, found) {
				rt.Fatalf("%s\nmemory  %v\nservice %v", show(f), want, found)
			}
			n, err := client.Count(ctx, model, adapter.And{own, f})
			require.NoError(rt, err)
			assert.Equal(rt, int64(len(want)), n)
		})
	})
}

func show(f adapter.Filter) string {
	b, _ := json.Marshal(adapter.FormatDomain(f))
	return string(b)
}

type onlySchema struct{ schema *adapter.Schema }

func (s onlySchema) Schema(string) (*adapter.Schema, error) { return s.schema, nil }
func (s onlySchema) Related(string, adapter.Record, string) ([]adapter.Record, error) {
	return nil, adapter.Errorf(adapter.Unsupported, "no related records")
}
func (s onlySchema) Read(string, []adapter.ID) ([]adapter.Record, error) { return nil, nil }
func (s onlySchema) ParentField(string) string                           { return "" }
