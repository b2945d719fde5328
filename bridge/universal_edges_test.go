package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
	"github.com/bridgecore/bridgecore/mapping"
)

func TestUniversalOperations(t *testing.T) {
	u := universally(t, nil)
	for _, id := range both {
		t.Run(id, func(t *testing.T) {
			s := u.of(t, id)
			run := func(op, body string) Answer {
				t.Helper()
				a, err := s.Operation(t.Context(), op, request(t, body))
				require.NoError(t, err, "%s %s", op, body)
				return a
			}
			made := run("create", `{"model":"contact","values":{"name":"One of ours","country":"US"}}`)
			one := string(made.Result)
			two := string(run("create", `{"model":"contact","values":[{"name":"Two of ours"}]}`).Result)
			two = strings.Trim(two, "[]")
			assert.JSONEq(t, `[{"id":`+one+`,"name":"One of ours","country":"US"}]`,
				string(run("search_read", `{"model":"contact","domain":[["name","=","One of ours"]],"fields":["name","country"]}`).Result))
			assert.JSONEq(t, `[{"id":`+two+`,"name":"Two of ours"},{"id":`+one+`,"name":"One of ours"}]`,
				string(run("read", `{"model":"contact","ids":[`+two+`,`+one+`],"fields":["name"]}`).Result), "in the order of the ids")
			assert.JSONEq(t, `[`+one+`,`+two+`]`, string(run("search", `{"model":"contact","domain":[["name","like","of ours"]],"order":"name"}`).Result))
			assert.JSONEq(t, `2`, string(run("search_count", `{"model":"contact","domain":[["name","like","of ours"]]}`).Result))
			assert.JSONEq(t, `[[`+two+`,"Two of ours"]]`, string(run("name_search", `{"model":"contact","name":"two OF ours"}`).Result))
			assert.JSONEq(t, `[]`, string(run("name_search", `{"model":"contact","name":"%of ours"}`).Result), "the name is no pattern")
			assert.JSONEq(t, `true`, string(run("write", `{"model":"contact","ids":[`+two+`],"values":{"name":"2 of ours"}}`).Result))
			assert.JSONEq(t, `[{"id":`+two+`,"name":"2 of ours"}]`, string(run("read", `{"model":"contact","ids":[`+two+`],"fields":["name"]}`).Result))
			fields := string(run("fields_get", `{"model":"contact","attributes":["type"]}`).Result)
			assert.Contains(t, fields, `"country":{"type":"char"}`)
			assert.JSONEq(t, `[`+one+`]`, string(run("exists", `{"model":"contact","ids":[`+one+`]}`).Result))
			first := run("search_read", `{"model":"contact","domain":[["name","like","of ours"]],"fields":["name"],"order":"name desc","limit":1}`)
			assert.NotEmpty(t, first.NextCursor)
			next := run("search_read", `{"model":"contact","domain":[["name","like","of ours"]],"fields":["name"],"order":"name desc","limit":1,"cursor":"`+first.NextCursor+`"}`)
			assert.Contains(t, string(next.Result), "2 of ours")
			run("search_count", `{"model":"contact","domain":[["name","like","of ours"]]}`)
			assert.True(t, run("call_kw", `{"model":"contact","method":"search_count","args":[[["name","like","of ours"]]]}`).Cached, "a known method is its operation")
			assert.JSONEq(t, `true`, string(run("unlink", `{"model":"contact","ids":[`+one+`,`+two+`]}`).Result))
			assert.JSONEq(t, `0`, string(run("search_count", `{"model":"contact","domain":[["name","like","of ours"]]}`).Result))

			for op, body := range map[string]string{
				"read_group": `{"model":"contact","groupby":["country"]}`, "copy": `{"model":"contact","ids":[` + one + `]}`,
				"call_kw": `{"model":"contact","method":"message_post"}`, "name_get": `{"model":"contact","ids":[` + one + `]}`,
			} {
				_, err := s.Operation(t.Context(), op, request(t, body))
				assert.Equal(t, adapter.Unsupported, code(t, err), op)
				assert.ErrorContains(t, err, "search_read", "the way out")
			}
			_, err := s.Operation(t.Context(), "search_read", request(t, `{"model":"res.partner"}`))
			assert.Equal(t, adapter.NotFound, code(t, err))
			_, err = s.Operation(t.Context(), "write", request(t, `{"model":"contact","ids":[`+one+`]}`))
			assert.Equal(t, adapter.InvalidArgument, code(t, err))
		})
	}
}

