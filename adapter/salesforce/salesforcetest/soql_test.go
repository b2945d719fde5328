package salesforcetest_test

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// garden is an org with some samples: a (root), b, c below a, d, e.
func garden(t *testing.T) (c *client, ids map[string]string) {
	t.Helper()
	c = newClient(t, fixed())
	ids = map[string]string{}
	for _, s := range []map[string]any{
		{"Name": "a", "Count__c": 1, "Kind__c": "small", "Day__c": "2026-03-04", "Moment__c": "2026-03-04T23:59:59Z", "Tags__c": "red;green", "Code__c": "100%", "Flag__c": true},
		{"Name": "b", "Count__c": 2, "Kind__c": "large", "Day__c": "2026-03-03", "Moment__c": "2026-03-01T00:00:00Z", "Tags__c": "blue", "Code__c": "1000", "Parent__c": "a"},
		{"Name": "c", "Count__c": 3, "Kind__c": "medium", "Day__c": "2025-12-31", "Ratio__c": -0.5, "Code__c": "it's", "Parent__c": "a"},
		{"Name": "d", "Kind__c": "medium", "Code__c": `back\slash`, "Parent__c": "c"},
		{"Name": "E", "Count__c": -4, "Code__c": "under_score", "Flag__c": true},
	} {
		if parent, ok := s["Parent__c"].(string); ok {
			s["Parent__c"] = ids[parent]
		}
		ids[s["Name"].(string)] = c.create("Sample__c", s)
	}
	return c, ids
}

func TestWhere(t *testing.T) {
	c, ids := garden(t)
	for where, want := range map[string]string{
		"Name = 'A'":                       "a",
		"Name != 'a'":                      "b c d E",
		"Name > 'b'":                       "c d E",
		"Name <= 'B'":                      "a b",
		"Name IN ('A', 'e', 'zzz')":        "a E",
		"Name NOT IN ('a','b','c')":        "d E",
		"Count__c = null":                  "d",
		"Count__c != null":                 "a b c E",
		"Count__c != 2":                    "a c d E",
		"Count__c < 2":                     "a E",
		"Count__c >= 2.0":                  "b c",
		"Count__c IN (1, -4, 2e0)":         "a b E",
		"Count__c NOT IN (1, 2)":           "c d E",
		"Ratio__c = -.5":                   "c",
		"Flag__c = TRUE":                   "a E",
		"Flag__c != true":                  "b c d",
		"Kind__c = 'Medium' OR Name = 'a'": "a c d",
		"(Kind__c = 'medium' OR Name = 'a') AND Name<>'c'":         "a d",
		"NOT Kind__c = 'medium'":                                   "a b E",
		"Name != 'a' AND (NOT (Kind__c = 'medium' OR Name = 'E'))": "b",
		"Code__c LIKE '100%'":                                      "a b",
		`Code__c LIKE '100\%'`:                                     "a",
		"Code__c LIKE '_000'":                                      "b",
		`Code__c LIKE 'under\_%'`:                                  "E",
		`Code__c LIKE 'UNDER_S%E'`:                                 "E",
		`Code__c LIKE 'back\\\\%'`:                                 "",
		`Code__c LIKE 'back\\s%'`:                                  "d",
		`Code__c = 'it\'s'`:                                        "c",
		`Code__c = 'back\\slash'`:                                  "d",
		`Code__c = 'it\u0027s'`:                                    "c",
		"Tags__c INCLUDES ('green')":                               "a",
		"Tags__c INCLUDES ('red;blue')":                            "",
		"Tags__c INCLUDES ('green;red', 'blue')":                   "a b",
		"Tags__c EXCLUDES ('red')":                                 "b c d E",
		"Tags__c = 'green;red'":                                    "a",
		"Day__c = TODAY":                                           "a",
		"Day__c < TODAY":                                           "b c",
		"Day__c = YESTERDAY":                                       "b",
		"Day__c = LAST_YEAR":                                       "c",
		"Day__c = THIS_MONTH":                                      "a b",
		"Day__c > LAST_MONTH":                                      "a b",
		"Day__c = LAST_N_DAYS:1":                                   "a b",
		"Day__c = LAST_N_MONTHS:3":                                 "c",
		"Day__c IN (TODAY, 2025-12-31)":                            "a c",
		"Day__c >= 2026-03-03":                                     "a b",
		"Moment__c = TODAY":                                        "a",
		"Moment__c <= TODAY AND Moment__c > YESTERDAY":             "a",
		"Moment__c = 2026-03-01T01:00:00+01:00":                    "b",
		"Moment__c < 2026-03-04T23:59:59.000Z":                     "b",
		"Parent__r.Name = 'a'":                                     "b c",
		"Parent__r.Parent__r.Name = 'a'":                           "d",
		"Parent__r.Name = null":                                    "a E",
		"Parent__r.Name != 'a'":                                    "a d E",
		"Sample__c.Name = 'a'":                                     "a",
		"Id = '" + ids["b"] + "'":                                  "b",
		"Id = '" + ids["b"][:15] + "'":                             "b",
		"Id IN ('" + strings.ToLower(ids["d"][:15]) + ids["d"][15:] + "', '" + ids["a"] + "')": "a d",
		"Parent__c = '" + ids["a"][:15] + "'":                                                  "b c",
		"Id IN (SELECT Parent__c FROM Sample__c)":                                              "a c",
		"Id NOT IN (SELECT Parent__c FROM Sample__c WHERE Name = 'd')":                         "a b d E",
		"CreatedBy.Username = '" + c.srv.Username + "' AND Name = 'a'":                         "a",
		"CreatedDate = TODAY": "a b c d E",
	} {
		names := c.names("SELECT Name FROM Sample__c WHERE " + where)
		assert.Equal(t, want, strings.Join(names, " "), where)
	}
}

