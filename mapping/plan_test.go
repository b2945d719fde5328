package mapping_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

func adapterNumber(s string) json.Number { return json.Number(s) }

func record(tb testing.TB, s string) adapter.Record {
	tb.Helper()
	r, err := adapter.DecodeRecord([]byte(s))
	require.NoError(tb, err)
	return r
}

func domain(tb testing.TB, s string) adapter.Filter {
	tb.Helper()
	f, err := adapter.ParseDomainJSON([]byte(s))
	require.NoError(tb, err)
	return f
}

func toJSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	require.NoError(tb, err)
	return string(b)
}

// noted are the fields that warnings name.
func noted(notes []adapter.Warning) string {
	fields := make([]string, len(notes))
	for i, n := range notes {
		fields[i] = n.Field
	}
	return strings.Join(fields, " ")
}

func TestWrite(t *testing.T) {
	ctx := mapping.WithLookup(t.Context(), mapping.Tables{"res.country": {{"id": 192, "code": "SA"}}})
	for _, tc := range []struct {
		name, system, model, give, want, warned string
		update                                  bool
	}{
		{name: "read only is dropped", system: "erp", model: "order_line", give: `{"subtotal":5}`, want: `{}`, warned: "subtotal"},
		{name: "unknown is dropped", system: "erp", model: "order_line", give: `{"prize":5}`, want: `{}`, warned: "prize"},
		{name: "unsupported is dropped", system: "erp", model: "customer", give: `{"fax":"1","city":"x"}`, want: `{"city":"x","customer_rank":1}`, warned: "fax"},
		{name: "created only", system: "erp", model: "customer", give: `{"login":"x"}`, want: `{}`, warned: "login", update: true},
		{name: "no default in an update", system: "erp", model: "customer", give: `{"name":"x"}`, want: `{"name":"x"}`, update: true},
		{name: "null", system: "erp", model: "customer", give: `{"name":null,"parent_id":false,"state":null,"weight_g":null}`, want: `{"name":null,"parent_id":null,"state":null,"weight":null}`, update: true},
		{name: "references in any form", system: "erp", model: "order", give: `{"customer_id":[3,"Ann"]}`, want: `{"partner_id":3}`},
		{name: "references as records", system: "erp", model: "order", give: `{"customer_id":{"id":3,"name":"Ann"}}`, want: `{"partner_id":3}`},
		{name: "id stays apart", system: "erp", model: "order", give: `{"id":3}`, want: `{}`},
		{name: "refs", system: "erp", model: "customer", give: `{"tag_ids":[1,2]}`, want: `{"category_ids":[[6,0,[1,2]]]}`, update: true},
		{name: "no refs", system: "erp", model: "customer", give: `{"tag_ids":[]}`, want: `{"category_ids":[[6,0,[]]]}`, update: true},
		{name: "lookup", system: "erp", model: "customer", give: `{"country":"SA"}`, want: `{"country_id":192}`, update: true},
		{name: "constant", system: "erp", model: "customer", give: `{"source":"erp"}`, want: `{}`, update: true},
		{name: "numbers as texts are numbers", system: "erp", model: "order_line", give: `{"price":"1.50"}`, want: `{"price_unit":1.50}`},
		{name: "records", system: "crm", model: "order", give: `{"lines":[{"quantity":1},{"quantity":2}]}`, want: `{"OrderItems":[{"Quantity":1},{"Quantity":2}]}`},
		{name: "no lines", system: "crm", model: "order", give: `{"lines":[]}`, want: `{"OrderItems":[]}`},
		{name: "one word is the last name", system: "crm", model: "customer", give: `{"name":"Cher"}`, want: `{"FirstName":null,"LastName":"Cher"}`, update: true},
		{name: "kept values", system: "crm", model: "customer", give: `{"source":"fair"}`, want: `{"Source":"fair"}`, update: true},
		{name: "an empty value of the system", system: "crm", model: "customer", give: `{"state":"closed"}`, want: `{"Status":null}`, update: true},
		{name: "the day of a moment", system: "crm", model: "customer", give: `{"seen_at":"2024-01-31T23:30:00-02:00"}`, want: `{"Seen__c":"2024-02-01"}`, update: true},
		{name: "a date as a moment", system: "crm", model: "customer", give: `{"born":"2001-02-03"}`, want: `{"Birth__c":"2001-02-03 00:00:00"}`, update: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := compile(t, shop(t), tc.system, "3.0", tc.model, mapping.Options{})
			write := p.Create
			if tc.update {
				write = p.Update
			}
			v, err := write(ctx, record(t, tc.give))
			require.NoError(t, err)
			assert.JSONEq(t, tc.want, toJSON(t, v.Record))
			assert.Equal(t, tc.warned, noted(v.Notes))
		})
	}
}

