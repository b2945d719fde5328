package salesforcetest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

// The shapes in these tests are those of the public REST API documentation.

func TestCreateReadUpdateDelete(t *testing.T) {
	c := newClient(t, fixed())
	r := c.do("POST", "/sobjects/Sample__c", map[string]any{"Name": "one", "Count__c": 7, "Ratio__c": 0.25, "Amount__c": 350000000, "Flag__c": true, "Day__c": "2026-01-31", "Moment__c": "2026-01-31T10:00:00+02:00"})
	require.Equal(t, 201, r.status)
	r.is(t, `{"id":"a00Wt0000000001IAA","success":true,"errors":[]}`)
	assert.Equal(t, "/services/data/v62.0/sobjects/Sample__c/a00Wt0000000001IAA", r.header.Get("Location"))
	assert.Equal(t, "application/json;charset=UTF-8", r.header.Get("Content-Type"))
	assert.Equal(t, "api-usage=1/100000", r.header.Get("Sforce-Limit-Info"))

	r = c.do("GET", "/sobjects/Sample__c/a00Wt0000000001?fields=Name,Count__c,Ratio__c,Amount__c,Flag__c,Day__c,Moment__c,CreatedDate,Parent__c", nil)
	require.Equal(t, 200, r.status)
	r.is(t, `{"attributes":{"type":"Sample__c","url":"/services/data/v62.0/sobjects/Sample__c/a00Wt0000000001IAA"},`+
		`"Name":"one","Count__c":7.0,"Ratio__c":0.25,"Amount__c":3.5E8,"Flag__c":true,"Day__c":"2026-01-31","Moment__c":"2026-01-31T08:00:00.000+0000",`+
		`"CreatedDate":"2026-03-04T12:00:00.000+0000","Parent__c":null,"Id":"a00Wt0000000001IAA"}`)

	r = c.do("PATCH", "/sobjects/Sample__c/a00Wt0000000001IAA", map[string]any{"Name": "two", "Amount__c": nil})
	assert.Equal(t, 204, r.status)
	assert.Empty(t, r.text)
	r = c.do("DELETE", "/sobjects/Sample__c/a00Wt0000000001IAA", nil)
	assert.Equal(t, 204, r.status)
	c.refused(c.do("GET", "/sobjects/Sample__c/a00Wt0000000001IAA", nil), 404, "NOT_FOUND")
	c.refused(c.do("DELETE", "/sobjects/Sample__c/a00Wt0000000001IAA", nil), 404, "ENTITY_IS_DELETED")
	c.refused(c.do("PATCH", "/sobjects/Sample__c/a00Wt0000000001IAA", map[string]any{"Name": "x"}), 404, "ENTITY_IS_DELETED")
	assert.Empty(t, c.names("SELECT Name FROM Sample__c"))
	r = c.do("GET", "/queryAll?q="+url.QueryEscape("SELECT Name, IsDeleted FROM Sample__c"), nil)
	assert.Equal(t, true, r.get("records.0.IsDeleted"))
}

