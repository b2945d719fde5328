// Package recordsync keeps the records of a model the same in two systems, of
// any kind and version, in one direction or both.
//
//	pair := recordsync.Pair{
//		Source: odoo, Target: salesforce, Words: recordsync.Universal,
//		Model: "contact", Match: []string{"email"}, Links: recordsync.NewMemory(),
//	}
//	sums, err := pair.Run(ctx, func(o recordsync.Outcome) { fmt.Println(o) })
//
// Which record is which, and what both sides had when they were last the same,
// is kept in [Links]. So a later run looks at nothing but what changed, tells a
// change of its own from one of somebody else's, and a conflict from a change of
// one side: fields that only one side changed are carried over, one that both
// changed is a conflict, which [Policy] decides.
//
// # When it is broken off
//
// A run may end at any moment, by a kill too, and the next one goes on. What is
// about to be created is noted first, with what the system has by then, so that
// the next run finds out whether it was created (see [Pair.Settle]) rather than
// creating it again. What is about to be written is noted as well: it is
// written again, and not taken for a change that the system's users made.
//
// # What is not sharp
//
// A record is read, compared and written, and read again to see what the system
// made of the values. A change that somebody makes to the very fields that are
// being written, between the first reading and the last, is overwritten or taken
// for what the system made of them.
//
// [Newest] compares the dates that the systems give their records, each
// corrected by how far the system's clock is from ours. That is measured when
// something is written. Until then the system is asked: Odoo, SAP and Salesforce
// answer by the Date of their answers, which is that of a proxy if one stands
// before them and dates what it passes on. Of a system that does not say (see
// [bridge.System.Clock]) only a date that lies in our future says something of its
// clock; otherwise it is taken to go right. Dates that are no more than a second
// apart let the source win, as does a date that may be of the same day where one
// side dates by days, as SAP does its business partners.
package recordsync