func TestUniversalConditions(t *testing.T) {
	u := universally(t, nil)
	for _, id := range both {
		t.Run(id, func(t *testing.T) {
			s, sc := u.of(t, id), u.scene(t, id)
			tag, err := s.ETag(t.Context(), "order", sc.order)
			require.NoError(t, err)
			require.NoError(t, s.UpdateIf(t.Context(), "order", sc.order, tag, adapter.Record{"reference": "R2"}))
			err = s.UpdateIf(t.Context(), "order", sc.order, tag, adapter.Record{"reference": "R3", "lines": []any{map[string]any{"text": "never", "quantity": 1, "product_id": sc.product.Value()}}})
			assert.Equal(t, adapter.PreconditionFailed, code(t, err))
			r := read(t, s, "order", []string{"reference", "lines"}, fmt.Sprintf(`[["id","=",%s]]`, quoteID(sc.order)))
			assert.Equal(t, "R2", r[0]["reference"])
			assert.Len(t, r[0]["lines"], 2, "the lines of a refused change stay")
			assert.Equal(t, adapter.PreconditionFailed, code(t, s.DeleteIf(t.Context(), "order", sc.order, tag)))
			tag, err = s.ETag(t.Context(), "order", sc.order)
			require.NoError(t, err)
			require.NoError(t, s.DeleteIf(t.Context(), "order", sc.order, tag))
			n, err := s.Count(t.Context(), "order", adapter.Cond{Field: "id", Op: adapter.Equal, Value: sc.order.Value()})
			require.NoError(t, err)
			assert.Zero(t, n)
		})
	}
}

// Rules name models as the system does, and what a reading leads through counts.
func TestUniversalAccess(t *testing.T) {
	u := universally(t, func(c *Config) {
		all := []string{"*"}
		c.Access = Access{
			"admin":    {{Models: all, Methods: all}},
			"orders":   {{Models: []string{"sale.order", "sale.order.line"}, Methods: all}},
			"contacts": {{Models: []string{"res.partner"}, Methods: []string{"search_read", "read"}}},
		}
	})
	admin, err := u.System(t.Context(), Caller{Tenant: "acme", User: "a", Roles: []string{"admin"}}, "main")
	require.NoError(t, err)
	admin, err = admin.Universal(UniversalOptions{})
	require.NoError(t, err)
	create(t, admin, "contact", adapter.Record{"name": "Azure", "country": "US"})

	orders, contacts := u.of(t, "main", "orders"), u.of(t, "main", "contacts")
	_, err = orders.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name"}}})
	assert.Equal(t, adapter.PermissionDenied, code(t, err))
	_, err = orders.Read(t.Context(), Reading{Query: adapter.Query{Model: "order", Fields: []string{"reference", "partner_name"}}})
	assert.Equal(t, adapter.PermissionDenied, code(t, err), "through a relation")
	a, err := orders.Read(t.Context(), Reading{Query: adapter.Query{Model: "order"}})
	require.NoError(t, err, "all fields are all that may be read")
	assert.NotContains(t, string(a.Result), "partner_name")
	assert.True(t, slices.ContainsFunc(a.Warnings, func(w adapter.Warning) bool { return w.Field == "partner_name" }), "%v", a.Warnings)
	_, err = contacts.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name"}}})
	require.NoError(t, err)
	_, err = contacts.Create(t.Context(), "contact", adapter.Record{"name": "x"})
	assert.Equal(t, adapter.PermissionDenied, code(t, err))
	_, err = contacts.CreateEach(t.Context(), "contact", []adapter.Record{{"name": "x"}})
	assert.Equal(t, adapter.PermissionDenied, code(t, err))
	assert.Equal(t, adapter.PermissionDenied, code(t, contacts.Update(t.Context(), "contact", []adapter.ID{adapter.IntID(1)}, adapter.Record{"name": "x"})))
	assert.Equal(t, adapter.PermissionDenied, code(t, contacts.Delete(t.Context(), "contact", []adapter.ID{adapter.IntID(1)})))
	_, err = contacts.Fields(t.Context(), "contact")
	assert.Equal(t, adapter.PermissionDenied, code(t, err))
	_, err = contacts.Count(t.Context(), "contact", nil)
	assert.Equal(t, adapter.PermissionDenied, code(t, err))

	// What is kept for one who may is not served to one who may not.
	q := Reading{Query: adapter.Query{Model: "order", Fields: []string{"reference", "partner_name"}}}
	for range 2 {
		_, err = admin.Read(t.Context(), q)
		require.NoError(t, err)
	}
	_, err = orders.Read(t.Context(), q)
	assert.Equal(t, adapter.PermissionDenied, code(t, err))
	q.Fields = nil
	_, err = admin.Read(t.Context(), q)
	require.NoError(t, err)
	again, err := orders.Read(t.Context(), q)
	require.NoError(t, err)
	assert.NotContains(t, string(again.Result), "partner_name")
}