func TestRefusedWrites(t *testing.T) {
	c := newClient(t, fixed())
	account := c.create("Account", map[string]any{"Name": "A", "External_Id__c": "x-1"})
	gone := c.create("Account", map[string]any{"Name": "B"})
	require.Equal(t, 204, c.do("DELETE", "/sobjects/Account/"+gone, nil).status)
	for _, test := range []struct {
		name, object, body, want string
		status                   int
	}{
		{"required", "Account", `{"Phone": "1"}`, `[{"message":"Required fields are missing: [Name]","errorCode":"REQUIRED_FIELD_MISSING","fields":["Name"]}]`, 400},
		{"required, blank", "Account", `{"Name": "  "}`, `[{"message":"Required fields are missing: [Name]","errorCode":"REQUIRED_FIELD_MISSING","fields":["Name"]}]`, 400},
		{"unknown field", "Account", `{"Name": "x", "Foo": 1}`, `[{"message":"No such column 'Foo' on sobject of type Account","errorCode":"INVALID_FIELD"}]`, 400},
		{"read-only", "Account", `{"Name": "x", "CreatedDate": "2026-01-01T00:00:00Z"}`, `[{"message":"Unable to create/update fields: CreatedDate. Please check the security settings of this field and verify that it is read/write for your profile or permission set.","errorCode":"INVALID_FIELD_FOR_INSERT_UPDATE","fields":["CreatedDate"]}]`, 400},
		{"computed", "Contact", `{"LastName": "x", "Name": "y"}`, `[{"message":"Unable to create/update fields: Name. Please check the security settings of this field and verify that it is read/write for your profile or permission set.","errorCode":"INVALID_FIELD_FOR_INSERT_UPDATE","fields":["Name"]}]`, 400},
		{"too long", "Sample__c", `{"Name": "` + strings.Repeat("é", 81) + `"}`, `[{"message":"Sample Name: data value too large: ` + strings.Repeat("é", 81) + ` (max length=80)","errorCode":"STRING_TOO_LONG","fields":["Name"]}]`, 400},
		{"number", "Sample__c", `{"Name": "x", "Count__c": 1000000000}`, `[{"message":"Count: value outside of valid range on numeric field: 1.0E9","errorCode":"NUMBER_OUTSIDE_VALID_RANGE","fields":["Count__c"]}]`, 400},
		{"choice", "Sample__c", `{"Name": "x", "Kind__c": "huge"}`, `[{"message":"Kind: bad value for restricted picklist field: huge","errorCode":"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST","fields":["Kind__c"]}]`, 400},
		{"e-mail", "Contact", `{"LastName": "x", "Email": "nonsense"}`, `[{"message":"Email: invalid email address: nonsense","errorCode":"INVALID_EMAIL_ADDRESS","fields":["Email"]}]`, 400},
		{"unique", "Account", `{"Name": "x", "External_Id__c": "X-1"}`, `[{"message":"duplicate value found: External_Id__c duplicates value on record with id: ` + account + `","errorCode":"DUPLICATE_VALUE","fields":[]}]`, 400},
		{"malformed id", "Contact", `{"LastName": "x", "AccountId": "nonsense"}`, `[{"message":"Account ID: id value of incorrect type: nonsense","errorCode":"MALFORMED_ID","fields":["AccountId"]}]`, 400},
		{"id of another object", "Contact", `{"LastName": "x", "AccountId": "` + c.srv.UserID + `"}`, `[{"message":"Account ID: id value of incorrect type: ` + c.srv.UserID + `","errorCode":"MALFORMED_ID","fields":["AccountId"]}]`, 400},
		{"id of nothing", "Contact", `{"LastName": "x", "AccountId": "001Wt0000000zzz"}`, `[{"message":"invalid cross reference id","errorCode":"INVALID_CROSS_REFERENCE_KEY","fields":[]}]`, 400},
		{"deleted parent", "Contact", `{"LastName": "x", "AccountId": "` + gone + `"}`, `[{"message":"entity is deleted","errorCode":"ENTITY_IS_DELETED","fields":[]}]`, 400},
		{"wrong type", "Sample__c", `{"Name": "x", "Count__c": "many"}`, `[{"message":"Cannot deserialize instance of double from VALUE_STRING value many or request may be missing a required field at [line:1, column:1]","errorCode":"JSON_PARSER_ERROR"}]`, 400},
		{"no date", "Sample__c", `{"Name": "x", "Day__c": "2026-02-30"}`, `[{"message":"Cannot deserialize instance of date from VALUE_STRING value 2026-02-30 or request may be missing a required field at [line:1, column:1]","errorCode":"JSON_PARSER_ERROR"}]`, 400},
		{"unknown object", "Nothing__c", `{}`, `[{"message":"The requested resource does not exist","errorCode":"NOT_FOUND"}]`, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := c.srv.Count(test.object)
			r := c.do("POST", "/sobjects/"+test.object, test.body)
			assert.Equal(t, test.want, r.text)
			assert.Equal(t, test.status, r.status)
			assert.Equal(t, before, c.srv.Count(test.object))
		})
	}
	c.refused(c.do("POST", "/sobjects/Account", `{"Name": `), 400, "JSON_PARSER_ERROR")
	c.refused(c.with("Content-Type", "text/plain").do("POST", "/sobjects/Account", `{"Name": "x"}`), 415, "UNSUPPORTED_MEDIA_TYPE")
	c.refused(c.do("PUT", "/sobjects/Account", `{}`), 405, "METHOD_NOT_ALLOWED")
}

