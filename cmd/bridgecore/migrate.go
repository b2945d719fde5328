package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/recordfile"
	"github.com/bridgecore/bridgecore/migrate"
)

type migrateCommand struct {
	ruleFlags
	recordFlags
	Out          string `help:"File to write; standard output unless given." placeholder:"FILE"`
	OutputFormat string `default:"auto" enum:"auto,ndjson,csv,json" help:"As --input-format; auto is by the file's name, else as the input." placeholder:"FORMAT"`
	Residue      string `help:"File for what the new version can't hold, one line for each record that left something. With --down it is read." placeholder:"FILE"`
	Side         string `help:"File for records of other models that values move to." placeholder:"FILE"`
	Report       string `help:"File for the account of the run, as JSON." placeholder:"FILE"`
	Down         bool   `help:"Go back from --to to --from. Without --residue only as far as the rules allow, or with --allow-loss."`
	AllowLoss    bool   `help:"With --down: go back even where fields can't be had back; they are left out."`
	Resume       bool   `help:"Go on where a broken run stopped; from the beginning if there is no such run. Needs --in and --out, both NDJSON."`
	Every        int64  `default:"100000" help:"Records between two points that --resume can go on from." placeholder:"N"`
	OnError      string `default:"stop" enum:"stop,collect" help:"At a record that can't be migrated: stop, or collect (go on, list it in the report, end with status 3)." placeholder:"stop|collect"`
	Fit          string `help:"Make records fit for writing to a schema, and put what it lacks into the residue: snapshot, a file with an answer of fields_get, or system:ID." placeholder:"snapshot|FILE|system:ID"`
	Tenant       string `default:"default" help:"Tenant of registered systems." placeholder:"NAME"`
	Workers      int    `help:"Records at once; one a processor unless given." placeholder:"N"`
	JSON         bool   `help:"Print the account of the run to standard error as JSON, without a progress bar."`
}

// Run carries records from one version to another.
func (c migrateCommand) Run(ctx context.Context, w world) error {
	opts := migrate.Options{AllowLoss: c.AllowLoss}
	opts.Source = snapshotOf(c.From, c.Model)
	plan, err := c.plan(opts)
	if err != nil {
		return err
	}
	if plan, err = c.fit(ctx, w, plan, opts); err != nil {
		return err
	}
	if err := c.check(plan); err != nil {
		return err
	}
	schema := opts.Source
	if c.Down {
		schema = snapshotOf(c.To, plan.ToModel())
	}
	in, err := c.open(w, schema)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	files, err := c.files(w, in, plan)
	if err != nil {
		return err
	}
	defer files.close()

	bar := c.bar(w, in, files.at)
	report, err := c.stream(ctx, in, files, plan)
	if bar != nil {
		_ = bar.Exit()
		fmt.Fprintln(w.stderr)
	}
	err = files.finish(err)
	if told := c.tell(w, plan, report, err); told != nil {
		err = errors.Join(err, told)
	}
	return c.outcome(ctx, err)
}

// fit compiles the plan anew for a schema to write to.
func (c migrateCommand) fit(ctx context.Context, w world, plan *migrate.Plan, opts migrate.Options) (*migrate.Plan, error) {
	if c.Fit == "" {
		return plan, nil
	}
	target, err := w.schema(ctx, schemaRequest{c.Fit, c.Tenant, c.To, plan.ToModel(), "--fit"})
	if err != nil {
		return nil, err
	}
	target.Model = plan.ToModel()
	opts.Target = target
	return c.plan(opts)
}

// check refuses flags that contradict one another.
func (c migrateCommand) check(plan *migrate.Plan) error {
	in, out := formatOf(c.InputFormat, c.In), c.outputFormat()
	switch {
	case c.Every < 1:
		return misused("--every must be at least 1")
	case c.Workers < 0:
		return misused("--workers can't be negative")
	case c.AllowLoss && !c.Down:
		return misused("--allow-loss is for --down")
	case c.Down && c.Side != "":
		return misused("--side is for the way up: going down gives no records of other models")
	case c.Fit != "" && plan.ToModel() == "":
		return misused("--fit: model %s is split in version %s, so there is not one schema", c.Model, c.To)
	case c.Resume && (c.In == "" || c.Out == ""):
		return misused("--resume needs --in and --out: a broken run can't be gone on with in a pipe")
	case c.Resume && (in != recordfile.NDJSON || out != recordfile.NDJSON):
		return misused("--resume needs NDJSON on both sides")
	}
	seen := map[string]string{}
	for _, f := range []struct{ flag, name string }{{"--in", c.In}, {"--out", c.Out}, {"--residue", c.Residue}, {"--side", c.Side}, {"--report", c.Report}} {
		if f.name == "" {
			continue
		}
		if other := seen[f.name]; other != "" && f.name != os.DevNull {
			return misused("%s and %s are the same file", other, f.flag)
		}
		seen[f.name] = f.flag
	}
	return nil
}

