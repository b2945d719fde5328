package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/export"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/report"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/shelf"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
)

// exportParameters are what an export is made of, at once or in the background:
// records as they are asked for, or a report by name.
type exportParameters struct {
	Records  *exportRequest `json:"records,omitempty"`
	Version  string         `json:"version,omitempty"` // in whose words Records is
	Report   string         `json:"report,omitempty"`
	Period   Period         `json:"period,omitzero"` // of Report
	Language string         `json:"language"`        // of the file
}

// exportPlan is an export that can be made.
type exportPlan struct {
	sys     *bridge.System
	format  report.Format
	request export.Request
}

// planned looks an export over, for whoever ctx is of. The header is that of
// the answer.
func (a *API) planned(ctx context.Context, p *exportParameters, answer http.Header) (*exportPlan, error) {
	var plan exportPlan
	var err error
	if p.Report != "" {
		err = a.planReport(ctx, p, &plan)
	} else {
		err = a.planRecords(ctx, p, &plan, answer)
	}
	if err != nil {
		return nil, err
	}
	plan.request.Narrow = plan.format == report.PDF
	n := callFrom(ctx).note
	n.systemID, n.model = plan.sys.ID(), plan.request.Model
	return &plan, nil
}

func (a *API) planRecords(ctx context.Context, p *exportParameters, plan *exportPlan, answer http.Header) (err error) {
	r := p.Records
	plan.request = export.Request{Model: r.Model, Fields: r.Fields, Limit: r.Limit, Title: r.Title}
	if plan.format, err = formatOf(r.Format); err != nil {
		return err
	}
	if plan.request.Words, plan.request.Zone, err = localeOf(r.Language, r.Timezone, i18n.For(p.Language)); err != nil {
		return err
	}
	if err := r.ask(&plan.request); err != nil {
		return err
	}
	if !r.asked() {
		plan.sys, err = a.spokenOf(ctx, r.SystemID, false, p.Version, answer)
		return err
	}
	sys, err := a.spokenOf(ctx, r.SystemID, false, "", answer)
	if err != nil {
		return err
	}
	plan.sys, err = r.of(sys, p.Version)
	return err
}

func (a *API) planReport(ctx context.Context, p *exportParameters, plan *exportPlan) (err error) {
	if plan.format, err = formatOf(p.Period.Format); err != nil {
		return err
	}
	request := export.Request{Limit: p.Period.Limit, Title: p.Period.Title}
	if request.Words, request.Zone, err = localeOf(p.Period.Language, p.Period.Timezone, i18n.For(p.Language)); err != nil {
		return err
	}
	if plan.sys, err = a.system(ctx, p.Period.SystemID); err == nil {
		plan.sys, err = plan.sys.As("") // reports know the words of every version
	}
	if err != nil {
		return err
	}
	period := export.Period{Start: p.Period.StartDate, End: p.Period.EndDate}
	if request, err = export.Preset(ctx, plan.sys, p.Report, period, request); err != nil {
		return err
	}
	if period.Start != "" || period.End != "" {
		locale := report.Locale{Language: request.Words.Language}
		request.Subtitle = request.Words.T("report_period", "Start", dayOr(locale, period.Start), "End", dayOr(locale, period.End))
	}
	plan.request = request
	return nil
}

// made says in the subtitle when the export is made.
func (p *exportPlan) made(at time.Time) {
	locale := report.Locale{Language: p.request.Words.Language, Zone: p.request.Zone}
	created := p.request.Words.T("report_created", "At", locale.At(at))
	p.request.Subtitle = strings.TrimPrefix(p.request.Subtitle+" · "+created, " · ")
}

// startExport starts an export in the background if that is wanted, or if it
// has so many rows that its caller would wait for too long. nil means that it
// is to be made at once.
func (a *API) startExport(ctx context.Context, p *exportParameters, plan *exportPlan, async, atOnce bool) (*startedOperation, error) {
	enough := plan.request.Limit > 0 && plan.request.Limit <= a.ExportBackground
	switch {
	case async:
		if a.Reports == nil {
			return nil, errNoShelf
		}
	case atOnce, a.Tasks == nil, a.Reports == nil, a.ExportBackground <= 0, enough:
		return nil, nil
	}
	total, err := export.Count(bridge.Patient(ctx), plan.sys, plan.request)
	if err != nil {
		total = 0 // a system that can't count; what is wrong with the filter is said by the export
		if !async {
			return nil, nil //nolint:nilerr // the export says it better
		}
		if adapter.CodeOf(err) != adapter.Unsupported {
			return nil, err
		}
	}
	for format, most := range map[report.Format]int{report.PDF: report.MaxPDFRows, report.XLSX: report.MaxXLSXRows} {
		if plan.format == format && total > int64(most) {
			return nil, invalid("format", "%s", (&report.TooManyRows{Format: format, Most: most}).Error())
		}
	}
	if !async && total <= int64(a.ExportBackground) {
		return nil, nil
	}
	if _, err := export.Table(ctx, plan.sys, plan.request); err != nil { // what is wrong with the columns is said now
		return nil, err
	}
	started, err := a.start(ctx, kindReport, plan.sys.ID(), p, int(total))
	if err != nil {
		return nil, err
	}
	callFrom(ctx).note.details = map[string]any{"format": plan.format, "operation_id": started.OperationID}
	return &started, nil
}

