package saptest

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// element is any XML element.
type element struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Kids    []element  `xml:",any"`
}

func (e element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (e element) all(name string) []element {
	var out []element
	for _, k := range e.Kids {
		if k.XMLName.Local == name {
			out = append(out, k)
		}
		out = append(out, k.all(name)...)
	}
	return out
}

// Every name in the metadata leads to what it names.
func TestMetadata(t *testing.T) {
	b := open(t, Config{NoDemo: true})
	for name, path := range b.s.Services() {
		t.Run(name, func(t *testing.T) {
			r := b.send("GET", path+"/$metadata", "", "Accept", "application/xml").want(200)
			assert.Equal(t, "application/xml", r.header.Get("Content-Type"))
			var doc element
			require.NoError(t, xml.Unmarshal([]byte(r.body), &doc))
			namespace := doc.all("Schema")[0].attr("Namespace")
			types := map[string]map[string]bool{}
			for _, e := range doc.all("EntityType") {
				props := map[string]bool{}
				for _, p := range e.all("Property") {
					props[p.attr("Name")] = true
				}
				require.NotEmpty(t, e.all("PropertyRef"))
				for _, k := range e.all("PropertyRef") {
					assert.True(t, props[k.attr("Name")])
				}
				types[namespace+"."+e.attr("Name")] = props
			}
			sets := map[string]string{}
			for _, e := range doc.all("EntitySet") {
				assert.Contains(t, types, e.attr("EntityType"))
				sets[e.attr("Name")] = e.attr("EntityType")
			}
			if doc.attr("Version") == "4.0" {
				checkV4Metadata(t, doc, types, sets)
			} else {
				checkV2Metadata(t, doc, namespace, types, sets)
			}
		})
	}
}

func checkV2Metadata(t *testing.T, doc element, namespace string, types map[string]map[string]bool, sets map[string]string) {
	t.Helper()
	roles := map[string]map[string]string{}
	for _, a := range doc.all("Association") {
		ends := a.all("End")
		require.Len(t, ends, 2)
		roles[namespace+"."+a.attr("Name")] = map[string]string{}
		for _, end := range ends {
			assert.Contains(t, types, end.attr("Type"))
			assert.Contains(t, []string{"*", "1", "0..1"}, end.attr("Multiplicity"))
			roles[namespace+"."+a.attr("Name")][end.attr("Role")] = end.attr("Type")
		}
		for _, side := range append(a.all("Principal"), a.all("Dependent")...) {
			for _, p := range side.all("PropertyRef") {
				assert.True(t, types[roles[namespace+"."+a.attr("Name")][side.attr("Role")]][p.attr("Name")], "%s %s", a.attr("Name"), p.attr("Name"))
			}
		}
	}
	for _, e := range doc.all("EntityType") {
		for _, n := range e.all("NavigationProperty") {
			ends := roles[n.attr("Relationship")]
			assert.Equal(t, namespace+"."+e.attr("Name"), ends[n.attr("FromRole")], n.attr("Name"))
			assert.NotEmpty(t, ends[n.attr("ToRole")], n.attr("Name"))
			assert.NotEqual(t, n.attr("FromRole"), n.attr("ToRole"))
		}
	}
	for _, a := range doc.all("AssociationSet") {
		for _, end := range a.all("End") {
			assert.Equal(t, roles[a.attr("Association")][end.attr("Role")], sets[end.attr("EntitySet")])
		}
	}
}

func checkV4Metadata(t *testing.T, doc element, types map[string]map[string]bool, sets map[string]string) {
	t.Helper()
	for _, s := range doc.all("EntitySet") {
		for _, binding := range s.all("NavigationPropertyBinding") {
			assert.Contains(t, sets, binding.attr("Target"))
		}
	}
	for _, e := range doc.all("NavigationProperty") {
		assert.Contains(t, types, strings.TrimSuffix(strings.TrimPrefix(e.attr("Type"), "Collection("), ")"))
	}
	terms := map[string]bool{}
	for _, a := range doc.all("Annotation") {
		terms[a.attr("Term")] = true
	}
	assert.True(t, terms["SAP__capabilities.InsertRestrictions"])
	assert.True(t, terms["SAP__core.Computed"])
}

func TestServiceDocuments(t *testing.T) {
	b := open(t, Config{NoDemo: true})
	assert.Equal(t, "Samples", b.get(sampleV2).at("d/EntitySets/0"))
	assert.Equal(t, "Samples", b.get(sampleV4).at("value/0/name"))
	atom := b.send("GET", sampleV2, "", "Accept", "*/*").want(200)
	assert.Equal(t, "application/atomsvc+xml", atom.header.Get("Content-Type"))
}

// One record with a value of every type, as both versions write it.
func TestShapes(t *testing.T) {
	b := open(t, Config{NoDemo: true})
	made := b.send("POST", sampleV2+"Samples", `{"Name":"Größe \"1\"","Count":7,"BigCount":"9007199254740993","Ratio":"-0.5000","Amount":"12345678901234.50","Factor":"1.5",
		"Flag":true,"Day":"/Date(1769817600000)/","Moment":"/Date(1769853600000+0000)/","Clock":"PT09H05M00S","Token":"0050568D-393C-1ED4-9D97-E65F0F3FCC23","Lines":{"results":[{"LineNo":1}]}}`).want(201)
	uri := b.s.URL + sampleV2 + "Samples('1')"
	assert.Equal(t, uri, made.header.Get("Location"))
	assert.Equal(t, uri, made.at("d/__metadata/uri"))
	assert.Equal(t, "ZSAMPLE_SRV.Sample", made.at("d/__metadata/type"))
	assert.Equal(t, made.header.Get("ETag"), made.at("d/__metadata/etag"))
	assert.Regexp(t, `^W/"datetimeoffset'\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A[\d.]+Z'"$`, made.header.Get("ETag"))
	assert.Equal(t, "1", made.at("d/Lines/results/0/SampleID"), "what was nested comes back")
	assert.Equal(t, uri+"/Children", made.at("d/Children/__deferred/uri"))
	for _, part := range []string{
		`"Name":"Größe \"1\""`, `"Note":null`, `"Count":7`, `"BigCount":"9007199254740993"`, `"Ratio":"-0.5000"`, `"Amount":"12345678901234.50"`, `"Factor":"1.5"`, `"Flag":true`,
		`"Day":"\/Date(1769817600000)\/"`, `"Moment":"\/Date(1769853600000+0000)\/"`, `"Clock":"PT09H05M00S"`, `"Token":"0050568d-393c-1ed4-9d97-e65f0f3fcc23"`,
	} {
		assert.Contains(t, made.body, part)
	}
	four := b.get(sampleV4 + "Samples('1')").want(200)
	for _, part := range []string{
		`"@odata.context":"$metadata#Samples/$entity"`, `"@odata.etag":"W/\"SADL-`, `"BigCount":9007199254740993`, `"Ratio":-0.5000`, `"Amount":12345678901234.50`, `"Factor":1.5`,
		`"Day":"2026-01-31"`, `"Moment":"2026-01-31T10:00:00Z"`, `"Clock":"09:05:00"`,
	} {
		assert.Contains(t, four.body, part)
	}
	exact := b.send("GET", sampleV4+"Samples('1')", "", "Accept", "application/json;IEEE754Compatible=true").want(200)
	assert.Contains(t, exact.body, `"BigCount":"9007199254740993"`)
	assert.Contains(t, exact.body, `"Ratio":"-0.5000"`)
	assert.Contains(t, exact.header.Get("Content-Type"), "IEEE754Compatible=true")

	assert.Equal(t, "Größe \"1\"", b.get(sampleV2+"Samples('1')/Name").at("d/Name"))
	assert.Equal(t, "Größe \"1\"", b.get(sampleV4+"Samples('1')/Name").at("value"))
	b.get(sampleV4 + "Samples('1')/Note").want(204)
	assert.Equal(t, "1", b.get(sampleV2+"Samples/$count").want(200).body)
	assert.Equal(t, uri, b.get(sampleV2+"Lines(SampleID='1',LineNo=1)/$links/Sample").at("d/uri"))
	require.NoError(t, b.s.Seed("ZSAMPLE_SRV.Samples", 1, func(int) map[string]any { return map[string]any{"SampleID": "a/b'ü %", "Name": "odd"} }))
	for _, key := range []string{"'a%2Fb''%C3%BC%20%25'", "'a/b''%C3%BC%20%25'", "%27a/b%27%27%C3%BC%20%25%27", "SampleID='a%2Fb''%C3%BC%20%25'"} {
		odd := b.get(sampleV2 + "Samples(" + key + ")").want(200)
		assert.Equal(t, "odd", b.get(strings.TrimPrefix(fmt.Sprint(odd.at("d/__metadata/uri")), b.s.URL)).want(200).at("d/Name"), key)
	}
	var atom element
	require.NoError(t, xml.Unmarshal([]byte(b.send("GET", sampleV2+"Samples", "", "Accept", "*/*").want(200).body), &atom))
	assert.Len(t, atom.all("entry"), 2)
}

func TestEmptyValuesOfABAP(t *testing.T) {
	b := open(t, Config{})
	r := b.get(partnerAPI + "A_BusinessPartner?$top=1").want(200)
	assert.Contains(t, r.body, `"AcademicTitle":""`, "empty texts are empty, not null")
	assert.Contains(t, r.body, `"BirthDate":null`)
	assert.Contains(t, r.body, `"IsMale":false`)
}

func TestWrongBodies(t *testing.T) {
	b := open(t, Config{NoDemo: true})
	for _, test := range []struct{ path, body, target string }{
		{sampleV2, `{"Name":"x","Amount":1.5}`, "Amount"},
		{sampleV2, `{"Name":"x","BigCount":1}`, "BigCount"},
		{sampleV2, `{"Name":"x","Amount":"1.555"}`, "Amount"},
		{sampleV2, `{"Name":"x","Count":"1"}`, "Count"},
		{sampleV2, `{"Name":"x","Count":2147483648}`, "Count"},
		{sampleV2, `{"Name":"x","Day":"31.01.2026"}`, "Day"},
		{sampleV2, `{"Name":"x","Token":"nope"}`, "Token"},
		{sampleV2, `{"Name":"` + strings.Repeat("x", 81) + `"}`, "Name"},
		{sampleV2, `{}`, "Name"},
		{sampleV2, `{"Name":null}`, "Name"},
		{sampleV2, `{"Name":"x","Nope":1}`, "Nope"},
		{sampleV2, `{"Name":"x","CreatedBy":"me"}`, "CreatedBy"},
		{sampleV2, `{"Name":"x","ParentID":"77"}`, "ParentID"},
		{sampleV2, `{"Name":"x","Lines":{"results":[{"LineNo":1},{"LineNo":"2"}]}}`, "LineNo"},
		{sampleV4, `{"Name":"x","Amount":"1.5"}`, "Amount"},
		{sampleV4, `{"Name":"x","Day":"/Date(0)/"}`, "Day"},
		{sampleV4, `{"Name":"x","Lines":{"results":[]}}`, "Lines"},
	} {
		r := b.send("POST", test.path+"Samples", test.body)
		assert.Equal(t, 400, r.status, test.body)
		assert.Contains(t, r.body, test.target, test.body)
	}
	for _, body := range []string{`{`, `[]`, `{"Name":"x"} {}`, "\xff"} {
		b.send("POST", sampleV2+"Samples", body).want(400)
	}
	b.send("POST", sampleV2+"Samples", "<entry/>", "Content-Type", "application/atom+xml").want(415)
	assert.Zero(t, b.s.Count("ZSAMPLE_SRV.Samples"), "nothing was made")
	assert.Zero(t, b.s.Count("ZSAMPLE_SRV.Lines"))
}

func TestErrors(t *testing.T) {
	b := open(t, Config{NoDemo: true})
	two := b.get(sampleV2 + "Samples('77')?sap-language=DE").want(404)
	assert.Equal(t, "de", two.at("error/message/lang"))
	assert.NotEmpty(t, two.at("error/message/value"))
	assert.Equal(t, "ZSAMPLE_SRV", two.at("error/innererror/application/service_id"))
	assert.Equal(t, "error", two.at("error/innererror/errordetails/0/severity"))
	four := b.get(sampleV4 + "Samples('77')").want(404)
	assert.NotEmpty(t, four.at("error/message"))
	assert.NotEmpty(t, four.at("error/innererror/ErrorDetails/@SAP__common.TransactionId"))
	plain := b.send("GET", sampleV2+"Nope", "", "Accept", "*/*").want(404)
	assert.Contains(t, plain.body, "<errordetails>")
	for _, path := range []string{
		"Samples(77)", "Samples()", "Samples('1", "Samples('1')/Nope", "Samples/Nope", "Samples('1')('2')", "Lines(SampleID='1')", "Lines('1',1)", "Lines(SampleID='1',LineNo='1')",
		"Samples?$filter=Nope%20eq%201", "Samples?$orderby=Nope", "Samples?$select=Nope", "Samples?$expand=Nope", "Samples?$top=-1", "Samples?$top=x", "Samples?$skip=1.5",
		"Samples?$apply=x", "Samples?$search=x", "Samples?$top=1&$top=2", "Samples?$skiptoken=%21", "Samples?$inlinecount=x", "%zz",
	} {
		for _, service := range []string{sampleV2, sampleV4} {
			u, err := url.Parse(service + path)
			if err != nil {
				continue // net/http wouldn't send it
			}
			r := b.get(u.String())
			assert.Contains(t, []int{400, 404}, r.status, path)
			assert.NotEmpty(t, r.at("error/code"), path)
		}
	}
}

func TestLogin(t *testing.T) {
	at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	b := open(t, Config{NoDemo: true, Users: map[string]string{"CLARA": "secret"}, TokenCalls: 2, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return at }})
	bare := &http.Client{Transport: b.http.Transport}
	ask := func(setup func(*http.Request)) *http.Response {
		req, err := http.NewRequest(http.MethodGet, b.s.URL+sampleV2, nil)
		require.NoError(t, err)
		setup(req)
		resp, err := bare.Do(req)
		require.NoError(t, err)
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusUnauthorized {
			assert.Contains(t, resp.Header.Get("Content-Type"), "text/html")
			assert.NotContains(t, string(body), "secret")
			assert.NotEmpty(t, resp.Header.Get("WWW-Authenticate"))
		}
		return resp
	}
	basic := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	bearer := func(token string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	}
	assert.Equal(t, 200, ask(basic("BRIDGE", "Welcome1")).StatusCode)
	assert.Equal(t, 200, ask(basic("clara", "secret")).StatusCode)
	assert.Equal(t, 401, ask(basic("CLARA", "Secret")).StatusCode)
	assert.Equal(t, 401, ask(basic("NOBODY", "")).StatusCode)
	assert.Equal(t, 401, ask(func(*http.Request) {}).StatusCode)
	assert.Equal(t, 200, ask(bearer(b.s.BearerToken)).StatusCode)
	assert.Equal(t, 401, ask(bearer("x")).StatusCode)
	assert.Equal(t, 401, ask(func(r *http.Request) { basic("BRIDGE", "Welcome1")(r); r.URL.RawQuery = "sap-client=999" }).StatusCode)
	assert.Equal(t, 200, ask(func(r *http.Request) { basic("BRIDGE", "Welcome1")(r); r.URL.RawQuery = "sap-client=100" }).StatusCode)

	grant := func(id, secret, kind string) *reply {
		return b.send("POST", tokenPath, url.Values{"grant_type": {kind}, "client_id": {id}, "client_secret": {secret}}.Encode(), "Authorization", "", "Content-Type", "application/x-www-form-urlencoded")
	}
	grant("x", "y", "client_credentials").want(401)
	grant(b.s.ClientID, b.s.ClientSecret, "password").want(400)
	first, _ := grant(b.s.ClientID, b.s.ClientSecret, "client_credentials").want(200).at("access_token").(string)
	assert.Equal(t, 200, ask(bearer(first)).StatusCode)
	assert.Equal(t, 200, ask(bearer(first)).StatusCode)
	assert.Equal(t, 401, ask(bearer(first)).StatusCode, "a token is good for two calls here")
	second, _ := grant(b.s.ClientID, b.s.ClientSecret, "client_credentials").want(200).at("access_token").(string)
	mu.Lock()
	at = at.Add(time.Hour)
	mu.Unlock()
	assert.Equal(t, 401, ask(bearer(second)).StatusCode, "an hour later")
}

