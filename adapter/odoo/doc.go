// Package odoo is the adapter to Odoo 13.0 to 19.0: one behaviour over three
// protocols (XML-RPC, JSON-RPC in both its forms, JSON-2) and seven versions.
//
// [Dial] probes the server's version, picks the best transport that the
// deployment allows, logs in and returns a [*Client], which is an
// [adapter.Adapter] with most abilities of package adapter.
//
// # Reading
//
// Values are Odoo's own: false for empty, [id, name] for a many-to-one,
// "2006-01-02 15:04:05" in UTC for a date-time, number literals as the server
// wrote them. [adapter.Query] with Plain gives null for empty and RFC 3339
// instead. A query ordered by id pages by id, so that records created or
// deleted meanwhile neither repeat nor hide others; any other order pages by
// offset, with id as the last sort key.
//
// # Writing
//
// Values are converted by the model's schema, because Odoo silently does
// something else with values that look right:
//
//   - A many-to-one takes an id, an [adapter.ID], an [adapter.Ref], a pair as
//     it was read ([5, "Name"]) or {"id": 5}. Odoo itself clears the field when
//     it is given a pair.
//   - A list of ids for an x2many becomes the command (6, 0, ids). An empty
//     list means none, and becomes (6, 0, []) with an adapter.WarnValueChanged:
//     Odoo itself ignores an empty list. Null and false mean none too. Commands
//     pass, their values converted by the related model's schema; a command
//     that Odoo would ignore is refused.
//   - Date-times may be [time.Time] or RFC 3339 with any offset.
//   - Null means empty, which Odoo calls false.
//
// # Fields and models that a version lacks
//
// [adapter.Scope] has a Fallback. Unless it is off, a field that the connected
// version lacks is replaced by the name that this version has for the same
// value, or left out where other versions are known to have it, each with a
// warning; the answer goes by the name that was asked for. A condition or a
// sort key is never left out, since that would change the meaning: it is an
// error that names the field. Models that were renamed between versions answer
// to either name.
//
// # Methods
//
// [Client.Call] calls any public method and passes the server's JSON through.
// The common methods work alike on every version, under the names and
// arguments of the newest as well as the oldest: name_get, copy, web_read,
// web_save, web_search_read, read_group and formatted_read_group, has_access,
// get_views and their like are mapped to what the connected version has.
package odoo
