// Package salesforce is the adapter to Salesforce: the REST API, and the Bulk
// API 2.0 for much at once.
package salesforce