func TestOrderAndPages(t *testing.T) {
	c, _ := garden(t)
	for order, want := range map[string]string{
		"ORDER BY Name":                                 "a b c d E",
		"ORDER BY Name DESC":                            "E d c b a",
		"ORDER BY Count__c":                             "d E a b c",
		"ORDER BY Count__c ASC NULLS LAST":              "E a b c d",
		"ORDER BY Count__c DESC NULLS LAST":             "c b a E d",
		"ORDER BY Kind__c NULLS LAST, Name":             "a c d b E",
		"ORDER BY Flag__c DESC, Name DESC":              "E a d c b",
		"ORDER BY Parent__r.Name DESC NULLS LAST, Name": "d b c a E",
		"ORDER BY Name LIMIT 2":                         "a b",
		"ORDER BY Name LIMIT 2 OFFSET 3":                "d E",
		"ORDER BY Name OFFSET 4":                        "E",
		"ORDER BY Name LIMIT 0":                         "",
	} {
		assert.Equal(t, want, strings.Join(c.names("SELECT Name FROM Sample__c "+order), " "), order)
	}
}

func TestShapesOfQueries(t *testing.T) {
	c, ids := garden(t)
	at := func(name string) string {
		return `"attributes":{"type":"Sample__c","url":"/services/data/v62.0/sobjects/Sample__c/` + ids[name] + `"}`
	}
	for soql, want := range map[string]string{
		"SELECT COUNT() FROM Sample__c WHERE Count__c > 0": `{"totalSize":3,"done":true,"records":[]}`,
		"select name, PARENT__R.name from sample__C where Name in ('a','b')": `{"totalSize":2,"done":true,"records":[` +
			`{` + at("a") + `,"Name":"a","Parent__r":null},{` + at("b") + `,"Name":"b","Parent__r":{` + at("a") + `,"Name":"a"}}]}`,
		"SELECT s.Id, (SELECT Name FROM Children__r WHERE Name != 'c' ORDER BY Name DESC LIMIT 1) FROM Sample__c s WHERE s.Name IN ('a','b')": `{"totalSize":2,"done":true,"records":[` +
			`{` + at("a") + `,"Id":"` + ids["a"] + `","Children__r":{"totalSize":1,"done":true,"records":[{` + at("b") + `,"Name":"b"}]}},{` + at("b") + `,"Id":"` + ids["b"] + `","Children__r":null}]}`,
		"SELECT COUNT(Id), MAX(Count__c) most, AVG(Count__c) FROM Sample__c":                                   `{"totalSize":1,"done":true,"records":[{"attributes":{"type":"AggregateResult"},"expr0":5,"most":3.0,"expr1":0.5}]}`,
		"SELECT Kind__c, COUNT(Id) n FROM Sample__c GROUP BY Kind__c ORDER BY COUNT(Id) DESC, Kind__c LIMIT 2": `{"totalSize":2,"done":true,"records":[{"attributes":{"type":"AggregateResult"},"Kind__c":"medium","n":2},{"attributes":{"type":"AggregateResult"},"Kind__c":null,"n":1}]}`,
		"SELECT Parent__r.Parent__r.Id FROM Sample__c WHERE Name = 'd'":                                        `{"totalSize":1,"done":true,"records":[{` + at("d") + `,"Parent__r":{` + at("c") + `,"Parent__r":{` + at("a") + `,"Id":"` + ids["a"] + `"}}}]}`,
	} {
		r := c.query(soql)
		assert.Equal(t, want, r.text, soql)
	}
	r := c.query("SELECT FIELDS(ALL) FROM Sample__c LIMIT 1")
	assert.Equal(t, "a", r.get("records.0.Name"))
	assert.Equal(t, "S-00001", r.get("records.0.Number__c"))
	task := c.create("Task", map[string]any{"Subject": "s", "WhatId": ids["a"]})
	r = c.query("SELECT What.Name, What.Type FROM Task WHERE What.Type = 'Sample__c' AND Id = '" + task + "'")
	assert.Equal(t, map[string]any{"attributes": map[string]any{"type": "Sample__c", "url": "/services/data/v62.0/sobjects/Sample__c/" + ids["a"]}, "Name": "a", "Type": "Sample__c"}, r.get("records.0.What"))
}

