// Package odootest simulates an Odoo server, of any version from 13.0 to 19.0,
// in the manner of net/http/httptest: a test starts one, points its program at
// the server's URL, and closes it.
//
//	srv := odootest.New(t, "17.0")
//	client := connect(srv.URL, srv.Database, srv.Username, srv.Password)
//
// # What is simulated
//
// The ways in: XML-RPC (/xmlrpc/2 and the older /xmlrpc), JSON-RPC (/jsonrpc),
// web sessions (/web/session, /web/dataset/call_kw) and, in 19.0, JSON-2
// (/json/2) with API keys and its description (/doc-bearer). Each answers as
// the version does, down to the form of faults and errors and to what an
// unknown path gets.
//
// The data: contacts, users, companies, countries, currencies, units, products
// and their templates and categories, sales and purchase orders, journal
// entries, transfers, stock, attachments and messages, under the version's own
// field names, with demo records unless [Config.NoDemo] is set. Other models
// of these applications exist, without records.
//
// The ORM: search, read and their kin, domains and orders, create, write,
// unlink, copy, x2many commands, grouping, specifications, defaults, access
// rights, constraints, and the common business methods (confirming orders,
// posting invoices, validating transfers) in a simple form. Where versions
// differ (method names and parameters, results, errors, what is refused and
// what is silently accepted) the server does as its version.
//
// Three users exist: admin, who may do everything, demo, who works with
// business documents, and limited, who reads contacts and products. Their
// passwords are their logins.
//
// # What is not
//
// No translations but those that are written and the labels of
// [Config.Languages], no mail, no PDF, no web pages, no taxes beyond a percentage,
// no module beyond those named. Computed fields that nobody depends on stay
// empty.
//
// # When things go wrong
//
// [Server.SetFault] makes requests fail: slowly, without an answer, with a
// proxy's page, in the midst. [Server.Down] and [Server.Up] stop and restart
// listening, [Server.ExpireSessions] ends web sessions. [Server.Requests] and
// [Server.Calls] count what arrived.
package odootest
