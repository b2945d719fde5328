package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
	"github.com/bridgecore/bridgecore/migrate/odoo"
)

// ended is an error with the status that the program ends with.
type ended struct {
	status int
	error
}

// Unwrap returns the error.
func (e ended) Unwrap() error { return e.error }

// misused is an error of who called the program; all of its text is shown.
func misused(format string, args ...any) error {
	return ended{statusUsage, errors.New(fmt.Errorf(format, args...).Error())}
}

// found ends the program after its work was done and said.
func found(format string, args ...any) error {
	return ended{statusFound, fmt.Errorf(format, args...)}
}

// loadPack returns one of our packs by its name, or loads one from a file or a
// folder; names are those of its files. over is the pack that rules of one's
// own are laid over: one of ours, or "none".
func loadPack(name, over string) (pack *migrate.Pack, names []string, err error) {
	if p, ok := odoo.Named(name); ok {
		return p, nil, nil
	}
	files, err := packFiles(name)
	if err != nil {
		return nil, nil, err
	}
	pack, err = migrate.LoadFiles(files, odoo.Functions()...)
	if err != nil {
		return nil, nil, packError(name, err)
	}
	names = slices.Sorted(maps.Keys(files))
	if over == "none" {
		return pack, names, nil
	}
	lower, ok := odoo.Named(over)
	if !ok {
		return nil, nil, misused("--over: there is no pack %q; it is one of %s, or none", over, strings.Join(slices.Sorted(maps.Keys(odoo.Packs())), ", "))
	}
	layered, err := migrate.Layer(lower, pack)
	if err != nil {
		return nil, nil, packError(name, err)
	}
	return layered, names, nil
}

// packError gives every mistake in a pack.
func packError(name string, err error) error {
	if mistakes, ok := errors.AsType[migrate.LoadErrors](err); ok {
		return misused("the rule pack %s can't be used\n%s", name, mistakes.Error())
	}
	return misused("the rule pack %s can't be used: %s", name, message(err))
}

func isPack(name string) bool {
	_, ok := odoo.Named(name)
	return ok
}

// packFiles reads a file, or all .yaml and .yml files of a folder.
func packFiles(name string) (map[string][]byte, error) {
	ours := strings.Join(slices.Sorted(maps.Keys(odoo.Packs())), ", ")
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, misused("there is no pack %q: it is one of %s, or a file or folder of one's own", name, ours)
	}
	if err != nil {
		return nil, ended{statusUsage, err}
	}
	files := map[string][]byte{}
	read := func(path string) error {
		b, err := os.ReadFile(path)
		files[filepath.ToSlash(path)] = b
		return err
	}
	if !info.IsDir() {
		err = read(name)
	} else {
		err = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
			if ext := filepath.Ext(path); err != nil || d.IsDir() || (ext != ".yaml" && ext != ".yml") {
				return err
			}
			return read(path)
		})
	}
	if err != nil {
		return nil, ended{statusUsage, err}
	}
	if len(files) == 0 {
		return nil, misused("the folder %s has no .yaml file", name)
	}
	return files, nil
}

// ruleFlags say by which rules records cross which versions.
type ruleFlags struct {
	Pack  string `default:"documented" help:"Rules: documented (the documentation to the letter), community (what Odoo changed), or a file or folder of one's own." placeholder:"documented|community|FILE"`
	Over  string `default:"community" help:"Pack that rules of one's own are laid over; none for none." placeholder:"PACK"`
	Model string `required:"" help:"The model, named as in the version it comes from." placeholder:"MODEL"`
	From  string `required:"" help:"The old version." placeholder:"VERSION"`
	To    string `required:"" help:"The new version." placeholder:"VERSION"`

	AnyModel bool `help:"Accept a model that neither the rules nor the snapshot of the old version know: its records pass as they are."`
}

// known refuses a model that nobody has heard of: most likely its name is
// misspelt, and its records would pass as they are.
func (r ruleFlags) known(pack *migrate.Pack) error {
	models := pack.Models()
	if r.AnyModel || slices.Contains(models, r.Model) || snapshotOf(r.From, r.Model) != nil {
		return nil
	}
	hint := ""
	if near := adapter.Nearest(r.Model, models); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return misused("neither the rules nor the snapshot of %s know a model %s%s If it is one of your own, --any-model lets its records pass as they are", r.From, r.Model, cmp.Or(hint, "."))
}

