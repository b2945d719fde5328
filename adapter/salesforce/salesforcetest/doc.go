// Package salesforcetest simulates a Salesforce org in the manner of
// net/http/httptest: a test starts one, points its program at the org's URL,
// and closes it.
//
//	org := salesforcetest.New(t)
//	client := connect(org.URL, org.ClientID, org.ClientSecret)
//
// # What is simulated
//
// Access: the token endpoint with the client credentials, JWT bearer (RS256,
// the key of the connected app) and refresh token flows, revocation, tokens
// that end. URL is login host and instance in one, as with My Domain.
//
// The REST API, from 50.0 to [Config.Version]: the list of versions and
// resources, describes, records (also by external id, with upsert and
// conditional headers), query, queryAll and their pages, composite, batch,
// tree, collections and graph, updated and deleted records, limits, files,
// Bulk API 2.0 ingest and query jobs, invocable actions and Apex REST that a
// test registers. Statuses, error codes and the form of answers follow the
// public documentation.
//
// SOQL: field lists with parents up to five levels up and children, FIELDS(),
// aggregates and GROUP BY, WHERE with all operators, date literals and
// semi-joins, ORDER BY, LIMIT and OFFSET. A mixture of AND and OR without
// parentheses is refused, as the real parser does.
//
// The data: users, accounts, contacts, leads, opportunities, products, price
// books, orders, tasks and files with the fields that integrations meet,
// Sample__c with a field of each type, and whatever [Config.Objects] and
// [Server.AddObject] add. Names of people, totals, automatic numbers, price
// book entries, activation of orders, cascades and restrictions of deletion
// work as in an org. Demo records are there unless [Config.NoDemo] is set;
// [Server.Seed] makes very many records quickly.
//
// # What is not
//
// No sharing or field-level security, no record types, no multiple
// currencies, no time zones (all is UTC), no triggers or flows, no approval,
// no recycle bin beyond queryAll and the list of deleted records, no Tooling,
// Metadata, Streaming or SOAP API, and of SOSL a word in the names of records.
//
// # When things go wrong
//
// [Server.SetFault] makes requests fail: slowly, without an answer, with a
// proxy's page or an error of the API, in the midst. [Server.SetRecordFault]
// makes single records fail among others and [Server.LockRecord] locks one;
// [Server.ExpireTokens] and [Server.ExpireTokensAfter] end access tokens,
// [Server.SetUsage] uses the day's calls up, [Server.Down] and [Server.Up]
// stop and restart listening, [Server.AddField] and [Server.RemoveField]
// change an object under a client's feet. [Server.Requests] counts what
// arrived.
package salesforcetest