func TestWriteErrors(t *testing.T) {
	for _, tc := range []struct {
		name, system, model, give, want string
		opts                            mapping.Options
		update                          bool
		code                            error
	}{
		{name: "not a text", system: "erp", model: "customer", give: `{"name":["x"]}`, want: `field "name": it is a text`},
		{name: "not a number", system: "erp", model: "order_line", give: `{"quantity":"much"}`, want: `field "quantity": it is a number, not "much"`},
		{name: "not whole", system: "crm", model: "customer", give: `{"weight_g":1.5}`, want: "it is a whole number"},
		{name: "not a boolean", system: "erp", model: "customer", give: `{"active":"yes"}`, want: "it is true or false"},
		{name: "not a date", system: "erp", model: "customer", give: `{"born":"soon"}`, want: "it is a date such as 2006-01-02"},
		{name: "not a moment", system: "erp", model: "customer", give: `{"seen_at":5}`, want: "it is a date and time"},
		{name: "not an id", system: "erp", model: "order", give: `{"customer_id":1.5}`, want: "it is the id of a record"},
		{name: "not a list", system: "erp", model: "customer", give: `{"tag_ids":5}`, want: "it is a list"},
		{name: "no lines", system: "erp", model: "order", give: `{"lines":5}`, want: "it is a list of records"},
		{name: "no record", system: "erp", model: "order", give: `{"lines":[5]}`, want: "line 0 is no record"},
		{name: "a line's field", system: "erp", model: "order", give: `{"lines":[{"quantity":"x"}]}`, want: `field "lines.quantity": it is a number`},
		{name: "an unknown value", system: "erp", model: "customer", give: `{"state":"lost"}`, want: `no counterpart for "lost"; there are "new", "open", "closed"`},
		{name: "another constant", system: "erp", model: "customer", give: `{"source":"web"}`, want: `on this system it is always "erp"`},
		{name: "a half text", system: "crm", model: "customer", give: `{"first_name":"x"}`, want: "on this system it is one text with first_name: give all of them", update: true},
		{name: "refused", system: "erp", model: "order_line", give: `{"prize":1}`, want: `(did you mean "price"?)`, opts: mapping.Options{Unmapped: mapping.Refuse}},
		{name: "read only refused", system: "erp", model: "order_line", give: `{"subtotal":1}`, want: "it can't be written: it is for reading", opts: mapping.Options{Unmapped: mapping.Refuse}},
		{name: "nothing to look up with", system: "erp", model: "customer", give: `{"country":"SA"}`, want: "nothing here can look it up", code: adapter.ErrUnsupported},
		{name: "delete without id", system: "crm", model: "order", give: `{"lines":[{"_delete":true}]}`, want: "a line that is removed needs its id", update: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := compile(t, shop(t), tc.system, "3.0", tc.model, tc.opts)
			write := p.Create
			if tc.update {
				write = p.Update
			}
			_, err := write(t.Context(), record(t, tc.give))
			require.ErrorContains(t, err, tc.want)
			if tc.code == nil {
				tc.code = adapter.ErrInvalidArgument
			}
			assert.ErrorIs(t, err, tc.code)
			var e *mapping.FieldError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, tc.model, e.Model)
		})
	}
}

