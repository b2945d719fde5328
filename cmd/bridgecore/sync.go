package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
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