// The kept answer of all fields that one role may read is not that of another.
func TestUniversalAnswersOfRoles(t *testing.T) {
	u := universally(t, func(c *Config) {
		c.Access = Access{
			"admin": {{Models: []string{"*"}, Methods: []string{"*"}}},
			"heads": {{Models: []string{"Order"}, Methods: []string{"*"}}},
		}
	})
	admin, heads := u.of(t, "crm", "admin"), u.of(t, "crm", "heads")
	account := create(t, admin, "contact", adapter.Record{"name": "Azure"})
	create(t, admin, "order", adapter.Record{"reference": "R1", "partner_id": account.Value()})
	for range 2 {
		for s, sees := range map[*System]bool{admin: true, heads: false} {
			a, err := s.Read(t.Context(), Reading{Query: adapter.Query{Model: "order"}})
			require.NoError(t, err)
			assert.Equal(t, sees, strings.Contains(string(a.Result), "Azure"), "%s", a.Result)
		}
	}
}

func TestUniversalCacheIsCleared(t *testing.T) {
	u := universally(t, nil)
	s := u.of(t, "crm")
	create(t, s, "contact", adapter.Record{"name": "Azure"})
	q := Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name"}}}
	for range 2 {
		_, err := s.Read(t.Context(), q)
		require.NoError(t, err)
	}
	assert.Positive(t, s.ClearCache(t.Context(), "contact"))
	a, err := s.Read(t.Context(), q)
	require.NoError(t, err)
	assert.False(t, a.Cached)
}

// A version that callers of the system speak does not matter here.
func TestUniversalOnAPinnedSystem(t *testing.T) {
	r := pinRig(t, elder{memory.New(pinSchemas()["2"]...)}, true, func(c *Config) {
		set, err := mapping.Parse("own.yaml", []byte("universal: lot\nfields: {number: char}\n---\nmapping: lot\nsystem: fake\nversions: \"2\"\nmodel: batch\nfields: {number: code}\n"))
		require.NoError(t, err)
		c.Mappings = set
	})
	pinned := as(t, r.sys(t), "1")
	s, err := pinned.Universal(UniversalOptions{})
	require.NoError(t, err)
	assert.Empty(t, s.PinnedVersion())
	id := create(t, s, "lot", adapter.Record{"number": "L1"})
	assert.Equal(t, "L1", read(t, pinned, "lot", []string{"name"}, fmt.Sprintf(`[["id","=",%s]]`, quoteID(id)))[0]["name"])
	assert.Equal(t, "L1", read(t, s, "lot", []string{"number"}, `[["number","=","L1"]]`)[0]["number"])
	back := as(t, s, "1")
	assert.False(t, back.IsUniversal(), "one vocabulary at a time")
}

