package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/recordsync"
)

type syncCommand struct {
	Source string   `arg:"" help:"System to take records from: the id of a stored system, or of an Odoo http(s)://USER@HOST/DATABASE with the password or API key in SYNC_SOURCE_PASSWORD."`
	Target string   `arg:"" help:"System to bring them to, the same, with SYNC_TARGET_PASSWORD."`
	Models []string `required:"" help:"Models to synchronise, one after the other, named in the words: what others refer to comes first." placeholder:"MODEL"`

	Words         string            `default:"" enum:",own,pinned,universal" help:"In which the systems are compared: own (two of one version), pinned (two versions of Odoo, in those of --version) or universal (any two). Universal between kinds unless given, otherwise own." placeholder:"own|pinned|universal"`
	Version       string            `help:"Version of pinned words; makes them pinned." placeholder:"VERSION"`
	Fields        []string          `help:"Fields to synchronise, of one model alone MODEL:FIELD; all unless given that both systems store and let be written." placeholder:"FIELD"`
	Filter        []string          `sep:"none" help:"Only records that match: an Odoo domain as JSON, for one model alone MODEL:DOMAIN. May be repeated." placeholder:"DOMAIN"`
	Bidirectional bool              `short:"b" help:"Bring the target's changes to the source too."`
	Conflicts     recordsync.Policy `default:"source" enum:"source,target,newest,manual" help:"Whose value counts where both sides changed a field; manual leaves it to --resolve." placeholder:"source|target|newest|manual"`
	Deletions     string            `default:"ignore" enum:"ignore,propagate,archive" help:"What a deletion does on the other side." placeholder:"ignore|propagate|archive"`
	Match         []string          `help:"Fields by which records are recognised that both sides have already, the best first, of one model alone MODEL:FIELD. What is not clear becomes a conflict." placeholder:"FIELD"`
	ExternalID    string            `name:"external-id-field" help:"Field of the target to keep the source's ids in." placeholder:"FIELD"`
	Resolve       map[string]string `help:"Decide a conflict of an earlier run by its number: N=source or N=target; where it is not clear which record it is, N=ID of a candidate, N=create or N=skip. May be repeated." placeholder:"N=CHOICE"`
	RetryRefused  bool              `help:"Try records again that were refused and have not changed."`
	DryRun        bool              `help:"Write nothing, and print what would be written."`

	Links       string        `help:"File that keeps which record is which; the server's database unless given where both systems are stored there, otherwise a file named after both." placeholder:"FILE"`
	Tenant      string        `default:"default" help:"Tenant of stored systems." placeholder:"NAME"`
	PageSize    int           `default:"200" help:"Records at a time." placeholder:"N"`
	Concurrency int           `default:"4" help:"Changes under way at a time." placeholder:"N"`
	Report      string        `help:"File for the account of every record that is not unchanged, as JSON." placeholder:"FILE"`
	JSON        bool          `help:"Print the account as JSON."`
	Lease       time.Duration `default:"30s" hidden:""` // for how long a run that was killed keeps the pair
	Settle      time.Duration `default:"40s" hidden:""` // see recordsync.Pair
}

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

