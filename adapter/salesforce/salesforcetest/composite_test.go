package salesforcetest_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

func sample(values map[string]any) map[string]any {
	values["attributes"] = map[string]any{"type": "Sample__c"}
	return values
}

func TestCollections(t *testing.T) {
	c := newClient(t, fixed())
	const rolledBack = `{"statusCode":"ALL_OR_NONE_OPERATION_ROLLED_BACK","message":"Record rolled back because not all records were valid and the request was using AllOrNone header","fields":[]}`
	const missing = `{"success":false,"errors":[{"statusCode":"REQUIRED_FIELD_MISSING","message":"Required fields are missing: [Name]","fields":["Name"]}]}`
	two := []any{sample(map[string]any{"Name": "a"}), sample(map[string]any{"Note__c": "x"})}

	r := c.do("POST", "/composite/sobjects", map[string]any{"allOrNone": true, "records": two})
	assert.Equal(t, 200, r.status)
	r.is(t, `[{"success":false,"errors":[`+rolledBack+`]},`+missing+`]`)
	assert.Equal(t, 0, c.srv.Count("Sample__c"))
	r = c.do("POST", "/composite/sobjects", map[string]any{"records": two})
	r.is(t, `[{"id":"a00Wt0000000002IAA","success":true,"errors":[]},`+missing+`]`)
	assert.Equal(t, 1, c.srv.Count("Sample__c"))

	r = c.do("PATCH", "/composite/sobjects", map[string]any{"records": []any{sample(map[string]any{"id": "a00Wt0000000002", "Name": "b"}), sample(map[string]any{"Id": "a00Wt0000000009", "Name": "c"}), sample(map[string]any{"Name": "d"})}})
	r.is(t, `[{"id":"a00Wt0000000002IAA","success":true,"errors":[]},{"success":false,"errors":[{"statusCode":"INVALID_CROSS_REFERENCE_KEY","message":"invalid cross reference id","fields":[]}]},{"success":false,"errors":[{"statusCode":"MISSING_ARGUMENT","message":"Id not specified in an update call","fields":[]}]}]`)
	r = c.do("GET", "/composite/sobjects/Sample__c?ids=a00Wt0000000002IAA,a00Wt0000000009AAA&fields=Name", nil)
	r.is(t, `[{"attributes":{"type":"Sample__c","url":"/services/data/v62.0/sobjects/Sample__c/a00Wt0000000002IAA"},"Name":"b","Id":"a00Wt0000000002IAA"},null]`)
	r = c.do("POST", "/composite/sobjects/Sample__c", map[string]any{"ids": []string{"a00Wt0000000002IAA"}, "fields": []string{"Name"}})
	assert.Equal(t, "b", r.get("0.Name"))

	r = c.do("PATCH", "/composite/sobjects/Sample__c/External_Id__c", map[string]any{"records": []any{sample(map[string]any{"External_Id__c": "k1", "Name": "k1"}), sample(map[string]any{"External_Id__c": "k1", "Name": "again"}), sample(map[string]any{"Name": "none"})}})
	assert.Equal(t, true, r.get("0.created"))
	assert.Equal(t, "DUPLICATE_VALUE", r.get("1.errors.0.statusCode"))
	assert.Equal(t, "MISSING_ARGUMENT", r.get("2.errors.0.statusCode"))
	r = c.do("PATCH", "/composite/sobjects/Sample__c/External_Id__c", map[string]any{"records": []any{sample(map[string]any{"External_Id__c": "k1", "Name": "k2"})}})
	assert.Equal(t, false, r.get("0.created"))

	r = c.do("DELETE", "/composite/sobjects?ids=a00Wt0000000002IAA,nonsense&allOrNone=true", nil)
	r.is(t, `[{"id":"a00Wt0000000002IAA","success":false,"errors":[`+rolledBack+`]},{"success":false,"errors":[{"statusCode":"MALFORMED_ID","message":"malformed id nonsense","fields":[]}]}]`)
	r = c.do("DELETE", "/composite/sobjects?ids=a00Wt0000000002IAA,nonsense", nil)
	assert.Equal(t, true, r.get("0.success"))

	// Whatever is not well-formed makes the whole call a bad one.
	var many []any
	for i := range 201 {
		many = append(many, sample(map[string]any{"Name": strconv.Itoa(i)}))
	}
	c.refused(c.do("POST", "/composite/sobjects", map[string]any{"records": many}), 400, "EXCEEDED_MAX_SIZE_REQUEST")
	c.refused(c.do("POST", "/composite/sobjects", map[string]any{"records": []any{sample(map[string]any{"Name": "a", "Foo": 1})}}), 400, "INVALID_FIELD")
	c.refused(c.do("POST", "/composite/sobjects", map[string]any{"records": []any{map[string]any{"Name": "a"}}}), 400, "INVALID_TYPE")
	var chunks []any
	for i := range 12 {
		kind := []string{"Account", "Sample__c"}[i%2]
		chunks = append(chunks, map[string]any{"attributes": map[string]any{"type": kind}, "Name": "x"})
	}
	c.refused(c.do("POST", "/composite/sobjects", map[string]any{"records": chunks}), 400, "INVALID_INPUT")
}