// Fields that the mapping does not know are dropped, kept or refused, as the
// caller says.
func TestUniversalUnmappedFields(t *testing.T) {
	u := universally(t, nil)
	native, err := u.System(t.Context(), sara, "crm")
	require.NoError(t, err)
	by := func(o mapping.Unmapped) *System {
		s, err := native.Universal(UniversalOptions{Unmapped: o})
		require.NoError(t, err)
		return s
	}
	ctx, warnings := adapter.WithWarnings(t.Context())
	made, err := by(mapping.Drop).Create(ctx, "contact", adapter.Record{"name": "Azure", "nonsense": 1})
	require.NoError(t, err)
	assert.True(t, slices.ContainsFunc(warnings.List(), func(w adapter.Warning) bool { return w.Field == "nonsense" }), "said")
	_, err = by(mapping.Refuse).Create(t.Context(), "contact", adapter.Record{"name": "Azure", "nonsense": 1})
	assert.Equal(t, adapter.InvalidArgument, code(t, err))
	require.NoError(t, by(mapping.Extra).Update(t.Context(), "contact", []adapter.ID{made.ID()}, adapter.Record{"extra": map[string]any{"Vip": true}}))
	assert.Equal(t, true, read(t, by(mapping.Drop), "contact", []string{"vip"}, `[]`)[0]["vip"])
	got := read(t, by(mapping.Extra), "contact", []string{"name", "extra.Name"}, `[]`)
	assert.Equal(t, "Azure", got[0]["name"])
}

// Many callers at once, who read and write in both vocabularies.
func TestUniversalAtOnce(t *testing.T) {
	u := universally(t, nil)
	s := u.of(t, "crm")
	id := create(t, s, "contact", adapter.Record{"name": "0"})
	native, err := u.System(t.Context(), sara, "crm")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				name := fmt.Sprintf("%d-%d", i, j)
				if i%2 == 0 {
					assert.NoError(t, s.Update(t.Context(), "contact", []adapter.ID{id}, adapter.Record{"name": name}))
				} else {
					assert.NoError(t, native.Update(t.Context(), "Account", []adapter.ID{id}, adapter.Record{"Name": name}))
				}
				_, err := s.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name"}}})
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	last, err := u.crm.Read(t.Context(), "Account", []adapter.ID{id}, []string{"Name"})
	require.NoError(t, err)
	assert.Equal(t, last[0]["Name"], read(t, s, "contact", []string{"name"}, `[]`)[0]["name"], "what was written last is read")
}

// Children are changed by calls of their own on a system that nests: rights to
// them are asked before the first call.
func TestUniversalAccessToLines(t *testing.T) {
	u := universally(t, func(c *Config) {
		c.Access = Access{
			"admin": {{Models: []string{"*"}, Methods: []string{"*"}}},
			"heads": {{Models: []string{"Order", "Account"}, Methods: []string{"*"}}, {Models: []string{"Item"}, Methods: []string{"read"}}},
		}
	})
	admin := u.of(t, "crm", "admin")
	order := create(t, admin, "order", adapter.Record{"reference": "R1"})
	err := u.of(t, "crm", "heads").Update(t.Context(), "order", []adapter.ID{order}, adapter.Record{"reference": "R2", "lines": []any{map[string]any{"text": "x"}}})
	assert.Equal(t, adapter.PermissionDenied, code(t, err))
	assert.Equal(t, "R1", read(t, admin, "order", []string{"reference"}, `[]`)[0]["reference"], "nothing was changed")
}

func TestUniversalRecordsBehindARecord(t *testing.T) {
	u := universally(t, nil)
	s := u.of(t, "crm")
	id := create(t, s, "contact", adapter.Record{"name": "Azure"})
	email := func() any {
		return read(t, s, "contact", []string{"email"}, fmt.Sprintf(`[["id","=",%s]]`, quoteID(id)))[0]["email"]
	}
	assert.Nil(t, email())
	require.NoError(t, s.Update(t.Context(), "contact", []adapter.ID{id}, adapter.Record{"email": "a@example.com"}), "there is none yet")
	assert.Equal(t, "a@example.com", email())
	require.NoError(t, s.Update(t.Context(), "contact", []adapter.ID{id}, adapter.Record{"email": "b@example.com", "name": "Deco"}))
	assert.Equal(t, "b@example.com", email())
	n, err := u.crm.Count(t.Context(), "Email", nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1, n, "the one that there was is changed")
	err = s.Update(t.Context(), "contact", []adapter.ID{id, adapter.StringID("other")}, adapter.Record{"email": "c@example.com"})
	assert.Equal(t, adapter.InvalidArgument, code(t, err), "for one record at a time")
	err = s.Update(t.Context(), "contact", []adapter.ID{adapter.StringID("missing")}, adapter.Record{"email": "c@example.com"})
	assert.Equal(t, adapter.NotFound, code(t, err))
}

