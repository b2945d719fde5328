package odoo

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

func TestReadFallback(t *testing.T) {
	for _, tc := range []struct {
		name     string
		major    int
		fallback adapter.Fallback
		model    string
		fields   []string
		sent     []string
		answer   string
		want     string
		warnings map[string]string // field to what was used for it
		refused  string
	}{
		{"renamed", 19, "", "sale.order.line", []string{"name", "product_uom"}, []string{"name", "product_uom_id"},
			`{"id":1,"name":"x","product_uom_id":[1,"Units"]}`, `{"id":1,"name":"x","product_uom":[1,"Units"]}`, map[string]string{"product_uom": "product_uom_id"}, ""},
		{"both names", 19, "", "sale.order.line", []string{"product_uom", "product_uom_id"}, []string{"product_uom_id"},
			`{"id":1,"product_uom_id":[1,"Units"]}`, `{"id":1,"product_uom":[1,"Units"],"product_uom_id":[1,"Units"]}`, map[string]string{"product_uom": "product_uom_id"}, ""},
		{"into one field", 19, "", "res.partner", []string{"mobile", "phone"}, []string{"phone"},
			`{"id":1,"phone":"1"}`, `{"id":1,"mobile":"1","phone":"1"}`, map[string]string{"mobile": "phone"}, ""},
		{"gone", 19, "", "res.partner", []string{"name", "title"}, []string{"name"},
			`{"id":1,"name":"x"}`, `{"id":1,"name":"x"}`, map[string]string{"title": ""}, ""},
		{"all gone", 19, "", "res.partner", []string{"title"}, []string{"id"},
			`{"id":1}`, `{"id":1}`, map[string]string{"title": ""}, ""},
		{"custom", 17, "", "res.partner", []string{"name", "x_studio"}, []string{"name"},
			`{"id":1,"name":"x"}`, `{"id":1,"name":"x"}`, map[string]string{"x_studio": ""}, ""},
		{"unknown", 17, "", "res.partner", []string{"namee"}, nil, ``, ``, nil, "namee"},
		{"unknown, all dropped", 17, adapter.FallbackAll, "res.partner", []string{"name", "namee"}, []string{"name"},
			`{"id":1,"name":"x"}`, `{"id":1,"name":"x"}`, map[string]string{"namee": ""}, ""},
		{"off", 19, adapter.FallbackOff, "res.partner", []string{"mobile"}, nil, ``, ``, nil, "mobile"},
	} {
		for _, via := range []string{"Query", "Read", "Call"} {
			t.Run(tc.name+"/"+via, func(t *testing.T) {
				client, conn := connect(tc.major)
				conn.answer = func(call rpc.Call) (any, error) {
					if call.Method == "search" {
						return []int{1}, nil
					}
					return json.RawMessage("[" + tc.answer + "]"), nil
				}
				ctx, warnings := adapter.WithWarnings(adapter.WithScope(t.Context(), adapter.Scope{Fallback: tc.fallback}))
				var got any
				var err error
				switch via {
				case "Query":
					var page adapter.Page
					page, err = client.Query(ctx, adapter.Query{Model: tc.model, Fields: tc.fields})
					got = page.Records
				case "Read":
					got, err = client.Read(ctx, tc.model, []adapter.ID{adapter.IntID(1)}, append([]string{"id"}, tc.fields...))
				case "Call":
					got, err = client.Call(ctx, adapter.Call{Model: tc.model, Method: "read", Args: []any{[]int{1}}, Kwargs: map[string]any{"fields": tc.fields}})
				}
				if tc.refused != "" {
					e := fault(t, err)
					assert.Equal(t, tc.refused, e.Field)
					assert.Contains(t, e.Message, "Invalid field '"+tc.refused+"'")
					assert.Empty(t, conn.sent())
					return
				}
				require.NoError(t, err)
				if len(tc.sent) > 1 || tc.sent[0] != "id" || via != "Read" {
					sent, _ := conn.last(t).Kwargs["fields"].([]string)
					if via == "Read" {
						sent = sent[1:]
					}
					assert.Equal(t, tc.sent, sent)
					assert.JSONEq(t, "["+tc.want+"]", asJSON(t, got))
				}
				said := map[string]string{}
				for _, w := range warnings.List() {
					said[w.Field] = w.Used
					assert.NotEmpty(t, w.Message)
				}
				assert.Equal(t, tc.warnings, said)
			})
		}
	}
}