// What an update can't hold comes apart.
func TestUpdateApart(t *testing.T) {
	s := shop(t)
	v, err := compile(t, s, "crm", "", "order", mapping.Options{}).Update(t.Context(), record(t, `{"kind":"kit","lines":[{"id":"x","quantity":3},{"price":1},{"id":"y","_delete":true}]}`))
	require.NoError(t, err)
	assert.Equal(t, adapter.Record{"Type": "K"}, v.Record)
	require.Len(t, v.Lines, 1)
	l := v.Lines[0]
	assert.Equal(t, "lines OrderItems OrderId OrderItem", l.Field+" "+l.Relation+" "+l.Inverse+" "+l.Plan.SystemModel())
	assert.Equal(t, []adapter.Record{{"UnitPrice": adapterNumber("1")}}, l.Add)
	require.Len(t, l.Change, 1)
	assert.Equal(t, adapter.StringID("x"), l.Change[0].ID)
	assert.Equal(t, adapter.Record{"Quantity": adapterNumber("3")}, l.Change[0].Values.Record)
	assert.Equal(t, []adapter.ID{adapter.StringID("y")}, l.Remove)
	assert.JSONEq(t, `{"Type":"K","OrderItems":[{"UnitPrice":1},{"Id":"x","Quantity":3},{"Id":"y","_delete":true}]}`, toJSON(t, v.Whole()))

	v, err = compile(t, s, "crm", "", "customer", mapping.Options{}).Update(t.Context(), record(t, `{"phone":"5","city":"X"}`))
	require.NoError(t, err)
	assert.Empty(t, v.Record)
	require.Len(t, v.Nested, 2)
	assert.Equal(t, "phone Phones[Type=work].Number 5", v.Nested[0].Field+" "+v.Nested[0].Path.String()+" "+v.Nested[0].Value.(string))
	assert.JSONEq(t, `{"Phones":[{"Type":"work","Number":"5"}],"Address":{"City":"X"}}`, toJSON(t, v.Whole()))
}