// A record of the system's model that is not of the universal one does not
// exist in the universal vocabulary.
func TestUniversalModelsThatShareOneOfTheSystem(t *testing.T) {
	u := universally(t, nil)
	s := u.of(t, "crm")
	other, err := u.crm.Create(t.Context(), "Order", adapter.Record{"Kind": "purchase", "Reference": "P1"})
	require.NoError(t, err)
	mine := create(t, s, "order", adapter.Record{"reference": "R1"})
	assert.Len(t, read(t, s, "order", []string{"reference"}, `[]`), 1)
	n, err := s.Count(t.Context(), "order", nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
	assert.Equal(t, adapter.NotFound, code(t, s.Update(t.Context(), "order", []adapter.ID{mine, other}, adapter.Record{"reference": "x"})))
	assert.Equal(t, adapter.NotFound, code(t, s.Delete(t.Context(), "order", []adapter.ID{other})))
	_, err = s.ETag(t.Context(), "order", other)
	assert.Equal(t, adapter.NotFound, code(t, err))
	assert.Equal(t, adapter.NotFound, code(t, s.UpdateIf(t.Context(), "order", other, "1", adapter.Record{"reference": "x"})))
	assert.Equal(t, adapter.NotFound, code(t, s.DeleteIf(t.Context(), "order", other, "1")))
	left, err := u.crm.Read(t.Context(), "Order", []adapter.ID{other, mine}, []string{"Reference"})
	require.NoError(t, err)
	assert.Equal(t, []string{"P1", "R1"}, []string{left[0].String("Reference"), left[1].String("Reference")})
}

func TestUniversalLinesOfAnotherRecord(t *testing.T) {
	u := universally(t, nil)
	s := u.of(t, "crm")
	create(t, s, "order", adapter.Record{"reference": "R1", "lines": []any{map[string]any{"text": "theirs"}}})
	mine := create(t, s, "order", adapter.Record{"reference": "R2"})
	items, err := u.crm.SearchIDs(t.Context(), adapter.Query{Model: "Item"})
	require.NoError(t, err)
	for _, line := range []map[string]any{{"id": items[0].Value(), "text": "stolen"}, {"id": items[0].Value(), "_delete": true}} {
		err := s.Update(t.Context(), "order", []adapter.ID{mine}, adapter.Record{"reference": "x", "lines": []any{line}})
		assert.Equal(t, adapter.NotFound, code(t, err))
	}
	assert.Contains(t, fmt.Sprint(read(t, s, "order", []string{"reference", "lines"}, `[]`)), "theirs")
	assert.Equal(t, "R2", read(t, s, "order", []string{"reference"}, fmt.Sprintf(`[["id","=",%s]]`, quoteID(mine)))[0]["reference"])
}

// stumbling refuses the nth line.
type stumbling struct {
	*memory.Nested
	left int
}

func (s *stumbling) Create(ctx context.Context, model string, values adapter.Record) (adapter.ID, error) {
	if model == "Item" {
		if s.left--; s.left < 0 {
			return adapter.ID{}, &adapter.Error{Code: adapter.InvalidArgument, Model: model, Field: "Text", Message: "no room", Temporary: true, NothingSent: true}
		}
	}
	return s.Nested.Create(ctx, model, values)
}

// An update that fails in the midst says what was done, and is not repeated.
func TestUniversalUpdatesThatFailHalfway(t *testing.T) {
	u := universally(t, nil)
	s := u.of(t, "crm")
	order := create(t, s, "order", adapter.Record{"reference": "R1"})
	u.source.put(SystemConfig{Tenant: "acme", ID: "half", Kind: "fake", Revision: "1", Connection: &stumbling{u.crm, 1}, Mappings: fakeMappings(t)})
	half := u.of(t, "half")
	line := func(text string) map[string]any { return map[string]any{"text": text} }
	err := half.Update(t.Context(), "order", []adapter.ID{order}, adapter.Record{"reference": "R2", "lines": []any{line("a"), line("b"), line("c")}})
	var e *adapter.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, adapter.InvalidArgument, e.Code)
	assert.Equal(t, "lines", e.Field)
	assert.Contains(t, e.Message, "the record was changed and 1 of 3")
	assert.Contains(t, e.Message, "no room")
	assert.False(t, e.Temporary || e.NothingSent, "it can't be sent again as it is")
	r := read(t, s, "order", []string{"reference", "lines"}, `[]`)
	assert.Equal(t, "R2", r[0]["reference"])
	assert.Len(t, r[0]["lines"], 1)
}

