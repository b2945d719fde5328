package odoo

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

func TestValues(t *testing.T) {
	client, _ := connect(17)
	riyadh := time.FixedZone("", 3*60*60)
	for _, tc := range []struct {
		name, model, field string
		in                 any
		want               string // as JSON
	}{
		{"pair", "res.partner", "country_id", []any{json.Number("5"), "x"}, `5`},
		{"pair of Go ints", "res.partner", "country_id", []any{5, "x"}, `5`},
		{"Ref", "res.partner", "country_id", adapter.Ref{ID: adapter.IntID(5), Name: "x"}, `5`},
		{"no Ref", "res.partner", "country_id", adapter.Ref{}, `false`},
		{"ID", "res.partner", "country_id", adapter.IntID(5), `5`},
		{"object", "res.partner", "country_id", map[string]any{"id": json.Number("5"), "display_name": "x"}, `5`},
		{"list of one", "res.partner", "country_id", []any{5}, `5`},
		{"number", "res.partner", "country_id", json.Number("5"), `5`},
		{"whole float", "res.partner", "country_id", 5.0, `5`},
		{"raw JSON", "res.partner", "country_id", json.RawMessage(`[5,"x"]`), `5`},
		{"null many2one", "res.partner", "country_id", nil, `false`},
		{"false many2one", "res.partner", "country_id", false, `false`},

		{"ids", "res.partner", "category_id", []any{1, json.Number("2")}, `[[6,0,[1,2]]]`},
		{"typed ids", "res.partner", "category_id", []int64{1, 2}, `[[6,0,[1,2]]]`},
		{"IDs", "res.partner", "category_id", []adapter.ID{adapter.IntID(1)}, `[[6,0,[1]]]`},
		{"objects", "res.partner", "category_id", []any{map[string]any{"id": 1, "display_name": "x"}}, `[[6,0,[1]]]`},
		{"empty list", "res.partner", "category_id", []any{}, `[[6,0,[]]]`},
		{"null x2many", "res.partner", "category_id", nil, `[[6,0,[]]]`},
		{"link", "res.partner", "category_id", []any{[]any{4, 7}}, `[[4,7,0]]`},
		{"link a pair", "res.partner", "category_id", []any{[]any{4, []any{7, "x"}}}, `[[4,7,0]]`},
		{"set", "res.partner", "category_id", []any{[]any{6, 0, []int{7}}}, `[[6,0,[7]]]`},
		{"set without ids", "res.partner", "category_id", []any{[]any{6}}, `[[6,0,[]]]`},
		{"clear", "res.partner", "category_id", []any{[]any{5}}, `[[5,0,0]]`},
		{"clear in full", "res.partner", "category_id", []any{[]any{5, 0, 0}}, `[[5,0,0]]`},
		{"several", "res.partner", "category_id", []any{[]any{3, 1}, []any{2, 2, false}}, `[[3,1,0],[2,2,0]]`},
		{"create", "sale.order", "order_line", []any{[]any{0, 0, map[string]any{"product_id": []any{5, "x"}, "name": nil}}}, `[[0,0,{"name":false,"product_id":5}]]`},
		{"create by a name of its own", "sale.order", "order_line", []any{[]any{0, "virtual_1", map[string]any{"name": "x"}}}, `[[0,"virtual_1",{"name":"x"}]]`},
		{"create from records", "sale.order", "order_line", []any{[]any{0, 0, adapter.Record{"product_id": adapter.IntID(5)}}}, `[[0,0,{"product_id":5}]]`},
		{"update, by another name of the field", "sale.order", "order_line", []any{[]any{1, 9, map[string]any{"tax_ids": []any{1}}}}, `[[1,9,{"tax_id":[[6,0,[1]]]}]]`},

		{"UTC", "sale.order", "date_order", "2025-03-01T10:00:00Z", `"2025-03-01 10:00:00"`},
		{"offset", "sale.order", "date_order", "2025-03-01T10:00:00+03:00", `"2025-03-01 07:00:00"`},
		{"fraction", "sale.order", "date_order", "2025-03-01T10:00:00.999Z", `"2025-03-01 10:00:00"`},
		{"no zone", "sale.order", "date_order", "2025-03-01T10:00:00", `"2025-03-01 10:00:00"`},
		{"Odoo's own", "sale.order", "date_order", "2025-03-01 10:00:00", `"2025-03-01 10:00:00"`},
		{"no seconds", "sale.order", "date_order", "2025-03-01T10:00", `"2025-03-01 10:00:00"`},
		{"date in a date-time", "sale.order", "date_order", "2025-03-01", `"2025-03-01"`},
		{"time.Time", "sale.order", "date_order", time.Date(2025, 3, 1, 10, 0, 0, 5, riyadh), `"2025-03-01 07:00:00"`},
		{"zero time", "sale.order", "date_order", time.Time{}, `false`},
		{"null time", "sale.order", "date_order", nil, `false`},
		{"date", "sale.order", "validity_date", "2025-03-01", `"2025-03-01"`},
		{"date of a time", "sale.order", "validity_date", "2025-03-01T23:30:00-05:00", `"2025-03-01"`},
		{"date of a time.Time", "sale.order", "validity_date", time.Date(2025, 3, 1, 1, 0, 0, 0, riyadh), `"2025-03-01"`},

		{"number as written", "product.template", "list_price", json.Number("10.10"), `10.10`},
		{"big number as written", "product.template", "list_price", json.Number("12345678901234567890.123"), `12345678901234567890.123`},
		{"null number", "product.template", "list_price", nil, `false`},
		{"zero", "product.template", "list_price", 0, `0`},
		{"null text", "res.partner", "name", nil, `false`},
		{"text", "res.partner", "name", "x", `"x"`},
		{"pointer", "res.partner", "name", new("x"), `"x"`},
		{"nil pointer", "res.partner", "name", (*string)(nil), `false`},
		{"number in text", "res.partner", "name", 12345, `12345`},
		{"bytes", "res.partner", "image_1920", []byte("hi"), `"aGk="`},
		{"boolean", "res.partner", "active", false, `false`},
		{"a time is a time only in its fields", "res.partner", "comment", "2025-03-01T10:00:00Z", `"2025-03-01T10:00:00Z"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := client.values(t.Context(), tc.model, map[string]any{tc.field: tc.in})
			require.NoError(t, err)
			require.Len(t, out, 1)
			for _, v := range out {
				assert.Equal(t, tc.want, asJSON(t, v))
			}
			again, err := client.values(t.Context(), tc.model, out)
			require.NoError(t, err)
			assert.Equal(t, asJSON(t, out), asJSON(t, again), "what was converted must stay as it is")
		})
	}
}

func TestValuesRefuseWhatOdooWouldMisread(t *testing.T) {
	client, _ := connect(17)
	for _, tc := range []struct {
		name, field string
		in          any
		hint        string // part of the message
	}{
		{"text id", "country_id", "233", "takes the id"},
		{"code", "country_id", "US", "takes the id"},
		{"true", "country_id", true, "takes the id"},
		{"zero", "country_id", 0, "takes the id"},
		{"negative", "country_id", json.Number("-1"), "takes the id"},
		{"fraction", "country_id", 1.5, "takes the id"},
		{"object without id", "country_id", map[string]any{"name": "x"}, "takes the id"},
		{"two ids", "country_id", []any{1, 2}, "takes the id"},
		{"no list", "category_id", 5, "list of ids"},
		{"command without its list", "category_id", []any{6, 0, []any{1}}, "or a command"},
		{"ids and commands", "category_id", []any{6, []any{4, 1}}, "mixes"},
		{"unknown command", "category_id", []any{[]any{7, 1}}, "must begin with"},
		{"negative command", "category_id", []any{[]any{-1, 1}}, "must begin with"},
		{"link without an id", "category_id", []any{[]any{4}}, "needs the id"},
		{"clear with an id", "category_id", []any{[]any{5, "x"}}, "clears"},
		{"create without values", "category_id", []any{[]any{0, 0}}, "object of values"},
		{"set with a name", "category_id", []any{[]any{6, 0, []any{"x"}}}, "where an id should be"},
		{"set with an id", "category_id", []any{[]any{6, 0, 5}}, "list of ids"},
		{"empty command", "category_id", []any{[]any{}}, "empty"},
		{"values without a command", "category_id", []any{map[string]any{"id": 5, "color": 3}}, "[1, 5, {...}]"},
		{"names", "category_id", []any{"a"}, "takes an id"},
		{"not a date", "date", "1st of March", "takes a date"},
		{"not a date-time", "create_date", "now", "date-time"},
		{"number for a date", "date", 5, "takes a date"},
		{"list for a text", "name", []any{"a"}, "takes one value"},
		{"object for a number", "color", map[string]any{}, "takes one value"},
		{"NaN", "color", math.NaN(), "JSON"},
		{"function", "name", func() {}, "JSON"},
		{"unknown field", "namee", "x", "did you mean 'name'"},
		{"dotted", "country_id.code", "x", "dotted"},
		{"empty name", "", "x", "empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := client.values(t.Context(), "res.partner", map[string]any{tc.field: tc.in})
			e := fault(t, err)
			assert.Equal(t, adapter.InvalidArgument, e.Code)
			assert.Equal(t, tc.field, e.Field)
			assert.Contains(t, e.Message, tc.hint)
		})
	}
}

func TestValuesNestedTooDeep(t *testing.T) {
	client, _ := connect(17)
	v := map[string]any{"name": "x"}
	for range valuesDepth + 1 {
		v = map[string]any{"child_ids": []any{[]any{0, 0, v}}}
	}
	_, err := client.values(t.Context(), "res.partner", v)
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
}

func TestWritesLeaveTheCallersMapAlone(t *testing.T) {
	client, _ := connect(17)
	line := map[string]any{"tax_ids": []any{json.Number("1")}, "product_id": []any{json.Number("5"), "x"}}
	values := adapter.Record{"partner_id": []any{json.Number("5"), "x"}, "order_line": []any{[]any{0, 0, line}}, "note": nil}
	before := asJSON(t, values)
	_, err := client.values(t.Context(), "sale.order", values)
	require.NoError(t, err)
	assert.Equal(t, before, asJSON(t, values))
}

func TestWriteFallback(t *testing.T) {
	for _, tc := range []struct {
		name     string
		major    int
		fallback adapter.Fallback
		model    string
		in, want string
		warnings []string // code of each
		refused  string   // the field of the error
	}{
		{"renamed since", 19, "", "sale.order.line", `{"tax_id":[1],"product_uom":2}`, `{"product_uom_id":2,"tax_ids":[[6,0,[1]]]}`, []string{"field_replaced", "field_replaced"}, ""},
		{"renamed later", 16, "", "sale.order.line", `{"tax_ids":[1]}`, `{"tax_id":[[6,0,[1]]]}`, []string{"field_replaced"}, ""},
		{"both names", 19, "", "sale.order.line", `{"tax_id":[1],"tax_ids":[2]}`, `{"tax_ids":[[6,0,[2]]]}`, []string{"field_dropped"}, ""},
		{"gone", 19, "", "res.partner", `{"name":"x","title":1}`, `{"name":"x"}`, []string{"field_dropped"}, ""},
		{"custom", 17, "", "res.partner", `{"name":"x","x_color":1}`, `{"name":"x"}`, []string{"field_dropped"}, ""},
		{"unknown", 17, "", "res.partner", `{"nosuch":1}`, ``, nil, "nosuch"},
		{"unknown on 13, which would ignore it", 13, "", "res.partner", `{"nosuch":1}`, ``, nil, "nosuch"},
		{"unknown, all dropped", 17, adapter.FallbackAll, "res.partner", `{"name":"x","nosuch":1}`, `{"name":"x"}`, []string{"field_dropped"}, ""},
		{"off", 19, adapter.FallbackOff, "sale.order.line", `{"tax_id":[1]}`, ``, nil, "tax_id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, conn := connect(tc.major)
			conn.answer = func(rpc.Call) (any, error) { return 7, nil }
			ctx, warnings := adapter.WithWarnings(adapter.WithScope(t.Context(), adapter.Scope{Fallback: tc.fallback}))
			id, err := client.Create(ctx, tc.model, object(t, tc.in))
			if tc.refused != "" {
				assert.Equal(t, tc.refused, fault(t, err).Field)
				assert.Empty(t, conn.sent(), "nothing may be sent")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, adapter.IntID(7), id)
			assert.JSONEq(t, "["+tc.want+"]", asJSON(t, conn.last(t).Args))
			var codes []string
			for _, w := range warnings.List() {
				codes = append(codes, w.Code)
			}
			assert.Equal(t, tc.warnings, codes)
		})
	}
}

func TestEmptyListWarns(t *testing.T) {
	client, _ := connect(17)
	ctx, warnings := adapter.WithWarnings(t.Context())
	_, err := client.values(ctx, "res.partner", map[string]any{"category_id": []any{}, "child_ids": nil})
	require.NoError(t, err)
	require.Len(t, warnings.List(), 1, "null says plainly what is meant")
	assert.Equal(t, adapter.WarnValueChanged, warnings.List()[0].Code)
	assert.Equal(t, "category_id", warnings.List()[0].Field)
}

func TestCreateReadsEveryFormOfAnswer(t *testing.T) {
	client, conn := connect(19)
	for _, tc := range []struct {
		answer string
		code   adapter.Code
	}{
		{`7`, ""}, {`[7]`, ""}, {`true`, adapter.UnknownOutcome}, {`[]`, adapter.UnknownOutcome}, {`[7,8]`, adapter.UnknownOutcome}, {`null`, adapter.UnknownOutcome}, {`{`, adapter.Internal},
	} {
		conn.answer = func(rpc.Call) (any, error) { return json.RawMessage(tc.answer), nil }
		id, err := client.Create(t.Context(), "res.partner", adapter.Record{"name": "x"})
		assert.Equal(t, tc.code, adapter.CodeOf(err), tc.answer)
		if tc.code == "" {
			assert.Equal(t, adapter.IntID(7), id)
		}
	}
}

func TestCreateMany(t *testing.T) {
	client, conn := connect(17)
	conn.answer = func(rpc.Call) (any, error) { return []int{4, 5}, nil }
	ids, err := client.CreateMany(t.Context(), "res.partner", []adapter.Record{{"name": "a"}, {"name": "b", "country_id": []any{5, "x"}}})
	require.NoError(t, err)
	assert.Equal(t, []adapter.ID{adapter.IntID(4), adapter.IntID(5)}, ids)
	assert.Len(t, conn.sent(), 1, "one call for all")
	assert.JSONEq(t, `[[{"name":"a"},{"name":"b","country_id":5}]]`, asJSON(t, conn.last(t).Args))
	assert.True(t, conn.last(t).Changes)

	_, err = client.CreateMany(t.Context(), "res.partner", []adapter.Record{{"name": "a"}, {"nosuch": 1}})
	assert.Contains(t, fault(t, err).Message, "record 1:")
	ids, err = client.CreateMany(t.Context(), "res.partner", nil)
	assert.NoError(t, err)
	assert.Empty(t, ids)
}

func TestMissingRecords(t *testing.T) {
	gone := []adapter.ID{adapter.IntID(1), adapter.IntID(2)}
	// found is a server on which only record 1 exists.
	found := func(call rpc.Call) (any, error) {
		switch call.Method {
		case "search":
			return []int{1}, nil
		case "read":
			return []any{}, nil
		case "write", "unlink":
			return nil, &adapter.Error{Code: adapter.InvalidArgument, Native: "2", Message: "Der Datensatz existiert nicht"}
		}
		return true, nil
	}
	t.Run("XML-RPC can't tell, the adapter can", func(t *testing.T) {
		for _, transport := range []string{TransportXMLRPC, TransportJSONRPC} {
			client, conn := connect(17)
			conn.answer = found
			client.info.Transport = transport
			want := adapter.InvalidArgument
			if transport == TransportXMLRPC {
				want = adapter.NotFound
			}
			assert.Equal(t, want, adapter.CodeOf(client.Update(t.Context(), "res.partner", gone, adapter.Record{"name": "x"})), transport)
		}
	})
	t.Run("a refusal stays one", func(t *testing.T) {
		client, conn := connect(17)
		client.info.Transport = TransportXMLRPC
		conn.answer = found
		err := client.Update(t.Context(), "res.partner", gone[:1], adapter.Record{"name": "x"})
		assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
	})
	t.Run("Odoo answers true", func(t *testing.T) {
		for _, major := range []int{13, 19} {
			client, conn := connect(major)
			conn.answer = func(call rpc.Call) (any, error) {
				switch call.Method {
				case "search":
					return []int{1}, nil
				case "read":
					return []any{}, nil
				}
				return true, nil
			}
			err := client.Delete(t.Context(), "res.partner", gone)
			require.ErrorIs(t, err, adapter.ErrNotFound)
			assert.Contains(t, err.Error(), "record 2 ")
			_, err = client.Call(t.Context(), adapter.Call{Model: "res.partner", Method: "unlink", Args: []any{[]int{1, 2}}})
			require.ErrorIs(t, err, adapter.ErrNotFound)
			for _, call := range conn.sent() {
				assert.NotEqual(t, "unlink", call.Method, "all or none")
			}
			assert.NoError(t, client.Delete(t.Context(), "res.partner", gone[:1]))
		}
	})
	t.Run("hidden is not missing", func(t *testing.T) {
		client, conn := connect(17)
		conn.answer = func(call rpc.Call) (any, error) {
			if call.Method == "search" {
				return []int{1}, nil
			}
			return nil, &adapter.Error{Code: adapter.PermissionDenied, Message: "not yours"}
		}
		assert.ErrorIs(t, client.Delete(t.Context(), "res.partner", gone), adapter.ErrPermissionDenied)
	})
	t.Run("ids that no record can have", func(t *testing.T) {
		client, conn := connect(17)
		for _, id := range []adapter.ID{adapter.IntID(0), adapter.IntID(-1), adapter.IntID(1 << 40)} {
			assert.ErrorIs(t, client.Update(t.Context(), "res.partner", []adapter.ID{id}, adapter.Record{"name": "x"}), adapter.ErrNotFound)
			assert.ErrorIs(t, client.Delete(t.Context(), "res.partner", []adapter.ID{id}), adapter.ErrNotFound)
		}
		assert.ErrorIs(t, client.Delete(t.Context(), "res.partner", []adapter.ID{adapter.StringID("x")}), adapter.ErrInvalidArgument)
		assert.Empty(t, conn.sent())
	})
	t.Run("no ids, no call", func(t *testing.T) {
		client, conn := connect(17)
		assert.NoError(t, client.Update(t.Context(), "res.partner", nil, adapter.Record{"name": "x"}))
		assert.NoError(t, client.Delete(t.Context(), "res.partner", nil))
		assert.Empty(t, conn.calls)
	})
	t.Run("an update without values still looks", func(t *testing.T) {
		client, conn := connect(17)
		conn.answer = found
		assert.ErrorIs(t, client.Update(t.Context(), "res.partner", gone, nil), adapter.ErrNotFound)
	})
}

func TestErrorsOfTheServerPass(t *testing.T) {
	client, conn := connect(17)
	want := &adapter.Error{Code: adapter.PermissionDenied, Message: "no"}
	conn.answer = func(rpc.Call) (any, error) { return nil, want }
	_, err := client.Create(t.Context(), "res.partner", adapter.Record{"name": "x"})
	assert.ErrorIs(t, err, adapter.ErrPermissionDenied)
	assert.Same(t, want, fault(t, err))
}

// Times of any zone keep their moment on the way to Odoo and back.
func TestTimesKeepTheirMoment(t *testing.T) {
	client, _ := connect(17)
	rapid.Check(t, func(t *rapid.T) {
		offset := rapid.IntRange(-14*60, 14*60).Draw(t, "offset in minutes")
		seconds := rapid.Int64Range(0, 4102444800).Draw(t, "unix")
		when := time.Unix(seconds, 0).In(time.FixedZone("", offset*60))
		var in any = when
		if rapid.Bool().Draw(t, "as text") {
			in = when.Format(time.RFC3339)
		}
		out, err := client.values(t.Context(), "sale.order", map[string]any{"date_order": in})
		require.NoError(t, err)
		back, err := time.Parse(time.RFC3339, rfc3339(out["date_order"].(string)))
		require.NoError(t, err)
		require.True(t, when.Equal(back), "%s became %s", when, back)
	})
}

// FuzzValues: no JSON makes the conversion panic, and what it converted once
// it leaves alone the second time.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{
		`{"name":"x","country_id":[5,"y"],"category_id":[1,2]}`,
		`{"child_ids":[[0,0,{"name":"kid","country_id":{"id":7}}],[4,9],[6,0,[1,[2,"z"]]]]}`,
		`{"category_id":[[5,"x"]],"date":"2025-01-01T00:00:00+14:00"}`,
		`{"user_ids":[],"title":false,"x_y":null,"comment":{"a":[1]}}`,
		`{"country_id":[[[[5]]]],"category_id":[[6,0,{"id":{"id":1}}]]}`,
	} {
		f.Add(seed)
	}
	client, _ := connect(16)
	f.Fuzz(func(t *testing.T, text string) {
		var in map[string]any
		if adapter.DecodeJSON([]byte(text), &in) != nil {
			return
		}
		once, err := client.values(t.Context(), "res.partner", in)
		if err != nil {
			if strings.Contains(fault(t, err).Message, "\x00") {
				t.Error("a message holds a NUL")
			}
			return
		}
		twice, err := client.values(t.Context(), "res.partner", once)
		require.NoError(t, err)
		require.Equal(t, asJSON(t, once), asJSON(t, twice))
	})
}