func TestToUniversal(t *testing.T) {
	for _, tc := range []struct {
		name, system, model, give, want, warned string
		fields                                  []string
		opts                                    mapping.Options
	}{
		{name: "Odoo's false", system: "erp", model: "customer", give: `{"id":1,"name":false,"parent_id":false,"active":false,"weight":0,"seen":false,"state":false,"rank":false}`,
			want:   `{"id":1,"name":null,"parent_id":null,"parent_name":null,"active":false,"weight_g":0,"seen_at":null,"state":null,"vip":false}`,
			fields: []string{"name", "parent_id", "parent_name", "active", "weight_g", "seen_at", "state", "vip"}},
		{name: "pairs", system: "erp", model: "customer", give: `{"id":1,"parent_id":[7,"Home"]}`, want: `{"id":1,"parent_id":7,"parent_name":"Home"}`, fields: []string{"parent_id", "parent_name"}},
		{name: "nested references", system: "erp", model: "customer", give: `{"id":1,"parent_id":{"id":7,"display_name":"Home"}}`, want: `{"id":1,"parent_id":7,"parent_name":"Home"}`, fields: []string{"parent_id", "parent_name"}},
		{name: "flat paths", system: "erp", model: "customer", give: `{"id":1,"country_id.code":"SA"}`, want: `{"id":1,"country":"SA"}`, fields: []string{"country"}},
		{name: "what was not read is null when asked for", system: "erp", model: "customer", give: `{"id":1}`, want: `{"id":1,"name":null}`, fields: []string{"name"}},
		{name: "unsupported is null", system: "erp", model: "customer", give: `{"id":1}`, want: `{"id":1,"fax":null}`, fields: []string{"fax"}},
		{name: "write-only is not read", system: "erp", model: "customer", give: `{"id":1,"password":"x"}`, want: `{"id":1,"password":null}`, fields: []string{"password"}},
		{name: "several values read as one", system: "erp", model: "customer", give: `{"state":"sale"}`, want: `{"state":"open"}`, fields: []string{"state"}},
		{name: "an unknown value is kept and said", system: "erp", model: "customer", give: `{"state":"lost"}`, want: `{"state":"lost"}`, fields: []string{"state"}, warned: "state"},
		{name: "exact", system: "erp", model: "customer", give: `{"weight":0.1234567890123456789012345}`, want: `{"weight_g":123.4567890123456789012345}`, fields: []string{"weight_g"}},
		{name: "digits stay", system: "crm", model: "customer", give: `{"Balance__c":10.50}`, want: `{"balance":10.50}`, fields: []string{"balance"}},
		{name: "numbers as texts", system: "crm", model: "customer", give: `{"Weight__c":"42","Balance__c":"7.00-"}`, want: `{"weight_g":42,"balance":-7.00}`, fields: []string{"weight_g", "balance"}},
		{name: "inverted", system: "crm", model: "customer", give: `{"IsDeleted":true}`, want: `{"active":false}`, fields: []string{"active"}},
		{name: "empty has a value", system: "crm", model: "customer", give: `{"Vip":null}`, want: `{"vip":false}`, fields: []string{"vip"}},
		{name: "joined", system: "crm", model: "customer", give: `{"FirstName":null,"LastName":"Smith"}`, want: `{"name":"Smith"}`, fields: []string{"name"}},
		{name: "split", system: "crm", model: "customer", give: `{"Contact":"Ann Mary Smith"}`, want: `{"first_name":"Ann Mary","last_name":"Smith"}`, fields: []string{"first_name", "last_name"}},
		{name: "one part", system: "crm", model: "customer", give: `{"Contact":"Smith"}`, want: `{"first_name":null,"last_name":"Smith"}`, fields: []string{"first_name", "last_name"}},
		{name: "the first of many", system: "crm", model: "customer", give: `{"Emails":[{"Address":"a"},{"Address":"b"}]}`, want: `{"email":"a"}`, fields: []string{"email"}},
		{name: "the marked of many", system: "crm", model: "customer", give: `{"Phones":[{"Type":"home","Number":"1"},{"Type":"work","Number":"2"}]}`, want: `{"phone":"2"}`, fields: []string{"phone"}},
		{name: "none of many", system: "crm", model: "customer", give: `{"Emails":[],"Phones":null}`, want: `{"email":null,"phone":null}`, fields: []string{"email", "phone"}},
		{name: "moments", system: "crm", model: "customer", give: `{"Birth__c":"2001-02-03T22:00:00.000+0000","Seen__c":"2024-01-31"}`, want: `{"born":"2001-02-03","seen_at":"2024-01-31T00:00:00Z"}`, fields: []string{"born", "seen_at"}},
		{name: "OData's dates", system: "crm", model: "customer", give: `{"Birth__c":"/Date(981158400000+0000)/"}`, want: `{"born":"2001-02-03"}`, fields: []string{"born"}},
		{name: "Id", system: "crm", model: "customer", give: `{"Id":"001"}`, want: `{"id":"001"}`, fields: []string{}},
		{name: "computed", system: "crm", model: "order_line", give: `{"Id":"1","Quantity":3,"UnitPrice":"0.10"}`, want: `{"id":"1","subtotal":0.3}`, fields: []string{"subtotal"}},
		{name: "unmapped is said", system: "crm", model: "order_line", give: `{"Id":"1","Color":"red"}`, want: `{"id":"1"}`, fields: []string{}, warned: "Color"},
		{name: "unmapped is kept", system: "crm", model: "order_line", give: `{"Id":"1","Color":"red"}`, want: `{"id":"1","extra":{"Color":"red"}}`, fields: []string{}, opts: mapping.Options{Unmapped: mapping.Extra}},
		{name: "some fields of lines", system: "crm", model: "order", give: `{"Id":"1","OrderItems":[{"Id":"2","Quantity":1,"UnitPrice":2}]}`, want: `{"id":"1","lines":[{"id":"2","price":2}]}`, fields: []string{"lines.price"}},
		{name: "lines that are ids", system: "erp", model: "order", give: `{"id":1,"order_line":[4,5]}`, want: `{"id":1,"lines":[{"id":4},{"id":5}]}`, fields: []string{"lines"}},
		{name: "no lines", system: "erp", model: "order", give: `{"id":1,"order_line":false}`, want: `{"id":1,"lines":[],"total":0,"count":0}`, fields: []string{"lines", "total", "count"}},
		{name: "empty texts", system: "crm", model: "order", give: `{"Id":"1","OrderNumber":""}`, want: `{"id":"1","name":null}`, fields: []string{"name"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := compile(t, shop(t), tc.system, "3.0", tc.model, tc.opts)
			got, notes, err := p.ToUniversal(t.Context(), record(t, tc.give), tc.fields)
			require.NoError(t, err)
			assert.Equal(t, toJSON(t, record(t, tc.want)), toJSON(t, got))
			assert.Equal(t, tc.warned, noted(notes))
		})
	}
	_, _, err := compile(t, shop(t), "crm", "", "order_line", mapping.Options{Unmapped: mapping.Refuse}).ToUniversal(t.Context(), adapter.Record{"Color": "red"}, nil)
	assert.ErrorContains(t, err, "the system's field is not mapped to order_line")
}