func TestTree(t *testing.T) {
	c := newClient(t, fixed())
	record := func(reference, name string, children ...any) map[string]any {
		m := map[string]any{"attributes": map[string]any{"type": "Sample__c", "referenceId": reference}, "Name": name}
		if children != nil {
			m["Children__r"] = map[string]any{"records": children}
		}
		return m
	}
	r := c.do("POST", "/composite/tree/Sample__c", map[string]any{"records": []any{record("r1", "a", record("r2", "b"), record("r3", "c")), record("r4", "d")}})
	assert.Equal(t, 201, r.status)
	r.is(t, `{"hasErrors":false,"results":[{"referenceId":"r1","id":"a00Wt0000000001IAA"},{"referenceId":"r2","id":"a00Wt0000000002IAA"},{"referenceId":"r3","id":"a00Wt0000000003IAA"},{"referenceId":"r4","id":"a00Wt0000000004IAA"}]}`)
	assert.Equal(t, []string{"b", "c"}, c.names("SELECT Name FROM Sample__c WHERE Parent__r.Name = 'a'"))

	bad := record("r3", "z")
	bad["Mail__c"] = "nonsense"
	r = c.do("POST", "/composite/tree/Sample__c", map[string]any{"records": []any{record("r1", "x", record("r2", "y"), bad)}})
	assert.Equal(t, 400, r.status)
	r.is(t, `{"hasErrors":true,"results":[{"referenceId":"r3","errors":[{"statusCode":"INVALID_EMAIL_ADDRESS","message":"Mail: invalid email address: nonsense","fields":["Mail__c"]}]}]}`)
	assert.Equal(t, 4, c.srv.Count("Sample__c"), "all or none")
	bad["Foo"] = 1
	c.refused(c.do("POST", "/composite/tree/Sample__c", map[string]any{"records": []any{record("r1", "x"), bad}}), 400, "INVALID_FIELD")
	assert.Equal(t, 4, c.srv.Count("Sample__c"))
	r = c.do("POST", "/composite/tree/Sample__c", map[string]any{"records": []any{record("r1", "x"), record("r1", "y")}})
	assert.Equal(t, "INVALID_INPUT", r.get("results.0.errors.0.statusCode"))
}

