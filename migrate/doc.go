// Package migrate carries records from one version of a system to another and
// back, by rules that are data. It knows no system: versions are strings, and
// what changed between two of them is written down in packs (package
// migrate/odoo has those of Odoo).
//
// A [Pack] is loaded from YAML files and compiled, for a model and two
// versions, to a [Plan]. [Plan.Up] turns a record of the old version into one
// of the new version and a [Residue], which holds what the new version can't;
// [Plan.Down] takes both and gives back the old record, exactly. A [Lens]
// translates calls: field lists, filters, orders, group-bys and values.
//
// # Pack files
//
// A pack is any number of files of this form, usually one for each hop and
// module. All files with the same pair of versions are taken together.
//
//	pack: example                 # the pack's name, the same in all its files
//	from: "1.0"                   # the hop: versions as strings
//	to: "2.0"
//	cost: 1                       # optional; the cheapest path is taken
//	source: release notes of 2.0  # optional: default for the rules below
//	models:
//	  res.partner:                # the model's name in "from"
//	    to: contact               # its name in "to"; left out: the same
//	    note: text                # optional: a warning in every plan of the model
//	    source: text              # optional, as are "person" and "refs"
//	    rules:
//	      - rename: {phone: phone_primary, mobile: phone_secondary}
//	      - remove: fax
//	        note: fax numbers are gone
//	    tests:
//	      - name: a phone
//	        up: {phone: "1", fax: "2"}
//	        gives: {phone_primary: "1"}
//	skip:                         # optional: known changes without a rule
//	  - {refs: [some.fact], reason: why there can't be one}
//
// A file with "pack" and "skip" alone, without a hop, is allowed. In place of
// "to", a model may have
//
//	removed: true                 # records of the model can't be migrated; "note" says what to do
//	split:                        # the first branch whose condition holds takes the record;
//	  - {to: a.b, when: {kind: x}, rules: [...]} # rules of the branch come on top of the model's
//	  - {to: a.c}                 # the last branch may have no condition
//
// Two models with the same "to" are merged.
//
// # Rules
//
// All rules of a hop act at once, on the old record: {a: b, b: a} swaps. A
// field that no rule names passes through unchanged. Two rules that take the
// same field or give the same field are an error, unless they are alternatives
// (see "when"). A field that no rule takes but one gives is displaced: its
// value goes to the residue.
//
// Each rule has exactly one of these verbs; the keys that any rule may have
// ("when", "unknown", "note", ..., see below) stand beside the verb:
//
//	rename: {old: new, ...}
//	    The values stay as they are.
//	remove: field                 or [field, ...]
//	    instead: {to: other, values: {true: contact}}
//	    The value goes to the residue. "instead" (with one field) fills the
//	    field "other", where it is absent or empty, by the table of values.
//	map: {field: f, to: g, values: {old: new, ...}}
//	    A value map; "to" is optional. A new value of null says that there is
//	    no counterpart: the value goes to the residue. See "unknown", "back".
//	    Keys are typed: true, 1 and "1" differ from one another.
//	table: {from: [a, b], to: [a, c], rows: [[[1, 2], [x, y]], ...]}
//	    A value map over several fields. null stands for an absent field.
//	    Going back the first row that fits wins. A row's single value may be
//	    written without its brackets: [product, [consu, true]].
//	convert: {field: f, to: g, as: KIND}
//	    "to" is optional. The kinds and their parameters are listed below.
//	constant: {field: f, value: v}
//	    Sets the field, whatever it held.
//	default: {field: f, value: v}
//	    Fills a field that both versions have, where it is absent, null, an
//	    empty string or an empty list; with "empty: true" also where it is
//	    false. (Odoo writes false for every empty value.)
//	add: {field: f, value: v}     or {field: f, from: g} or {field: f, from: g, values: {...}} or {field: f}
//	    A newly required field, filled where it is absent or null (with
//	    "empty: true", for a field that both versions have, also where it is
//	    false, "" or []): with a value, from another field of the old record,
//	    through a table, or by a person (then the report says so). Going back
//	    it is left out, with "empty: true" it stays.
//	split: {field: f, to: [a, b], separator: " "}
//	    The text up to the first separator goes to a, the rest to b.
//	merge: {from: [a, b], to: c, by: KIND}
//	    by "join" (texts, with "separator", default a space), "first" (the
//	    first that is not empty; a different second one needs a person), "any"
//	    (true if one is), "sum" (numbers) or "union" (lists).
//	move: {field: f, model: other.model, to: g, link: h}
//	    The value goes to a side record of another model, named as in the new
//	    version, whose field h refers to this record. Moves to one model with
//	    one link share a side record. link is optional.
//	model_name: field             or [field, ...]
//	    The value is a model's name ("res_model"); it follows the renames of
//	    the hop.
//	reference: field              or [field, ...]
//	    The value is "model,id"; the model's name follows the renames.
//	lookup: {field: f, via: g, model: m, read: h}
//	    Fills f with the field h of the record of model m that the old
//	    record's field g refers to. Without a [Lookup] the plan warns and f
//	    needs a person.
//	meaning: field                or [field, ...]
//	    The value passes through, but means something else: "note" says what.
//	func: {name: n, from: [a], to: [b]}
//	    A Go function, registered with [WithFunc].
//
// Kinds of convert; what each does going back is the other direction:
//
//	text_to_html, html_to_text
//	many2one_to_many2many, many2many_to_many2one
//	    Reads [id, name], id or false; gives a list of ids where a pair came
//	    in and Odoo's command [[6, 0, ids]] where an id came in or values are
//	    written (see [Form]).
//	scale            by: 100      multiplies, exactly in decimal
//	invert                        1/x
//	not                           boolean inversion
//	date_to_datetime, datetime_to_date      time: "23:59:59" (default "00:00:00")
//	scalar_to_list, list_to_scalar
//	id_to_keyed, keyed_to_id      value: 100; id 5 becomes {"5": 100}
//	number_to_text, text_to_number
//	bool_to_text     true: x, false: y     two texts for true and false
//
// Any rule may further have:
//
//	when: {field: value, other: [v, w], third: {not: x}, fourth: {empty: true}}
//	    The rule acts only on records of which all of this holds; {not: [x, y]}
//	    excludes several, {is: v} is the long form of a value. Several rules
//	    that take or give the same field are alternatives if all but the last
//	    have a condition: the first that holds acts. Where none holds the
//	    fields pass through. Conditions look at the old record.
//	unknown: keep | residue | error | default
//	    For map, table, convert, split, model_name and reference: what becomes
//	    of a value the rule does not know or can't convert. map and table:
//	    "keep" unless said otherwise (table keeps fields of the same name);
//	    convert: "error". With "default" the rule has a key "otherwise", for a
//	    table a list. Empty values (null, false) pass through unless a table
//	    names them.
//	back: v
//	    Going back without residue, remove and constant make up this value.
//	    For map and "add" with values it is a table {new: old}, which wins over
//	    the inverse of "values". For merge by "first", "back: all" gives every
//	    field the value.
//	whole: true
//	    The rule acts on whole records alone. For partial ones and for the
//	    calls that a [Lens] translates it does not exist: what it looks at
//	    besides its fields would not be there.
//	source, severity, person, note, refs
//	    Where the rule comes from; what happens when it is ignored (rejected,
//	    lost, wrong, harmless; one or a list); whether a person must look at
//	    each record it touches (true, or a condition as in "when" that the
//	    first old field must meet: {not: [0, false]}); a sentence that plans show as a warning; and
//	    the identifiers of facts it covers.
//
// Layers: [Layer] puts a pack over another. A rule of the upper one replaces
// every rule of the lower one, of the same hop and model, that takes or gives
// one of its fields.
package migrate
