// Package mapping gives several systems one vocabulary. What a contact or an
// order is, and how each kind of system has it, is written down in YAML; the
// package turns records, field lists, filters and orders from the one into the
// other and back. It knows no system itself (package mapping/standard has the
// mappings of Odoo, SAP and Salesforce) and does no I/O: what needs other
// records is asked of a [Lookup].
//
// A [Set] is loaded from files. [Set.Compile] makes the [Plan] for a system, a
// version and a universal model: [Plan.Create] and [Plan.Update] turn universal
// values into the system's, [Plan.ToUniversal] turns its records into universal
// ones, [Plan.Fields], [Plan.Filter] and [Plan.Order] a query. A plan is
// compiled once and safe for concurrent use.
//
// # Files
//
// A file holds one or several YAML documents (JSON is YAML too), each either a
// universal model or a mapping. Unknown keys, keys that appear twice, aliases
// and anchors are errors. Mistakes are all found when the set is loaded, with
// file, line and field.
//
// # Universal models
//
//	universal: sale_order           # the model's name
//	doc: A customer's order.
//	fields:
//	  name: {type: char, doc: The order's number., readonly: true}
//	  note: text                    # short for {type: text}
//	  partner_id: {type: ref, relation: contact, required: true}
//	  state: {type: selection, values: [draft, confirmed, done]}
//	  order_lines: {type: lines, relation: sale_order_line}
//
// Keys of a field: type, doc, relation (of lines, and of ref and refs to a
// universal model), required, readonly, values (of a selection). Every model has the
// field "id" without saying so; "extra" can't be a field. The types, with the
// form that universal values have:
//
//	char, text, html   text
//	integer            a whole number
//	float, monetary    a number, its digits as the system wrote them
//	boolean            true or false
//	date               "2006-01-02"
//	datetime           "2006-01-02T15:04:05Z": RFC 3339 in UTC; read with or without a zone
//	selection          one of the texts in values
//	ref                the bare id of another record, a number or a text as the system has it
//	refs               a list of ids
//	list               a list of texts or numbers
//	lines              a list of records of the model in relation
//	binary, json       as they are
//
// null is the one empty value, on every system. Odoo's false for "empty" reads
// as null unless the field is boolean; a reference read as [5, "Name"] or as a
// nested record reads as 5.
//
// # Mappings
//
//	mapping: sale_order             # the universal model
//	system: odoo                    # the kind of system
//	versions: 13.0-19.0             # optional; see "Versions"
//	model: sale.order               # the system's model
//	id: id                          # optional: the field of the record's id; Salesforce has Id
//	doc: text                       # optional
//	where: [[type, "=", sale]]      # optional: a domain on the system's fields that always holds
//	set: {type: sale}               # optional: what new records get besides, by path
//	read_only: text                 # optional: why records can't be created, changed or deleted
//	fields:
//	  name: name
//	  customer_reference: {path: client_order_ref}
//	tests: [...]                    # see "Tests"
//
// "set" gives a value for a path of the system; a field of the record that
// leads to the same path wins. "where" and "set" usually say the same thing
// twice: the records that are of this kind, and how new ones come to be so.
//
// A value under "set" may be the id of a record that is looked up:
//
//	set: {Pricebook2Id: {lookup: {model: Pricebook2, by: IsStandard, value: true}}}
//
// A system that has no such model is said so, with nothing else:
//
//	mapping: lead
//	system: sap
//	unsupported: leads are kept in another product
//
// Each entry under "fields" is a universal field: a path of the system, or a
// mapping of the keys below, or a list of such mappings, of which the first
// whose versions fit is taken. A field may have at most one source: path,
// split, join, table, constant, compute or unsupported.
//
//	path: partner_id.country_id.code
//
// # Paths
//
// Dots lead through relations to one record, as in "Account.Name"; such a path
// is for reading (see "write" and "nest"). A relation to many is marked:
//
//	to_BusinessPartnerAddress[].CityName     of the first of many
//	to_Text[LongTextID=TX01].LongText        of the first whose field is that text; several: [A=x,B=y]
//	Prices[Book.IsStandard=true].Amount      the field may lie behind relations; true and numbers compare by their text
//	category_id.name                         without a mark, and type list: of all, as a list
//
// A new record gets one nested record for each marked relation, with the fields
// of every path that has it in common and with those of the mark itself. An
// update can't hold them; they come apart, in [Values.Nested].
//
// # Keys of a field
//
//	as: FORM            the form that the system's value has, where it is not the one of the type:
//	                      many2one   (ref; the default) [id, name], {id: ..} or an id; writes the id
//	                      name       (char) the name in such a reference; for reading
//	                      commands   (lines, refs, list) writes Odoo's [[0, 0, {..}], [1, id, {..}], [2, id, 0]], refs as [[6, 0, ids]]
//	                      records    (lines; the default) writes a list of records
//	                      text       (numbers, refs) the system has a text; numbers keep their digits
//	                      number     (char, ref) the system has a number
//	                      date       (date, datetime) 2006-01-02
//	                      datetime   2006-01-02 15:04:05 in UTC; the default of type datetime
//	                      rfc3339    2006-01-02T15:04:05Z
//	                      compact    20060102 (date), 20060102150405 (datetime)
//	                      epoch      milliseconds since 1970, a number
//	                      html       (text) HTML; the universal value is the plain text
//	                    All forms of a moment are read whatever "as" says, but for compact and epoch.
//	values: {confirmed: sale, cancelled: [cancel, void]}
//	                    universal value to the system's. Of a list all read as the one, the first is written.
//	                    Two universal values with one of the system's: the first reads back.
//	                    Keys and values are typed: true, 1 and "1" differ. null stands for empty.
//	unknown: keep       a value that "values" does not have. Without the key it is refused in writing,
//	                    and read as it is with a warning. keep: passes both ways. refuse: an error
//	                    both ways. null: refused in writing, read as null with a warning.
//	words: {true: X, false: ""}
//	                    boolean words: short for values with both. Lists are allowed.
//	invert: true        boolean: the system has the opposite; what is not set there reads as true
//	scale: 1000         universal = system x 1000, exact decimals. A scale without exact inverse (60) needs "round".
//	round: 6            with scale: digits after the point in writing, half to even
//	default: v          a new record without the field (or with null) gets this universal value;
//	                    {now: date} and {now: datetime} are the day and the moment
//	empty: v            an empty value reads as this universal one
//	fallback: [mobile]  further paths to read from, in order, where the value is empty (with a warning).
//	                    Writing goes to "path" alone; a filter asks for any of them.
//	lookup: {model: res.country, by: code}
//	                    writing: the id of the record of the system's model whose field "by" is the value,
//	                    asked of [Lookup]. "path" then reads the key itself (country_id.code), and "write"
//	                    says where the id goes; without "write" it is the path without its last step.
//	                    by: external_id is the system's own external id (Odoo's XML id).
//	                    with: {country_id.code: country}: further fields of that model that must equal
//	                    other universal fields of the same record, where it has them.
//	                    where: {IsStandard: true}: further fields of that model and what they hold.
//	                    read: true: "path" is the reference itself, and reading asks the Lookup as well.
//	write: partner_id   the path that writing goes to, where reading has another.
//	                    The long form {path: country_id, lookup: {..}, as: ..} is the same as the keys outside.
//	lines: sale_order_line
//	                    the universal model of the lines; its mapping for the same system makes the child plan
//	inverse: order_id   lines: the field of the line's model that holds the id of the whole; where
//	                    it is missing, callers use the schema's
//	nest: true          path: may be written to new records though it leads to one record ("a.b": {a: {b: ..}})
//	read_only: true     not written: treated as the caller's policy for unmapped fields says
//	write_only: true    never read
//	create_only: true   written in new records alone
//	since, until, versions
//	                    the versions of the system that have it; elsewhere the field is unsupported
//	doc: text           a note for people, kept in the coverage table
//
// Instead of "path":
//
//	split: {path: name, part: 1, of: 2, sep: " ", cut: last}
//	                    the system has one text where the universal model has several. Every part is a
//	                    field of its own with the same path, of, sep and cut; all parts must be mapped. cut
//	                    "first" (the default) cuts from the left, the last part keeps the rest; "last" cuts
//	                    from the right, the first part keeps the rest. A text that can't be cut is the first
//	                    part, with "last" the last one. Writing joins the parts that are not empty; an
//	                    update needs them all.
//	join: {paths: [FirstName, LastName], sep: " ", cut: last}
//	                    the other way: the universal model has one text, the system several. Reading
//	                    joins what is not empty, writing cuts as above.
//	table: {paths: [type, is_storable], values: {storable: [consu, true], service: [service, ~]}}
//	                    the system has one value in several fields. Reading takes the first row that
//	                    fits, ~ fits anything; writing sets what is not ~.
//	constant: v         reads v always. Writing v is fine and writes nothing, another value is refused.
//	compute: {concat: [street, city], sep: ", "}
//	                    for reading, from other universal fields of the same model:
//	                      {concat: [a, b], sep: " "}   texts that are not empty
//	                      {sum: [a, b]}, {subtract: [a, b]}, {multiply: [a, b]}   exact; null if one is null
//	                      {sum: order_lines.subtotal}  over lines
//	                      {count: order_lines}
//	                      {first: [a, b]}              the first that is not empty
//	unsupported: why    the system has no such thing. Reads null (with a warning if it was asked for
//	                    by name), writing follows the policy for unmapped fields, filters are refused.
//	                    null in place of the whole field is short for it.
//
// # Versions
//
// "13.0-19.0", "17.0", "17.0-" and "-16.0" are ranges, both ends included; 19.0
// includes 19.0.1. Versions compare by their numbers. A mapping without
// versions holds for all, also where the version is not known. Mappings of one
// model and system must not overlap. "since: 17.0" is "versions: 17.0-".
//
// # Layers
//
// [Set.With] and [Over] put one set over another. A mapping above takes the
// place of the one below for its versions. With
//
//	extends: true
//
// beside "mapping" or "universal", only the fields named change, and where,
// set and model if they are given; a field of null is taken away.
//
// # Tests
//
// Tests stand beside the mapping, and [Set.Test] runs them:
//
//	tests:
//	  - name: a confirmed order
//	    universal: {name: SO1, state: confirmed}
//	    system: {name: SO1, state: sale}
//	    direction: both             # the default; to_system, to_universal
//	    written: {name: SO1}        # optional: what writing gives, where it is not "system"
//	    operation: create           # the default; update
//	    version: "17.0"             # without it at both ends of the mapping's versions
//	    lookup: {res.country: [{id: 192, code: SA}]}  # the records that lookups find
//	    warnings: [website]         # optional: the fields that warnings name, in any order
//	  - name: an unknown state
//	    universal: {state: lost}
//	    error: lost                 # a text that the error holds
//	  - name: filters
//	    filter: [[state, "=", confirmed]]
//	    gives: [[state, "=", sale]] # without "where"; or "error"
//	  - name: field lists
//	    fields: [country, order_lines.quantity]
//	    reads: [country_id.code, order_line.product_uom_qty]  # in any order
//
// "universal" and "system" are compared whole: to_universal must give
// exactly the fields of "universal" (those that are unsupported may be left
// out), to_system exactly those of "written" or "system". What "set" adds is
// part of it. Lines that a new record of Odoo gets are
// [[0, 0, {..}]] there, so that orders with lines have "written".
// Numbers compare by value.
//
// # Lint
//
// [Set.Lint] names what is doubtful. That a value does not read back as it was
// written, or that a universal value has no counterpart, is answered by a "doc"
// of the field that says so.
package mapping