// exportCursor is where an export in the background stands: its rows lie in a
// pile, in one piece for each step.
type exportCursor struct {
	Pile   string   `json:"pile,omitempty"`
	Fields []string `json:"fields,omitempty"` // the columns, as the first step chose them
	Next   string   `json:"next,omitempty"`   // the page to go on with
	Rows   int64    `json:"rows,omitempty"`
	Read   bool     `json:"read,omitempty"` // all rows are there
}

// exportPart names a piece.
type exportPart struct {
	Piece string `json:"piece"`
	Rows  int    `json:"rows"`
}

// mostExportWarnings bounds what an export in the background remembers.
const mostExportWarnings = 100

// reportExecutor makes exports in the background.
type reportExecutor struct{ api *API }

// Step implements task.Executor: it reads a page of the records, or at last
// makes the file. A step that was broken off leaves a piece that nothing names,
// or a file that nobody has a ticket of; both are swept.
func (x reportExecutor) Step(ctx context.Context, r *task.Run) (bool, error) {
	var p exportParameters
	var at exportCursor
	var sum exportOutput
	for _, err := range []error{r.Parameters(&p), r.Cursor(&at), r.Sum(&sum)} {
		if err != nil {
			return false, err
		}
	}
	if x.api.Reports == nil {
		return false, errNoShelf
	}
	ctx, record, err := x.api.working(ctx, r, kindReport)
	if err != nil {
		return false, err
	}
	ctx, warnings := adapter.WithWarnings(bridge.Patient(ctx))
	plan, err := x.api.planned(ctx, &p, http.Header{})
	if err != nil {
		return false, err
	}
	plan.made(r.CreatedAt)
	if at.Fields != nil {
		plan.request.Fields = at.Fields
	}
	s := exportStep{api: x.api, run: r, plan: plan, at: at, warnings: sum.Warnings}
	if err := s.open(); err != nil {
		return false, err
	}
	if !at.Read {
		return false, s.read(ctx, warnings)
	}
	return true, s.finish(ctx, record)
}

// exportStep is one step of an export.
type exportStep struct {
	api      *API
	run      *task.Run
	plan     *exportPlan
	pile     *shelf.Pile
	at       exportCursor
	warnings []adapter.Warning
}

// open finds the rows that were read so far.
func (s *exportStep) open() (err error) {
	whose := ownerOf(&s.run.Operation)
	if s.at.Pile == "" {
		// Twice as long as the operation itself would be kept, so that it can be
		// tried again until then.
		if s.at.Pile, err = s.api.Reports.NewPile(whose, 2*s.api.Tasks.Retention); err != nil {
			return err
		}
	}
	s.pile, err = s.api.Reports.Pile(whose, s.at.Pile)
	if errors.Is(err, shelf.ErrMissing) {
		// Another worker may have it.
		return &adapter.Error{
			Code: adapter.Unavailable, Temporary: true, Err: err,
			Message: "the rows that were read so far are not in this worker's REPORTS_DIR; servers and workers must share that directory",
		}
	}
	return err
}

// read adds a page of the records to the pile.
func (s *exportStep) read(ctx context.Context, warnings *adapter.Warnings) error {
	request := s.plan.request
	if request.Limit > 0 {
		request.Limit -= int(s.at.Rows)
	}
	table, rows, next, err := export.Page(ctx, s.plan.sys, request, s.at.Next)
	if err != nil {
		return err
	}
	var step task.Step
	if len(rows) > 0 {
		var content []byte
		for _, row := range rows {
			if content, err = report.AppendRow(content, row); err != nil {
				return err
			}
		}
		piece, err := s.pile.Add(content)
		if err != nil {
			return shelfProblem(err)
		}
		step.Part = exportPart{piece, len(rows)}
	}
	for i := range table.Columns {
		if len(s.at.Fields) < len(table.Columns) {
			s.at.Fields = append(s.at.Fields, table.Columns[i].Name)
		}
	}
	s.at.Rows += int64(len(rows))
	s.at.Next = next
	s.at.Read = next == "" || s.plan.request.Limit > 0 && s.at.Rows >= int64(s.plan.request.Limit)
	for _, w := range warnings.List() {
		if len(s.warnings) < mostExportWarnings && !slices.Contains(s.warnings, w) {
			s.warnings = append(s.warnings, w)
		}
	}
	step.Cursor, step.Done, step.Total = s.at, s.at.Rows, max(s.run.Total, s.at.Rows)
	step.Message = i18n.Count("progress_read_of", int(step.Total), "Read", s.at.Rows)
	if s.at.Read {
		step.Total = s.at.Rows
		step.Message = i18n.Text("progress_file", "Read", i18n.Count("progress_read", int(s.at.Rows)))
	}
	if len(s.warnings) > 0 {
		step.Result = exportOutput{Format: s.plan.format, Warnings: s.warnings}
	}
	return s.run.Save(ctx, step)
}