func TestCSRF(t *testing.T) {
	at := time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)
	b := open(t, Config{NoDemo: true, Now: func() time.Time { return at }})
	post := func(headers ...string) *reply { return b.send("POST", sampleV2+"Samples", `{"Name":"x"}`, headers...) }
	post().want(201)
	post().want(201)
	for _, bad := range []string{"", "Fetch", "nope"} {
		r := post("X-CSRF-Token", bad).want(403)
		assert.Equal(t, "Required", r.header.Get("X-CSRF-Token"))
	}
	token := b.csrf
	b.fetch()
	assert.Equal(t, token, b.csrf, "one session has one token")
	b.s.ExpireCSRF()
	post().want(403)
	b.fetch()
	assert.NotEqual(t, token, b.csrf)
	post().want(201)
	at = at.Add(31 * time.Minute)
	post().want(403)
	b.fetch()
	b.s.ExpireSessions()
	post().want(403)
	b.fetch()
	post().want(201)

	// The token of one session is not good for another.
	other := open(t, Config{NoDemo: true})
	other.s, other.csrf = b.s, b.csrf
	other.send("POST", sampleV2+"Samples", `{"Name":"x"}`).want(403)
	assert.Empty(t, b.get(sampleV2).header.Get("X-CSRF-Token"), "a token comes to those who ask")
	assert.Equal(t, 4+1, b.s.Calls()["CSRF"])
}

