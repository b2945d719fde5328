package salesforce_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/bridgecore/bridgecore/adapter/salesforce"
)

// fake is a server of a few scripted answers, for what the simulated
// organization does not do wrong.
type fake struct {
	*httptest.Server

	mu     sync.Mutex
	routes map[string]http.HandlerFunc // by method and path, the longest prefix wins
	seen   []string
}

const fakeToken = "00Dfake!secret-access-token"

// newFake serves what Dial needs, and the routes.
func newFake(t *testing.T, routes map[string]http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{routes: map[string]http.HandlerFunc{
		"GET /services/data/v62.0/limits":                     text(`{}`),
		"POST /services/oauth2/token":                         text(`{"access_token":"` + fakeToken + `","token_type":"Bearer","id":"https://login.salesforce.com/id/00D000000000001AAA/005000000000001AAA"}`),
		"GET /services/data/v62.0/":                           http.NotFound,
		"GET /services/data/":                                 text(`[{"version":"61.0"},{"version":"62.0"},{"version":"99.0"}]`),
		"GET /services/data/v62.0/sobjects/Thing__c/describe": text(thing),
	}}
	for route, handler := range routes {
		f.routes[route] = handler
	}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) serve(w http.ResponseWriter, r *http.Request) {
	key := r.Method + " " + r.URL.Path
	f.mu.Lock()
	f.seen = append(f.seen, key)
	var best string
	for route := range f.routes {
		if strings.HasPrefix(key, route) && len(route) > len(best) {
			best = route
		}
	}
	handler := f.routes[best]
	f.mu.Unlock()
	if handler == nil {
		http.NotFound(w, r)
		return
	}
	handler(w, r)
}

// count is how many requests there were to a route.
func (f *fake) count(route string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, key := range f.seen {
		if strings.HasPrefix(key, route) {
			n++
		}
	}
	return n
}

func (f *fake) config() salesforce.Config {
	return salesforce.Config{URL: f.URL, ClientID: "client", ClientSecret: "the-client-secret"}
}

func text(body string) http.HandlerFunc { return status(http.StatusOK, body) }

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

// thing is the description of an object of few fields.
const thing = `{"name":"Thing__c","label":"Thing","keyPrefix":"a01","replicateable":true,"fields":[
{"name":"Id","type":"id","label":"Record ID","filterable":true,"sortable":true,"nillable":false,"defaultedOnCreate":true,"idLookup":true},
{"name":"Name","type":"string","label":"Name","length":80,"createable":true,"updateable":true,"filterable":true,"sortable":true,"nameField":true},
{"name":"Long__c","type":"textarea","label":"Long","length":32000,"createable":true,"updateable":true,"nillable":true},
{"name":"Key__c","type":"string","label":"Key","length":20,"createable":true,"updateable":true,"nillable":true,"filterable":true,"sortable":true,"externalId":true,"unique":true,"caseSensitive":true},
{"name":"Any__c","type":"reference","label":"Any","referenceTo":["Account","Contact"],"relationshipName":"Any__r","createable":true,"updateable":true,"nillable":true,"filterable":true},
{"name":"Time__c","type":"time","label":"Time","createable":true,"updateable":true,"nillable":true,"filterable":true,"sortable":true},
{"name":"New__c","type":"hologram","label":"New","nillable":true},
{"name":"Calc__c","type":"double","precision":18,"scale":2,"label":"Calc","nillable":true,"filterable":true,"sortable":true},
{"name":"SystemModstamp","type":"datetime","label":"Stamp","filterable":true,"sortable":true}
],"childRelationships":[{"childSObject":"Thing__c","field":"Hidden__c","relationshipName":null},{"childSObject":"Thing__c","field":"Old__c","relationshipName":"Olds__r","deprecatedAndHidden":true}]}`