func TestExternalIDs(t *testing.T) {
	c := newClient(t, fixed())
	r := c.do("PATCH", "/sobjects/Account/External_Id__c/a%2F1", map[string]any{"Name": "A"})
	assert.Equal(t, 201, r.status)
	r.is(t, `{"id":"001Wt0000000001IAA","success":true,"errors":[],"created":true}`)
	r = c.do("PATCH", "/sobjects/Account/External_Id__c/a%2F1", map[string]any{"Name": "B"})
	assert.Equal(t, 200, r.status)
	r.is(t, `{"id":"001Wt0000000001IAA","success":true,"errors":[],"created":false}`)
	r = c.do("GET", "/sobjects/Account/External_Id__c/a%2F1", nil)
	assert.Equal(t, "B", r.get("Name"))
	c.refused(c.do("PATCH", "/sobjects/Account/External_Id__c/other?updateOnly=true", map[string]any{"Name": "B"}), 404, "NOT_FOUND")

	// A reference may be given by external id.
	c.create("Contact", map[string]any{"LastName": "L", "Account": map[string]any{"External_Id__c": "a/1"}})
	assert.Equal(t, "001Wt0000000001IAA", c.query("SELECT AccountId FROM Contact").get("records.0.AccountId"))

	// Of an external id that is not unique, several records may have it.
	require.NoError(t, c.srv.AddObject(salesforcetest.Object{Name: "Loose__c", Fields: []salesforcetest.Field{{Name: "Key__c", Type: salesforcetest.TypeString, ExternalID: true}}}))
	first, second := c.create("Loose__c", map[string]any{"Key__c": "k"}), c.create("Loose__c", map[string]any{"Key__c": "k"})
	r = c.do("PATCH", "/sobjects/Loose__c/Key__c/k", map[string]any{})
	assert.Equal(t, 300, r.status)
	r.is(t, `["/services/data/v62.0/sobjects/Loose__c/`+first+`","/services/data/v62.0/sobjects/Loose__c/`+second+`"]`)
	assert.Equal(t, "a01", first[:3])
	assert.Equal(t, 204, c.do("DELETE", "/sobjects/Account/External_Id__c/a%2F1", nil).status)
}

func TestConditionalRequests(t *testing.T) {
	now := noon
	config := fixed()
	config.Now = func() time.Time { return now }
	c := newClient(t, config)
	account, sample := c.create("Account", map[string]any{"Name": "A"}), c.create("Sample__c", map[string]any{"Name": "S"})

	r := c.do("GET", "/sobjects/Account/"+account, nil)
	tag := r.header.Get("ETag")
	require.NotEmpty(t, tag)
	assert.Equal(t, 304, c.with("If-None-Match", tag).do("GET", "/sobjects/Account/"+account, nil).status)
	assert.Equal(t, 200, c.with("If-Match", `"other", `+tag).do("GET", "/sobjects/Account/"+account, nil).status)
	assert.Equal(t, 412, c.with("If-Match", `"other"`).do("PATCH", "/sobjects/Account/"+account, map[string]any{"Name": "B"}).status)
	assert.Equal(t, 204, c.with("If-Match", tag).do("PATCH", "/sobjects/Account/"+account, map[string]any{"Name": "B"}).status)
	assert.Equal(t, 412, c.with("If-Match", tag).do("PATCH", "/sobjects/Account/"+account, map[string]any{"Name": "C"}).status)

	// Entity tags are for Account alone; dates are for all.
	r = c.do("GET", "/sobjects/Sample__c/"+sample, nil)
	assert.Empty(t, r.header.Get("ETag"))
	modified := r.header.Get("Last-Modified")
	assert.Equal(t, noon.Format(http.TimeFormat), modified)
	assert.Equal(t, 304, c.with("If-Modified-Since", modified).do("GET", "/sobjects/Sample__c/"+sample, nil).status)
	assert.Equal(t, 204, c.with("If-Unmodified-Since", modified).do("PATCH", "/sobjects/Sample__c/"+sample, map[string]any{"Name": "T"}).status)
	now = now.Add(time.Second)
	assert.Equal(t, 204, c.do("PATCH", "/sobjects/Sample__c/"+sample, map[string]any{"Name": "U"}).status)
	r = c.with("If-Unmodified-Since", modified).do("PATCH", "/sobjects/Sample__c/"+sample, map[string]any{"Name": "V"})
	c.refused(r, 412, "PRECONDITION_FAILED")
	assert.Equal(t, 200, c.with("If-Modified-Since", modified).do("GET", "/sobjects/Sample__c/"+sample, nil).status)
	assert.Equal(t, 400, c.with("If-Unmodified-Since", "yesterday").do("PATCH", "/sobjects/Sample__c/"+sample, map[string]any{"Name": "V"}).status)

	r = c.do("GET", "/sobjects/Sample__c/describe", nil)
	assert.Equal(t, 304, c.with("If-Modified-Since", r.header.Get("Last-Modified")).do("GET", "/sobjects/Sample__c/describe", nil).status)
	now = now.Add(time.Hour)
	require.NoError(t, c.srv.AddField("Sample__c", salesforcetest.Field{Name: "New__c", Type: salesforcetest.TypeString}))
	assert.Equal(t, 200, c.with("If-Modified-Since", r.header.Get("Last-Modified")).do("GET", "/sobjects/Sample__c/describe", nil).status)
	assert.Equal(t, []string{"U"}, c.names("SELECT Name FROM Sample__c WHERE New__c = null"), "the records stay")
	require.NoError(t, c.srv.RemoveField("Sample__c", "New__c"))
	c.refused(c.query("SELECT New__c FROM Sample__c"), 400, "INVALID_FIELD")
}