func (r ruleFlags) plan(opts migrate.Options) (*migrate.Plan, error) {
	pack, _, err := loadPack(r.Pack, r.Over)
	if err != nil {
		return nil, err
	}
	plan, err := pack.CompileWith(r.Model, r.From, r.To, opts)
	if err != nil {
		return nil, ended{statusUsage, err}
	}
	if err := r.known(pack); err != nil {
		return nil, err
	}
	return plan, nil
}

// notes says of the documented rules what they are.
func (r ruleFlags) notes(w io.Writer) {
	if r.Pack == "documented" {
		fmt.Fprintln(w, "note: the documented rules are for data that stay outside of Odoo; --pack community has what Odoo changed")
	}
}

type planCommand struct {
	ruleFlags
	JSON bool `help:"Print JSON."`
}

// Run prints what a migration would do.
func (c planCommand) Run(w world) error {
	plan, err := c.plan(migrate.Options{})
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(w.stdout, plan)
	}
	c.notes(w.stderr)
	_, err = fmt.Fprint(w.stdout, plan)
	return err
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

type coverageCommand struct {
	ruleFlags
	Source string `default:"snapshot" help:"Schema of the old version: snapshot (of Odoo Community), a file with an answer of fields_get, or system:ID for a registered system." placeholder:"snapshot|FILE|system:ID"`
	Target string `default:"snapshot" help:"Schema of the new version, the same." placeholder:"snapshot|FILE|system:ID"`
	Tenant string `default:"default" help:"Tenant of registered systems." placeholder:"NAME"`
	JSON   bool   `help:"Print JSON."`
}

// Run holds the plan against both schemas.
func (c coverageCommand) Run(ctx context.Context, w world) error {
	plan, err := c.plan(migrate.Options{})
	if err != nil {
		return err
	}
	source, err := w.schema(ctx, schemaRequest{c.Source, c.Tenant, c.From, c.Model, "--source"})
	if err != nil {
		return err
	}
	problems := 0
	for _, model := range plan.Targets() {
		target, err := w.schema(ctx, schemaRequest{c.Target, c.Tenant, c.To, model, "--target"})
		if err != nil {
			return err
		}
		coverage, err := migrate.CoverageOf(ctx, plan, source, target)
		if err != nil {
			return err
		}
		problems += len(coverage.Problems)
		if c.JSON {
			err = printJSON(w.stdout, coverage)
		} else {
			_, err = fmt.Fprint(w.stdout, coverage)
		}
		if err != nil {
			return err
		}
	}
	if problems == 0 {
		return nil
	}
	if c.Pack == "documented" {
		return found("%d problems; the documented rules don't suit a real Odoo, --pack community does", problems)
	}
	return found("%d problems", problems)
}

type diffCommand struct {
	ruleFlags
	recordFlags
	JSON bool `help:"Print one JSON object a record."`
}

// Run shows what becomes of each record's fields.
func (c diffCommand) Run(ctx context.Context, w world) error {
	plan, err := c.plan(migrate.Options{})
	if err != nil {
		return err
	}
	in, err := c.open(w, snapshotOf(c.From, c.Model))
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if !c.JSON {
		c.notes(w.stderr)
	}
	enc := json.NewEncoder(w.stdout)
	enc.SetEscapeHTML(false)
	refused, place := 0, 0
	for rec, err := range recordsOf(ctx, in.lines, plan) {
		var d migrate.RecordDiff
		if err != nil {
			if _, broken := errors.AsType[*readError](err); broken {
				return err
			}
			d = migrate.RecordDiff{Changes: []migrate.FieldDiff{}, Error: message(err)}
		} else {
			d = migrate.Diff(ctx, plan, []adapter.Record{rec})[0]
		}
		if d.Error != "" {
			refused++
		}
		if c.JSON {
			err = enc.Encode(d)
		} else {
			err = printDiff(w.stdout, place, d)
		}
		if err != nil {
			return err
		}
		place++
	}
	if refused > 0 {
		return found("%d of %d records would be refused", refused, place)
	}
	return nil
}