// finish makes the file of the rows.
func (s *exportStep) finish(ctx context.Context, record func(error) error) error {
	table, err := export.Table(ctx, s.plan.sys, s.plan.request)
	if err != nil {
		return err
	}
	parts, err := s.run.Parts(ctx)
	if err != nil {
		return err
	}
	table.Rows = s.kept(ctx, parts)
	select {
	case s.api.exports <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	type file struct {
		ticket shelf.Ticket
		rows   int
		err    error
	}
	made := make(chan file, 1)
	// Laying out pages looks at no context: whoever cancels does not wait for it.
	go func() {
		defer func() { <-s.api.exports }()
		defer func() {
			if cause := recover(); cause != nil {
				made <- file{err: fmt.Errorf("panic while the file was made: %v", cause)}
			}
		}()
		ticket, rows, err := s.api.write(ownerOf(&s.run.Operation), s.plan.format, table)
		made <- file{ticket, rows, err}
	}()
	var f file
	select {
	case f = <-made:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if f.err != nil {
		return f.err
	}
	out := exportAnswer(f.ticket, s.plan.format, f.rows, s.warnings)
	callFrom(ctx).note.details = exportDetails(s.plan.format, f.rows, f.ticket.Size, table)
	if err := record(nil); err != nil {
		return err
	}
	err = s.run.Save(ctx, task.Step{
		Cursor: s.at, Done: s.at.Rows, Total: s.at.Rows, Result: out,
		Message: i18n.Count("progress_in_file", f.rows, "File", out.Filename),
	})
	if err == nil {
		_ = s.pile.Remove() // otherwise it is swept
	}
	return err
}

// kept are the rows in the pieces.
func (s *exportStep) kept(ctx context.Context, parts []string) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for _, text := range parts {
			var part exportPart
			err := adapter.DecodeJSON([]byte(text), &part)
			if err == nil {
				err = s.piece(ctx, part.Piece, yield)
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// piece yields the rows of one piece. io.EOF says that no more are wanted.
func (s *exportStep) piece(ctx context.Context, name string, yield func([]any, error) bool) error {
	f, err := s.pile.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) == 0 && errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		row, err := report.ReadRow(line)
		if err != nil {
			return err
		}
		if !yield(row, nil) {
			return io.EOF
		}
	}
}

// Result implements task.Executor: the file itself, as long as it is kept.
func (x reportExecutor) Result(op store.Operation, _ []string) (task.Result, error) {
	if op.State != store.Succeeded {
		return task.Result{}, adapter.Errorf(adapter.Conflict, "the operation ended as %s and made no file; retry lets it go on from where it stopped", op.State)
	}
	var out exportOutput
	if err := adapter.DecodeJSON([]byte(op.Result), &out); err != nil {
		return task.Result{}, err
	}
	if x.api.Reports == nil {
		return task.Result{}, errNoShelf
	}
	f, err := x.api.Reports.Open(ownerOf(&op), strings.TrimPrefix(out.DownloadURL, downloadPath))
	switch {
	case errors.Is(err, shelf.ErrExpired):
		return task.Result{}, adapter.Errorf(adapter.NotFound, "the file has expired; export again")
	case errors.Is(err, shelf.ErrMissing):
		return task.Result{}, adapter.Errorf(adapter.NotFound, "the file is not in this server's REPORTS_DIR; servers and workers must share that directory")
	case err != nil:
		return task.Result{}, err
	}
	return task.Result{ContentType: out.Format.MIMEType(), Filename: f.Title, Tag: f.Tag, At: f.KeptAt, File: f}, nil
}

// ownerOf is the owner of an operation's file.
func ownerOf(op *store.Operation) string { return fmt.Sprint(op.TenantID, " ", op.UserID) }
