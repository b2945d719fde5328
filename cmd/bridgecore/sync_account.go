package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/recordsync"
)

// syncAccount is what became of the records.
type syncAccount struct {
	Source string          `json:"source"`
	Target string          `json:"target"`
	DryRun bool            `json:"dry_run,omitempty"`
	Models []*modelAccount `json:"models"`
}

// modelAccount is what became of a model's records.
type modelAccount struct {
	Model string `json:"model"`
	// Again says that it is the second time, for what waited for records of a
	// model that came after.
	Again bool `json:"again,omitempty"`
	recordsync.Sums
	Records []recordsync.Outcome `json:"records"` // those that are not unchanged
	// Refused and Open are what is left, of earlier runs too: refused records, and
	// conflicts that wait for a choice.
	Refused []*recordsync.Link `json:"refused_records"`
	Open    []*recordsync.Link `json:"open_conflicts"`
}

// tell gives the account.
func (c syncCommand) tell(w world, account *syncAccount) error {
	if c.Report != "" {
		f, err := os.Create(c.Report)
		if err == nil {
			err = errors.Join(printJSON(f, account), f.Close())
		}
		if err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	if c.JSON {
		return printJSON(w.stdout, account)
	}
	for _, m := range account.Models {
		if err := c.tellModel(w, m); err != nil {
			return err
		}
	}
	return nil
}

// tellModel prints a model: in a dry run every record with what would be
// written, otherwise what is to be seen to.
func (c syncCommand) tellModel(w world, m *modelAccount) error {
	if c.DryRun {
		for i := range m.Records {
			printOutcome(w.stdout, &m.Records[i])
		}
	}
	const most = 20
	for i, l := range m.Refused {
		if i == most {
			fmt.Fprintf(w.stdout, "  and %d more refused (--report has all)\n", len(m.Refused)-most)
			break
		}
		fmt.Fprintf(w.stdout, "  refused by the %s: %s -> %s: %s\n", l.Refusal.Side, idOrNone(l.IDs[0]), idOrNone(l.IDs[1]), l.Refusal.Reason)
	}
	for i, l := range m.Open {
		if i == most {
			fmt.Fprintf(w.stdout, "  and %d more conflicts (--report has all)\n", len(m.Open)-most)
			break
		}
		printConflict(w.stdout, l)
	}
	leftOut(w.stdout, m.Records)
	key := "cli_synced"
	if c.DryRun {
		key = "cli_sync_surveyed"
	}
	err := w.say(w.stdout, key, "Model", m.Model, "Looked", m.Total, "Created", m.Created, "Updated", m.Updated, "Deleted", m.Deleted+m.Archived,
		"Unchanged", m.Unchanged, "Refused", m.Errors+m.Reverse.Errors, "Conflicts", m.Conflicts)
	if r := m.Reverse; err == nil && r != (recordsync.Count{}) {
		err = w.say(w.stdout, "cli_synced_back", "Created", r.Created, "Updated", r.Updated, "Deleted", r.Deleted+r.Archived)
	}
	return err
}

func idOrNone(id adapter.ID) string {
	if id.IsZero() {
		return "(none)"
	}
	return id.String()
}

// printOutcome prints a record with the values that would be written.
func printOutcome(w io.Writer, o *recordsync.Outcome) {
	line := fmt.Sprintf("%s %s -> %s", o.Action, idOrNone(o.Source), idOrNone(o.Target))
	if o.Side == recordsync.Source {
		line = fmt.Sprintf("%s %s <- %s", o.Action, idOrNone(o.Source), idOrNone(o.Target))
	}
	if o.Reason != "" {
		line += ": " + o.Reason
	}
	fmt.Fprintln(w, line)
	for _, ch := range o.Changes {
		side := ""
		if ch.Side != o.Side {
			side = " (of the " + ch.Side.String() + ")"
		}
		if o.Action == recordsync.Created && saysNothing(ch.To) {
			continue
		}
		if adapter.IsEmpty(ch.From) {
			fmt.Fprintf(w, "  + %s%s: %s\n", ch.Field, side, short(ch.To))
		} else {
			fmt.Fprintf(w, "  ~ %s%s: %s -> %s\n", ch.Field, side, short(ch.From), short(ch.To))
		}
	}
	if o.Conflict != nil {
		for _, f := range o.Conflict.Fields {
			fmt.Fprintf(w, "  ! %s: %s | %s\n", f.Field, short(f.Source), short(f.Target))
		}
	}
	for _, name := range o.Waiting {
		fmt.Fprintf(w, "  . %s: waits for the record that it refers to\n", name)
	}
}

// saysNothing reports whether a value is one that a new record has anyway.
func saysNothing(v any) bool {
	if adapter.IsEmpty(v) {
		return true
	}
	n, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	return err == nil && n == 0
}

// printConflict prints a question, and how it is answered.
func printConflict(w io.Writer, l *recordsync.Link) {
	fmt.Fprintf(w, "  conflict %d: %s | %s: ", l.ID, idOrNone(l.IDs[0]), idOrNone(l.IDs[1]))
	switch l.Conflict.Kind {
	case recordsync.Ambiguous, recordsync.Doubtful:
		var ids []string
		for _, id := range l.Conflict.Candidates {
			ids = append(ids, id.String())
		}
		fmt.Fprintf(w, "it may be one of %s (--resolve %d=ID, create or skip)\n", strings.Join(ids, ", "), l.ID)
	case recordsync.DeletionConflict:
		fmt.Fprintf(w, "the %s deleted it, the other changed it (--resolve %d=source or target)\n", l.Conflict.Deleted, l.ID)
	default:
		var fields []string
		for _, f := range l.Conflict.Fields {
			fields = append(fields, fmt.Sprintf("%s is %s | %s", f.Field, short(f.Source), short(f.Target)))
		}
		fmt.Fprintf(w, "%s (--resolve %d=source or target)\n", strings.Join(fields, ", "), l.ID)
	}
}

// leftOut prints which fields could not be carried over, each reason once.
func leftOut(w io.Writer, records []recordsync.Outcome) {
	count := map[recordsync.LeftOut]int{}
	var order []recordsync.LeftOut
	for i := range records {
		for _, l := range records[i].LeftOut {
			if count[l]++; count[l] == 1 {
				order = append(order, l)
			}
		}
	}
	const most = 20
	for i, l := range order {
		if i == most {
			fmt.Fprintf(w, "  and %d more reasons (--report has all)\n", len(order)-most)
			break
		}
		fmt.Fprintf(w, "  left out: %s: %s (%d records)\n", l.Field, l.Reason, count[l])
	}
}

// asked are the conflicts that a dry run found and that don't wait already.
func (m *modelAccount) asked() (n int) {
	for i := range m.Records {
		o := &m.Records[i]
		if o.Action == recordsync.Conflicts && !slices.ContainsFunc(m.Open, func(l *recordsync.Link) bool { return l.ID == o.Link }) {
			n++
		}
	}
	return n
}

// outcome turns the end into the status of the program.
func (c syncCommand) outcome(ctx context.Context, account *syncAccount, err error) error {
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return errors.New("interrupted; the same command goes on where it stopped")
	case adapter.CodeOf(err) == adapter.InvalidArgument, adapter.CodeOf(err) == adapter.Unsupported, adapter.CodeOf(err) == adapter.NotFound:
		return misused("%s", message(err))
	case len(account.Models) > 0:
		return fmt.Errorf("%s; the same command goes on where it stopped", message(err))
	default:
		return err
	}
	refused, open := 0, 0
	for _, m := range account.Models {
		refused, open = refused+len(m.Refused), open+len(m.Open)
		if c.DryRun {
			open += m.asked()
		}
	}
	if refused+open > 0 {
		return found("%d records are refused, %d conflicts wait for a choice", refused, open)
	}
	return nil
}