func TestRefusedQueries(t *testing.T) {
	c, _ := garden(t)
	for soql, want := range map[string]string{
		"":                                       "MALFORMED_QUERY",
		"SELECT":                                 "MALFORMED_QUERY",
		"SELECT * FROM Account":                  "MALFORMED_QUERY",
		"SELECT Id Account":                      "MALFORMED_QUERY",
		"SELECT Id FROM Account WHERE":           "MALFORMED_QUERY",
		"SELECT Id FROM Account WHERE Name = 'a": "MALFORMED_QUERY",
		"SELECT Id FROM Account WHERE Name = 'a' OR":                             "MALFORMED_QUERY",
		"SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'":   "MALFORMED_QUERY",
		"SELECT Id FROM Account WHERE NOT Name = 'a' AND Name = 'b'":             "MALFORMED_QUERY",
		"SELECT Id FROM Account WHERE Name = 'a' AND NOT Name = 'b'":             "MALFORMED_QUERY",
		`SELECT Id FROM Account WHERE Name = 'a\q'`:                              "MALFORMED_QUERY",
		`SELECT Id FROM Account WHERE Name = 'a\_'`:                              "MALFORMED_QUERY",
		"SELECT Id FROM Account WHERE Name = \"a\"":                              "MALFORMED_QUERY",
		"SELECT Id FROM Account WHERE Name IN ()":                                "MALFORMED_QUERY",
		"SELECT Id FROM Account ALL ROWS":                                        "MALFORMED_QUERY",
		"SELECT Id FROM Account LIMIT -1":                                        "MALFORMED_QUERY",
		"SELECT Id FROM Account; DELETE":                                         "MALFORMED_QUERY",
		"SELECT Id FROM Account -- comment":                                      "MALFORMED_QUERY",
		"SELECT FIELDS(ALL) FROM Account":                                        "MALFORMED_QUERY",
		"SELECT Name, COUNT(Id) FROM Account":                                    "MALFORMED_QUERY",
		"SELECT Name FROM Account ORDER BY Description":                          "MALFORMED_QUERY",
		"SELECT Owner.Manager.Manager.Manager.Manager.Manager.Name FROM Account": "MALFORMED_QUERY",
		"SELECT Id FROM Account OFFSET 2001":                                     "NUMBER_OUTSIDE_VALID_RANGE",
		"SELECT Id FROM Nothing":                                                 "INVALID_TYPE",
		"SELECT Id, (SELECT Id FROM Nothings) FROM Account":                      "INVALID_TYPE",
		"SELECT Foo FROM Account":                                                "INVALID_FIELD",
		"SELECT Id, id FROM Account":                                             "INVALID_FIELD",
		"SELECT Foo.Name FROM Account":                                           "INVALID_FIELD",
		"SELECT Id FROM Account WHERE Foo = 1":                                   "INVALID_FIELD",
		"SELECT Id FROM Account ORDER BY Foo":                                    "INVALID_FIELD",
		"SELECT Id FROM Account WHERE Description = 'x'":                         "INVALID_FIELD",
		"SELECT Id FROM Account WHERE Name = 5":                                  "INVALID_FIELD",
		"SELECT Id FROM Account WHERE NumberOfEmployees = '5'":                   "INVALID_FIELD",
		"SELECT Id FROM Account WHERE CreatedDate = 2026-01-01":                  "INVALID_FIELD",
		"SELECT Id FROM Account WHERE CreatedDate = '2026-01-01T00:00:00Z'":      "INVALID_FIELD",
		"SELECT Id FROM Sample__c WHERE Day__c = 2026-02-30":                     "INVALID_FIELD",
		"SELECT Id FROM Sample__c WHERE Flag__c = 1":                             "INVALID_FIELD",
		"SELECT Who.Email FROM Task":                                             "INVALID_FIELD",
		"SELECT Id FROM Account WHERE Id = 'nonsense'":                           "INVALID_QUERY_FILTER_OPERATOR",
		"SELECT Id FROM Account WHERE NumberOfEmployees LIKE '5'":                "INVALID_QUERY_FILTER_OPERATOR",
		"SELECT Id FROM Account WHERE Name INCLUDES ('x')":                       "INVALID_QUERY_FILTER_OPERATOR",
		"SELECT Id FROM Account WHERE Name < null":                               "INVALID_QUERY_FILTER_OPERATOR",
	} {
		r := c.query(soql)
		assert.Equal(t, 400, r.status, soql)
		assert.Equal(t, want, r.get("0.errorCode"), "%s\n%s", soql, r.text)
	}
	r := c.query("SELECT Id, Foo FROM Account")
	assert.Equal(t, `[{"message":"\nSELECT Id, Foo FROM Account\n           ^\nERROR at Row:1:Column:12\nNo such column 'Foo' on entity 'Account'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.","errorCode":"INVALID_FIELD"}]`, r.text)
	r = c.query("SELECT Id FROM Account WHERE ((((Name = 'a')))) AND Foo")
	assert.Equal(t, "unexpected token: '<EOF>'", r.get("0.message"))
	deep := "SELECT Id FROM Account WHERE " + strings.Repeat("(", 2000) + "Name = 'a'" + strings.Repeat(")", 2000)
	c.refused(c.query(deep), 400, "QUERY_TOO_COMPLICATED")
}

