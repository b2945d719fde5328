package odoo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

// script is one run of the same calls. Ids differ from run to run, so they are
// noted in the order in which they first come.
type script struct {
	t       *testing.T
	ctx     context.Context
	client  *odoo.Client
	mark    string // what makes this run's records its own
	out     []noted
	learned []string // ids of this run alone, in order
}

// noted is a line of the transcript: what was asked, and the answer.
type noted struct {
	what   string
	answer any
}

// note adds a line to the transcript: an answer, or the code of an error.
func (s *script) note(what string, v any, err error) {
	s.t.Helper()
	line := noted{what: what}
	switch e, ok := errors.AsType[*adapter.Error](err); {
	case ok:
		line.answer = fmt.Sprintf("%s model=%s field=%s", e.Code, e.Model, e.Field)
	case err != nil:
		line.answer = "no adapter.Error: " + err.Error()
	default:
		// By way of JSON, since key order and spaces are each transport's own.
		b, err := json.Marshal(v)
		require.NoError(s.t, err, what)
		require.NoError(s.t, adapter.DecodeJSON(b, &line.answer), what)
	}
	s.out = append(s.out, line)
}

func (s *script) call(model, method string, args []any, kwargs map[string]any) json.RawMessage {
	s.t.Helper()
	answer, err := s.client.Call(s.ctx, adapter.Call{Model: model, Method: method, Args: args, Kwargs: kwargs})
	s.note(model+"."+method, answer, err)
	return answer
}

// create makes a record that is removed after the run.
func (s *script) create(model string, values adapter.Record) adapter.ID {
	s.t.Helper()
	id, err := s.client.Create(s.ctx, model, values)
	require.NoError(s.t, err, "create %s", model)
	s.t.Cleanup(func() { _ = s.client.Delete(context.WithoutCancel(s.ctx), model, []adapter.ID{id}) })
	s.learned = append(s.learned, id.String())
	return id
}