func TestModelFallback(t *testing.T) {
	client, conn := connect(15)
	conn.answer = func(rpc.Call) (any, error) { return 3, nil }
	ctx, warnings := adapter.WithWarnings(t.Context())
	_, err := client.Count(ctx, "stock.lot", nil)
	require.NoError(t, err)
	assert.Equal(t, "stock.production.lot", conn.last(t).Model)
	require.Len(t, warnings.List(), 1)
	assert.Equal(t, "stock.production.lot", warnings.List()[0].Used)

	_, err = client.Count(adapter.WithScope(t.Context(), adapter.Scope{Fallback: adapter.FallbackOff}), "stock.lot", nil)
	assert.ErrorIs(t, err, adapter.ErrNotFound)
}

// The module of a field that this version has in general may be missing: only
// the server can tell, and it is asked once.
func TestServerDeniesAKnownField(t *testing.T) {
	client, conn := connect(17)
	conn.lacks = map[string]bool{"res.partner.sale_order_count": true, "res.partner.credit": true}
	conn.answer = func(call rpc.Call) (any, error) {
		for _, f := range call.Kwargs["fields"].([]string) {
			if conn.lacks["res.partner."+f] {
				return nil, invalidField("res.partner", f)
			}
		}
		return json.RawMessage(`[{"id":1,"name":"x"}]`), nil
	}
	ctx, warnings := adapter.WithWarnings(t.Context())
	q := adapter.Query{Model: "res.partner", Fields: []string{"name", "sale_order_count", "credit"}}
	page, err := client.Query(ctx, q)
	require.NoError(t, err)
	assert.Len(t, page.Records, 1)
	assert.Len(t, warnings.List(), 2)
	assert.Len(t, conn.sent(), 3)
	_, err = client.Query(ctx, q)
	require.NoError(t, err)
	assert.Len(t, conn.sent(), 4, "what was learned need not be asked again")

	// Where dropping is off it is an error, and the same on a write.
	off := adapter.WithScope(t.Context(), adapter.Scope{Fallback: adapter.FallbackOff})
	_, err = client.Query(off, q)
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
}

// An AccessError on a field that the user may not see is the caller's to know.
func TestServerHidesAField(t *testing.T) {
	client, conn := connect(17)
	conn.lacks = map[string]bool{"product.template.standard_price": true}
	conn.answer = func(rpc.Call) (any, error) {
		return nil, &adapter.Error{Code: adapter.PermissionDenied, Message: "not yours"}
	}
	_, err := client.Query(t.Context(), adapter.Query{Model: "product.template", Fields: []string{"standard_price"}})
	assert.ErrorIs(t, err, adapter.ErrPermissionDenied)
}

func TestServerContradictsTheSchema(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, conn := connect(17)
		conn.extra = map[string]map[string]any{"res.partner": {"x_size": map[string]any{"type": "char"}}}
		conn.answer = func(call rpc.Call) (any, error) {
			for _, f := range call.Kwargs["fields"].([]string) {
				if f == "x_size" {
					return nil, invalidField("res.partner", f)
				}
			}
			return json.RawMessage(`[{"id":1,"name":"x"}]`), nil
		}
		_, err := client.Schema(t.Context(), "res.partner")
		require.NoError(t, err)
		time.Sleep(time.Minute)
		conn.extra = nil // the field is removed
		page, err := client.Query(t.Context(), adapter.Query{Model: "res.partner", Fields: []string{"name", "x_size"}})
		require.NoError(t, err)
		assert.Equal(t, "x", page.Records[0].String("name"))
		assert.Equal(t, 2, conn.loads)
	})
	t.Run("and itself", func(t *testing.T) {
		client, conn := connect(17)
		conn.answer = func(rpc.Call) (any, error) { return nil, invalidField("res.partner", "name") }
		_, err := client.Query(t.Context(), adapter.Query{Model: "res.partner", Fields: []string{"name"}})
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
		assert.LessOrEqual(t, len(conn.sent()), attempts)
	})
}

func TestNewFieldIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, conn := connect(17)
		conn.answer = func(rpc.Call) (any, error) { return []any{}, nil }
		q := adapter.Query{Model: "res.partner", Fields: []string{"x_size"}}
		_, err := client.Query(t.Context(), q)
		require.NoError(t, err)
		conn.extra = map[string]map[string]any{"res.partner": {"x_size": map[string]any{"type": "char"}}}
		_, err = client.Query(t.Context(), q)
		require.NoError(t, err)
		assert.Equal(t, 1, conn.loads, "not loaded anew for each wrong call")
		time.Sleep(freshFor)
		_, err = client.Query(t.Context(), q)
		require.NoError(t, err)
		assert.Equal(t, 2, conn.loads)
		assert.Equal(t, []string{"x_size"}, conn.last(t).Kwargs["fields"])
	})
}

func TestSchemaIsLoadedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, conn := connect(17)
		gate := make(chan struct{})
		var loads atomic.Int32
		load := client.schemas.load
		client.schemas.load = func(ctx context.Context, name, language string) (*adapter.Schema, error) {
			loads.Add(1)
			<-gate
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			return load(ctx, name, language)
		}
		gone, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var failed atomic.Int32
		for i := range 20 {
			ctx := t.Context()
			if i == 0 {
				ctx = gone
			} else {
				synctest.Wait() // the first one has begun the load
			}
			wg.Go(func() {
				if _, err := client.Schema(ctx, "res.partner"); err != nil {
					failed.Add(1)
				}
			})
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		assert.EqualValues(t, 1, failed.Load(), "who goes away fails alone")
		close(gate)
		wg.Wait()
		assert.EqualValues(t, 1, loads.Load())
		assert.EqualValues(t, 1, failed.Load())

		time.Sleep(schemaTTL - time.Second)
		_, err := client.Schema(t.Context(), "res.partner")
		require.NoError(t, err)
		assert.EqualValues(t, 1, loads.Load())
		time.Sleep(time.Second)
		_, err = client.Schema(t.Context(), "res.partner")
		require.NoError(t, err)
		assert.EqualValues(t, 2, loads.Load(), "an hour later")
		assert.Equal(t, 2, conn.loads)
	})
}

func TestSchemaInALanguage(t *testing.T) {
	client, conn := connect(17)
	french := adapter.WithScope(t.Context(), adapter.Scope{Language: "fr_FR"})
	for range 2 {
		_, err := client.Schema(french, "res.partner")
		require.NoError(t, err)
		_, err = client.Count(french, "res.partner", nil)
		require.Error(t, err) // the fake answers true
	}
	assert.Equal(t, 2, conn.loads, "once for labels in French, once for the adapter's own use")
	assert.Equal(t, "fr_FR", conn.calls[0].Kwargs["context"].(map[string]any)["lang"])
}

func TestSchemaReadsWhatFieldsGetWrites(t *testing.T) {
	client, conn := connect(17)
	conn.extra = map[string]map[string]any{"x.model": {
		"a": map[string]any{"type": "selection", "selection": []any{[]any{"x", "X"}, []any{1, "One"}}, "string": "A", "help": false},
		"b": map[string]any{"type": "many2one_reference", "store": true},
		"c": map[string]any{"type": "hologram", "sortable": false, "size": 12},
		"d": map[string]any{"type": "one2many", "relation": "x.line", "relation_field": "x_id", "store": false, "required": true, "translate": 1},
		"e": map[string]any{"type": "selection", "selection": "_compute"},
	}}
	s, err := client.Schema(t.Context(), "x.model")
	require.NoError(t, err)
	assert.Equal(t, []adapter.Option{{Value: "x", Label: "X"}, {Value: "1", Label: "One"}}, s.Fields["a"].Selection)
	assert.Equal(t, adapter.Integer, s.Fields["b"].Type)
	assert.Equal(t, "many2one_reference", s.Fields["b"].Native)
	assert.Equal(t, adapter.Unknown, s.Fields["c"].Type)
	assert.Equal(t, "hologram", s.Fields["c"].Native)
	assert.Equal(t, 12, s.Fields["c"].Size)
	assert.False(t, s.Fields["c"].Sortable)
	assert.Equal(t, "x_id", s.Fields["d"].Inverse)
	assert.True(t, s.Fields["d"].Required && s.Fields["d"].Translate && !s.Fields["d"].Stored)
	assert.Empty(t, s.Fields["e"].Selection)

	s.Fields["a"] = adapter.Field{}
	again, err := client.Schema(t.Context(), "x.model")
	require.NoError(t, err)
	assert.Equal(t, adapter.Selection, again.Fields["a"].Type, "a caller's changes stay its own")
}

