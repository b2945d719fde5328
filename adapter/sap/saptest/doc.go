// Package saptest simulates the OData services of an SAP S/4HANA system, in
// the manner of net/http/httptest: a test starts one, points its program at
// the server's URL, and closes it.
//
//	srv := saptest.New(t)
//	client := connect(srv.URL, srv.Username, srv.Password)
//
// # What is simulated
//
// The gateway: OData v2 (JSON, and a plain Atom for those who don't ask for
// JSON) and OData v4, with service documents, $metadata, keys of every kind,
// $filter, $orderby, $select, $expand, $top, $skip, $inlinecount and $count,
// server paging, navigation, deep insert, PATCH, MERGE, PUT and DELETE, entity
// tags without which nothing that has one is changed, $batch with change sets,
// JSON batches, function imports and actions, and media entities. Errors have
// the gateway's shapes, in English or German as sap-language says.
//
// The doors: basic authentication, a token endpoint for client credentials,
// bearer tokens and session cookies; an HTML page for those who are not known;
// CSRF tokens that are good for one session only; sap-client.
//
// The services, under /sap/opu/odata/sap/ and with the names and types that
// SAP publishes, some of the fields left out: API_BUSINESS_PARTNER,
// API_PRODUCT_SRV, API_PRODUCTGROUP_SRV, API_SALES_ORDER_SRV,
// API_BILLING_DOCUMENT_SRV, API_MATERIAL_DOCUMENT_SRV, API_MATERIAL_STOCK_SRV
// and API_CV_ATTACHMENT_SRV; in v4 api_salesorder, over the same orders.
// ZSAMPLE_SRV and, over the same records, the v4 service zsample have a field
// of every type. [ParseService] reads services of one's own.
//
// The business, in a simple form: numbers are given, partners become customers
// by their role, an order's sold-to party and materials must exist, its
// amounts are reckoned from price elements or the product's standard price,
// goods movements change the stock, which can't become negative, orders are
// billed by [Server.Invoice] and bills are cancelled. The only sales areas are
// those of 1010 and 1710, the plant of the demo data is 1010 and its storage
// location 101A.
//
// As in real systems, a field without a value reads as its type's initial
// value (an empty text, zero), not as null, in all services but the sample
// ones; business partners and products have entity tags that their metadata
// don't tell of; v2 answers of a PATCH are empty; partners and products can't
// be deleted; items are made through their order.
//
// # What is not
//
// No authorization checks, no drafts, no $apply and no $search, no delta
// links, no change documents, no taxes beyond 19 % for what Germany taxes in
// full, no schedule beyond one line, no currencies beyond two decimals.
// Requests in Atom are refused.
//
// # When things go wrong
//
// [Server.SetFault] makes requests fail: slowly, without an answer, with a
// proxy's page, in the midst, with an error of the system's, with metadata of
// any size. [Server.Lock] lets a user keep a record. [Server.ExpireCSRF],
// [Server.ExpireSessions] and [Server.ExpireTokens] end what was given out,
// [Server.Down] and [Server.Up] stop and restart listening. [Server.Requests]
// and [Server.Calls] count what arrived.
package saptest
