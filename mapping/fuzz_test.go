package mapping_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/mapping"
)

// FuzzParse: no file, however broken, does worse than an error with its line;
// what loads compiles, and takes records, field lists and filters.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"models", "erp", "crm"} {
		b, err := os.ReadFile(filepath.Join("testdata", "shop", name+".yaml"))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte(exampleFile))
	f.Add([]byte(doubtful))
	f.Add([]byte(oneModel))
	f.Add([]byte("universal: a\nfields: {x: {type: lines, relation: a}}\n---\n{mapping: a, system: s, model: A, fields: {x: x}}"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("universal: m\nfields: {n: float}\n---\n{mapping: m, system: s, model: M, fields: {n: {path: 'a[B.c=1].d', scale: 1e-9}}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := mapping.Parse("m.yaml", b)
		if err != nil {
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
			var all mapping.LoadErrors
			require.ErrorAs(t, err, &all)
			require.Positive(t, all[0].Pos.Line)
			return
		}
		_ = s.Lint(nil)
		_ = s.Test(t.Context())
		_ = s.Coverage().String()
		for _, system := range s.Systems() {
			for _, m := range s.Models() {
				for _, version := range []string{"", "1.0", "17.0"} {
					if p, err := s.Compile(system, version, m.Name, mapping.Options{}); err == nil {
						exercise(t, p)
					}
				}
			}
		}
	})
}

// exercise gives a plan a record of every field.
func exercise(t *testing.T, p *mapping.Plan) {
	t.Helper()
	_, _, err := p.Fields(nil)
	require.NoError(t, err)
	_ = p.Schema()
	for _, v := range []any{nil, "x", "1", true, false, adapterNumber("2"), []any{adapterNumber("3"), "n"}, []any{map[string]any{"id": 1}}, map[string]any{"id": "x"}, "2024-01-31"} {
		r := adapter.Record{"id": 1}
		for _, name := range p.Names() {
			one := adapter.Record{name: v}
			if got, err := p.Update(t.Context(), one); err == nil {
				_ = got.Whole()
				r[name] = v
			}
			if got, err := p.Filter(t.Context(), adapter.Cond{Field: name, Op: adapter.Equal, Value: v}); err == nil {
				adapter.AppendDomainJSON(nil, got)
			}
		}
		if got, err := p.Create(t.Context(), r); err == nil {
			_, _, _ = p.ToUniversal(t.Context(), got.Record, nil)
		}
	}
}

// FuzzFilter: any domain is translated, or refused with a reason; what comes
// out can be written and read again.
func FuzzFilter(f *testing.F) {
	for _, domain := range []string{
		`[["name","=","A B"],["phone","ilike","6"]]`, `["|",["state","in",["new","open"]],"!",["vip","!=",true]]`,
		`[["lines.quantity",">",1],["lines","any",[["price","=","x"]]]]`, `[["seen_at",">","2024-01-01"],["born","<=","2024-01-01 11:00:00"]]`,
		`[["kind","=","kit"],["weight_g","<",0.5],["active","=",true],["parent_id","in",[1,2]]]`, `[["fax","=",1]]`, `[[1,"=",1]]`,
		`[["first_name","=","a%_\\"],["name","not in",["a b c",false,""]]]`, `[["id","=",1],["extra.x","=",2]]`,
	} {
		f.Add(domain)
	}
	s := shop(f)
	var plans []*mapping.Plan
	for _, system := range s.Systems() {
		for _, m := range s.Models() {
			plans = append(plans, compile(f, s, system, "2.0", m.Name, mapping.Options{}))
		}
	}
	f.Fuzz(func(t *testing.T, domain string) {
		filter, err := adapter.ParseDomainJSON([]byte(domain))
		if err != nil || strings.Count(domain, "[") > 200 {
			return
		}
		for _, p := range plans {
			got, err := p.Filter(t.Context(), filter)
			if err != nil {
				require.ErrorIs(t, err, adapter.ErrInvalidArgument)
				continue
			}
			text := adapter.AppendDomainJSON(nil, got)
			_, err = adapter.ParseDomainJSON(text)
			require.NoError(t, err, "%s became %s", domain, text)
		}
	})
}

// FuzzRecord: any record is mapped, or refused with a reason, both ways; none
// is changed.
func FuzzRecord(f *testing.F) {
	f.Add(`{"id":1,"name":"Ann B","state":"open","lines":[{"id":1,"quantity":"2"},{"_delete":true}],"balance":1e400,"born":"x"}`)
	f.Add(`{"id":[1,"x"],"country_id":[5,"x"],"weight":"1.5","order_line":[[0,0,{}]],"Emails":{"Address":1},"Phones":[[]],"Contact":" a b "}`)
	f.Add(`{"extra":{"a":1},"kind":null,"tags":["a"],"tag_ids":[[6,0,[]]],"parent_id":{"id":{}}}`)
	s := shop(f)
	var plans []*mapping.Plan
	for _, system := range s.Systems() {
		for _, m := range s.Models() {
			for _, u := range []mapping.Unmapped{mapping.Drop, mapping.Extra, mapping.Refuse} {
				plans = append(plans, compile(f, s, system, "2.0", m.Name, mapping.Options{Unmapped: u}))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := adapter.DecodeRecord([]byte(text))
		if err != nil || r == nil {
			return
		}
		before := inJSON(r)
		for _, p := range plans {
			for _, write := range []func() (mapping.Values, error){
				func() (mapping.Values, error) { return p.Create(t.Context(), r) },
				func() (mapping.Values, error) { return p.Update(t.Context(), r) },
			} {
				v, err := write()
				if err != nil {
					require.NotEqual(t, adapter.Internal, adapter.CodeOf(err), "%v", err)
					continue
				}
				_ = v.Whole()
			}
			got, _, err := p.ToUniversal(t.Context(), r, nil)
			if err == nil {
				_, _, err = p.ToUniversal(t.Context(), r, p.Names())
				require.NoError(t, err)
				inJSON(got)
			}
		}
		require.Equal(t, before, inJSON(r), "the record was changed")
	})
}
