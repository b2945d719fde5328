package migrate_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// FuzzLoad: no pack file, however broken, does worse than an error with its
// line; and a pack that loads compiles.
func FuzzLoad(f *testing.F) {
	for _, name := range []string{"testdata/example/1-2.yaml", "testdata/example/2-3.yaml"} {
		b, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte(lensPack))
	f.Add([]byte(coverPack))
	f.Add([]byte("pack: p\nfrom: 1\nto: 2\nmodels: {m: {split: [{to: a, when: {x: 1}}, {to: b}]}}"))
	f.Add([]byte("pack: p\nfrom: 1\nto: 2\nmodels: {m: {rules: [{table: {from: [a, b], to: [c], rows: [[[1, null], x]]}, unknown: error}]}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := migrate.LoadFiles(map[string][]byte{"pack.yaml": b})
		if err != nil {
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
			return
		}
		versions := p.Versions()
		if len(versions) == 0 {
			return
		}
		migrate.Lint(p, nil)
		for _, m := range p.Models() {
			plan, err := p.Compile(m, versions[0], versions[len(versions)-1])
			if err != nil {
				continue
			}
			_ = plan.String()
			r := adapter.Record{"id": "1", "a": "x", "b": false, "x": nil, "phone": []any{}}
			got, err := plan.Up(t.Context(), r)
			if err != nil {
				continue
			}
			back, err := plan.Down(t.Context(), got.Record, got.Residue)
			require.NoError(t, err)
			require.Equal(t, r, back.Record)
		}
	})
}

// FuzzRewrite holds the token rewriter against the path that decodes whole
// records, on any bytes.
func FuzzRewrite(f *testing.F) {
	p, err := migrate.LoadFiles(map[string][]byte{"p.yaml": []byte(lensPack)})
	require.NoError(f, err)
	plan, err := p.Compile("m", "1", "2")
	require.NoError(f, err)
	for _, line := range []string{
		`{"id":1,"mobile":"5","phone":"6","fax":null,"state":"sent","type":"product","user_id":[5,"Ann"]}`,
		`{ "rate" : 0.5e1 , "active":false,"start":"2024-01-01","x_\u006fwn":"\ud83d\ude00<&>" }`,
		`{"a":1,"\u0061":2}`, `{"rate":-0}`, `{"use_date":"x","res_model":"lot","kind":"a","flavour":"x"}`, `{}`, `[]`, `{"a":`, "{\"a\":\"\xff\"}",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		sameStream(t, plan, line)
	})
}

// FuzzLens: any domain is translated, or refused with a reason; what comes out
// can be written and read again.
func FuzzLens(f *testing.F) {
	p, err := migrate.LoadFiles(map[string][]byte{"p.yaml": []byte(lensPack)})
	require.NoError(f, err)
	for _, domain := range []string{
		`[["mobile","=","5"],["phone","ilike","6"]]`, `["|",["state","in",["draft","sent"]],"!",["type","!=","service"]]`,
		`[["lot_id.name","=","L"],["lot_id","any",[["name","=","x"]]]]`, `[["start",">","2024-01-01"],["stop","<=","2024-01-01 11:00:00"]]`,
		`[["kind","=","a"],["rate","<",0.5],["active","=",true],["user_id","in",[1,2]]]`, `[["fax","=",1]]`, `[[1,"=",1]]`,
	} {
		f.Add(domain, true)
		f.Add(domain, false)
	}
	f.Fuzz(func(t *testing.T, domain string, up bool) {
		filter, err := adapter.ParseDomainJSON([]byte(domain))
		if err != nil || strings.Count(domain, "[") > 200 {
			return
		}
		caller, system := "1", "2"
		if !up {
			caller, system = system, caller
		}
		got, _, err := lens(t, p, "m", caller, system).Filter(filter)
		if err != nil {
			require.ErrorIs(t, err, adapter.ErrInvalidArgument)
			return
		}
		text := adapter.AppendDomainJSON(nil, got)
		_, err = adapter.ParseDomainJSON(text)
		require.NoError(t, err, "%s became %s", domain, text)
	})
}
