package sap

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
)

func fault(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error":{"code":%q,"message":{"lang":"en","value":%q}}}`, code, message)
}

// A service older than PATCH is asked by MERGE, from then on at once.
func TestMergeWherePatchIsUnknown(t *testing.T) {
	var verbs []string
	client := scripted(t, thingsV2, func(w http.ResponseWriter, r *http.Request) {
		verb := r.Method + r.Header.Get("X-Http-Method")
		verbs = append(verbs, verb)
		if verb == http.MethodPatch {
			fault(w, http.StatusMethodNotAllowed, "X/1", "Method not allowed")
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	for range 2 {
		require.NoError(t, client.Update(t.Context(), "S.Things", []adapter.ID{adapter.StringID("1")}, adapter.Record{"Title": "x"}))
	}
	assert.Equal(t, []string{"PATCH", "POSTMERGE", "POSTMERGE"}, verbs)
}

// A set whose metadata keep its ETags secret wants an If-Match all the same.
func TestIfMatchWhereItIsWanted(t *testing.T) {
	for _, status := range []int{http.StatusPreconditionRequired, http.StatusPreconditionFailed} {
		var matches []string
		client := scripted(t, thingsV2, func(w http.ResponseWriter, r *http.Request) {
			match := r.Header.Get("If-Match")
			matches = append(matches, match)
			if match == "" {
				fault(w, status, "X/428", "If-Match is required")
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})
		ids := []adapter.ID{adapter.StringID("1")}
		require.NoError(t, client.Update(t.Context(), "S.Things", ids, adapter.Record{"Title": "x"}))
		require.NoError(t, client.Delete(t.Context(), "S.Things", ids))
		assert.Equal(t, []string{"", "*", "*"}, matches)
	}
}

// Many of SAP's services know no tolower. Then case is ignored here.
func TestServicesWithoutLower(t *testing.T) {
	var filters []string
	client := scripted(t, thingsV2, func(w http.ResponseWriter, r *http.Request) {
		filter := r.URL.Query().Get("$filter")
		filters = append(filters, filter)
		if strings.Contains(filter, "tolower") {
			fault(w, http.StatusBadRequest, "X/400", "Function tolower is not supported")
			return
		}
		_, _ = w.Write([]byte(`{"d":{"results":[{"ID":"1","Title":"Blue AZURE","Yes":true},{"ID":"2","Title":"azure","Yes":true},{"ID":"3","Title":"red","Yes":true}]}}`))
	})
	q := adapter.Query{Model: "S.Things", Fields: []string{"id"}, Filter: adapter.And{cond("Title", "ilike", "Azure"), cond("Yes", "=", true)}}
	for range 2 {
		page, err := client.Query(t.Context(), q)
		require.NoError(t, err)
		assert.Len(t, page.Records, 2)
	}
	const without = "Title ne '' and Title ne null and Yes eq true"
	assert.Len(t, filters, 4, "found out once: %q", filters)
	assert.Equal(t, without, strings.NewReplacer("(", "", ")", "").Replace(filters[3]))
	refs, err := client.NameSearch(t.Context(), "S.Things", "AZ", nil, 1)
	require.NoError(t, err)
	assert.Equal(t, []adapter.Ref{{ID: adapter.StringID("1"), Name: "Blue AZURE"}}, refs)

	// A filter that is refused for another reason says its own.
	client = scripted(t, thingsV2, func(w http.ResponseWriter, _ *http.Request) {
		fault(w, http.StatusBadRequest, "X/400", "Yes is a nonsense")
	})
	_, err = client.Query(t.Context(), q)
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
	assert.ErrorContains(t, err, "nonsense")
}

// In v4 a change of a record that is not there would make it.
func TestChangesMakeNoRecords(t *testing.T) {
	client := scripted(t, thingsV4, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet:
			fault(w, http.StatusNotFound, "404", "Not Found")
		case r.Header.Get("If-Match") != "*":
			w.WriteHeader(http.StatusCreated)
		default:
			fault(w, http.StatusPreconditionFailed, "412", "Precondition Failed")
		}
	})
	err := client.Update(t.Context(), "S.Things", []adapter.ID{adapter.StringID("3f2504e0-4f89-11d3-9a0c-0305e82c3301")}, adapter.Record{"Title": "x"})
	assert.ErrorIs(t, err, adapter.ErrNotFound)
}

// A service that takes no star gets the record's own tag.
func TestIfMatchByTag(t *testing.T) {
	client := scripted(t, thingsV2, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet:
			_, _ = w.Write([]byte(`{"d":{"__metadata":{"etag":"W/\"7\""},"ID":"1"}}`))
		case r.Header.Get("If-Match") != `W/"7"`:
			fault(w, http.StatusPreconditionRequired, "X/428", "If-Match is required")
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	})
	require.NoError(t, client.Update(t.Context(), "S.Things", []adapter.ID{adapter.StringID("1")}, adapter.Record{"Title": "x"}))
}

func TestErrors(t *testing.T) {
	const secretive = `Update failed at https://s4.internal:44300/sap?x=1 for user with password p4ssw0rd!\n  at CL_ABAP=====CP line 5`
	for _, test := range []struct {
		name, body string
		status     int
		code       adapter.Code
		field      string
		native     string
		says       string
	}{
		{"v2", `{"error":{"code":"SY/530","message":{"lang":"en","value":"Enter a valid plant"},"innererror":{"errordetails":[{"code":"M3/238","message":"Plant 9999 is unknown","propertyref":"to_Plant/Plant","severity":"error"},{"code":"X","message":"only a hint","severity":"info"}]}}}`, 400, adapter.InvalidArgument, "Plant", "SY/530", "Plant 9999 is unknown"},
		{"v4", `{"error":{"code":"ZX/001","message":"Title is too long","target":"Title","details":[{"code":"ZX/002","message":"really","target":"Amount","@Common.numericSeverity":4}]}}`, 400, adapter.InvalidArgument, "Title", "ZX/001", "too long"},
		{"xml", `<?xml version="1.0"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><code>005056A509B11EE1B9A8FEC11C21578E</code><message xml:lang="en">Resource not found for segment 'Things'</message><innererror><errordetails><errordetail><code>C</code><message>M</message><propertyref>Title</propertyref></errordetail></errordetails></innererror></error>`, 404, adapter.NotFound, "Title", "005056A509B11EE1B9A8FEC11C21578E", "Resource not found"},
		{"exists", `{"error":{"code":"X","message":"Thing 1 already exists"}}`, 400, adapter.AlreadyExists, "", "X", "already exists"},
		{"locked", `{"error":{"code":"V1/042","message":"Auftrag wird gerade bearbeitet"}}`, 400, adapter.Conflict, "", "V1/042", "Auftrag"},
		{"no rights", `{"error":{"code":"X","message":"No authorization to change"}}`, 400, adapter.PermissionDenied, "", "X", ""},
		{"secret", `{"error":{"code":"X","message":"` + secretive + `"}}`, 500, adapter.Internal, "", "X", "[address]"},
		{"page", `<html><body><h1>500 Internal Server Error</h1>s4.internal</body></html>`, 500, adapter.Internal, "", "", "500"},
		{"empty", ``, 403, adapter.PermissionDenied, "", "", "may not"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := scripted(t, thingsV2, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			})
			_, err := client.Query(t.Context(), adapter.Query{Model: "S.Things"})
			var e *adapter.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, test.code, e.Code)
			assert.Equal(t, test.field, e.Field)
			assert.Equal(t, test.native, e.Native)
			assert.Equal(t, "S.Things", e.Model)
			assert.Contains(t, e.Message, test.says)
			for _, secret := range []string{"://", "s4.internal", "CL_ABAP", "<h1>"} {
				assert.NotContains(t, e.Message, secret)
			}
			assert.NotContains(t, e.Message, "only a hint")
		})
	}
}

