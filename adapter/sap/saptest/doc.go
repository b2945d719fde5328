// Package saptest simulates an SAP S/4HANA system's OData gateway, in the
// manner of net/http/httptest.
package saptest