var clock = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?`)

// counts are the keys of numbers that are no ids of this run's records.
var counts = []string{"color", "__count", "length", "size", "country_id", "currency_id", "product_uom", "product_uom_id", "tax_id", "tax_ids"}

// transcript is what was noted, with what differs between runs made alike.
func (s *script) transcript() []string {
	place := map[string]string{}
	for i, id := range s.learned {
		if _, ok := place[id]; !ok {
			place[id] = fmt.Sprintf("<%d>", i)
		}
	}
	var alike func(v any) any
	alike = func(v any) any {
		switch v := v.(type) {
		case json.Number:
			if as, ok := place[v.String()]; ok {
				return as
			}
		case string:
			return strings.ReplaceAll(v, s.mark, "MARK")
		case []any:
			for i := range v {
				v[i] = alike(v[i])
			}
		case map[string]any:
			for key := range v {
				if !slices.Contains(counts, key) {
					v[key] = alike(v[key])
				}
			}
		}
		return v
	}
	out := make([]string, len(s.out))
	for i, line := range s.out {
		var b strings.Builder
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		require.NoError(s.t, enc.Encode(alike(line.answer)))
		out[i] = line.what + ": " + strings.TrimSpace(b.String())
	}
	return out
}

// run goes through the adapter from end to end.
func (s *script) run() {
	ctx, c := s.ctx, s.client
	spec := func(text string) map[string]any {
		var v map[string]any
		require.NoError(s.t, adapter.DecodeJSON([]byte(text), &v))
		return v
	}
	schema, err := c.Schema(ctx, "res.partner")
	require.NoError(s.t, err)
	s.note("schema", slices.Sorted(maps.Keys(schema.Fields)), nil)
	s.note("schema of a field", schema.Fields["country_id"], nil)

	countries, err := c.Query(ctx, adapter.Query{Model: "res.country", Fields: []string{"name", "code", "currency_id"}, Order: []adapter.Order{{Field: "code"}}, Limit: 3})
	s.note("countries", countries.Records, err)
	require.NotEmpty(s.t, countries.Records)
	country := countries.Records[0]
	pair := []any{json.Number(country.ID().String()), country.String("name")}

	// Values that Odoo misreads, and texts that encodings get wrong.
	company := s.create("res.partner", adapter.Record{
		"name": s.mark + ` "Ünïcode" & <tags> مرحبا 😀 'q'`, "is_company": true, "country_id": pair,
		"ref": nil, "comment": "line\nbreak", "color": json.Number("7"),
		"child_ids": []any{[]any{0, 0, map[string]any{"name": s.mark + " kid", "country_id": pair}}},
	})
	fields := []string{"name", "is_company", "country_id", "ref", "color", "active", "child_ids", "category_id", "partner_latitude"}
	records, err := c.Read(ctx, "res.partner", []adapter.ID{company}, fields)
	require.NoError(s.t, err)
	for _, kid := range records[0].IDs("child_ids") {
		s.learned = append(s.learned, kid.String())
	}
	s.note("read back", records, err)
	page, err := c.Query(ctx, adapter.Query{Model: "res.partner", Filter: adapter.Cond{Field: "id", Op: adapter.Equal, Value: company}, Fields: fields, Plain: true})
	s.note("read back, plain", page, err)
	tag := s.create("res.partner.category", adapter.Record{"name": s.mark + " tag"})
	s.note("set tags", nil, c.Update(ctx, "res.partner", []adapter.ID{company}, adapter.Record{"category_id": []any{tag}}))
	records, err = c.Read(ctx, "res.partner", []adapter.ID{company}, []string{"category_id"})
	s.note("tags", records, err)
	s.note("no tags", nil, c.Update(ctx, "res.partner", []adapter.ID{company}, adapter.Record{"category_id": []any{}}))
	records, err = c.Read(ctx, "res.partner", []adapter.ID{company}, []string{"category_id"})
	s.note("no tags left", records, err)

	// Filters.
	own := adapter.Cond{Field: "name", Op: adapter.ILike, Value: s.mark}
	var more []adapter.ID
	for i, name := range []string{"c", "a", "b"} {
		more = append(more, s.create("res.partner", adapter.Record{"name": s.mark + " " + name, "color": i, "parent_id": company, "active": i != 2}))
	}
	domains := map[string]string{
		"1 own":           `[]`,
		"2 path":          `[["parent_id.country_id.code","=","` + country.String("code") + `"]]`,
		"3 or":            `["|",["color","=",0],["color","=",1]]`,
		"4 not":           `["!",["color","in",[0,1]]]`,
		"5 any":           `[["parent_id","any",[["is_company","=",true],["color","=",7]]]]`,
		"6 not any":       `[["parent_id","not any",[["is_company","=",true]]]]`,
		"7 any of many":   `[["child_ids","any",[["color","=",1],["name","ilike","a"]]]]`,
		"8 not =ilike":    `[["name","not =ilike","%a"]]`,
		"9 archived":      `[["active","=",false]]`,
		"A time":          `[["create_date",">","2020-01-01T00:00:00+02:00"]]`,
		"B child_of":      `[["id","child_of",` + company.String() + `]]`,
		"C null":          `[["parent_id","=",null]]`,
		"D unknown":       `[["nosuch","=",1]]`,
		"E behind a path": `[["parent_id.nosuch","=",1]]`,
		"F pair":          `[["country_id","=",[` + country.ID().String() + `,"x"]]]`,
	}
	for _, name := range slices.Sorted(maps.Keys(domains)) {
		domain := domains[name]
		f, err := adapter.ParseDomainJSON([]byte(domain))
		require.NoError(s.t, err, name)
		page, err := c.Query(ctx, adapter.Query{Model: "res.partner", Filter: adapter.And{own, f}, Fields: []string{"name", "color"}, Order: []adapter.Order{{Field: "color", Desc: true}, {Field: "name"}}})
		var found []string
		for _, r := range page.Records {
			found = append(found, r.String("name")+" "+r.String("color"))
		}
		s.note("filter "+name, found, err)
		n, err := c.Count(ctx, "res.partner", adapter.And{own, f})
		s.note("count "+name, map[string]any{"length": n}, err)
	}

	// Pages.
	var all []string
	for r, err := range adapter.All(ctx, c, adapter.Query{Model: "res.partner", Filter: adapter.And{own, adapter.Cond{Field: "active", Op: adapter.In, Value: []any{true, false}}}, Fields: []string{"name"}}) {
		require.NoError(s.t, err)
		all = append(all, r.String("name"))
	}
	s.note("all", all, nil)
	refs, err := c.NameSearch(ctx, "res.partner", s.mark+" a", nil, 5)
	s.note("names", refs, err)

	// Fields of other versions.
	warned, warnings := adapter.WithWarnings(ctx)
	page, err = c.Query(warned, adapter.Query{Model: "sale.order.line", Fields: []string{"name", "product_uom", "product_uom_id", "tax_id", "tax_ids", "x_none"}, Limit: 1, Order: []adapter.Order{{Field: "id"}}})
	s.note("line", page.Records, err)
	page, err = c.Query(warned, adapter.Query{Model: "res.partner", Fields: []string{"name", "mobile", "title"}, Filter: own, Order: []adapter.Order{{Field: "id"}}, Limit: 1})
	s.note("mobile", page.Records, err)
	s.note("warnings", warnings.List(), nil)
	filled, _ := adapter.WithWarnings(adapter.WithScope(ctx, adapter.Scope{FillEmpty: true}))
	page, err = c.Query(filled, adapter.Query{Model: "product.template", Fields: []string{"price"}, Limit: 1, Order: []adapter.Order{{Field: "id"}}})
	s.note("price", page.Records, err)

	// Orders, with times.
	products, err := c.Query(ctx, adapter.Query{Model: "product.product", Fields: []string{"name"}, Filter: adapter.Cond{Field: "sale_ok", Op: adapter.Equal, Value: true}, Limit: 1, Order: []adapter.Order{{Field: "id"}}})
	require.NoError(s.t, err)
	require.NotEmpty(s.t, products.Records)
	for _, when := range []any{"2025-03-01T10:00:00+03:00", time.Date(2025, 3, 1, 7, 0, 0, 0, time.UTC), "2025-03-01 07:00:00"} {
		order := s.create("sale.order", adapter.Record{
			"partner_id": company, "date_order": when, "validity_date": "2025-04-01", "client_order_ref": s.mark,
			"order_line": []any{[]any{0, 0, map[string]any{"product_id": products.Records[0].ID(), "product_uom_qty": 2, "price_unit": json.Number("10.50")}}},
		})
		page, err := c.Query(ctx, adapter.Query{Model: "sale.order", Filter: adapter.Cond{Field: "date_order", Op: adapter.Equal, Value: "2025-03-01T07:00:00Z"},
			Fields: []string{"date_order", "validity_date", "amount_untaxed", "state"}, Order: []adapter.Order{{Field: "id", Desc: true}}, Limit: 1, Plain: true})
		s.note("order", page.Records, err)
		s.call("sale.order", "action_confirm", []any{[]any{order}}, nil)
		records, err := c.Read(ctx, "sale.order", []adapter.ID{order}, []string{"state"})
		s.note("confirmed", records, err)
		s.note("a confirmed order stays", nil, c.Delete(ctx, "sale.order", []adapter.ID{order}))
	}
	s.call("sale.order", "read_group", []any{[]any{[]any{"client_order_ref", "=", s.mark}}, []any{"amount_untaxed:sum"}, []any{"state"}}, map[string]any{"lazy": false})
	s.call("sale.order", "formatted_read_group", []any{[]any{[]any{"client_order_ref", "=", s.mark}}}, map[string]any{"groupby": []any{"date_order:month", "state"}, "aggregates": []any{"amount_untaxed:sum", "__count"}})

	// Methods that versions have in different forms.
	id := []any{more[0]}
	s.call("res.partner", "name_get", []any{id}, nil)
	s.call("res.partner", "exists", []any{[]any{more[0], 999999999}}, nil)
	s.call("res.partner", "read", []any{[]any{more[1], 999999999, more[0]}}, map[string]any{"fields": []any{"name", "parent_id"}})
	s.call("res.partner", "read", []any{id}, map[string]any{"fields": []any{"parent_id"}, "load": ""})
	s.call("res.partner", "search", nil, map[string]any{"domain": []any{[]any{"name", "ilike", s.mark}}, "order": "color desc, id"})
	s.call("res.partner", "search", []any{[]any{[]any{"name", "ilike", s.mark}}}, map[string]any{"count": true})
	s.call("res.partner", "search_count", []any{[]any{[]any{"name", "ilike", s.mark}}}, map[string]any{"limit": 2})
	s.call("res.partner", "search_read", []any{[]any{[]any{"name", "ilike", s.mark}}, []any{"parent_id"}}, map[string]any{"load": "", "order": "id", "limit": 2})
	s.call("res.partner", "web_read", []any{id}, map[string]any{"specification": spec(`{"name":{},"parent_id":{"fields":{"display_name":{},"country_id":{"fields":{"code":{}}}}},"child_ids":{"fields":{"name":{}}},"country_id":{}}`)})
	s.call("res.partner", "web_search_read", nil, map[string]any{"domain": []any{[]any{"parent_id", "=", company}}, "specification": spec(`{"name":{},"parent_id":{"fields":{"display_name":{}}}}`), "limit": 1, "order": "id"})
	s.call("res.partner", "web_search_read", nil, map[string]any{"domain": []any{[]any{"parent_id", "=", company}}, "fields": []any{"name", "parent_id"}, "limit": 1, "order": "id"})
	s.call("res.partner", "web_save", []any{id, map[string]any{"ref": "R", "country_id": pair}}, map[string]any{"specification": spec(`{"ref":{},"country_id":{"fields":{"display_name":{}}}}`)})
	copied := s.call("res.partner", "copy", []any{id}, map[string]any{"default": map[string]any{"name": s.mark + " copy"}})
	var number json.Number
	if assert.NoError(s.t, json.Unmarshal(copied, &number), "copy of one id answers one id") {
		n, _ := number.Int64()
		s.learned = append(s.learned, number.String())
		s.note("delete the copy", nil, c.Delete(ctx, "res.partner", []adapter.ID{adapter.IntID(n)}))
	}
	s.call("res.partner", "has_access", []any{id, "write"}, nil)
	s.call("res.partner", "check_access", []any{"read"}, nil)
	s.call("res.partner", "check_access_rights", []any{"read"}, map[string]any{"raise_exception": false})
	s.call("res.users", "has_group", []any{"base.group_user"}, nil)
	s.call("res.partner", "action_archive", []any{id}, nil)
	s.call("res.partner", "default_get", []any{[]any{"name", "active", "type"}}, nil)
	ids, err := c.CreateMany(ctx, "res.partner.category", []adapter.Record{{"name": s.mark + " 1"}, {"name": s.mark + " 2"}})
	require.NoError(s.t, err)
	for _, id := range ids {
		s.learned = append(s.learned, id.String())
	}
	s.note("created many", ids, err)
	s.note("deleted many", nil, c.Delete(ctx, "res.partner.category", ids))

	// Files.
	file, err := c.Attach(ctx, adapter.Attachment{Name: "a.txt", MIMEType: "text/plain", Model: "res.partner", RecordID: company}, strings.NewReader("hello"))
	require.NoError(s.t, err)
	s.learned = append(s.learned, file.ID.String())
	s.note("attached", file, err)
	files, err := c.Attachments(ctx, "res.partner", company)
	s.note("files", files, err)
	if _, content, err := c.OpenAttachment(ctx, file.ID); assert.NoError(s.t, err) {
		b, err := io.ReadAll(content)
		s.note("content", string(b), err)
	}

	// Errors.
	gone := []adapter.ID{adapter.IntID(999999999)}
	s.note("update of nothing", nil, c.Update(ctx, "res.partner", gone, adapter.Record{"name": "x"}))
	s.note("delete of nothing", nil, c.Delete(ctx, "res.partner", gone))
	s.note("delete twice", nil, c.Delete(ctx, "res.partner.category", ids))
	s.note("write of nothing", second(c.Call(ctx, adapter.Call{Model: "res.partner", Method: "write", Args: []any{[]any{999999999}, map[string]any{"name": "x"}}})), nil)
	_, err = c.Query(ctx, adapter.Query{Model: "no.such.model"})
	s.note("unknown model", nil, err)
	_, err = c.Query(ctx, adapter.Query{Model: "res.partner", Fields: []string{"namee"}})
	s.note("unknown field", nil, err)
	_, err = c.Create(ctx, "res.partner", adapter.Record{"namee": 1})
	s.note("create with an unknown field", nil, err)
	_, err = c.Create(ctx, "res.partner", adapter.Record{"name": "x", "lang": "xx_XX"})
	s.note("create with a bad selection", nil, err)
	_, err = c.Create(ctx, "sale.order", adapter.Record{"note": "x"})
	s.note("create without what is required", nil, err)
	_, err = c.Create(ctx, "res.partner", adapter.Record{"name": "x", "country_id": 999999})
	s.note("create with a dangling id", nil, err)
	s.note("parent of itself", nil, c.Update(ctx, "res.partner", []adapter.ID{company}, adapter.Record{"parent_id": company}))
	s.call("res.partner", "no_such_method", []any{id}, nil)
	s.call("res.partner", "_write", []any{id}, nil)
	s.call("res.partner", "search", []any{[]any{}}, map[string]any{"no_such_argument": 1})
	companies := adapter.WithScope(ctx, adapter.Scope{Companies: []int64{999}})
	_, err = c.Query(companies, adapter.Query{Model: "sale.order", Limit: 1})
	s.note("another company", nil, err)
}

func second(_ json.RawMessage, err error) any {
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		return e.Code
	}
	return "no error"
}

func runScript(t *testing.T, config odoo.Config) []string {
	t.Helper()
	client := dial(t, config)
	s := &script{t: t, ctx: context.WithoutCancel(t.Context()), client: client, mark: fmt.Sprintf("zq%x", time.Now().UnixNano())}
	s.run()
	return s.transcript()
}

// requireAlike holds the transcripts of several transports equal, line by line.
func requireAlike(t *testing.T, transcripts map[string][]string) {
	t.Helper()
	names := slices.Sorted(maps.Keys(transcripts))
	first := transcripts[names[0]]
	require.NotEmpty(t, first)
	for _, name := range names[1:] {
		other := transcripts[name]
		require.Len(t, other, len(first))
		for i := range first {
			a, b := clock.ReplaceAllString(first[i], "TIME"), clock.ReplaceAllString(other[i], "TIME")
			assert.Equal(t, a, b, "%s and %s differ", names[0], name)
		}
	}
	t.Logf("%d answers alike over %s", len(first), strings.Join(names, ", "))
}

// differs names the lines of the transcript that are not the same on every
// version, and why.
var differs = map[string]string{
	"schema":                      "each version has its own fields",
	"mobile":                      "title is gone in 19.0",
	"warnings":                    "each version replaces other names",
	"price":                       "13.0 to 15.0 have a field price of their own",
	"create with a bad selection": "18.0 takes a language that is not installed",
	"create with a dangling id":   "16.0 and later miss the record, before it is a constraint",
	"another company":             "13.0 does not check",
}

func TestTransportsAndVersionsAnswerAlike(t *testing.T) {
	byVersion := map[string][]string{}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			transcripts := map[string][]string{}
			for _, transport := range transportsOf(version) {
				// A server of its own for each, so that they begin alike.
				transcripts[transport] = runScript(t, simulated(odootest.New(t, version), transport))
			}
			requireAlike(t, transcripts)
			byVersion[version] = transcripts[odoo.TransportJSONRPC]
		})
	}
	newest, ok := byVersion["19.0"]
	if !ok {
		return // only some versions were asked for
	}
	alike := 0
	for version, lines := range byVersion {
		require.Len(t, lines, len(newest), version)
		for i, line := range lines {
			what, _, _ := strings.Cut(line, ": ")
			if _, ok := differs[what]; ok {
				continue
			}
			assert.Equal(t, clock.ReplaceAllString(newest[i], "TIME"), clock.ReplaceAllString(line, "TIME"), "%s and 19.0 differ", version)
			alike++
		}
	}
	t.Logf("%d answers alike over %d versions", alike, len(versions))
}

func TestRealTransportsAnswerAlike(t *testing.T) {
	transcripts := map[string][]string{}
	for transport, config := range realTransports(t) {
		transcripts[transport] = runScript(t, config)
	}
	requireAlike(t, transcripts)
	for _, line := range transcripts[odoo.TransportJSONRPC] {
		t.Log(line)
	}
}