func TestETags(t *testing.T) {
	b := open(t, Config{NoDemo: true})
	for _, service := range []string{sampleV2, sampleV4} {
		made := b.send("POST", service+"Samples", `{"Name":"x"}`).want(201)
		address := strings.TrimPrefix(made.header.Get("Location"), b.s.URL)
		tag := made.header.Get("ETag")
		b.send("PATCH", address, `{"Note":"a"}`).want(428)
		b.send("DELETE", address, "").want(428)
		b.send("PATCH", address, `{"Note":"a"}`, "If-Match", `W/"nope"`).want(412)
		b.send("GET", address, "", "If-None-Match", tag).want(304)
		r := b.send("PATCH", address, `{"Note":"a"}`, "If-Match", tag)
		if service == sampleV2 {
			assert.Empty(t, r.want(204).body)
		} else {
			assert.Equal(t, "a", r.want(200).at("Note"))
			b.send("PATCH", address, `{"Note":"b"}`, "If-Match", r.header.Get("ETag"), "Prefer", "return=minimal").want(204)
		}
		b.send("PATCH", address, `{"Note":"a"}`, "If-Match", tag).want(412)
		fresh := b.get(address).want(200)
		assert.NotEqual(t, tag, fresh.header.Get("ETag"))
		b.send("DELETE", address, "", "If-Match", fresh.header.Get("ETag")).want(204)
		b.get(address).want(404)
	}
}