func (c migrateCommand) outputFormat() recordfile.Format {
	if c.OutputFormat == "auto" && c.Out == "" {
		return formatOf(c.InputFormat, c.In)
	}
	return formatOf(c.OutputFormat, c.Out)
}

// stream runs the plan.
func (c migrateCommand) stream(ctx context.Context, in *input, files *outputs, plan *migrate.Plan) (*migrate.Report, error) {
	opts := migrate.StreamOptions{Workers: c.Workers, OnError: migrate.OnError(c.OnError), Every: c.Every, MaxLine: longestLine}
	if files.at != nil {
		opts.Resume = &files.at.Checkpoint
	}
	if files.checkpoint != "" {
		opts.Checkpoint = files.keep
	}
	if c.Down {
		var residue io.Reader
		if files.residue != nil {
			residue = files.residue
		}
		return migrate.StreamDown(ctx, in.lines, residue, files.out, plan, opts)
	}
	if files.residue != nil {
		opts.Residue = files.residue
	}
	if files.side != nil {
		opts.Side = files.side
	}
	return migrate.Stream(ctx, in.lines, files.out, plan, opts)
}

// bar shows how much of the input was read, on a terminal alone.
func (c migrateCommand) bar(w world, in *input, at *checkpoint) *progressbar.ProgressBar {
	terminal, ok := w.stderr.(*os.File)
	if c.JSON || !ok || !term.IsTerminal(int(terminal.Fd())) {
		return nil
	}
	size := in.size
	if size == 0 {
		size = -1 // not known: a spinner
	}
	bar := progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(terminal), progressbar.OptionSetDescription(c.Model), progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth(), progressbar.OptionSetPredictTime(true),
	)
	if at != nil {
		_ = bar.Set64(at.Input)
	}
	in.read.add = func(n int) { _ = bar.Add(n) }
	return bar
}

// tell gives the account of the run: in whole to its file, in short to
// standard error.
func (c migrateCommand) tell(w world, plan *migrate.Plan, report *migrate.Report, err error) error {
	if report == nil {
		return nil
	}
	if c.Report != "" {
		if err := writeReport(c.Report, report); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	if c.JSON {
		return printJSON(w.stderr, report)
	}
	c.notes(w.stderr)
	from, to := plan.From(), plan.To()
	if c.Down {
		from, to = to, from
	}
	told := w.say(w.stderr, "cli_migrated", "Model", c.Model, "From", from, "To", to, "Records", report.Records, "Migrated", report.Migrated,
		"Failed", report.Failed, "Residues", report.Residues, "Persons", report.Persons)
	if err == nil || c.OnError == "collect" {
		const most = 10
		for i, e := range report.Errors {
			if i == most {
				fmt.Fprintln(w.stderr, " ", w.words.N("cli_more_refused", int(report.Failed)-most, "Listed", len(report.Errors)))
				break
			}
			fmt.Fprintln(w.stderr, " ", w.words.T("cli_record", "Number", e.Record, "What", e.Message))
		}
	}
	return told
}

func writeReport(name string, report *migrate.Report) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(printJSON(f, report), f.Close())
}

// outcome turns the end of a run into the status of the program.
func (c migrateCommand) outcome(ctx context.Context, err error) error {
	partial, isPartial := errors.AsType[*migrate.PartialError](err)
	switch {
	case err == nil:
		return nil
	case isPartial:
		return found("%d of %d records could not be migrated", partial.Failed, partial.Failed+partial.Migrated)
	case ctx.Err() != nil:
		return errors.New("interrupted; --resume goes on where it stopped, if --in and --out are files of NDJSON")
	}
	if adapter.CodeOf(err) == adapter.InvalidArgument {
		return errors.New(message(err) + "; what is written so far are the records before it")
	}
	return err
}
