package salesforcetest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

// A program asks a simulated org for a token and queries it.
func Example() {
	org := salesforcetest.NewServer(salesforcetest.Config{})
	defer org.Close()
	ctx := context.Background()

	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {org.ClientID}, "client_secret": {org.ClientSecret}}
	var token struct {
		AccessToken string `json:"access_token"`
		InstanceURL string `json:"instance_url"`
	}
	fetch(ctx, http.MethodPost, org.URL+"/services/oauth2/token", "", strings.NewReader(form.Encode()), &token)

	var found struct {
		TotalSize int
		Records   []struct {
			Name     string
			Contacts *struct{ Records []struct{ Name string } }
		}
	}
	soql := "SELECT Name, (SELECT Name FROM Contacts) FROM Account WHERE BillingCountryCode = 'DE'"
	fetch(ctx, http.MethodGet, token.InstanceURL+"/services/data/v62.0/query?q="+url.QueryEscape(soql), token.AccessToken, nil, &found)
	fmt.Println(found.TotalSize, found.Records[0].Name, found.Records[0].Contacts.Records[0].Name)
	// Output: 1 Nordlicht GmbH Jonas Weiß
}

func fetch(ctx context.Context, method, address, token string, body *strings.Reader, into any) {
	req, err := http.NewRequestWithContext(ctx, method, address, http.NoBody)
	if body != nil {
		req, err = http.NewRequestWithContext(ctx, method, address, body)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		fmt.Println(resp.Status, err)
	}
}

// Some records of a collection fail, as a validation rule would have it.
func ExampleServer_SetRecordFault() {
	org := salesforcetest.NewServer(salesforcetest.Config{NoDemo: true})
	defer org.Close()
	org.SetRecordFault(salesforcetest.RecordFault{Object: "Account", Contains: "closed", Message: "This customer is closed."})
	_, err := org.Create("Account", map[string]any{"Name": "A closed shop"})
	fmt.Println(err)
	// Output: Account: FIELD_CUSTOM_VALIDATION_EXCEPTION: This customer is closed.
}
