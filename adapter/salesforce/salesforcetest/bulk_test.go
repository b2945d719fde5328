package salesforcetest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
)

// ingest runs a job and returns it when it is done.
func (c *client) ingest(job map[string]any, data string) (id string, done reply) {
	c.t.Helper()
	r := c.do("POST", "/jobs/ingest", job)
	require.Equal(c.t, 200, r.status, r.text)
	assert.Equal(c.t, "Open", r.get("state"))
	id = r.get("id").(string)
	assert.Equal(c.t, "services/data/v62.0/jobs/ingest/"+id+"/batches", r.get("contentUrl"))
	r = c.with("Content-Type", "text/csv").do("PUT", "/"+strings.TrimPrefix(r.get("contentUrl").(string), "services/data/v62.0/"), data)
	require.Equal(c.t, 201, r.status, r.text)
	r = c.do("PATCH", "/jobs/ingest/"+id, map[string]any{"state": "UploadComplete"})
	require.Equal(c.t, "UploadComplete", r.get("state"), r.text)
	for range 5 {
		if r = c.do("GET", "/jobs/ingest/"+id, nil); r.get("state") != "InProgress" {
			break
		}
	}
	return id, r
}

func TestBulkIngest(t *testing.T) {
	c := newClient(t, fixed())
	id, r := c.ingest(map[string]any{"object": "Sample__c", "operation": "insert", "contentType": "CSV", "lineEnding": "LF"},
		"Name,Count__c,Note__c\none,1,\"a \"\"quoted\"\"\nnote\"\n,2,x\nthree,many,\n")
	assert.Equal(t, "JobComplete", r.get("state"))
	assert.EqualValues(t, "3", r.get("numberRecordsProcessed"))
	assert.EqualValues(t, "2", r.get("numberRecordsFailed"))
	assert.Equal(t, "V2Ingest", r.get("jobType"))
	assert.EqualValues(t, "62.0", r.get("apiVersion"))
	r = c.do("GET", "/jobs/ingest/"+id+"/successfulResults", nil)
	assert.Equal(t, "text/csv", r.header.Get("Content-Type"))
	assert.Equal(t, "\"sf__Id\",\"sf__Created\",\"Name\",\"Count__c\",\"Note__c\"\n\"a00Wt0000000001IAA\",\"true\",\"one\",\"1\",\"a \"\"quoted\"\"\nnote\"\n", r.text)
	r = c.do("GET", "/jobs/ingest/"+id+"/failedResults", nil)
	assert.Equal(t, "\"sf__Id\",\"sf__Error\",\"Name\",\"Count__c\",\"Note__c\"\n"+
		"\"\",\"REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --\",\"\",\"2\",\"x\"\n"+
		"\"\",\"INVALID_TYPE_ON_FIELD_IN_RECORD:Count: value not of required type: many:Count__c --\",\"three\",\"many\",\"\"\n", r.text)
	r = c.do("GET", "/jobs/ingest/"+id+"/unprocessedrecords", nil)
	assert.Equal(t, "\"Name\",\"Count__c\",\"Note__c\"\n", r.text)

	_, r = c.ingest(map[string]any{"object": "Sample__c", "operation": "upsert", "externalIdFieldName": "External_Id__c", "columnDelimiter": "SEMICOLON", "lineEnding": "CRLF"},
		"External_Id__c;Name;Parent__r.External_Id__c\r\np;parent;\r\nc;child;p\r\n")
	assert.EqualValues(t, "0", r.get("numberRecordsFailed"))
	assert.Equal(t, []string{"child"}, c.names("SELECT Name FROM Sample__c WHERE Parent__r.Name = 'parent'"))
	_, r = c.ingest(map[string]any{"object": "Sample__c", "operation": "update"}, "Id,Note__c\na00Wt0000000001IAA,#N/A\n")
	assert.Equal(t, "JobComplete", r.get("state"))
	got, _ := c.srv.Get("Sample__c", "a00Wt0000000001")
	assert.Nil(t, got["Note__c"])
	assert.InDelta(t, 1.0, got["Count__c"], 0)
	_, r = c.ingest(map[string]any{"object": "Sample__c", "operation": "delete"}, "Id\na00Wt0000000001IAA\n")
	assert.EqualValues(t, "0", r.get("numberRecordsFailed"))

	_, r = c.ingest(map[string]any{"object": "Sample__c", "operation": "insert"}, "Name,Foo\na,b\n")
	assert.Equal(t, "Failed", r.get("state"))
	assert.Equal(t, "InvalidBatch : Field name not found : Foo", r.get("errorMessage"))
	_, r = c.ingest(map[string]any{"object": "Sample__c", "operation": "insert"}, "Name\r\na\r\n")
	assert.Contains(t, r.get("errorMessage"), "LineEnding is invalid")

	c.refused(c.do("POST", "/jobs/ingest", map[string]any{"object": "Nothing", "operation": "insert"}), 400, "INVALIDJOB")
	r = c.do("POST", "/jobs/ingest", map[string]any{"object": "Sample__c", "operation": "insert"})
	open := r.get("id").(string)
	put := func() reply {
		return c.with("Content-Type", "text/csv").do("PUT", "/jobs/ingest/"+open+"/batches", "Name\nx\n")
	}
	require.Equal(t, 201, put().status)
	c.refused(put(), 400, "INVALIDJOBSTATE")
	assert.Equal(t, "Aborted", c.do("PATCH", "/jobs/ingest/"+open, map[string]any{"state": "Aborted"}).get("state"))
	assert.Equal(t, 204, c.do("DELETE", "/jobs/ingest/"+open, nil).status)
	c.refused(c.do("GET", "/jobs/ingest/"+open, nil), 404, "NOT_FOUND")
}

