// Package salesforce is the adapter to Salesforce: the REST API, and the Bulk
// API 2.0 for much at once.
//
// [Dial] logs in to an organization by its My Domain address and returns
// a [*Client], which is an [adapter.Adapter] with every ability of package
// adapter. Models are sObjects by their API names ("Account", "Invoice__c"),
// fields likewise; the id of a record is the field "Id", always in its form of
// 18 characters.
//
// # Logging in
//
// A [Config] holds what one of three ways needs: the client credentials of a
// connected app, a JWT signed by its key for a user, or a refresh token. When
// an access token ends, the first call that notices renews it for all, and
// each call is made once more. Credentials that were refused are not tried
// again for a minute. Nothing of a Config or a token is ever printed, logged
// or part of an error.
//
// # Reading
//
// Empty values are nil, numbers are json.Number with Salesforce's digits
// (those of whole-number fields without the ".0" that it adds), date-times
// "2006-01-02 15:04:05" in UTC, or RFC 3339 where [adapter.Query] says Plain.
// A reference is read by two names: "AccountId" is the id as a text, and
// "Account" the pair [id, name]. Paths lead on from there: "Account.Name"
// nests as {"Account": {"Name": ...}}, and "Contacts.LastName" as a list of
// objects; "Contacts" alone is a list of ids.
//
// # Filters
//
// A filter becomes SOQL, and means the same as [adapter.Match]. Two things
// stand between them. SOQL ignores the case of letters in most texts; a
// condition that does not is asked for loosely, and the records that come are
// held against the filter once more. What is not set is neither equal nor
// unequal in SOQL; that is written out. A condition on child records becomes
// a semi-join where SOQL takes one, and a list of ids otherwise, as do child_of
// and parent_of: 10,000 ids at most. Texts compare by < and > in the order of
// Salesforce. What can't be asked at all, such as a condition on a long text,
// is ErrInvalidArgument that names the field.
//
// Queries travel in the address of a GET. A filter whose lists don't fit there
// is split into several queries, whose answers are merged in the order asked
// for; a query that can't be split goes in the body of a composite request, up
// to the 100,000 characters that SOQL may have.
//
// # Writing
//
// Values are checked and converted by the object's description before anything
// is sent. Up to 1000 records are written all or none, up to 500 where they
// refer to each other; [Client.CreateEach] has no such bound, and goes by the
// Bulk API from Config.BulkThreshold on. Nested lists ("Contacts": [...]) and
// parents ("Account": {...}) are created along with a record; a parent given
// by nothing but an external id is one that exists.
//
// # Changes and preconditions
//
// [Client.Changes] follows Salesforce's replication of ids. ETags are a
// record's SystemModstamp, to the second.
//
// # Limits
//
// Every answer tells how many of the day's API requests are used. From
// Config.SlowAt percent on calls are spaced out, from Config.StopAt on they are
// ErrRateLimited before they are sent.
package salesforce