// Run makes models of two systems the same.
func (c syncCommand) Run(ctx context.Context, w world) error {
	if err := c.check(); err != nil {
		return err
	}
	e := &ends{}
	defer e.close()
	var err error
	if e.from, err = w.end(ctx, e, "SOURCE", c.Source, "SYNC_SOURCE_PASSWORD", c.Tenant); err != nil {
		return err
	}
	if e.to, err = w.end(ctx, e, "TARGET", c.Target, "SYNC_TARGET_PASSWORD", c.Tenant); err != nil {
		return err
	}
	if e.from.ID() == e.to.ID() {
		return misused("SOURCE and TARGET are the same system")
	}
	if err := e.answer(ctx, "SOURCE", "TARGET"); err != nil {
		return err
	}
	pair := recordsync.Pair{
		Source: e.from, Target: e.to, Words: recordsync.Words(c.Words), Version: c.Version,
		Bidirectional: c.Bidirectional, Policy: c.Conflicts, Deletions: recordsync.Deletions(c.Deletions), ExternalID: c.ExternalID,
		Along: c.Models, DryRun: c.DryRun, Retry: c.RetryRefused, Page: c.PageSize, Concurrency: c.Concurrency, Settle: c.Settle, Lease: c.Lease, Holder: holder(),
	}
	if pair.Words == "" {
		if pair.Words = recordsync.DefaultWords(e.from, e.to); c.Version != "" {
			pair.Words = recordsync.Pinned
		}
	}
	if err := c.hint(ctx, w, &pair); err != nil {
		return err
	}
	if pair.Links, err = c.links(ctx, w, e, &pair); err != nil {
		return err
	}
	log, err := c.audit(ctx, w, e)
	if err != nil {
		return err
	}
	account := &syncAccount{Source: e.from.ID(), Target: e.to.ID(), DryRun: c.DryRun}
	if err := c.resolve(ctx, pair.Links); err != nil {
		return errors.Join(err, log.record(ctx, w, &c, pair.Holder, account, err))
	}
	err = c.models(ctx, w, pair, account)
	if n := len(account.Models); err != nil && n > 0 && account.Models[n-1].Total == 0 {
		account.Models = account.Models[:n-1] // it did not begin
	}
	if unrecorded := log.record(ctx, w, &c, pair.Holder, account, err); unrecorded != nil {
		return errors.Join(err, unrecorded)
	}
	if told := c.tell(w, account); told != nil {
		return errors.Join(err, told)
	}
	return c.outcome(ctx, account, err)
}

// check refuses flags that contradict one another.
func (c syncCommand) check() error {
	switch {
	case c.Version != "" && c.Words != "" && c.Words != string(recordsync.Pinned):
		return misused("--version is for pinned words, and contradicts --words %s", c.Words)
	case c.Words == string(recordsync.Pinned) && c.Version == "":
		return misused("--words pinned needs --version, such as 17.0")
	case c.DryRun && len(c.Resolve) > 0:
		return misused("--dry-run writes nothing, and --resolve keeps a decision: give one of them")
	case c.PageSize < 1 || c.PageSize > 1000:
		return misused("--page-size must be from 1 to 1000")
	case c.Concurrency < 1 || c.Concurrency > 16:
		return misused("--concurrency must be from 1 to 16")
	}
	for flag, list := range map[string][]string{"--fields": c.Fields, "--match": c.Match, "--filter": c.Filter} {
		for _, text := range list {
			if model, _ := ofModel(text); model != "" && !slices.Contains(c.Models, model) {
				return misused("%s: %s is none of --models", flag, model)
			}
		}
	}
	for _, model := range c.Models {
		if _, err := c.filter(model); err != nil {
			return err
		}
	}
	return nil
}

// ofModel parts what may be for one model alone; model is "" where it is for all.
func ofModel(text string) (model, rest string) {
	if at := strings.IndexAny(text, `:["`); at > 0 && text[at] == ':' {
		return text[:at], text[at+1:]
	}
	return "", text
}

// of are those of the texts that are for a model, nil where there are none.
func of(model string, texts []string) (list []string) {
	for _, text := range texts {
		if only, rest := ofModel(text); only == "" || only == model {
			list = append(list, rest)
		}
	}
	return list
}

func (c syncCommand) filter(model string) (adapter.Filter, error) {
	var all adapter.And
	for _, text := range of(model, c.Filter) {
		var domain any
		if err := adapter.DecodeJSON([]byte(text), &domain); err != nil {
			return nil, misused(`--filter: it must be a domain as JSON, such as [["is_company", "=", true]]`)
		}
		filter, err := adapter.ParseDomain(domain)
		if err != nil {
			return nil, misused("--filter: %s", message(err))
		}
		all = append(all, filter)
	}
	switch len(all) {
	case 0:
		return nil, nil //nolint:nilnil // no filter
	case 1:
		return all[0], nil
	}
	return all, nil
}