func TestDescribe(t *testing.T) {
	c := newClient(t, fixed())
	r := c.do("GET", "/sobjects", nil)
	assert.Equal(t, "UTF-8", r.get("encoding"))
	var names []string
	for _, o := range r.get("sobjects").([]any) {
		names = append(names, o.(map[string]any)["name"].(string))
	}
	assert.Equal(t, c.srv.Objects(), names)
	assert.Subset(t, names, []string{"Account", "Contact", "Lead", "Opportunity", "OpportunityLineItem", "Product2", "Pricebook2", "PricebookEntry", "Order", "OrderItem", "User", "Task", "ContentVersion", "ContentDocument", "ContentDocumentLink", "Sample__c"})

	r = c.do("GET", "/sobjects/OrderItem/describe", nil)
	fields := map[string]map[string]any{}
	for _, f := range r.get("fields").([]any) {
		f := f.(map[string]any)
		fields[f["name"].(string)] = f
	}
	entry := fields["PricebookEntryId"]
	assert.Equal(t, "reference", entry["type"])
	assert.Equal(t, []any{"PricebookEntry"}, entry["referenceTo"])
	assert.Equal(t, "PricebookEntry", entry["relationshipName"])
	assert.Equal(t, []any{true, false, false}, []any{entry["createable"], entry["updateable"], entry["nillable"]})
	assert.Equal(t, true, fields["OrderItemNumber"]["autoNumber"])
	assert.Equal(t, false, fields["TotalPrice"]["createable"])
	r = c.do("GET", "/sobjects/Order/describe", nil)
	found := false
	for _, child := range r.get("childRelationships").([]any) {
		child := child.(map[string]any)
		if child["relationshipName"] == "OrderItems" {
			found = true
			assert.Equal(t, []any{"OrderItem", "OrderId", true}, []any{child["childSObject"], child["field"], child["cascadeDelete"]})
		}
	}
	assert.True(t, found, "OrderItems")
	r = c.do("GET", "/sobjects/Sample__c/describe", nil)
	types := map[string]string{}
	for _, f := range r.get("fields").([]any) {
		f := f.(map[string]any)
		types[f["name"].(string)] = f["type"].(string)
		if f["name"] == "Kind__c" {
			assert.Equal(t, true, f["restrictedPicklist"])
			assert.Equal(t, map[string]any{"active": true, "defaultValue": false, "label": "small", "validFor": nil, "value": "small"}, f["picklistValues"].([]any)[0])
		}
	}
	assert.Subset(t, types, map[string]string{"Name": "string", "Note__c": "textarea", "Count__c": "double", "Flag__c": "boolean", "Day__c": "date", "Moment__c": "datetime", "Kind__c": "picklist", "Parent__c": "reference", "Amount__c": "currency", "Tags__c": "multipicklist", "Mail__c": "email"})

	r = c.do("GET", "/services/data", nil)
	list := r.body.([]any)
	assert.Equal(t, map[string]any{"label": "Winter '25", "url": "/services/data/v62.0", "version": "62.0"}, list[len(list)-1])
	r = c.do("GET", "/services/data/v62.0/", nil)
	assert.Equal(t, "/services/data/v62.0/sobjects", r.get("sobjects"))
	c.refused(c.do("GET", "/services/data/v63.0/sobjects", nil), 404, "NOT_FOUND")
	r = c.do("GET", "/limits", nil)
	assert.NotNil(t, r.get("DailyApiRequests.Remaining"))
}