// A list within a record that the service cuts is read to its end.
func TestNestedPages(t *testing.T) {
	client := scripted(t, thingsV2, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/Things"):
			assert.Equal(t, "ID,Title,to_Part/ID,to_Part/No,to_Part/Name", r.URL.Query().Get("$select"))
			assert.Equal(t, "to_Part", r.URL.Query().Get("$expand"))
			_, _ = w.Write([]byte(`{"d":{"results":[{"ID":"1","Title":"t","to_Part":{"results":[{"ID":"1","No":1,"Name":"a"}],"__next":"Things('1')/to_Part?$skiptoken=1"}}]}}`))
		case r.URL.Query().Get("$skiptoken") == "1":
			_, _ = w.Write([]byte(`{"d":{"results":[{"ID":"1","No":2,"Name":"b"}],"__next":"http://elsewhere/s/Things('1')/to_Part?$skiptoken=2"}}`))
		default:
			_, _ = w.Write([]byte(`{"d":{"results":[{"ID":"1","No":3,"Name":""}]}}`))
		}
	})
	page, err := client.Query(t.Context(), adapter.Query{Model: "S.Things", Fields: []string{"Title", "to_Part.Name"}})
	require.NoError(t, err)
	assert.Equal(t, []adapter.Record{{"id": "1", "Title": "t", "to_Part": []any{
		map[string]any{"id": "ID='1',No=1", "Name": "a"}, map[string]any{"id": "ID='1',No=2", "Name": "b"}, map[string]any{"id": "ID='1',No=3", "Name": nil},
	}}}, page.Records)
}