// holder names this run to others.
func holder() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("bridgecore sync, process %d on %s (%s)", os.Getpid(), cmp.Or(host, "this machine"), rand.Text()[:6])
}

// hint says that words of their own are few between versions.
func (c syncCommand) hint(ctx context.Context, w world, p *recordsync.Pair) error {
	if p.Words != recordsync.Own || c.Words != "" {
		return nil
	}
	var versions [2]string
	for i, sys := range []*bridge.System{p.Source, p.Target} {
		var err error
		if versions[i], err = sys.Version(ctx); err != nil {
			return err
		}
	}
	if versions[0] == versions[1] {
		return nil
	}
	return w.say(w.stderr, "cli_sync_versions", "Source", versions[0], "Target", versions[1])
}

// links are where it is kept which record is which: with the server's, if it
// knows both systems, otherwise in a file of their own.
func (c syncCommand) links(ctx context.Context, w world, e *ends, p *recordsync.Pair) (recordsync.Links, error) {
	var s *store.Store
	var err error
	tenant, name := c.Tenant, c.Links
	stored := !addressed(c.Source) && !addressed(c.Target)
	if stored && name == "" {
		s, err = w.open(ctx)
	} else {
		name = cmp.Or(name, "sync-"+fileName(e.from.ID())+"-to-"+fileName(e.to.ID())+".links.db")
		// It has the tables of the server's database, and needs a few of them.
		tenant = "command line"
		if s, err = store.Open(ctx, store.Options{Driver: "sqlite", DSN: name}); err != nil {
			return nil, misused("--links: %s can't be used: %w", name, err)
		}
	}
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, func() { _ = s.Close() })
	t, err := s.EnsureTenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var refs [2]int64
	for i, sys := range []*bridge.System{e.from, e.to} {
		row, err := s.System(ctx, t.ID, sys.ID())
		if errors.Is(err, adapter.ErrNotFound) && name != "" {
			row = store.System{TenantID: t.ID, SystemID: sys.ID(), Kind: sys.Kind(), Name: sys.ID()}
			err = s.CreateSystem(ctx, &row)
		}
		if err != nil {
			return nil, err
		}
		refs[i] = row.ID
	}
	return s.SyncLinks(store.SyncPair{TenantID: t.ID, SourceRef: refs[0], TargetRef: refs[1], Words: store.SyncWords(p.Words, p.Version)}), nil
}

func addressed(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

// resolve keeps the decisions; the run does what they say.
func (c syncCommand) resolve(ctx context.Context, links recordsync.Links) error {
	for number, choice := range c.Resolve {
		id, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return misused("--resolve: %q does not read like 17=source", number+"="+choice)
		}
		for i, model := range c.Models {
			_, err := recordsync.Resolve(ctx, links, model, id, choice)
			if errors.Is(err, adapter.ErrNotFound) && i < len(c.Models)-1 {
				continue
			}
			if code := adapter.CodeOf(err); code == adapter.NotFound || code == adapter.InvalidArgument {
				return misused("--resolve %s=%s: %s", number, choice, message(err))
			}
			if err != nil {
				return err
			}
			break
		}
	}
	return nil
}

// models synchronises one model after the other, and what waited for a later one
// again.
func (c syncCommand) models(ctx context.Context, w world, pair recordsync.Pair, account *syncAccount) error {
	for _, model := range c.Models {
		if err := c.model(ctx, w, pair, account, &modelAccount{Model: model}); err != nil {
			return err
		}
	}
	if c.DryRun {
		return nil
	}
	for _, m := range account.Models[:len(c.Models)-1] {
		if !slices.ContainsFunc(m.Records, func(o recordsync.Outcome) bool { return len(o.Waiting) > 0 }) {
			continue
		}
		if err := c.model(ctx, w, pair, account, &modelAccount{Model: m.Model, Again: true}); err != nil {
			return err
		}
		// What is left is told once.
		m.Refused, m.Open = nil, nil
	}
	return nil
}

