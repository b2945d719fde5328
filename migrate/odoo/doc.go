// Package odoo has the rule packs of Odoo, 13.0 to 19.0, for package migrate,
// and snapshots of the schemas of those versions.
//
// [Community] is what Odoo Community really changed, as far as it is known.
// Every change on record is a rule or is in the pack's list of skipped ones
// with the reason why it can't be one; each rule names the facts that it covers
// ("refs") and where they come from ("source").
//
// [Documented] has exactly the rules of BridgeCore's documentation. Some name
// fields that no Odoo has (phone_primary, sales_person_id), and one takes the
// sales price of a product for its cost: it is there because it is documented,
// and fit for data that stay outside of Odoo. A plan of it does not suit the
// schema of a real server, which migrate.Coverage says.
//
// # Where the rules can't be exact
//
// Rules look at one record. What depends on others comes through a
// [migrate.Lookup], or is marked for a person. Record ids are carried as they
// are: they are right for a database that was upgraded in place, and must be
// mapped by who copies records to another database.
package odoo
