package salesforcetest

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// FuzzSOQL runs whatever is thrown at the parser and, if it can be parsed, at
// an org: it must neither panic nor answer with an error that is not of the
// API.
func FuzzSOQL(f *testing.F) {
	for _, seed := range []string{
		"SELECT Id, Name, (SELECT Name FROM Contacts WHERE Email != null LIMIT 2), Parent.Owner.Name FROM Account WHERE (Name LIKE 'a\\%_%' OR Id IN ('001Wt0000000001','x')) AND NOT (CreatedDate = LAST_N_DAYS:3) ORDER BY Name DESC NULLS LAST LIMIT 3 OFFSET 1",
		"SELECT COUNT() FROM Sample__c WHERE Tags__c INCLUDES ('red;blue', 'green')",
		"SELECT Kind__c, COUNT(Id) n, SUM(Amount__c) FROM Sample__c GROUP BY Kind__c ORDER BY COUNT(Id)",
		"SELECT FIELDS(ALL) FROM Order LIMIT 2", "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)",
		"SELECT a.Id FROM Account a WHERE a.Name = 'x\\u0041'", "SELECT Id FROM Sample__c WHERE Ratio__c >= -1.5e3 OR Day__c < 2026-01-01",
		"select what.name from task where what.type='Account'", "'", "((((", "SELECT Id FROM Account WHERE Name = '\\", "SELECT Id FROM Account USING SCOPE mine LIMIT 99999999999999999999",
		"SELECT COUNT(BillingAddress) FROM Account", "SELECT VersionData FROM ContentVersion", "SELECT MIN(IsDeleted) FROM Account", "SELECT Id FROM Account WHERE Name IN (TODAY, NEXT_N_YEARS:999999999)",
	} {
		f.Add(seed)
	}
	s := &Server{Version: "62.0", config: Config{Now: time.Now}, db: newDatabase(time.Now)}
	require.NoError(f, s.populate())
	f.Fuzz(func(t *testing.T, soql string) {
		p, err := s.prepare(soql)
		if err != nil {
			if err.code == "" || err.message == "" || utf8.ValidString(soql) && !utf8.ValidString(err.message) {
				t.Fatalf("%q: %+v", soql, err)
			}
			return
		}
		if p.grouped {
			for _, g := range p.groups(true) {
				appendJSON(nil, p.record(g))
			}
			return
		}
		for _, r := range p.query.cut(p.find(true)) {
			p.show.append(nil, s.db, "62.0", r)
		}
	})
}