func printDiff(w io.Writer, place int, d migrate.RecordDiff) error {
	name := fmt.Sprintf("record %d", place)
	if !d.ID.IsZero() {
		name += " (id " + d.ID.String() + ")"
	}
	switch {
	case d.Error != "":
		name += ": " + d.Error
	case len(d.Changes) == 0:
		name += ": nothing changes"
	}
	if _, err := fmt.Fprintln(w, name); err != nil {
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range d.Changes {
		to := strings.Join(f.To, ", ")
		if to == "" {
			to = "-"
		}
		field := f.Field
		if field == "" {
			field = "-"
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t->\t%s\t%s\n", f.Fate, field, short(f.Before), to, short(f.After))
	}
	return table.Flush()
}

// short is a value as JSON, cut where it is long.
func short(v any) string {
	if v == nil {
		return ""
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	const most = 48
	if len(b) > most {
		return strings.ToValidUTF8(string(b[:most]), "") + "..."
	}
	return string(b)
}

// packList are packs to look over, one after the other.
type packList struct {
	Packs []string `arg:"" name:"pack" help:"documented, community, or a file or folder of one's own; for lint also standard, and files or folders of mappings."`
	Over  string   `default:"community" help:"Pack that rules of one's own are laid over; none for none." placeholder:"PACK"`
	JSON  bool     `help:"Print JSON."`
}

// each loads the packs; mine tells the files of a pack from those of the one
// below it.
func (p packList) each(run func(pack *migrate.Pack, mine func(migrate.Position) bool) error) error {
	for _, name := range p.Packs {
		pack, files, err := loadPack(name, p.Over)
		if err != nil {
			return err
		}
		mine := func(at migrate.Position) bool { return files == nil || slices.Contains(files, at.File) }
		if err := run(pack, mine); err != nil {
			return err
		}
	}
	return nil
}

type lintCommand struct {
	packList
	Ignore []string `help:"Codes of findings to leave out, such as no_test,irreversible." placeholder:"CODE"`
}

// Run prints what is doubtful about rules and mappings: what a file holds is
// told by its first line.
func (c lintCommand) Run(w world) error {
	findings := []any{}
	note := func(code string, f any) {
		if !slices.Contains(c.Ignore, code) {
			findings = append(findings, f)
		}
	}
	rules := packList{Over: c.Over}
	for _, name := range c.Packs {
		files, ok, err := areMappings(name)
		if err != nil {
			return err
		}
		if !ok {
			rules.Packs = append(rules.Packs, name)
			continue
		}
		over := standardMappings
		if c.Over == "none" {
			over = c.Over
		}
		list, err := lintMappings(name, files, over)
		if err != nil {
			return err
		}
		for _, f := range list {
			note(string(f.Code), f)
		}
	}
	err := rules.each(func(pack *migrate.Pack, mine func(migrate.Position) bool) error {
		for _, f := range migrate.Lint(pack, snapshots) {
			if mine(f.Pos) {
				note(string(f.Code), f)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		if err := printJSON(w.stdout, findings); err != nil {
			return err
		}
	} else {
		for _, f := range findings {
			if _, err := fmt.Fprintln(w.stdout, f); err != nil {
				return err
			}
		}
	}
	if len(findings) > 0 {
		return found("%d findings", len(findings))
	}
	return nil
}

type testRulesCommand struct {
	packList
	Verbose bool `short:"v" help:"Print the tests that passed too."`
}

// caseOutcome is the result of a test, as JSON.
type caseOutcome struct {
	Pos      migrate.Position `json:"pos"`
	Name     string           `json:"name"`
	Model    string           `json:"model"`
	From     string           `json:"from_version"`
	To       string           `json:"to_version"`
	Passed   bool             `json:"passed"`
	Problems []string         `json:"problems"`
}

// Run runs the tests that stand beside the packs' rules.
func (c testRulesCommand) Run(ctx context.Context, w world) error {
	outcomes := []caseOutcome{}
	passed := 0
	err := c.each(func(pack *migrate.Pack, mine func(migrate.Position) bool) error {
		for _, r := range pack.Test(ctx) {
			if !mine(r.Case.Pos) {
				continue
			}
			outcomes = append(outcomes, caseOutcome{r.Case.Pos, r.Case.Name, r.Model, r.From, r.To, r.Passed(), append([]string{}, r.Problems...)})
			if r.Passed() {
				passed++
			}
			if !c.JSON && (c.Verbose || !r.Passed()) {
				if _, err := fmt.Fprintln(w.stdout, r); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return told(w.stdout, c.JSON, outcomes, len(outcomes), passed, "rules")
}

type packsCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run lists the packs that are part of the program.
func (c packsCommand) Run(w world) error {
	list := odoo.List()
	if c.JSON {
		return printJSON(w.stdout, list)
	}
	table := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PACK\tVERSIONS\tMODELS\tRULES\tABOUT")
	for _, p := range list {
		fmt.Fprintf(table, "%s\t%s - %s\t%d\t%d\t%s\n", p.Name, p.Versions[0], p.Versions[len(p.Versions)-1], len(p.Models), p.Rules, p.About)
	}
	return table.Flush()
}