// fakeMappings are those of the crm for systems of the kind "fake".
func fakeMappings(tb testing.TB) *mapping.Set {
	tb.Helper()
	set, err := mapping.Parse("own.yaml", []byte(universalModels+"\n---\n"+strings.ReplaceAll(crmMappings, "system: crm", "system: fake")))
	require.NoError(tb, err)
	return set
}

// A system's own mappings are used at once, over the connection that there is,
// and answers of the old ones are left behind.
func TestUniversalMappingsOfASystem(t *testing.T) {
	u := universally(t, func(c *Config) { c.Recheck = 1 })
	s := u.of(t, "crm")
	create(t, s, "contact", adapter.Record{"name": "Azure", "country": "US"})
	ask := func() string {
		return fmt.Sprint(read(t, u.of(t, "crm"), "contact", []string{"name"}, `[]`)[0]["name"])
	}
	assert.Equal(t, "Azure", ask())
	assert.Equal(t, "Azure", ask())
	native, err := u.System(t.Context(), sara, "crm")
	require.NoError(t, err)
	link := native.link

	own := func(text string) *mapping.Set {
		set, err := mapping.Parse("own.yaml", []byte(text), mapping.Over(u.config.Mappings))
		require.NoError(t, err)
		return set
	}
	config := SystemConfig{Tenant: "acme", ID: "crm", Kind: "crm", Revision: "1", MappingsRevision: "a", Mappings: own("mapping: contact\nsystem: crm\nextends: true\nfields:\n  name: CountryCode\n")}
	u.source.put(config)
	assert.Equal(t, "US", ask())
	native, err = u.System(t.Context(), sara, "crm")
	require.NoError(t, err)
	assert.Same(t, link, native.link, "the connection stays")
	config.MappingsRevision, config.Mappings = "", nil
	u.source.put(config)
	assert.Equal(t, "Azure", ask())
}

// A mapping that names what the system has no longer is said at every read.
func TestUniversalMappingsThatNoLongerFit(t *testing.T) {
	u := universally(t, nil)
	u.source.put(SystemConfig{Tenant: "acme", ID: "crm", Kind: "crm", Revision: "1", MappingsRevision: "a", Mappings: func() *mapping.Set {
		set, err := mapping.Parse("own.yaml", []byte("mapping: contact\nsystem: crm\nmodel: Account\nfields:\n  name: Name\n  email: Gone\n  country: Emails.Vanished\n"), mapping.Over(u.config.Mappings))
		require.NoError(t, err)
		return set
	}()})
	s := u.of(t, "crm")
	create(t, s, "contact", adapter.Record{"name": "Azure"})
	for _, fields := range [][]string{nil, {"name", "email", "country"}} {
		for range 2 {
			a, err := s.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: fields}})
			require.NoError(t, err)
			records, err := a.Records()
			require.NoError(t, err)
			assert.Equal(t, "Azure", records[0]["name"])
			email, there := records[0]["email"]
			assert.True(t, there && email == nil, "empty, not absent")
			told := map[string]string{}
			for _, w := range a.Warnings {
				told[w.Field] = w.Message
			}
			assert.Contains(t, told["email"], "Gone")
			assert.Contains(t, told["country"], "Emails.Vanished")
		}
	}
	_, err := s.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name"}}, Domain: json.RawMessage(`[["email","=","x"]]`)})
	var e *adapter.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, adapter.InvalidArgument, e.Code)
	assert.Equal(t, "email", e.Field, "by the name that the caller knows: %v", e)
	_, err = s.Create(t.Context(), "contact", adapter.Record{"name": "x", "email": "y"})
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "email", e.Field, "nothing is dropped: %v", e)
}