func TestAddresses(t *testing.T) {
	c := newClient(t, fixed())
	id := c.create("Account", map[string]any{"Name": "A", "BillingCountryCode": "us", "BillingState": "texas", "BillingCity": "Austin"})
	r := c.do("GET", "/sobjects/Account/"+id+"?fields=BillingAddress", nil)
	assert.Equal(t, map[string]any{"city": "Austin", "country": "United States", "countryCode": "US", "geocodeAccuracy": nil, "latitude": nil, "longitude": nil, "postalCode": nil, "state": "Texas", "stateCode": "TX", "street": nil}, r.get("BillingAddress"))
	c.refused(c.do("PATCH", "/sobjects/Account/"+id, map[string]any{"BillingCountry": "Atlantis"}), 400, "FIELD_INTEGRITY_EXCEPTION")
	c.refused(c.do("PATCH", "/sobjects/Account/"+id, map[string]any{"BillingCountry": "Germany", "BillingCountryCode": "FR"}), 400, "FIELD_INTEGRITY_EXCEPTION")
	c.refused(c.do("PATCH", "/sobjects/Account/"+id, map[string]any{"ShippingState": "Texas"}), 400, "FIELD_INTEGRITY_EXCEPTION")
	require.Equal(t, 204, c.do("PATCH", "/sobjects/Account/"+id, map[string]any{"BillingCountry": "Saudi Arabia"}).status)
	r = c.query("SELECT BillingCountryCode, BillingState, BillingStateCode FROM Account")
	assert.Equal(t, "SA", r.get("records.0.BillingCountryCode"))
	assert.Nil(t, r.get("records.0.BillingState"), "a state goes with its country")
}

