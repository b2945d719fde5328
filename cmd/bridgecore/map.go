package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/recordfile"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/mapping"
	"github.com/bridgecore/bridgecore/mapping/standard"
)

type mapCommand struct {
	System  string `required:"" help:"The kind of system: odoo, salesforce or sap." placeholder:"KIND"`
	Version string `help:"The system's version; needed where mappings differ by it." placeholder:"VERSION"`
	Model   string `required:"" help:"The universal model, such as contact; bridgecore mappings lists them." placeholder:"MODEL"`
	recordFlags
	Out          string `help:"File to write; standard output unless given." placeholder:"FILE"`
	OutputFormat string `default:"auto" enum:"auto,ndjson,csv,json" help:"As --input-format; auto is by the file's name, else as the input." placeholder:"FORMAT"`
	ToUniversal  bool   `help:"From the system's words to universal ones; the other way unless given."`
	Update       bool   `help:"Give values as an update writes them rather than those of new records."`
	Mappings     string `help:"File or folder with mappings of one's own, laid over the standard ones." placeholder:"FILE"`
	Lookup       string `help:"File of records that keys are looked up in: JSON, {\"res.country\": [{\"id\": 192, \"code\": \"SA\"}]}." placeholder:"FILE"`
	Unmapped     string `default:"drop" enum:"drop,extra,refuse" help:"What becomes of fields without counterpart: drop (left out with a warning), extra (kept under extra), or refuse." placeholder:"drop|extra|refuse"`
	OnError      string `default:"stop" enum:"stop,collect" help:"At a record that can't be mapped: stop, or collect (go on, end with status 3)." placeholder:"stop|collect"`
	JSON         bool   `help:"Print the account of the run to standard error as JSON."`
}

// mapReport is the account of a run.
type mapReport struct {
	Model    string        `json:"model"`
	System   string        `json:"system"`
	Records  int           `json:"records"`
	Mapped   int           `json:"mapped"`
	Refused  int           `json:"refused"`
	Errors   []mapFailure  `json:"errors"`   // the first of them
	Warnings []mapWarnings `json:"warnings"` // alike ones counted
}

type mapFailure struct {
	Record  int    `json:"record"` // its place, from 0
	Message string `json:"message"`
}

type mapWarnings struct {
	adapter.Warning
	Records int `json:"records"`
}

// mostFailures bounds the failures that a report lists.
const mostFailures = 100

// Run maps records of a file.
func (c mapCommand) Run(ctx context.Context, w world) (err error) {
	translate, schema, err := c.translation()
	if err != nil {
		return err
	}
	if c.Out != "" && c.Out == c.In && c.Out != os.DevNull {
		return misused("--in and --out are the same file")
	}
	if ctx, err = c.lookups(ctx); err != nil {
		return err
	}
	in, err := c.open(w, schema)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	target := w.stdout
	if c.Out != "" {
		f, err := os.Create(c.Out)
		if err != nil {
			return misused("--out: %w", err)
		}
		defer func() {
			if closed := f.Close(); err == nil {
				err = closed
			}
		}()
		target = f
	}
	out, err := recordfile.NewWriter(target, c.outputFormat())
	if err != nil {
		return err
	}
	report := &mapReport{Model: c.Model, System: c.System, Errors: []mapFailure{}, Warnings: []mapWarnings{}}
	err = c.stream(ctx, in.lines, out, translate, report)
	if closed := out.Close(); err == nil {
		err = closed
	}
	if told := c.tell(w, report); err == nil {
		err = told
	}
	if err == nil && report.Refused > 0 {
		return found("%d of %d records could not be mapped", report.Refused, report.Records)
	}
	return err
}

func (c mapCommand) outputFormat() recordfile.Format {
	if c.OutputFormat == "auto" && c.Out == "" {
		return formatOf(c.InputFormat, c.In)
	}
	return formatOf(c.OutputFormat, c.Out)
}

// translator maps one record.
type translator func(context.Context, adapter.Record) (adapter.Record, []adapter.Warning, error)