func TestUniversalNeedsMappings(t *testing.T) {
	r := build(t, nil, on(newFake()))
	_, err := r.sys(t).Universal(UniversalOptions{})
	assert.Equal(t, adapter.Unsupported, code(t, err))

	u := universally(t, nil)
	u.source.put(SystemConfig{Tenant: "acme", ID: "other", Kind: "fake", Revision: "1", Connection: u.crm})
	s := u.of(t, "other")
	assert.True(t, s.IsUniversal())
	_, err = s.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact"}})
	assert.Equal(t, adapter.Unsupported, code(t, err))
	_, err = u.of(t, "crm").Read(t.Context(), Reading{Query: adapter.Query{Model: "kontact"}})
	assert.Equal(t, adapter.NotFound, code(t, err))
	assert.ErrorContains(t, err, "contact")
}

// Texts that would be code, if they were put together with it, are texts.
func TestUniversalTextsAreTexts(t *testing.T) {
	u := universally(t, nil)
	texts := []string{
		`O'Brien`, `"; DROP TABLE res_partner; --`, `\`, `' or 1 eq 1 or Name eq '`, `x' OR Name LIKE '%`, "tab\tnew\nline", `%`, `_`, `{"$ne": null}`, `日本語 🎉 é e\u0301`, `</script><b>&amp;`,
	}
	for _, id := range both {
		t.Run(id, func(t *testing.T) {
			s := u.of(t, id)
			for _, text := range texts {
				made := create(t, s, "contact", adapter.Record{"name": text})
				domain, err := json.Marshal([]any{[]any{"name", "=", text}})
				require.NoError(t, err)
				found := read(t, s, "contact", []string{"name"}, string(domain))
				require.Len(t, found, 1, text)
				assert.Equal(t, made, found[0].ID())
				assert.Equal(t, strings.TrimSpace(text), strings.TrimSpace(found[0].String("name")))
			}
			strict, err := s.native().Universal(UniversalOptions{Unmapped: mapping.Refuse})
			require.NoError(t, err)
			for _, field := range []string{`name" or 1=1`, "name'", "name;x", "name)", "__class__", "partner_id.password", "id)//"} {
				domain, err := json.Marshal([]any{[]any{field, "=", "x"}})
				require.NoError(t, err)
				_, err = s.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name"}}, Domain: domain})
				assert.Equal(t, adapter.InvalidArgument, code(t, err), field)
				a, err := s.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name", field}}})
				require.NoError(t, err, field)
				assert.NotEmpty(t, a.Warnings, "left out, and said: %s", field)
				_, err = strict.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: []string{field}}})
				assert.Equal(t, adapter.InvalidArgument, code(t, err), field)
				_, err = s.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name"}, Order: []adapter.Order{{Field: field}}}})
				assert.Equal(t, adapter.InvalidArgument, code(t, err), field)
				_, err = strict.Create(t.Context(), "contact", adapter.Record{"name": "x", field: "y"})
				assert.Equal(t, adapter.InvalidArgument, code(t, err), field)
			}
		})
	}
}

func TestUniversalTenThousandIDs(t *testing.T) {
	u := universally(t, nil)
	for _, id := range both {
		t.Run(id, func(t *testing.T) {
			s := u.of(t, id)
			made := create(t, s, "contact", adapter.Record{"name": "in the list"})
			list := make([]any, 10_000)
			for i := range list {
				list[i] = 100_000 + i
				if id == "crm" {
					list[i] = fmt.Sprintf("id-%d", i)
				}
			}
			list[7777] = made.Value()
			domain, err := json.Marshal([]any{[]any{"id", "in", list}})
			require.NoError(t, err)
			assert.Len(t, read(t, s, "contact", []string{"name"}, string(domain)), 1)
		})
	}
}