func TestLongQueries(t *testing.T) {
	c, ids := garden(t)
	r := c.query("SELECT Id FROM Sample__c WHERE Name IN ('" + strings.Repeat("x", 16_384) + "')")
	assert.Equal(t, 414, r.status)
	r = c.with("X-Long", strings.Repeat("x", 9000)).query("SELECT Id FROM Sample__c WHERE Name IN ('" + strings.Repeat("x", 9000) + "')")
	assert.Equal(t, 431, r.status)
	// In the body of a composite request an address may be as long as SOQL.
	list := "'" + ids["a"] + "'"
	for i := range 3000 {
		list += ",'a00Wt0000" + fmt.Sprintf("%06d", 100000+i) + "'"
	}
	soql := "SELECT Name FROM Sample__c WHERE Id IN (" + list + ")"
	require.Greater(t, len(soql), 50_000)
	batch := func(soql string) reply {
		return c.do("POST", "/composite/batch", map[string]any{"batchRequests": []any{map[string]any{"method": "GET", "url": "v62.0/query?q=" + url.QueryEscape(soql)}}})
	}
	r = batch(soql)
	assert.Equal(t, "a", r.get("results.0.result.records.0.Name"), "%.300s", r.text)
	r = batch("SELECT Name FROM Sample__c WHERE Name = '" + strings.Repeat("x", 100_000) + "'")
	assert.Equal(t, "MALFORMED_QUERY", r.get("results.0.result.0.errorCode"))
}