func TestBulkQuery(t *testing.T) {
	config := fixed()
	config.BulkPageSize = 2
	c := newClient(t, config)
	_, err := c.srv.Seed("Sample__c", 5, func(i int) map[string]any {
		return map[string]any{"Name": string(rune('a' + i)), "Count__c": i, "Amount__c": 2.5, "Moment__c": "2026-01-01T00:00:00Z", "Flag__c": i == 0}
	})
	require.NoError(t, err)
	r := c.do("POST", "/jobs/query", map[string]any{"operation": "query", "query": "SELECT Name, Count__c, Amount__c, Moment__c, Flag__c, Owner.Username, Parent__r.Name FROM Sample__c"})
	require.Equal(t, 200, r.status, r.text)
	assert.Equal(t, "UploadComplete", r.get("state"))
	id := r.get("id").(string)
	c.refused(c.do("GET", "/jobs/query/"+id+"/results", nil), 400, "INVALIDJOBSTATE")
	r = c.do("GET", "/jobs/query/"+id, nil)
	assert.Equal(t, "JobComplete", r.get("state"))
	assert.Equal(t, "V2Query", r.get("jobType"))
	r = c.do("GET", "/jobs/query/"+id+"/results", nil)
	header := `"Name","Count__c","Amount__c","Moment__c","Flag__c","Owner.Username","Parent__r.Name"` + "\n"
	rest := `,"2.5","2026-01-01T00:00:00.000Z","false","` + c.srv.Username + `",""` + "\n"
	assert.Equal(t, header+`"a","0.0"`+strings.Replace(rest, "false", "true", 1)+`"b","1.0"`+rest, r.text)
	assert.Equal(t, "2", r.header.Get("Sforce-NumberOfRecords"))
	r = c.do("GET", "/jobs/query/"+id+"/results?maxRecords=4&locator="+r.header.Get("Sforce-Locator"), nil)
	assert.Equal(t, header+`"c","2.0"`+rest+`"d","3.0"`+rest+`"e","4.0"`+rest, r.text)
	assert.Equal(t, "null", r.header.Get("Sforce-Locator"))
	c.refused(c.do("POST", "/jobs/query", map[string]any{"operation": "query", "query": "SELECT COUNT(Id) FROM Sample__c"}), 400, "API_ERROR")
	c.refused(c.do("POST", "/jobs/query", map[string]any{"operation": "query", "query": "SELECT Foo FROM Sample__c"}), 400, "INVALID_FIELD")
	assert.Len(t, c.do("GET", "/jobs/query", nil).get("records"), 1)
}

func TestActionsAndApex(t *testing.T) {
	c := newClient(t, fixed())
	c.srv.HandleAction("apex/Double", func(in map[string]any) (map[string]any, error) {
		return map[string]any{"out": in["in"]}, nil
	})
	r := c.do("POST", "/actions/custom/apex/Double", map[string]any{"inputs": []any{map[string]any{"in": "x"}}})
	assert.Equal(t, `[{"actionName":"Double","errors":null,"isSuccess":true,"outputValues":{"out":"x"}}]`, r.text)
	assert.Equal(t, "double", c.do("GET", "/actions/custom/apex", nil).get("actions.0.name"))
	c.refused(c.do("POST", "/actions/custom/apex/Nothing", map[string]any{}), 404, "NOT_FOUND")
	c.refused(c.do("GET", "/services/apexrest/orders", nil), 404, "NOT_FOUND")
}

var _ salesforcetest.TB = (*testing.T)(nil)