// Two tenants with a system of the same id see their own universal answers.
func TestUniversalTenants(t *testing.T) {
	u := universally(t, nil)
	other := memory.NewNested(crmSchemas()...)
	u.source.put(SystemConfig{Tenant: "umbrella", ID: "crm", Kind: "fake", Revision: "1", Connection: other, Mappings: fakeMappings(t)})
	theirs, err := u.System(t.Context(), Caller{Tenant: "umbrella", User: "u"}, "crm")
	require.NoError(t, err)
	theirs, err = theirs.Universal(UniversalOptions{})
	require.NoError(t, err)
	mine := u.of(t, "crm")
	create(t, mine, "contact", adapter.Record{"name": "mine"})
	create(t, theirs, "contact", adapter.Record{"name": "theirs"})
	for range 2 {
		assert.Equal(t, "mine", read(t, mine, "contact", []string{"name"}, `[]`)[0]["name"])
		assert.Equal(t, "theirs", read(t, theirs, "contact", []string{"name"}, `[]`)[0]["name"])
	}
	create(t, theirs, "contact", adapter.Record{"name": "more of theirs"})
	a, err := mine.Read(t.Context(), Reading{Query: adapter.Query{Model: "contact", Fields: []string{"name"}}, Domain: json.RawMessage(`[]`)})
	require.NoError(t, err)
	assert.True(t, a.Cached, "another tenant's change is none of mine")
}

// What is written is told to observers in the system's words.
func TestUniversalChangesAreTold(t *testing.T) {
	seen := &watcher{}
	u := universally(t, func(c *Config) { c.Observer = seen })
	s := u.of(t, "crm")
	order := create(t, s, "order", adapter.Record{"reference": "R1", "lines": []any{map[string]any{"text": "a"}}})
	require.NoError(t, s.Update(t.Context(), "order", []adapter.ID{order}, adapter.Record{"reference": "R2", "lines": []any{map[string]any{"text": "b"}}}))
	require.NoError(t, s.Delete(t.Context(), "order", []adapter.ID{order}))
	var told []string
	for _, e := range seen.changes {
		told = append(told, e.Operation+" "+e.Model)
	}
	assert.Equal(t, []string{"create Order", "write Order", "create Item", "unlink Order"}, told)
}

func TestUniversalFields(t *testing.T) {
	u := universally(t, nil)
	for _, id := range both {
		a, err := u.of(t, id).Fields(t.Context(), "order")
		require.NoError(t, err)
		var described adapter.Schema
		require.NoError(t, json.Unmarshal(a.Result, &described))
		assert.Equal(t, "order", described.Model)
		assert.Equal(t, adapter.One2Many, described.Fields["lines"].Type)
		assert.Equal(t, adapter.Selection, described.Fields["state"].Type)
		assert.False(t, described.Fields["partner_name"].Sortable && id == "main", "through a relation")
	}
}

func TestKeysOfAnID(t *testing.T) {
	for text, want := range map[string]map[string]any{
		"":                                   nil,
		"1000001":                            nil,
		"a=b=c":                              nil,
		"SalesOrder='1',SalesOrderItem='10'": {"SalesOrder": "1", "SalesOrderItem": "10"},
		"A='it''s, or''',B=10,C=guid'0-1'":   {"A": "it's, or'", "B": "10", "C": "0-1"},
		"A='open":                            nil,
		"A='1'B='2'":                         nil,
		"'A'='1'":                            nil,
	} {
		assert.Equal(t, want, keysOf(adapter.StringID(text)), text)
	}
}

func FuzzKeysOf(f *testing.F) {
	f.Add("A='it''s',B=10")
	f.Add("A='")
	f.Fuzz(func(t *testing.T, s string) {
		for name := range keysOf(adapter.StringID(s)) {
			assert.NotEmpty(t, name)
			assert.Contains(t, s, name)
		}
	})
}