func TestFilter(t *testing.T) {
	ctx := context.Background()
	for _, tc := range []struct{ name, system, model, give, want, refused string }{
		{name: "nothing", system: "crm", model: "order", give: `[]`, want: `[]`},
		{name: "the base", system: "erp", model: "customer", give: `[]`, want: `[["customer_rank",">",0]]`},
		{name: "id", system: "crm", model: "order", give: `[["id","in",["a"]]]`, want: `[["Id","in",["a"]]]`},
		{name: "a value that several read as", system: "crm", model: "order", give: `[["kind","!=","kit"]]`, want: `[["Type","!=","K"]]`},
		{name: "values by size", system: "crm", model: "order", give: `[["kind","like","k"]]`, refused: "compare with =, !=, in or not in"},
		{name: "an unknown value", system: "crm", model: "order", give: `[["kind","=","x"]]`, refused: `no counterpart for "x"`},
		{name: "not set", system: "crm", model: "order", give: `[["kind","=",false]]`, want: `[["Type","=",null]]`},
		{name: "turned", system: "crm", model: "customer", give: `[["active","=",true]]`, want: `[["IsDeleted","=",false]]`},
		{name: "turned, not set", system: "crm", model: "customer", give: `[["active","!=",false]]`, want: `[["IsDeleted","!=",true]]`},
		{name: "empty has a value", system: "crm", model: "customer", give: `[["vip","=",false]]`, want: `[["Vip","in",[false,null]]]`},
		{name: "a number as text", system: "crm", model: "customer", give: `[["weight_g","=",5]]`, want: `[["Weight__c","=","5"]]`},
		{name: "a number as text, by size", system: "crm", model: "customer", give: `[["weight_g",">",5]]`, refused: `operator ">" does not suit it here`},
		{name: "joined", system: "crm", model: "customer", give: `[["name","=","A B"]]`,
			want: `["|","|","&",["FirstName","=",false],["LastName","=","A B"],"&",["FirstName","=","A"],["LastName","=","B"],"&",["FirstName","=","A B"],["LastName","=",false]]`},
		{name: "joined, a word", system: "crm", model: "customer", give: `[["name","ilike","ann"]]`, want: `["|",["FirstName","ilike","ann"],["LastName","ilike","ann"]]`},
		{name: "joined, two words", system: "crm", model: "customer", give: `[["name","ilike","ann s"]]`, refused: "look for one word"},
		{name: "split, the part that is cut off", system: "crm", model: "customer", give: `[["last_name","=","S_h"]]`, want: `["|",["Contact","=","S_h"],["Contact","=like","%_ S\\_h"]]`},
		{name: "split, the rest", system: "crm", model: "customer", give: `[["first_name","=","A"]]`, refused: "it is part 1 of a text"},
		{name: "a moment of days", system: "crm", model: "customer", give: `[["seen_at",">=","2024-01-31T12:00:00Z"]]`, want: `[["Seen__c",">","2024-01-31"]]`},
		{name: "midnight of days", system: "crm", model: "customer", give: `[["seen_at","<","2024-01-31T00:00:00Z"]]`, want: `[["Seen__c","<","2024-01-31"]]`},
		{name: "noon is no day", system: "crm", model: "customer", give: `[["seen_at","=","2024-01-31T12:00:00Z"]]`, want: `[[0,"=",1]]`},
		{name: "a day of moments", system: "crm", model: "customer", give: `[["born","=","2001-02-03"]]`, want: `[["Birth__c",">=","2001-02-03 00:00:00"],["Birth__c","<","2001-02-04 00:00:00"]]`},
		{name: "to a day of moments", system: "crm", model: "customer", give: `[["born","<=","2001-02-03"]]`, want: `[["Birth__c","<","2001-02-04 00:00:00"]]`},
		{name: "computed", system: "crm", model: "customer", give: `[["full","=","x"]]`, refused: "it is computed from name, email"},
		{name: "unsupported", system: "crm", model: "customer", give: `[["tags","=","x"]]`, refused: "no tags"},
		{name: "unknown", system: "crm", model: "customer", give: `[["namme","=","x"]]`, refused: `(did you mean "name"?)`},
		{name: "a line's field", system: "crm", model: "order", give: `[["lines.quantity",">",3]]`, want: `[["OrderItems.Quantity",">",3]]`},
		{name: "any line", system: "crm", model: "order", give: `[["lines","any",[["quantity",">",3],["price","=",1]]]]`, want: `[["OrderItems","any",[["Quantity",">",3],["UnitPrice","=",1]]]]`},
		{name: "a line's computed field", system: "crm", model: "order", give: `[["lines.subtotal",">",3]]`, refused: `field "lines.subtotal"`},
		{name: "through a reference", system: "crm", model: "order", give: `[["customer_id.name","=","x"]]`, refused: "search those first"},
		{name: "through a mark, negated", system: "crm", model: "customer", give: `[["phone","!=","5"]]`, want: `[["Phones","not any",[["Type","=","work"],["Number","=","5"]]]]`},
		{name: "through a mark, not set", system: "crm", model: "customer", give: `[["phone","=",false]]`, refused: "can't be asked"},
		{name: "fallback", system: "erp", model: "customer", give: `[["phone","=","5"]]`,
			want: `[["customer_rank",">",0],"|","&","!",["phone","=",false],["phone","=","5"],"&",["phone","=",false],["mobile","=","5"]]`},
		{name: "words", system: "erp", model: "customer", give: `[["vip","=",false]]`, want: `[["customer_rank",">",0],["rank","in",["B",""]]]`},
		{name: "a negative scale turns", system: "erp", model: "customer", give: `[["balance",">",5]]`, want: `[["customer_rank",">",0],["credit","<",-5]]`},
		{name: "constant", system: "erp", model: "customer", give: `[["source","=","erp"]]`, want: `[["customer_rank",">",0],[1,"=",1]]`},
		{name: "another constant", system: "erp", model: "customer", give: `[["source","=","web"]]`, want: `[["customer_rank",">",0],[0,"=",1]]`},
		{name: "written only", system: "erp", model: "customer", give: `[["password","=","x"]]`, refused: "it can't be read"},
		{name: "the name of a reference", system: "erp", model: "customer", give: `[["parent_name","ilike","x"]]`, want: `[["customer_rank",">",0],["parent_id","ilike","x"]]`},
		{name: "a table", system: "erp", model: "order", give: `[["kind","=","kit"]]`, want: `[["type","=","consu"],"!","&",["type","=","consu"],["storable","=",true]]`},
		{name: "a compact date", system: "erp", model: "customer", give: `[["born",">","2001-02-03"]]`, want: `[["customer_rank",">",0],["birthday",">","20010203"]]`},
		{name: "HTML", system: "erp", model: "customer", give: `[["notes","=","x"]]`, refused: "the system has it as HTML"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := compile(t, shop(t), tc.system, "3.0", tc.model, mapping.Options{})
			got, err := p.Filter(ctx, domain(t, tc.give))
			if tc.refused != "" {
				require.ErrorContains(t, err, tc.refused)
				assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(adapter.AppendDomainJSON(nil, got)))
		})
	}
}