func TestSelling(t *testing.T) {
	c := newClient(t, fixed())
	standard := c.srv.StandardPricebookID
	account := c.create("Account", map[string]any{"Name": "A"})
	desk := c.create("Product2", map[string]any{"Name": "Desk", "ProductCode": "D-1", "IsActive": true})
	book := c.create("Pricebook2", map[string]any{"Name": "Special", "IsActive": true})
	c.refused(c.do("POST", "/sobjects/PricebookEntry", map[string]any{"Pricebook2Id": book, "Product2Id": desk, "UnitPrice": 5, "IsActive": true}), 400, "STANDARD_PRICE_NOT_DEFINED")
	entry := c.create("PricebookEntry", map[string]any{"Pricebook2Id": standard, "Product2Id": desk, "UnitPrice": 10, "IsActive": true})
	c.refused(c.do("POST", "/sobjects/PricebookEntry", map[string]any{"Pricebook2Id": standard, "Product2Id": desk, "UnitPrice": 5}), 400, "DUPLICATE_VALUE")
	special := c.create("PricebookEntry", map[string]any{"Pricebook2Id": book, "Product2Id": desk, "UnitPrice": 5, "IsActive": true})

	order := map[string]any{"AccountId": account, "EffectiveDate": "2026-03-04", "Status": "Activated", "Pricebook2Id": standard}
	c.refused(c.do("POST", "/sobjects/Order", order), 400, "FAILED_ACTIVATION")
	delete(order, "Status")
	message := c.refused(c.do("POST", "/sobjects/Order", order), 400, "REQUIRED_FIELD_MISSING")
	assert.Contains(t, message, "Status")
	order["Status"] = "Draft"
	id := c.create("Order", order)
	c.refused(c.do("PATCH", "/sobjects/Order/"+id, map[string]any{"Status": "Activated"}), 400, "FAILED_ACTIVATION")
	c.refused(c.do("POST", "/sobjects/OrderItem", map[string]any{"OrderId": id, "PricebookEntryId": special, "Quantity": 1, "UnitPrice": 1}), 400, "FIELD_INTEGRITY_EXCEPTION")
	c.refused(c.do("POST", "/sobjects/OrderItem", map[string]any{"OrderId": id, "Quantity": 1, "UnitPrice": 1}), 400, "REQUIRED_FIELD_MISSING")
	line := c.create("OrderItem", map[string]any{"OrderId": id, "PricebookEntryId": entry, "Quantity": 3, "UnitPrice": 9.99})
	c.create("OrderItem", map[string]any{"OrderId": id, "PricebookEntryId": entry, "Quantity": 1, "UnitPrice": 0.03})
	r := c.query("SELECT OrderNumber, TotalAmount, (SELECT Product2.Name, ListPrice, TotalPrice FROM OrderItems ORDER BY TotalPrice DESC) FROM Order")
	assert.Equal(t, "00000001", r.get("records.0.OrderNumber"))
	assert.EqualValues(t, "30.0", r.get("records.0.TotalAmount"))
	assert.Equal(t, "Desk", r.get("records.0.OrderItems.records.0.Product2.Name"))
	assert.EqualValues(t, "29.97", r.get("records.0.OrderItems.records.0.TotalPrice"))
	assert.EqualValues(t, "10.0", r.get("records.0.OrderItems.records.0.ListPrice"))
	require.Equal(t, 204, c.do("PATCH", "/sobjects/OrderItem/"+line, map[string]any{"Quantity": 2}).status)
	assert.EqualValues(t, "20.01", c.query("SELECT TotalAmount FROM Order").get("records.0.TotalAmount"))
	c.refused(c.do("PATCH", "/sobjects/OrderItem/"+line, map[string]any{"PricebookEntryId": special}), 400, "INVALID_FIELD_FOR_INSERT_UPDATE")

	require.Equal(t, 204, c.do("PATCH", "/sobjects/Order/"+id, map[string]any{"Status": "Activated"}).status)
	assert.Contains(t, c.refused(c.do("DELETE", "/sobjects/Account/"+account, nil), 400, "DELETE_FAILED"), "00000001")
	c.refused(c.do("DELETE", "/sobjects/Order/"+id, nil), 400, "DELETE_FAILED")
	c.refused(c.do("DELETE", "/sobjects/Product2/"+desk, nil), 400, "DELETE_FAILED")
	require.Equal(t, 204, c.do("PATCH", "/sobjects/Order/"+id, map[string]any{"Status": "Draft"}).status)
	require.Equal(t, 204, c.do("DELETE", "/sobjects/Order/"+id, nil).status)
	assert.Equal(t, 0, c.srv.Count("OrderItem"), "lines go with their order")
	require.Equal(t, 204, c.do("DELETE", "/sobjects/Product2/"+desk, nil).status)
	assert.Equal(t, 0, c.srv.Count("PricebookEntry"))

	contact := c.create("Contact", map[string]any{"FirstName": "Ada", "LastName": "Byron", "AccountId": account})
	assert.Equal(t, []string{"Ada Byron"}, c.names("SELECT Name FROM Contact"))
	require.Equal(t, 204, c.do("PATCH", "/sobjects/Contact/"+contact, map[string]any{"LastName": "Lovelace"}).status)
	assert.Equal(t, []string{"Ada Lovelace"}, c.names("SELECT Name FROM Contact"))
	require.Equal(t, 204, c.do("DELETE", "/sobjects/Account/"+account, nil).status)
	assert.Equal(t, 0, c.srv.Count("Contact"), "contacts go with their account")
}