// Our credentials go nowhere else, whatever a link says.
func TestLinksOutOfTheService(t *testing.T) {
	for _, link := range []string{"http://evil.example/other/Things?$skiptoken=1", "/other/Things?$skiptoken=1", "../x/Things?$skiptoken=1", "Things"} {
		var calls atomic.Int32
		client := scripted(t, thingsV2, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			_, _ = fmt.Fprintf(w, `{"d":{"results":[{"ID":"1"}],"__next":%q}}`, link)
		})
		_, err := client.Query(t.Context(), adapter.Query{Model: "S.Things", Fields: []string{"id"}})
		assert.ErrorIs(t, err, adapter.ErrInternal, link)
		assert.Equal(t, int32(1), calls.Load(), link)
	}
}

// A set that takes no $top, $skip, $orderby and $count is still read in pages.
func TestSetsWithoutPaging(t *testing.T) {
	client := scripted(t, thingsV2, func(w http.ResponseWriter, r *http.Request) {
		for _, option := range []string{"$top", "$skip", "$orderby"} {
			assert.False(t, r.URL.Query().Has(option), option)
		}
		assert.Equal(t, "Plant eq '1000'", r.URL.Query().Get("$filter"))
		_, _ = w.Write([]byte(`{"d":{"results":[{"ID":"1"},{"ID":"2"},{"ID":"3"},{"ID":"4"},{"ID":"5"}]}}`))
	})
	q := adapter.Query{Model: "S.Walls", Fields: []string{"id"}, Limit: 2, Filter: cond("Plant", "=", "1000")}
	var got []string
	for {
		page, err := client.Query(t.Context(), q)
		require.NoError(t, err)
		for _, r := range page.Records {
			got = append(got, r.ID().String())
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	assert.Equal(t, []string{"1", "2", "3", "4", "5"}, got)
	n, err := client.Count(t.Context(), "S.Walls", q.Filter)
	require.NoError(t, err)
	assert.Equal(t, int64(5), n)
	page, err := client.Query(t.Context(), adapter.Query{Model: "S.Walls", Fields: []string{"id"}, Limit: 2, Offset: 3, Filter: q.Filter})
	require.NoError(t, err)
	assert.Len(t, page.Records, 2)
	err = client.Delete(t.Context(), "S.Walls", []adapter.ID{adapter.StringID("1")})
	assert.ErrorIs(t, err, adapter.ErrUnsupported)
	_, err = client.Create(t.Context(), "S.Parts", adapter.Record{"ID": "1"})
	assert.ErrorIs(t, err, adapter.ErrUnsupported)
}

func TestFunctionImports(t *testing.T) {
	client := scripted(t, thingsV2, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.MethodPost, r.Method)
		assert.Equal(t, "token", r.Header.Get("X-Csrf-Token"))
		assert.Equal(t, "/s/Touch", r.URL.Path)
		_, _ = fmt.Fprintf(w, `{"d":{"ID":%q,"At":%q}}`, r.URL.Query().Get("ID"), r.URL.Query().Get("At"))
	})
	answer, err := client.Call(t.Context(), adapter.Call{Model: "S.Things", Method: "Touch", Args: []any{[]any{"it's"}}, Kwargs: map[string]any{"At": "2025-03-14 15:09:26"}})
	require.NoError(t, err)
	assert.JSONEq(t, `{"d":{"ID":"'it''s'","At":"datetime'2025-03-14T15:09:26'"}}`, string(answer))
	_, err = client.Call(t.Context(), adapter.Call{Model: "S", Method: "Toch"})
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	assert.ErrorContains(t, err, `"Touch"`)
	_, err = client.Call(t.Context(), adapter.Call{Model: "S", Method: "Touch", Kwargs: map[string]any{"Id": "1"}})
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
	assert.ErrorContains(t, err, `"ID"`)
	_, err = client.Call(t.Context(), adapter.Call{Model: "S", Method: "Touch", Kwargs: map[string]any{"At": "soon"}})
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
}