func TestOrder(t *testing.T) {
	for _, tc := range []struct{ system, model, give, want, refused string }{
		{"crm", "order", "id desc, name", "Id desc, OrderNumber", ""},
		{"crm", "customer", "name desc", "FirstName desc, LastName desc", ""},
		{"crm", "customer", "active", "IsDeleted desc", ""},
		{"crm", "customer", "first_name", "Contact", ""},
		{"crm", "customer", "last_name", "", "the latter part of a text"},
		{"crm", "customer", "full", "", "it is computed"},
		{"crm", "customer", "email", "", "one of several records"},
		{"crm", "order", "kind", "Type", ""},
		{"crm", "customer", "state", "", "its values are others"},
		{"crm", "order", "lines", "", "it is a list"},
		{"crm", "order", "lines.price", "", "by a field of other records"},
		{"crm", "order", "namme", "", "did you mean"},
		{"erp", "customer", "balance", "credit desc", ""},
		{"erp", "customer", "phone", "", "taken from several fields"},
		{"erp", "customer", "source, name", "name", ""},
		{"erp", "customer", "country", "country_id.code", ""},
	} {
		p := compile(t, shop(t), tc.system, "3.0", tc.model, mapping.Options{})
		orders, err := adapter.ParseOrder(tc.give)
		require.NoError(t, err)
		got, err := p.Order(orders)
		if tc.refused != "" {
			assert.ErrorContains(t, err, tc.refused, tc.give)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, tc.want, adapter.FormatOrder(got))
	}
}