func TestUpdates(t *testing.T) {
	b := open(t, Config{NoDemo: true})
	b.send("POST", sampleV2+"Samples", `{"Name":"x","Note":"n","Count":3}`).want(201)
	change := func(method, body string, headers ...string) *reply {
		return b.send(method, sampleV2+"Samples('1')", body, append(headers, "If-Match", "*")...)
	}
	change("MERGE", `{"Count":4}`).want(204)
	assert.Equal(t, "n", b.get(sampleV2+"Samples('1')").at("d/Note"))
	change("POST", `{"Count":5}`, "X-HTTP-Method", "MERGE").want(204)
	change("PUT", `{"Name":"y"}`).want(204)
	assert.Nil(t, b.get(sampleV2+"Samples('1')").at("d/Note"), "PUT replaces")
	assert.Nil(t, b.get(sampleV2+"Samples('1')").at("d/Count"))
	change("PUT", `{"Note":"z"}`).want(400)
	change("PATCH", `{"SampleID":"1"}`).want(204)
	change("PATCH", `{"SampleID":"2"}`).want(400)
	change("PATCH", `{"CreatedBy":"me"}`).want(400)
	change("PATCH", `{"Lines":{"results":[{"LineNo":1}]}}`).want(400)
	change("PATCH", `{"Name":""}`).want(400)
	b.send("PATCH", sampleV2+"Samples('9')", `{}`, "If-Match", "*").want(404)
	b.send("PATCH", sampleV2+"Samples", `{}`).want(405)
	b.send("POST", sampleV2+"Samples('1')", `{}`).want(405)
	b.send("POST", billingAPI+"A_BillingDocument", `{}`).want(405)
	// Links by address.
	b.send("POST", sampleV2+"Samples", `{"Name":"child","Parent":{"__metadata":{"uri":"`+b.s.URL+sampleV2+`Samples('1')"}}}`).want(201)
	b.send("POST", sampleV4+"Samples", `{"Name":"child","Parent@odata.bind":"Samples('1')"}`).want(201)
	assert.Len(t, b.get(sampleV2+"Samples('1')/Children").list("Name"), 2)
	b.send("POST", sampleV4+"Samples('1')/Lines", `{"LineNo":7}`).want(201)
	b.send("POST", sampleV4+"Samples('1')/Lines", `{"LineNo":7}`).want(400)
	b.send("DELETE", sampleV2+"Samples('1')", "", "If-Match", "*").want(204)
	assert.Zero(t, b.s.Count("ZSAMPLE_SRV.Lines"), "what a record owns goes with it")
}