func TestChanges(t *testing.T) {
	now := noon
	config := fixed()
	config.Now, config.TokenLifetime = func() time.Time { return now }, 30*24*time.Hour
	c := newClient(t, config)
	old := c.create("Account", map[string]any{"Name": "old"})
	now = now.Add(time.Hour)
	changed, gone := c.create("Account", map[string]any{"Name": "changed"}), c.create("Account", map[string]any{"Name": "gone"})
	require.Equal(t, 204, c.do("DELETE", "/sobjects/Account/"+gone, nil).status)
	now = now.Add(10 * time.Minute)
	span := "?start=2026-03-04T12%3A59%3A00%2B00%3A00&end=2026-03-04T13%3A30%3A00Z"
	r := c.do("GET", "/sobjects/Account/updated"+span, nil)
	r.is(t, `{"ids":["`+changed+`"],"latestDateCovered":"2026-03-04T13:10:00.000+0000"}`)
	r = c.do("GET", "/sobjects/Account/deleted"+span, nil)
	r.is(t, `{"deletedRecords":[{"deletedDate":"2026-03-04T13:00:00.000+0000","id":"`+gone+`"}],"earliestDateAvailable":"2026-02-17T12:00:00.000+0000","latestDateCovered":"2026-03-04T13:10:00.000+0000"}`)
	r = c.do("GET", "/sobjects/Account/updated?start=2026-03-04T11%3A00%3A00Z&end=2026-03-04T12%3A30%3A00Z", nil)
	assert.Equal(t, []any{old}, r.get("ids"))
	for _, bad := range []string{"?start=x&end=y", "?start=2026-03-04T12:00:00Z&end=2026-03-04T12:00:10Z", "?start=2026-01-01T12:00:00Z&end=2026-03-04T12:00:00Z", "?start=2026-03-04T12:00:00Z&end=2026-03-03T12:00:00Z"} {
		c.refused(c.do("GET", "/sobjects/Account/updated"+bad, nil), 400, "INVALID_REPLICATION_DATE")
	}
	c.refused(c.do("GET", "/sobjects/Account/deleted?start=2026-03-04T12:00:00Z&end=2026-03-04T12:01:00Z", nil), 400, "INVALID_REPLICATION_DATE")

	now = now.AddDate(0, 0, 16)
	assert.Equal(t, []any{changed}, c.do("GET", "/sobjects/Account/updated"+span, nil).get("ids"))
	assert.Empty(t, c.do("GET", "/sobjects/Account/deleted"+span, nil).get("deletedRecords"), "deletions are told for 15 days")
}

func TestFiles(t *testing.T) {
	c := newClient(t, fixed())
	account := c.create("Account", map[string]any{"Name": "A"})
	body := "--cut\r\nContent-Disposition: form-data; name=\"entity_content\"\r\nContent-Type: application/json\r\n\r\n" +
		`{"Title": "Note", "PathOnClient": "note.txt", "FirstPublishLocationId": "` + account + `"}` +
		"\r\n--cut\r\nContent-Disposition: form-data; name=\"VersionData\"; filename=\"note.txt\"\r\nContent-Type: application/octet-stream\r\n\r\n\x00\xff hello\r\n--cut--\r\n"
	r := c.with("Content-Type", "multipart/form-data; boundary=cut").do("POST", "/sobjects/ContentVersion", body)
	require.Equal(t, 201, r.status, r.text)
	version := r.get("id").(string)
	r = c.do("GET", "/sobjects/ContentVersion/"+version, nil)
	assert.Equal(t, "/services/data/v62.0/sobjects/ContentVersion/"+version+"/VersionData", r.get("VersionData"))
	assert.EqualValues(t, "8", r.get("ContentSize"))
	document := r.get("ContentDocumentId").(string)
	r = c.do("GET", "/sobjects/ContentVersion/"+version+"/VersionData", nil)
	assert.Equal(t, "\x00\xff hello", r.text)
	r = c.query("SELECT ContentDocument.Title, ContentDocument.LatestPublishedVersionId, ShareType FROM ContentDocumentLink WHERE LinkedEntityId = '" + account + "'")
	assert.Equal(t, "Note", r.get("records.0.ContentDocument.Title"))
	assert.Equal(t, version, r.get("records.0.ContentDocument.LatestPublishedVersionId"))
	c.refused(c.query("SELECT Id FROM ContentDocumentLink"), 400, "MALFORMED_QUERY")

	second := c.create("ContentVersion", map[string]any{"ContentDocumentId": document, "PathOnClient": "note.txt", "VersionData": "aGk="})
	assert.Equal(t, second, c.query("SELECT LatestPublishedVersionId FROM ContentDocument").get("records.0.LatestPublishedVersionId"))
	assert.Equal(t, 405, c.do("DELETE", "/sobjects/ContentVersion/"+second, nil).status)
	require.Equal(t, 204, c.do("DELETE", "/sobjects/ContentDocument/"+document, nil).status)
	assert.Equal(t, 0, c.srv.Count("ContentVersion"))
	assert.Equal(t, 0, c.srv.Count("ContentDocumentLink"))
}