func TestFields(t *testing.T) {
	s := shop(t)
	crm := compile(t, s, "crm", "", "customer", mapping.Options{})
	paths, notes, err := crm.Fields(nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"FirstName", "LastName", "Contact", "Emails.Address", "Phones.Number", "Phones.Type", "CountryCode", "Status", "IsDeleted", "Vip", "Weight__c", "Balance__c", "Birth__c", "Seen__c", "ParentId", "Parent.Name", "Address.City", "Description", "Source", "Fax"}, paths)
	assert.Empty(t, notes)
	paths, notes, err = crm.Fields([]string{"id", "tags", "zz", "full"})
	require.NoError(t, err)
	assert.Equal(t, []string{"FirstName", "LastName", "Emails.Address"}, paths)
	require.Len(t, notes, 2)
	assert.Equal(t, "tags zz", notes[0].Field+" "+notes[1].Field)

	order := compile(t, s, "crm", "", "order", mapping.Options{Unmapped: mapping.Refuse})
	paths, _, err = order.Fields([]string{"lines.subtotal", "lines.product"})
	require.NoError(t, err)
	assert.Equal(t, []string{"OrderItems.Quantity", "OrderItems.UnitPrice", "OrderItems.Product2.Name"}, paths)
	_, _, err = order.Fields([]string{"lines.zz"})
	assert.ErrorContains(t, err, `field "lines.zz": universal model order_line has no such field`)
	_, _, err = order.Fields([]string{"name.x"})
	assert.ErrorContains(t, err, "name has no fields of its own")

	extra := compile(t, s, "crm", "", "order", mapping.Options{Unmapped: mapping.Extra})
	paths, _, err = extra.Fields([]string{"extra.Color"})
	require.NoError(t, err)
	assert.Equal(t, []string{"Color"}, paths)
	v, err := extra.Create(t.Context(), adapter.Record{"extra": map[string]any{"Color": "red"}})
	require.NoError(t, err)
	assert.Equal(t, adapter.Record{"Color": "red"}, v.Record)
	f, err := extra.Filter(t.Context(), domain(t, `[["extra.Color","=","red"]]`))
	require.NoError(t, err)
	assert.Equal(t, adapter.Cond{Field: "Color", Op: adapter.Equal, Value: "red"}, f)
}