// translation compiles the mapping. schema gives the cells of CSV their types.
func (c mapCommand) translation() (translator, *adapter.Schema, error) {
	if !slices.Contains(systems.Kinds(), c.System) {
		return nil, nil, misused("--system must be one of %s", strings.Join(systems.Kinds(), ", "))
	}
	if c.ToUniversal && c.Update {
		return nil, nil, misused("--update is for the way to the system")
	}
	set := standard.Set()
	if c.Mappings != "" {
		files, ok, err := areMappings(c.Mappings)
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			return nil, nil, misused("--mappings: %s holds no mappings", c.Mappings)
		}
		if set, err = loadMappings(c.Mappings, files, standardMappings); err != nil {
			return nil, nil, err
		}
	}
	unmapped := mapping.Unmapped(c.Unmapped)
	if c.Unmapped == "drop" {
		unmapped = mapping.Drop
	}
	plan, err := set.Compile(c.System, c.Version, c.Model, mapping.Options{Unmapped: unmapped})
	if err != nil {
		return nil, nil, ended{statusUsage, errors.New(message(err))}
	}
	if c.ToUniversal {
		return func(ctx context.Context, r adapter.Record) (adapter.Record, []adapter.Warning, error) {
			return plan.ToUniversal(ctx, r, nil)
		}, recordedSchema(c.System, c.Version, plan.SystemModel()), nil
	}
	write := plan.Create
	if c.Update {
		write = plan.Update
	}
	return func(ctx context.Context, r adapter.Record) (adapter.Record, []adapter.Warning, error) {
		own, err := write(ctx, r)
		if err != nil {
			return nil, nil, err
		}
		return own.Whole(), own.Notes, nil
	}, plan.Schema(), nil
}

// lookups lets keys be looked up in a file.
func (c mapCommand) lookups(ctx context.Context) (context.Context, error) {
	if c.Lookup == "" {
		return ctx, nil
	}
	b, err := os.ReadFile(c.Lookup)
	if err != nil {
		return nil, misused("--lookup: %w", err)
	}
	var tables map[string][]adapter.Record
	if err := adapter.DecodeJSON(b, &tables); err != nil {
		return nil, misused("--lookup: %s is no object of lists of records by model", c.Lookup)
	}
	return mapping.WithLookup(ctx, mapping.Tables(tables)), nil
}

// stream maps the lines of NDJSON.
func (c mapCommand) stream(ctx context.Context, in io.Reader, out io.Writer, translate translator, report *mapReport) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 1<<16), longestLine)
	counted := map[adapter.Warning]int{} // where it is in the report
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := adapter.ContextError(ctx); err != nil {
			return err
		}
		text, notes, err := mapLine(ctx, line, translate)
		place := report.Records
		report.Records++
		if err != nil {
			report.Refused++
			if len(report.Errors) < mostFailures {
				report.Errors = append(report.Errors, mapFailure{place, message(err)})
			}
			if c.OnError == "stop" {
				return fmt.Errorf("record %d: %s; what is written so far are the records before it", place, message(err))
			}
			continue
		}
		report.Mapped++
		for _, n := range notes {
			at, known := counted[n]
			if !known {
				at = len(report.Warnings)
				counted[n] = at
				report.Warnings = append(report.Warnings, mapWarnings{Warning: n})
			}
			report.Warnings[at].Records++
		}
		if _, err := out.Write(text); err != nil {
			return err
		}
	}
	return lines.Err()
}

func mapLine(ctx context.Context, line []byte, translate translator) ([]byte, []adapter.Warning, error) {
	rec, err := adapter.DecodeRecord(line)
	if err != nil {
		return nil, nil, err
	}
	if rec == nil {
		return nil, nil, errors.New("it is null, and no record")
	}
	got, notes, err := translate(ctx, rec)
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err = enc.Encode(got)
	return b.Bytes(), notes, err
}

// tell gives the account of the run.
func (c mapCommand) tell(w world, report *mapReport) error {
	if c.JSON {
		return printJSON(w.stderr, report)
	}
	direction := "from universal words"
	if c.ToUniversal {
		direction = "to universal words"
	}
	fmt.Fprintf(w.stderr, "%s of %s, %s: %d records, %d mapped, %d refused\n", c.Model, strings.TrimSpace(c.System+" "+c.Version), direction, report.Records, report.Mapped, report.Refused)
	if c.OnError == "collect" {
		for i, e := range report.Errors {
			if i == 10 {
				fmt.Fprintf(w.stderr, "  and %d more\n", report.Refused-10)
				break
			}
			fmt.Fprintf(w.stderr, "  record %d: %s\n", e.Record, e.Message)
		}
	}
	for _, n := range slices.SortedFunc(slices.Values(report.Warnings), func(a, b mapWarnings) int { return cmp.Compare(b.Records, a.Records) }) {
		fmt.Fprintf(w.stderr, "  %d records: %s\n", n.Records, n.Message)
	}
	return nil
}