func TestComposite(t *testing.T) {
	c := newClient(t, fixed())
	v := "/services/data/v62.0"
	order := func(contact map[string]any, allOrNone bool) map[string]any {
		return map[string]any{"allOrNone": allOrNone, "compositeRequest": []any{
			map[string]any{"method": "POST", "url": v + "/sobjects/Account", "referenceId": "refAccount", "body": map[string]any{"Name": "Composite"}},
			map[string]any{"method": "POST", "url": v + "/sobjects/Contact", "referenceId": "refContact", "body": contact},
			map[string]any{"method": "GET", "url": v + "/query?q=SELECT+Name,Account.Name+FROM+Contact+WHERE+AccountId='@{refAccount.id}'", "referenceId": "found"},
			map[string]any{"method": "GET", "url": v + "/sobjects/Account/@{refAccount.id}?fields=Name", "referenceId": "again"},
		}}
	}
	r := c.do("POST", "/composite", order(map[string]any{"LastName": "L", "AccountId": "@{refAccount.id}"}, true))
	assert.Equal(t, 200, r.status)
	assert.EqualValues(t, "201", r.get("compositeResponse.0.httpStatusCode"))
	assert.Equal(t, v+"/sobjects/Account/001Wt0000000001IAA", r.get("compositeResponse.0.httpHeaders.Location"))
	assert.Equal(t, "Composite", r.get("compositeResponse.2.body.records.0.Account.Name"))
	assert.Equal(t, "Composite", r.get("compositeResponse.3.body.Name"))

	halted := []any{map[string]any{"errorCode": "PROCESSING_HALTED", "message": "The transaction was rolled back since another operation in the same transaction failed."}}
	r = c.do("POST", "/composite", order(map[string]any{"LastName": "L", "Email": "nonsense"}, true))
	assert.Equal(t, halted, r.get("compositeResponse.0.body"))
	assert.Equal(t, "INVALID_EMAIL_ADDRESS", r.get("compositeResponse.1.body.0.errorCode"))
	assert.Equal(t, halted, r.get("compositeResponse.3.body"))
	assert.EqualValues(t, "400", r.get("compositeResponse.0.httpStatusCode"))
	assert.Equal(t, 1, c.srv.Count("Account"))
	r = c.do("POST", "/composite", order(map[string]any{"Email": "nonsense"}, false))
	assert.EqualValues(t, "201", r.get("compositeResponse.0.httpStatusCode"))
	assert.EqualValues(t, "200", r.get("compositeResponse.3.httpStatusCode"))
	assert.Equal(t, 2, c.srv.Count("Account"))

	graph := func(id string, contact map[string]any) map[string]any {
		return map[string]any{"graphId": id, "compositeRequest": order(contact, true)["compositeRequest"].([]any)[:2]}
	}
	r = c.do("POST", "/composite/graph", map[string]any{"graphs": []any{graph("1", map[string]any{"LastName": "L"}), graph("2", map[string]any{})}})
	assert.Equal(t, true, r.get("graphs.0.isSuccessful"))
	assert.Equal(t, "1", r.get("graphs.0.graphId"))
	assert.Equal(t, false, r.get("graphs.1.isSuccessful"))
	assert.Equal(t, halted, r.get("graphs.1.graphResponse.compositeResponse.0.body"))
	assert.Equal(t, 3, c.srv.Count("Account"), "each graph is done whole or not at all")
	var nodes []any
	for i := range 16 {
		nodes = append(nodes, map[string]any{"method": "POST", "url": fmt.Sprintf("/services/data/v62.0/sobjects/Kind%d__c", i), "referenceId": fmt.Sprintf("n%d", i), "body": map[string]any{}})
	}
	c.refused(c.do("POST", "/composite/graph", map[string]any{"graphs": []any{map[string]any{"graphId": "1", "compositeRequest": nodes}}}), 400, "LIMIT_EXCEEDED")
	assert.Equal(t, false, c.do("POST", "/composite/graph", map[string]any{"graphs": []any{map[string]any{"graphId": "1", "compositeRequest": nodes[:15]}}}).get("graphs.0.isSuccessful"))

	r = c.do("POST", "/composite/batch", map[string]any{"haltOnError": true, "batchRequests": []any{
		map[string]any{"method": "PATCH", "url": "v62.0/sobjects/Account/001Wt0000000001IAA", "richInput": map[string]any{"Name": "Renamed"}},
		map[string]any{"method": "GET", "url": "v62.0/sobjects/Account/001Wt0000000001IAA?fields=Name"},
		map[string]any{"method": "GET", "url": "v62.0/sobjects/Nothing"},
		map[string]any{"method": "GET", "url": "v62.0/limits"},
	}})
	assert.Equal(t, true, r.get("hasErrors"))
	assert.EqualValues(t, "204", r.get("results.0.statusCode"))
	assert.Nil(t, r.get("results.0.result"))
	assert.Equal(t, "Renamed", r.get("results.1.result.Name"))
	assert.EqualValues(t, "404", r.get("results.2.statusCode"))
	assert.EqualValues(t, "412", r.get("results.3.statusCode"))

	part := map[string]any{"method": "GET", "url": v + "/limits", "referenceId": "x"}
	c.refused(c.do("POST", "/composite", map[string]any{"compositeRequest": []any{part, part}}), 400, "INVALID_INPUT")
}

