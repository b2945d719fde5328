package odootest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

// Customers is the program under test: it asks an Odoo for the names of
// companies.
func Customers(ctx context.Context, url, database, password string) ([]string, error) {
	call := map[string]any{"jsonrpc": "2.0", "id": 1, "params": map[string]any{
		"service": "object", "method": "execute_kw",
		"args": []any{database, 2, password, "res.partner", "search_read", []any{[]any{[]any{"is_company", "=", true}}, []string{"name"}}, map[string]any{"limit": 2, "order": "id desc"}},
	}}
	body, err := json.Marshal(call)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/jsonrpc", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("odoo answered %s", resp.Status)
	}
	var answer struct {
		Result []struct{ Name string }
		Error  *struct{ Data struct{ Message string } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != nil {
		return nil, fmt.Errorf("odoo refused: %s", answer.Error.Data.Message)
	}
	var names []string
	for _, r := range answer.Result {
		names = append(names, r.Name)
	}
	return names, nil
}

// How to test a program of one's own: with data of the test's, with errors
// that Odoo gives, and with what may happen on the way. In a test,
// odootest.New(t, "17.0") closes the server by itself.
func Example() {
	srv := odootest.NewServer(odootest.Config{Version: "17.0"})
	defer srv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	if _, err := srv.Create("res.partner", map[string]any{"name": "Juniper Books", "is_company": true}); err != nil {
		fmt.Println(err)
	}
	names, err := Customers(ctx, srv.URL, srv.Database, srv.Password)
	fmt.Println(names, err)

	_, err = Customers(ctx, srv.URL, srv.Database, "wrong")
	fmt.Println(err)

	srv.SetFault(odootest.Fault{Status: http.StatusBadGateway, Times: 1})
	_, err = Customers(ctx, srv.URL, srv.Database, srv.Password)
	fmt.Println(err)

	fmt.Println(srv.Calls()["res.partner.search_read"], "of", srv.TotalRequests(), "requests reached the records")
	// Output:
	// [Juniper Books Nile Logistics] <nil>
	// odoo refused: Access Denied
	// odoo answered 502 Bad Gateway
	// 1 of 3 requests reached the records
}