func (c syncCommand) model(ctx context.Context, w world, pair recordsync.Pair, account *syncAccount, m *modelAccount) error {
	pair.Model, pair.Fields, pair.Match = m.Model, of(m.Model, c.Fields), of(m.Model, c.Match)
	var err error
	if pair.Filter, err = c.filter(m.Model); err != nil {
		return err
	}
	if !c.DryRun {
		if err := c.turn(ctx, w, &pair); err != nil {
			return err
		}
		// A run that does not begin keeps it otherwise.
		defer func() { _ = pair.Links.Lease(context.WithoutCancel(ctx), m.Model, pair.Holder, 0) }()
	}
	m.Records = []recordsync.Outcome{}
	account.Models = append(account.Models, m)
	var stop func()
	pair.Watch, stop = c.progress(w, m.Model)
	_, err = pair.Run(ctx, func(o recordsync.Outcome) { m.Records = append(m.Records, o) })
	stop()
	m.Records = recordsync.Settled(m.Records)
	for i := range m.Records {
		m.Add(&m.Records[i])
	}
	m.Records = slices.DeleteFunc(m.Records, func(o recordsync.Outcome) bool { return o.Action == recordsync.Unchanged })
	left := context.WithoutCancel(ctx)
	var listErr error
	if m.Open, listErr = recordsync.ListConflicts(left, pair.Links, m.Model, 0, 0); listErr == nil {
		m.Refused, listErr = pair.Links.Select(left, m.Model, recordsync.Want{Kind: recordsync.WantRefused})
	}
	return cmp.Or(err, listErr)
}

// turn takes the pair, after somebody who was killed perhaps: one who lives
// prolongs what he has.
func (c syncCommand) turn(ctx context.Context, w world, p *recordsync.Pair) error {
	var first *recordsync.Held
	tick := time.NewTicker(min(c.Lease/20, time.Second))
	defer tick.Stop()
	for {
		err := p.Links.Lease(ctx, p.Model, p.Holder, c.Lease)
		held, busy := errors.AsType[*recordsync.Held](err)
		switch {
		case !busy:
			return err
		case strings.HasPrefix(held.By, store.OperationHolder), first != nil && *held != *first:
			return err
		case first == nil:
			first = held
			if err := w.say(w.stderr, "cli_sync_held", "Model", p.Model, "By", held.By); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// progress shows how it stands: as a bar on a terminal, otherwise a line now and
// then.
func (c syncCommand) progress(w world, model string) (watch func(recordsync.Standing), stop func()) {
	say := func(s recordsync.Standing) string {
		if s.Wait > 0 {
			return w.words.T("cli_sync_waits", "Model", model, "Seconds", int(s.Wait/time.Second)+1)
		}
		return w.words.T("cli_sync_stands", "Model", model, "Phase", w.words.T(i18n.PhaseKey+string(s.Phase)), "Looked", s.Sums.Total, "Written", s.Sums.Wrote(), "Refused", s.Sums.Errors+s.Sums.Reverse.Errors)
	}
	if terminal, ok := w.stderr.(*os.File); ok && !c.JSON && term.IsTerminal(int(terminal.Fd())) {
		bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(terminal), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSpinnerType(14), progressbar.OptionSetElapsedTime(true))
		return func(s recordsync.Standing) { bar.Describe(say(s)); _ = bar.Add(1) }, func() { _ = bar.Exit(); fmt.Fprintln(terminal) }
	}
	const often = 10 * time.Second
	last := time.Now()
	return func(s recordsync.Standing) {
		if s.Wait > 0 || time.Since(last) > often {
			last = time.Now()
			fmt.Fprintln(w.stderr, say(s))
		}
	}, func() {}
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