// TestSideEffectsOfFailures holds that a record that fails among others leaves
// nothing of what it set elsewhere.
func TestSideEffectsOfFailures(t *testing.T) {
	c := newClient(t, fixed())
	product := c.create("Product2", map[string]any{"Name": "Desk"})
	entry := c.create("PricebookEntry", map[string]any{"Pricebook2Id": c.srv.StandardPricebookID, "Product2Id": product, "UnitPrice": 10, "IsActive": true})
	opportunity := c.create("Opportunity", map[string]any{"Name": "O", "StageName": "Prospecting", "CloseDate": "2026-12-31"})
	line := map[string]any{"attributes": map[string]any{"type": "OpportunityLineItem"}, "OpportunityId": opportunity, "PricebookEntryId": entry}
	r := c.do("POST", "/composite/sobjects", map[string]any{"records": []any{line}})
	assert.Equal(t, "REQUIRED_FIELD_MISSING", r.get("0.errors.0.statusCode"))
	assert.Nil(t, c.query("SELECT Pricebook2Id FROM Opportunity").get("records.0.Pricebook2Id"))
	line["Quantity"] = 3
	r = c.do("POST", "/composite/sobjects", map[string]any{"records": []any{line}})
	assert.Equal(t, true, r.get("0.success"))
	r = c.query("SELECT Pricebook2Id, Amount, ExpectedRevenue, HasOpportunityLineItem FROM Opportunity")
	assert.Equal(t, c.srv.StandardPricebookID, r.get("records.0.Pricebook2Id"))
	assert.EqualValues(t, "30.0", r.get("records.0.Amount"))
	assert.EqualValues(t, "3.0", r.get("records.0.ExpectedRevenue"))
	assert.Equal(t, true, r.get("records.0.HasOpportunityLineItem"))
}

func TestRecordFaults(t *testing.T) {
	c := newClient(t, fixed())
	c.srv.SetRecordFault(salesforcetest.RecordFault{Object: "Sample__c", Contains: "bad", Message: "not this one", Fields: []string{"Name"}})
	r := c.do("POST", "/composite/sobjects", map[string]any{"records": []any{sample(map[string]any{"Name": "good"}), sample(map[string]any{"Name": "bad"})}})
	assert.Equal(t, true, r.get("0.success"))
	assert.Equal(t, map[string]any{"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "not this one", "fields": []any{"Name"}}, r.get("1.errors.0"))
	c.srv.SetRecordFault()
	id := r.get("0.id").(string)
	c.srv.LockRecord(id, 1)
	c.refused(c.do("PATCH", "/sobjects/Sample__c/"+id, map[string]any{"Name": "x"}), 400, "UNABLE_TO_LOCK_ROW")
	assert.Equal(t, 204, c.do("PATCH", "/sobjects/Sample__c/"+id, map[string]any{"Name": "x"}).status)
	require.NoError(t, c.srv.Update("Sample__c", id, map[string]any{"Name": "y"}))
	got, ok := c.srv.Get("Sample__c", id)
	assert.True(t, ok)
	assert.Equal(t, "y", got["Name"])
}
