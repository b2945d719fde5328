package saptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFaults(t *testing.T) {
	b := open(t, Config{})
	get := func() (*http.Response, []byte, error) {
		req, err := http.NewRequest(http.MethodGet, b.s.URL+sampleV2+"Samples", nil)
		require.NoError(t, err)
		req.SetBasicAuth(b.s.Username, b.s.Password)
		req.Header.Set("Accept", "application/json")
		resp, err := b.http.Do(req)
		if err != nil {
			return nil, nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp, body, err
	}
	_, whole, err := get()
	require.NoError(t, err)

	b.s.SetFault(Fault{Reset: true, Times: 1})
	// net/http asks again by itself on a connection that was used before.
	b.http.Transport.(*http.Transport).DisableKeepAlives = true
	_, _, err = get()
	assert.Error(t, err)
	_, _, err = get()
	assert.NoError(t, err, "it was over after one")

	b.s.SetFault(Fault{Cut: true})
	_, _, err = get()
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
	b.s.SetFault(Fault{Half: true})
	_, body, err := get()
	assert.NoError(t, err)
	assert.Equal(t, whole[:len(whole)/2], body)
	b.s.SetFault(Fault{Garbage: true})
	_, body, err = get()
	assert.NoError(t, err)
	assert.False(t, json.Valid(body))
	b.s.SetFault(Fault{Status: 503, RetryAfter: 7 * time.Second})
	resp, body, err := get()
	require.NoError(t, err)
	assert.Equal(t, "7", resp.Header.Get("Retry-After"))
	assert.Contains(t, string(body), "<h1>503")
	b.s.SetFault(Fault{Refuse: &Error{Status: 423, Code: "MC/601", Message: "Locked by user MILLER"}, Skip: 1, Path: sampleV2})
	b.get(sampleV2 + "Samples").want(200)
	assert.Equal(t, "Locked by user MILLER", b.get(sampleV2+"Samples").want(423).at("error/message/value"))
	b.get(sampleV4 + "Samples").want(200)
	b.s.SetFault(Fault{Path: sampleV2 + "$metadata", Body: "<edmx:Edmx><unclosed>", ContentType: "application/xml"})
	assert.Equal(t, "<edmx:Edmx><unclosed>", b.get(sampleV2+"$metadata").want(200).body)
	b.s.SetFault(Fault{Pad: 3 << 20, Contains: "$metadata"})
	large := b.get(sampleV2 + "$metadata").want(200)
	assert.Greater(t, len(large.body), 3<<20)
	assert.True(t, strings.HasSuffix(large.body, "</edmx:Edmx>"))
	b.s.SetFault(Fault{Before: b.s.ExpireCSRF, Method: "POST", Times: 1})
	b.send("POST", sampleV2+"Samples", `{"Name":"x"}`).want(403)
	b.fetch()
	b.s.SetFault(Fault{AfterCall: true, Status: 502, Method: "POST"})
	n := b.s.Count("ZSAMPLE_SRV.Samples")
	b.send("POST", sampleV2+"Samples", `{"Name":"x"}`).want(502)
	assert.Equal(t, n+1, b.s.Count("ZSAMPLE_SRV.Samples"), "it was carried out all the same")
	b.s.SetFault()

	b.s.Down()
	_, _, err = get()
	assert.Error(t, err)
	require.NoError(t, b.s.Up())
	_, _, err = get()
	assert.NoError(t, err)
}

func TestLocks(t *testing.T) {
	b := open(t, Config{})
	require.NoError(t, b.s.Lock("API_SALES_ORDER_SRV.A_SalesOrder", "MILLER", "1"))
	change := func(path string) *reply {
		return b.send("PATCH", path, `{"PurchaseOrderByCustomer":"x"}`, "If-Match", "*")
	}
	assert.Contains(t, change(salesAPI+"A_SalesOrder('1')").want(409).body, "MILLER")
	change(salesV4 + "SalesOrder('1')").want(423)
	b.send("POST", salesAPI+"A_SalesOrder('1')/to_Item", `{"Material":"DSK-100","RequestedQuantity":"1"}`).want(409)
	b.get(salesAPI + "A_SalesOrder('1')").want(200)
	require.NoError(t, b.s.Unlock("API_SALES_ORDER_SRV.A_SalesOrder", "1"))
	change(salesAPI + "A_SalesOrder('1')").want(204)
	assert.Error(t, b.s.Lock("API_SALES_ORDER_SRV.A_SalesOrder", "MILLER", "99"))
	assert.Error(t, b.s.Lock("NOPE.Nope", "MILLER", "99"))
}

const orders = `
service ZORDERS v4 /sap/opu/odata4/sap/zorders
entity Orders
  OrderID String(10) key
  Amount Decimal(13,2) unit=Currency
  Currency String(5)
  ChangedAt DateTimeOffset ro etag
  nav Lines Lines* OrderID own
entity Lines nested nocreate
  OrderID String(10) key
  LineNo Int32 key
  nav Order Orders! OrderID
function Total GET Decimal(16,2) Currency:String(5)
`

func TestServiceOfOnesOwn(t *testing.T) {
	service, err := ParseService(orders)
	require.NoError(t, err)
	b := open(t, Config{NoDemo: true, Services: []*Service{service}})
	path := service.Path() + "/"
	require.NoError(t, b.s.Check("ZORDERS.Orders", func(c *Change) error {
		if c.Op == "create" && c.Row.Get("Currency") == nil {
			return c.Row.Set("Currency", "EUR")
		}
		if c.Op == "delete" {
			return errors.New("orders stay")
		}
		return nil
	}))
	require.NoError(t, b.s.Handle("ZORDERS", "Total", func(c *Call) (any, error) {
		row := c.Find("ZORDERS.Orders", "A")
		if row == nil {
			return nil, &Error{Status: 404, Message: "no order"}
		}
		return row.Get("Amount"), nil
	}))
	assert.Error(t, b.s.Handle("ZORDERS", "Nope", nil))
	assert.Error(t, b.s.Check("ZORDERS.Nope", nil))
	b.get(path + "Total(Currency='EUR')").want(404)
	r := b.send("POST", path+"Orders", `{"OrderID":"A","Amount":1.25,"Lines":[{"LineNo":1},{"LineNo":2}]}`).want(201)
	assert.Equal(t, "EUR", r.at("Currency"))
	assert.Equal(t, "1.25", fmt.Sprint(b.get(path+"Total(Currency='EUR')").at("value")))
	b.send("POST", path+"Lines", `{"OrderID":"A","LineNo":3}`).want(405)
	b.send("POST", path+"Orders('A')/Lines", `{"LineNo":3}`).want(201)
	assert.Contains(t, b.send("DELETE", path+"Orders('A')", "", "If-Match", "*").want(400).body, "orders stay")
	assert.Equal(t, json.Number("1.25"), b.s.Get("ZORDERS.Orders", "A")["Amount"])
}

func TestWrongServices(t *testing.T) {
	for _, text := range []string{
		"", "entity X", "service X v3 /x", "service X v2", "service X v2 /x nope", "service X v2 /x\nentity E", "service X v2 /x\nentity E\n  A", "service X v2 /x\nentity E\n  A Nope key", "service X v2 /x\nentity E\n  A String key nope",
		"service X v2 /x\nentity E\n  A String(x) key", "service X v2 /x\nentity E\n  A String key\n  A String", "service X v2 /x\nentity E\n  A String key\n  nav N F* A", "service X v2 /x\nentity E\n  A String key\n  nav N E A",
		"service X v2 /x\nentity E\n  A String key\n  nav N E* B", "service X v2 /x\nfunction F", "service X v2 /x\nfunction F GET Nope", "service X v2 /x\nfunction F GET - P", "service X v2 /x\nfunction F GET - bound=E", "service X v2 /x\n  A String",
	} {
		_, err := ParseService(text)
		assert.Error(t, err, text)
	}
	s, err := ParseService("service X v2 /x\nentity E over=NOPE.E\n  A String key")
	require.NoError(t, err)
	_, err = Start(Config{Services: []*Service{s}})
	assert.ErrorContains(t, err, "NOPE.E")
}

func TestSeed(t *testing.T) {
	b := open(t, Config{NoDemo: true})
	const n = 100_000
	require.NoError(t, b.s.Seed("ZSAMPLE_SRV.Samples", n, func(i int) map[string]any {
		return map[string]any{"SampleID": strconv.Itoa(i + 1), "Name": fmt.Sprint("row ", i), "Amount": float64(i) / 4}
	}))
	assert.Equal(t, n, b.s.Count("ZSAMPLE_SRV.Samples"))
	assert.Equal(t, []any{"row 99999"}, b.get(sampleV2+"Samples?$orderby="+q("Amount desc")+"&$top=1").list("Name"))
	b.send("POST", sampleV2+"Samples", `{"SampleID":"900000","Name":"most","Amount":"30000"}`).want(201)
	assert.Equal(t, []any{"most"}, b.get(sampleV2+"Samples?$orderby="+q("Amount desc")+"&$top=1").list("Name"), "what was sorted before is sorted anew")
	b.send("DELETE", sampleV2+"Samples('900000')", "", "If-Match", "*").want(204)
	assert.Equal(t, "1000", b.get(sampleV2+"Samples/$count?$filter="+q("Amount lt 250M")).body)
	err := b.s.Seed("ZSAMPLE_SRV.Samples", 2, func(i int) map[string]any { return map[string]any{"SampleID": strconv.Itoa(n + 1 - i), "Name": "x"} })
	assert.Error(t, err, "the second is taken")
	assert.Equal(t, n, b.s.Count("ZSAMPLE_SRV.Samples"), "so the first is not stored either")
	assert.Error(t, b.s.Seed("ZSAMPLE_SRV.Samples", 1, func(int) map[string]any { return map[string]any{"Nope": 1} }))
	assert.Error(t, b.s.Seed("NOPE.Nope", 1, nil))
}

// Many callers at once see whole records, and no two get one number.
func TestConcurrency(t *testing.T) {
	b := open(t, Config{})
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[any]bool{}
	for range 8 {
		wg.Go(func() {
			for range 5 {
				r := b.send("POST", salesAPI+"A_SalesOrder", orderBody)
				if !assert.Equal(t, 201, r.status) {
					return
				}
				id := r.at("d/SalesOrder")
				mu.Lock()
				assert.False(t, seen[id])
				seen[id] = true
				mu.Unlock()
				assert.Equal(t, "28.50", b.get(salesAPI+fmt.Sprintf("A_SalesOrder('%v')", id)).at("d/TotalNetAmount"))
			}
		})
	}
	wg.Wait()
	assert.Len(t, seen, 40)
}

func TestStart(t *testing.T) {
	assert.Panics(t, func() { NewServer(Config{Addr: "nowhere:x"}) })
	s := New(t)
	s.Close()
	s.Close()
	assert.Error(t, s.Up())
	at := httptest.NewRecorder()
	s.ServeHTTP(at, httptest.NewRequest(http.MethodGet, "/nope", nil))
	assert.Equal(t, 401, at.Code)
}

// Whatever is sent, the server answers, with a body of the type it says.
func FuzzRequests(f *testing.F) {
	s, err := Start(Config{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	for _, seed := range [][4]string{
		{"GET", sampleV2, "Samples('1')?$expand=Lines,Children/Lines&$select=Name", ""},
		{"GET", sampleV4, "Samples?$expand=Lines($filter=LineNo%20gt%201;$expand=Sample)&$orderby=Name%20desc", ""},
		{"POST", sampleV2, "Samples", `{"Name":"x","Lines":{"results":[{"LineNo":1}]},"Parent":{"__metadata":{"uri":"Samples('1')"}}}`},
		{"POST", sampleV4, "Samples", `{"Name":"x","Amount":1e3,"Parent@odata.bind":"Samples('1')"}`},
		{"PATCH", sampleV2, "Samples('1')", `{"Day":"/Date(0)/","Clock":"PT1H"}`},
		{"POST", sampleV4, "$batch", `{"requests":[{"id":"1","method":"POST","url":"Samples","body":{"Name":"y"}}]}`},
		{"POST", salesAPI, "A_SalesOrder", orderBody},
		{"POST", moveAPI, "A_MaterialDocumentHeader", `{"GoodsMovementCode":"05","to_MaterialDocumentItem":[{"Material":"DSK-100","Plant":"1010","StorageLocation":"101A","GoodsMovementType":"561","QuantityInEntryUnit":"1"}]}`},
		{"GET", sampleV2, "Echo?Text='x'&Day=datetime'2026-01-01T00:00:00'", ""},
		{"DELETE", salesV4, "SalesOrder('1')", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, method, service, path, body string) {
		raw, rest, _ := strings.Cut(path, "?")
		found, _ := s.serviceAt(service)
		if found == nil {
			return
		}
		query, err := parseQuery(rest)
		if err != nil {
			return
		}
		c := s.inside(found)
		c.method, c.path, c.rawQuery, c.query, c.body = method, raw, rest, query, []byte(body)
		c.header = http.Header{"Accept": {"application/json"}, "Content-Type": {"application/json"}, "If-Match": {"*"}}
		r := c.serve()
		if strings.HasPrefix(r.header.Get("Content-Type"), "application/json") {
			assert.True(t, json.Valid(r.body), "%s", r.body)
		}
	})
}
