package saptest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
)

// Customers is the program under test: it asks an SAP system for the names of
// customers.
func Customers(ctx context.Context, system, user, password string) ([]string, error) {
	query := url.Values{"$filter": {"Customer ne ''"}, "$select": {"BusinessPartnerFullName"}, "$orderby": {"CreationDate desc,BusinessPartner desc"}, "$top": {"2"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, system+"/sap/opu/odata/sap/API_BUSINESS_PARTNER/A_BusinessPartner?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(user, password)
	req.Header.Set("Accept", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the system answered %s", resp.Status)
	}
	var answer struct {
		D struct {
			Results []struct{ BusinessPartnerFullName string }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	var names []string
	for _, r := range answer.D.Results {
		names = append(names, r.BusinessPartnerFullName)
	}
	return names, nil
}

// How to test a program of one's own: with data of the test's, with errors
// that the system gives, and with what may happen on the way. In a test,
// saptest.New(t) closes the server by itself.
func Example() {
	srv := saptest.NewServer(saptest.Config{})
	defer srv.Close()
	defer http.DefaultClient.CloseIdleConnections()
	ctx := context.Background()

	_, err := srv.Create("API_BUSINESS_PARTNER.A_BusinessPartner", map[string]any{
		"BusinessPartnerCategory": "2", "OrganizationBPName1": "Juniper Books",
		"to_BusinessPartnerRole": []map[string]any{{"BusinessPartnerRole": "FLCU01"}},
	})
	if err != nil {
		fmt.Println(err)
	}
	names, err := Customers(ctx, srv.URL, srv.Username, srv.Password)
	fmt.Println(names, err)

	_, err = Customers(ctx, srv.URL, srv.Username, "wrong")
	fmt.Println(err)

	srv.SetFault(saptest.Fault{Status: http.StatusBadGateway, Times: 1})
	_, err = Customers(ctx, srv.URL, srv.Username, srv.Password)
	fmt.Println(err)

	fmt.Println(srv.Calls()["GET API_BUSINESS_PARTNER.A_BusinessPartner"], "of", srv.TotalRequests(), "requests reached the records")
	// Output:
	// [Juniper Books Delta Office Supply] <nil>
	// the system answered 401 Unauthorized
	// the system answered 502 Bad Gateway
	// 1 of 3 requests reached the records
}