func TestIDs(t *testing.T) {
	// The example of the documentation on 15 and 18 characters.
	assert.Equal(t, "001D000000IqhSLIAZ", longID("001D000000IqhSL"))
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[0-9a-zA-Z]{15}`).Draw(t, "id")
		long := longID(id)
		for _, text := range []string{id, long, strings.ToLower(long), strings.ToUpper(long)} {
			got, ok := parseID(text)
			if text == id || ok {
				assert.Equal(t, long, got)
			}
			assert.True(t, ok, text)
		}
	})
	for _, bad := range []string{"", "001", "001D000000Iqh-L", "001D000000IqhSLIA!", "001D000000IqhSLIAZX"} {
		_, ok := parseID(bad)
		assert.False(t, ok, bad)
	}
}

func TestDoubles(t *testing.T) {
	for f, want := range map[float64]string{0: "0.0", 5: "5.0", 0.25: "0.25", 350000000: "3.5E8", 9999999.99: "9999999.99", 1e7: "1.0E7", 0.001: "0.001", 0.0001: "1.0E-4", -12.5: "-12.5", 123456789.12: "1.2345678912E8"} {
		assert.Equal(t, want, formatDouble(f))
	}
	rapid.Check(t, func(t *rapid.T) {
		cents := rapid.Int64Range(-1e12, 1e12).Draw(t, "cents")
		f := &Field{Type: TypeCurrency, Precision: 18, Scale: 2}
		v := float64(cents) / 100
		got, ok := f.parseNumber(formatDouble(v))
		assert.True(t, ok)
		assert.Equal(t, v, got)
	})
}

// TestLike holds the matcher against a simple one.
func TestLike(t *testing.T) {
	var slow func(text, pattern []rune) bool
	slow = func(text, pattern []rune) bool {
		if len(pattern) == 0 {
			return len(text) == 0
		}
		switch c := pattern[0]; {
		case c == '%':
			return slow(text, pattern[1:]) || len(text) > 0 && slow(text[1:], pattern)
		case c == '\\' && len(pattern) > 1:
			return len(text) > 0 && text[0] == pattern[1] && slow(text[1:], pattern[2:])
		default:
			return len(text) > 0 && (c == '_' || c == text[0]) && slow(text[1:], pattern[1:])
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab%_é")), 0, 8, -1).Draw(t, "text")
		pattern := rapid.StringOfN(rapid.SampledFrom([]rune(`ab%_é`)), 0, 6, -1).Draw(t, "pattern")
		if rapid.Bool().Draw(t, "escaped") {
			pattern = strings.ReplaceAll(pattern, "_", `\_`)
		}
		assert.Equal(t, slow([]rune(text), []rune(pattern)), like(text, pattern), "%q like %q", text, pattern)
	})
}

// TestRollback holds that a transaction that is undone leaves no trace.
func TestRollback(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &Server{Version: "62.0", config: Config{Now: time.Now, NoDemo: true}, db: newDatabase(time.Now)}
		require.NoError(t, s.populate())
		o := s.db.object("Sample__c")
		at := func(name string) int { return o.at(name) }
		var ids []string
		act := func(tr *tx) {
			parent := any(nil)
			if len(ids) > 0 && rapid.Bool().Draw(t, "child") {
				parent = rapid.SampledFrom(ids).Draw(t, "parent")
			}
			switch rapid.IntRange(0, 3).Draw(t, "action") {
			case 0, 1:
				id, err := tr.insert(o, changes{at("Name"): "n", at("External_Id__c"): orNil(rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "key")), at("Parent__c"): parent})
				if err == nil {
					ids = append(ids, id)
				}
			case 2:
				if len(ids) > 0 {
					_ = tr.update(o, rapid.SampledFrom(ids).Draw(t, "id"), changes{at("External_Id__c"): orNil(rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "key")), at("Parent__c"): parent})
				}
			case 3:
				if len(ids) > 0 {
					_ = tr.remove(o, rapid.SampledFrom(ids).Draw(t, "id"))
				}
			}
		}
		tr := s.db.begin()
		for range rapid.IntRange(0, 8).Draw(t, "before") {
			act(tr)
		}
		before := state(o)
		kept := len(ids)
		tr = s.db.begin()
		for range rapid.IntRange(0, 8).Draw(t, "undone") {
			act(tr)
		}
		tr.rollback(0)
		ids = ids[:kept]
		assert.Equal(t, before, state(o))
	})
}

// state is all that a table holds, its indexes without what is empty.
func state(o *object) map[string]any {
	unique, parents := map[string]int{}, map[string]int{}
	for field, index := range o.table.unique {
		for key, ids := range index {
			for _, id := range ids {
				unique[o.Fields[field].Name+key+id]++
			}
		}
	}
	for field, index := range o.table.parents {
		for key, list := range index {
			for _, at := range list {
				parents[o.Fields[field].Name+key+o.table.rows[at].id()]++
			}
		}
	}
	rows := make([]string, len(o.table.rows))
	for i, r := range o.table.rows {
		rows[i] = etag(r)
		if o.table.at[r.id()] != i {
			rows[i] = "misplaced"
		}
	}
	return map[string]any{"rows": rows, "unique": unique, "parents": parents, "at": len(o.table.at)}
}