func TestQueryMore(t *testing.T) {
	c := newClient(t, fixed())
	first, err := c.srv.Seed("Sample__c", 450, func(i int) map[string]any {
		return map[string]any{"Name": "s" + strconv.Itoa(i), "Count__c": i}
	})
	require.NoError(t, err)
	assert.Equal(t, "a00Wt0000000001IAA", first)
	c.header.Set("Sforce-Query-Options", "batchSize=200")
	r := c.query("SELECT Name FROM Sample__c ORDER BY Count__c DESC")
	var names []string
	for pages := 1; ; pages++ {
		assert.EqualValues(t, "450", r.get("totalSize"))
		for _, record := range r.get("records").([]any) {
			names = append(names, record.(map[string]any)["Name"].(string))
		}
		if r.get("done") == true {
			assert.Equal(t, 3, pages)
			assert.Nil(t, r.get("nextRecordsUrl"))
			break
		}
		// A record that is deleted meanwhile stays in what was found.
		if pages == 1 {
			require.Equal(t, 204, c.do("DELETE", "/sobjects/Sample__c/"+first, nil).status)
			assert.Regexp(t, `^/services/data/v62\.0/query/01g[A-Za-z0-9]{15}-200$`, r.get("nextRecordsUrl"))
		}
		r = c.do("GET", r.get("nextRecordsUrl").(string), nil)
	}
	assert.Len(t, names, 450)
	assert.True(t, slices.IsSortedFunc(names, func(a, b string) int {
		x, _ := strconv.Atoi(a[1:])
		y, _ := strconv.Atoi(b[1:])
		return y - x
	}))
	c.refused(c.do("GET", "/query/01gWt0000000099AAA-200", nil), 400, "INVALID_QUERY_LOCATOR")
	assert.Equal(t, 2, c.srv.Requests()["GET /query/{locator}"]-1)
}

// TestSeedIsCheap makes and pages through 100,000 records.
func TestSeedIsCheap(t *testing.T) {
	if testing.Short() {
		t.Skip("100,000 records")
	}
	c := newClient(t, fixed())
	began := time.Now()
	_, err := c.srv.Seed("Sample__c", 100_000, func(i int) map[string]any {
		return map[string]any{"Name": "n", "Count__c": i, "External_Id__c": strconv.Itoa(i)}
	})
	require.NoError(t, err)
	made := time.Since(began)
	r := c.query("SELECT Id, Name, Count__c FROM Sample__c")
	n := 0
	for {
		n += len(r.get("records").([]any))
		if r.get("done") == true {
			break
		}
		r = c.do("GET", r.get("nextRecordsUrl").(string), nil)
	}
	assert.Equal(t, 100_000, n)
	t.Logf("made in %v, read after %v", made, time.Since(began))
	_, err = c.srv.Seed("Sample__c", 1, func(int) map[string]any { return map[string]any{"Name": "n", "External_Id__c": "7"} })
	assert.ErrorContains(t, err, "DUPLICATE_VALUE")
	_, err = c.srv.Seed("Sample__c", 1, func(int) map[string]any { return map[string]any{"Nothing": 1} })
	assert.ErrorContains(t, err, "Nothing")
}
