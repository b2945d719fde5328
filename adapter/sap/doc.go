// Package sap is the adapter to SAP systems that publish OData services: those
// of S/4HANA, of an SAP Gateway, or any other, in OData v2 and v4 alike.
//
// [Dial] proves the credentials and returns a [*Client], which is an
// [adapter.Adapter] with every ability of package adapter but Upserter. What a
// service has is read from its metadata on first use, and kept for an hour.
//
// # Models and ids
//
// A model is an entity set of a service, "API_PRODUCT_SRV.A_Product"; the bare
// "A_Product" will do where one configured service alone has it. Every record
// has a field "id" besides SAP's own: the value of a single key as a text, of
// several keys the key predicate, "SalesOrder='1',SalesOrderItem='10'". It
// serves in filters, orders and lists of fields.
//
// Navigation properties are fields too: to one record a many-to-one, to many a
// one-to-many. Fields of a query may lead through them ("to_Item.Material"),
// which becomes $expand and $select; the answer nests. Conditions may lead
// through those to one record in both versions, and through those to many in
// v4 alone.
//
// # Reading
//
// Empty values, null as well as "", read as nil. Numbers are [json.Number] with
// the digits that SAP wrote, also where v2 writes them as texts. Dates read as
// "2006-01-02", date-times as "2006-01-02 15:04:05" in UTC with a second's
// parts where there are any, and with [adapter.Query] Plain as RFC 3339. Times
// of day are texts, "15:04:05".
//
// Records come by key, and pages go on behind the last key, so that records
// created or deleted meanwhile neither repeat nor hide others; any other order
// pages by $skip, with the key as the last sort key. A service that cuts its
// answers is followed by its own links. A filter that is too long for an
// address, such as one for 10,000 ids, becomes several requests; where it has
// no list that can be parted, it goes by $batch.
//
// A filter means what it means in package adapter, whatever the service makes
// of null. OData has no wildcards: a pattern such as "a%b" is asked for as far
// as startswith, endswith and contains go, and the answers are held against it
// here, which may read many more records than it returns; so it is with "ilike"
// where a service knows no tolower, as many of SAP's don't: that is found out
// once. What can't be expressed, such as child_of, is ErrUnsupported.
//
// # Writing
//
// A new record may bring lists of records, which are created with it, all or
// none (deep insert). [Client.CreateMany] and changes of several records are one
// change set of a $batch: all or none. [Client.CreateEach] gives each record a
// change set of its own, many in one request.
//
// A record is changed by PATCH, or by MERGE where v2 knows no other. Without a
// tag that the caller knows the record by, If-Match is "*". CSRF token and
// cookies are one session, for all callers; a token that was refused is fetched
// once more, as is an access token that has ended. Nothing else is ever sent
// twice: a change without an answer is ErrUnknownOutcome.
//
// # Files
//
// Files go through the navigation property that leads to media, or for the
// business objects of the standard APIs through API_CV_ATTACHMENT_SRV.
package sap
