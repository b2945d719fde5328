// Package transfer carries a whole set of models from one Odoo to another, of
// the same or of a later version: in the order that their references ask for,
// by the rules of package migrate, under external ids, so that a second run
// finds what the first one made and writes only what changed since.
//
// A [Transfer] is first surveyed ([Transfer.Survey]): what it would do, what
// the target would lose, which references have no counterpart there; nothing is
// written. [Transfer.Run] does it, and [Transfer.Verify] reads both sides back
// and compares. Each returns a [Report], which accounts for every record and
// for every field of every model.
//
// # What is decided
//
//   - A record of the source is in the target under the external id
//     __bridgecore__.<name>, see [bridge.System.ExternalName]. One that both
//     sides were delivered with (base.main_partner) is the same record on both
//     sides, and changed where it differs, unless [Transfer.CreateDelivered].
//   - References to models that are not part of the transfer are found by the
//     external ids of modules, then by the natural keys of table.go. What is
//     not found either way is said before anything is written, and stops the
//     transfer unless [Transfer.LeaveUnmatched].
//   - Within the set, a reference to a record that is not there yet is written
//     in a second pass.
//   - Lines ([Transfer.Lines]) are written inside of their parents, with
//     external ids of their own: later changes of theirs are followed, and
//     lines that are gone in the source are taken out.
//   - The variants that the target makes with a product template are linked to
//     those of the source, and then changed like any record.
//   - Texts are carried in English (en_US), and then in every language that
//     both sides have.
//   - Company-dependent values (property_*, standard_price) are those of the
//     company that the user works in.
//   - Orders begin as drafts. With [Transfer.State] the state is written after
//     everything else, as a plain value: no delivery or invoice follows from it.
//   - Records that are archived go along.
//   - Models that were carried along ([Transfer.Dependencies]) are noted in the
//     [State] and carried by later runs too.
//   - A variant that both sides were delivered with is the same only if its
//     template is: otherwise the target's would lose it.
//   - A value that the target does not keep as it was written is said as a
//     difference, noted in the [State], and not written again until the source
//     changes.
//
// # Where the limits are
//
//   - Records that are deleted in the source stay in the target; only lines go.
//   - Messages, activities, attachments, deliveries, invoices and payments are
//     not carried, nor is what accounts, taxes, users or companies are made of:
//     those are found in the target, or mapped.
//   - A record that the target refuses is refused again in each run until one
//     of both sides is changed; the others go on. Orders that are confirmed in
//     the target refuse most changes of their lines.
//   - What the target makes up when records meet, such as the address of a
//     company that has none and gets its first contact, is left and said.
//   - Two runs of one pair at once are for the caller to prevent, as bridgecore
//     transfer does by a lock. External ids are unique in the target, so the
//     second one ends with an error when both make the same; what it made until
//     then, up to a page, is there twice.
//   - A run that was broken off looks for what it made by name, required
//     references and most of the other values. Somebody who made the very same
//     record by hand in between may find it taken for that.
package transfer