func TestPaging(t *testing.T) {
	b := open(t, Config{NoDemo: true, PageSize: 7})
	require.NoError(t, b.s.Seed("ZSAMPLE_SRV.Samples", 25, func(i int) map[string]any {
		return map[string]any{"SampleID": strconv.Itoa(i + 1), "Name": fmt.Sprintf("n%02d", i), "Count": i % 5}
	}))
	walk := func(path string, between func()) (names []any, pages int) {
		for path != "" {
			r := b.get(path)
			names = append(names, r.list("Name")...)
			pages++
			next, link := "", "@odata.nextLink"
			if strings.HasPrefix(r.body, `{"d"`) {
				if s, ok := r.at("d/__next").(string); ok {
					next = strings.TrimPrefix(s, b.s.URL)
				}
			} else if s, ok := r.at(link).(string); ok {
				next = sampleV4 + s
			}
			path = next
			between()
		}
		return names, pages
	}
	nothing := func() {}
	for _, service := range []string{sampleV2, sampleV4} {
		names, pages := walk(service+"Samples", nothing)
		assert.Len(t, names, 25)
		assert.Equal(t, 4, pages)
		assert.Equal(t, "n24", names[24], "numbers in order, not as texts")
		names, _ = walk(service+"Samples?$orderby="+q("Count desc,Name"), nothing)
		assert.Len(t, names, 25)
		assert.Equal(t, "n04", names[0])
		names, _ = walk(service+"Samples?$filter="+q("Count gt 0"), nothing)
		assert.Len(t, names, 20)
		names, pages = walk(service+"Samples?$top=10&$skip=3", nothing)
		assert.Len(t, names, 10)
		assert.Equal(t, 2, pages)
		assert.Equal(t, "n03", names[0])
		names, pages = walk(service+"Samples?$top=7", nothing)
		assert.Len(t, names, 7)
		assert.Equal(t, 1, pages)
		assert.Empty(t, b.get(service+"Samples?$top=0").list("Name"))
		assert.Equal(t, []any{"n03", "n04"}, b.get(service+"Samples?$skip=3&$top=2").list("Name"))
	}
	assert.Equal(t, "25", b.get(sampleV2+"Samples?$top=1&$inlinecount=allpages").at("d/__count"))
	assert.Equal(t, "20", b.get(sampleV2+"Samples?$top=1&$inlinecount=allpages&$filter="+q("Count gt 0")).at("d/__count"))
	assert.Equal(t, "25", fmt.Sprint(b.get(sampleV4+"Samples?$top=1&$count=true").at("@odata.count")))
	small := b.send("GET", sampleV4+"Samples", "", "Prefer", "odata.maxpagesize=3")
	assert.Len(t, small.list("Name"), 3)
	// Records that go while somebody pages make nobody skip others.
	n := 0
	names, _ := walk(sampleV2+"Samples", func() {
		n++
		b.send("DELETE", sampleV2+fmt.Sprintf("Samples('%d')", n), "", "If-Match", "*").want(204)
	})
	assert.Len(t, names, 25)
}