// A batch in which one part fails, and one that stops there.
func TestBatchesThatStop(t *testing.T) {
	for _, version := range []struct {
		metadata string
		rest     adapter.Code
	}{{thingsV2, adapter.UnknownOutcome}, {thingsV4, ""}} {
		calls := 0
		client := scripted(t, version.metadata, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			n := strings.Count(string(body), "POST Things HTTP/1.1")
			calls++
			w.Header().Set("Content-Type", "multipart/mixed; boundary=b")
			if calls == 1 {
				assert.Equal(t, 3, n)
				_, _ = w.Write([]byte("--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n\r\n{\"error\":{\"code\":\"X\",\"message\":\"no\"}}\r\n--b--\r\n"))
				return
			}
			for i := range n {
				_, _ = fmt.Fprintf(w, "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{\"ID\":\"3f2504e0-4f89-11d3-9a0c-0305e82c330%d\"}\r\n--c--\r\n", i)
			}
			_, _ = w.Write([]byte("--b--\r\n"))
		})
		ids, err := client.CreateEach(t.Context(), "S.Things", []adapter.Record{{"Title": "a"}, {"Title": "b"}, {"Title": "c"}})
		var partial *adapter.PartialError
		require.ErrorAs(t, err, &partial)
		assert.ErrorIs(t, partial.Failed[0], adapter.ErrInvalidArgument)
		for i := 1; i < 3; i++ {
			assert.Equal(t, version.rest, adapter.CodeOf(partial.Failed[i]))
			assert.Equal(t, version.rest != "", ids[i].IsZero())
		}
	}
}

func TestConfig(t *testing.T) {
	good := Config{URL: "https://s4.example.com", Username: "u", Password: "top secret"}
	require.NoError(t, good.check())
	for field, spoil := range map[string]func(*Config){
		"url":           func(c *Config) { c.URL = "https://u:p@s4.example.com" },
		"username":      func(c *Config) { c.Username = "" },
		"password":      func(c *Config) { c.Password = "" },
		"token_url":     func(c *Config) { c.Auth = AuthOAuth2 },
		"client_secret": func(c *Config) { c.TokenURL, c.ClientID = "https://x.example/token", "id" },
		"bearer_token":  func(c *Config) { c.BearerToken = "Bearer x" },
		"auth":          func(c *Config) { c.Auth = "magic" },
		"client":        func(c *Config) { c.Client = "1&x=2" },
		"language":      func(c *Config) { c.Language = "EN&sap-client=200" },
		"services":      func(c *Config) { c.Services = []Service{{Name: "A", Path: "/../x"}} },
		"timeout":       func(c *Config) { c.Timeout = -1 },
		"page_size":     func(c *Config) { c.PageSize = MaxPageSize + 1 },
	} {
		c := good
		spoil(&c)
		var e *adapter.Error
		if assert.ErrorAs(t, c.check(), &e, field) {
			assert.Equal(t, adapter.InvalidArgument, e.Code)
			assert.Equal(t, field, e.Field)
		}
	}
	secretive := Config{URL: "https://s4.example.com", Username: "u", Password: "hidden1", ClientSecret: "hidden2", BearerToken: "hidden3"}
	b, err := json.Marshal(secretive)
	require.NoError(t, err)
	for _, text := range []string{fmt.Sprint(secretive), fmt.Sprintf("%+v %#v %s", secretive, secretive, secretive), string(b), secretive.LogValue().String()} {
		assert.NotContains(t, text, "hidden")
		assert.Contains(t, text, "redacted")
	}
}

// A service that turns in a circle is found out.
func TestServicesThatDoNotAdvance(t *testing.T) {
	for name, link := range map[string]string{"by links": `,"__next":"Things?$skiptoken=1"`, "by key": ""} {
		client := scripted(t, thingsV2, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"d":{"results":[{"ID":"1"},{"ID":"2"}]` + link + `}}`))
		})
		client.config.PageSize = 2
		n := 0
		var last error
		for _, err := range client.Stream(t.Context(), adapter.Query{Model: "S.Things", Fields: []string{"id"}}) {
			if n++; n > 50 {
				break
			}
			last = err
		}
		assert.ErrorIs(t, last, adapter.ErrInternal, name)
		assert.Less(t, n, 20, name)
	}
}