func TestSchema(t *testing.T) {
	s := compile(t, shop(t), "erp", "3.0", "customer", mapping.Options{}).Schema()
	assert.Equal(t, "customer", s.Model)
	assert.True(t, s.Fields["name"].Required)
	assert.True(t, s.Fields["full"].Readonly)
	assert.False(t, s.Fields["full"].Searchable)
	assert.False(t, s.Fields["fax"].Stored)
	assert.Equal(t, adapter.Many2One, s.Fields["parent_id"].Type)
	assert.Len(t, s.Fields["state"].Selection, 3)
}

// What is not asked for by the lines' condition is left out.
func TestLinesOfTheirKind(t *testing.T) {
	s, err := mapping.Parse("t.yaml", []byte(`
mapping: order_line
system: erp
model: sale.order.line
where: [[display_type, "=", false]]
fields: {product: name}
`), mapping.Over(shop(t)))
	require.NoError(t, err)
	p := compile(t, s, "erp", "", "order", mapping.Options{})
	paths, _, err := p.Fields([]string{"lines"})
	require.NoError(t, err)
	assert.Equal(t, []string{"order_line.name", "order_line.display_type"}, paths)
	got, _, err := p.ToUniversal(t.Context(), record(t, `{"id":1,"order_line":[{"id":1,"name":"A","display_type":false},{"id":2,"name":"Section","display_type":"line_section"}]}`), []string{"lines.product"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":1,"lines":[{"id":1,"product":"A"}]}`, toJSON(t, got))
}

func TestReadOnlyModel(t *testing.T) {
	s, err := mapping.Parse("t.yaml", []byte("mapping: order_line\nsystem: x\nmodel: L\nread_only: made by another program\nfields: {product: name}"), mapping.Over(shop(t)))
	require.NoError(t, err)
	p := compile(t, s, "x", "", "order_line", mapping.Options{})
	_, err = p.Create(t.Context(), adapter.Record{"product": "x"})
	assert.ErrorIs(t, err, adapter.ErrUnsupported)
	assert.ErrorContains(t, err, "made by another program")
	assert.True(t, p.Schema().Fields["product"].Readonly)
}

// A schema that changed under a mapping is noticed.
func TestMissing(t *testing.T) {
	schema := &adapter.Schema{Model: "Account", Fields: map[string]adapter.Field{}}
	for _, f := range []string{"FirstName", "LastName", "Contact", "CountryCode", "Status", "IsDeleted", "Vip", "Weight__c", "Balance__c", "Birth__c", "Seen__c", "ParentId", "Address", "Description", "Source", "Faxx"} {
		schema.Fields[f] = adapter.Field{Type: adapter.Char}
	}
	schema.Fields["Emails"] = adapter.Field{Type: adapter.One2Many, Relation: "Email"}
	schema.Fields["Phones"] = adapter.Field{Type: adapter.One2Many, Relation: "Phone"}
	schema.Fields["Parent"] = adapter.Field{Type: adapter.Many2One, Relation: "Account"}
	related := func(model string) *adapter.Schema {
		switch model {
		case "Email":
			return &adapter.Schema{Model: "Email", Fields: map[string]adapter.Field{"Address": {}}}
		case "Phone":
			return &adapter.Schema{Model: "Phone", Fields: map[string]adapter.Field{"Number": {}}}
		}
		return schema
	}
	p := compile(t, shop(t), "crm", "", "customer", mapping.Options{})
	var got []string
	for _, m := range p.Missing(schema, related) {
		got = append(got, m.Message)
	}
	assert.Equal(t, []string{
		"phone is mapped to Phones[Type=work].Number, and Phone has no field Type",
		"parent_name is mapped to Parent.Name, and Account has no field Name",
		`fax is mapped to Fax, and Account has no field Fax (did you mean "Faxx"?)`,
	}, got)
}