func TestFillEmpty(t *testing.T) {
	for _, tc := range []struct {
		name, model string
		major       int
		fields      []string
		sent        []string
		answer      string
		want        string
		filled      map[string]string
	}{
		{"phone from mobile", "res.partner", 17, []string{"name", "phone"}, []string{"name", "phone", "display_name", "complete_name", "mobile"},
			`{"id":1,"name":"A","display_name":"A","phone":false,"mobile":"0600"}`, `{"id":1,"name":"A","phone":"0600"}`, map[string]string{"phone": "mobile"}},
		{"nothing to fill with", "res.partner", 17, []string{"phone"}, []string{"phone", "mobile"},
			`{"id":1,"phone":false,"mobile":false}`, `{"id":1,"phone":false}`, map[string]string{}},
		{"full already", "res.partner", 17, []string{"phone"}, []string{"phone", "mobile"},
			`{"id":1,"phone":"1","mobile":"2"}`, `{"id":1,"phone":"1"}`, map[string]string{}},
		{"asked for both", "res.partner", 17, []string{"phone", "mobile"}, []string{"phone", "mobile"},
			`{"id":1,"phone":false,"mobile":"2"}`, `{"id":1,"phone":"2","mobile":"2"}`, map[string]string{"phone": "mobile"}},
		{"a field that is only filled", "product.template", 17, []string{"price"}, []string{"list_price", "standard_price"},
			`{"id":1,"list_price":5.0,"standard_price":3.0}`, `{"id":1,"price":5.0}`, map[string]string{"price": "list_price"}},
		{"zero is a price", "product.template", 17, []string{"price"}, []string{"list_price", "standard_price"},
			`{"id":1,"list_price":0.0,"standard_price":3.0}`, `{"id":1,"price":0.0}`, map[string]string{"price": "list_price"}},
		{"nothing asked for but mobile on 19", "res.partner", 19, []string{"mobile"}, []string{"phone"},
			`{"id":1,"phone":"1"}`, `{"id":1,"mobile":"1"}`, map[string]string{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, conn := connect(tc.major)
			conn.answer = func(rpc.Call) (any, error) { return json.RawMessage("[" + tc.answer + "]"), nil }
			ctx, warnings := adapter.WithWarnings(adapter.WithScope(t.Context(), adapter.Scope{FillEmpty: true}))
			page, err := client.Query(ctx, adapter.Query{Model: tc.model, Fields: tc.fields})
			require.NoError(t, err)
			assert.Equal(t, tc.sent, conn.last(t).Kwargs["fields"])
			assert.JSONEq(t, tc.want, asJSON(t, page.Records[0]))
			filled := map[string]string{}
			for _, w := range warnings.List() {
				if w.Code == adapter.WarnValueFilled {
					filled[w.Field] = w.Used
				}
			}
			assert.Equal(t, tc.filled, filled)
		})
	}
	t.Run("not unless asked", func(t *testing.T) {
		client, conn := connect(17)
		conn.answer = func(rpc.Call) (any, error) { return []any{}, nil }
		_, err := client.Query(t.Context(), adapter.Query{Model: "res.partner", Fields: []string{"phone"}})
		require.NoError(t, err)
		assert.Equal(t, []string{"phone"}, conn.last(t).Kwargs["fields"])
		_, err = client.Query(t.Context(), adapter.Query{Model: "product.template", Fields: []string{"price"}})
		require.NoError(t, err)
		assert.Equal(t, []string{"id"}, conn.last(t).Kwargs["fields"])
	})
	t.Run("from the name behind a relation", func(t *testing.T) {
		client, conn := connect(17)
		conn.extra = map[string]map[string]any{"res.partner": {"city_id": map[string]any{"type": "many2one", "relation": "res.city"}}}
		conn.answer = func(rpc.Call) (any, error) {
			return json.RawMessage(`[{"id":1,"city":false,"city_id":[5,"Riyadh"]}]`), nil
		}
		page, err := client.Query(adapter.WithScope(t.Context(), adapter.Scope{FillEmpty: true}), adapter.Query{Model: "res.partner", Fields: []string{"city"}})
		require.NoError(t, err)
		assert.JSONEq(t, `{"id":1,"city":"Riyadh"}`, asJSON(t, page.Records[0]))
	})
	t.Run("all fields, plain", func(t *testing.T) {
		client, conn := connect(17)
		conn.answer = func(rpc.Call) (any, error) {
			return json.RawMessage(`[{"id":1,"phone":false,"mobile":"0600","email":false}]`), nil
		}
		page, err := client.Query(adapter.WithScope(t.Context(), adapter.Scope{FillEmpty: true}), adapter.Query{Model: "res.partner", Plain: true})
		require.NoError(t, err)
		assert.Equal(t, "0600", page.Records[0]["phone"])
		assert.Nil(t, page.Records[0]["email"])
		assert.NotContains(t, conn.last(t).Kwargs, "fields")
	})
}
