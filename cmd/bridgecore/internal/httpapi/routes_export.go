package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/export"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/report"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/shelf"
)

// exportsAtOnce is how many exports a server writes at a time: a PDF is laid
// out in memory.
const exportsAtOnce = 4

// exportRequest is the body of an export.
type exportRequest struct {
	SystemID string          `json:"system_id" doc:"The system" example:"odoo_main"`
	Model    string          `json:"model" doc:"The model" example:"sale.order"`
	Filters  json.RawMessage `json:"filters,omitempty" doc:"Odoo domain, a list of conditions such as [\"state\", \"=\", \"sale\"]; all records unless given"`
	Format   string          `json:"format" enum:"pdf,excel,xlsx,csv,jsonl" doc:"What is made"`
	Fields   bridge.Names    `json:"fields,omitempty" doc:"The columns. partner_id.email leads through a relation. Unless given, what is stored in the model; for a PDF, as many as fit on a page"`
	Order    string          `json:"order,omitempty" doc:"Such as \"date_order desc, id\"; by id unless given, which is the fastest for many records" example:"date_order desc"`
	Limit    int             `json:"limit,omitempty" doc:"At most so many records; all unless given"`
	Title    string          `json:"title,omitempty" doc:"The title, and the name of the file; the model's label unless given" example:"Sales"`
	Language string          `json:"language,omitempty" doc:"en, ar or fr: of labels, dates and numbers, and the direction of reading; that of the request unless given" example:"ar"`
	Timezone string          `json:"timezone,omitempty" doc:"Of date-times; UTC unless given" example:"Asia/Riyadh"`
	Async    bool            `json:"async,omitempty" doc:"true: answer 202 at once and make the file in the background, see /operations. false: make it now, however large. Unless given, the server decides by the number of records"`

	Universal
}

var exportShape = shapeOf[exportRequest]()

type exportOutput struct {
	Success     bool              `json:"success" doc:"Always true"`
	DownloadURL string            `json:"download_url" doc:"Where to fetch the file, with an access token of the same user" example:"/api/v1/files/download/report-Zk3v.pdf"`
	Filename    string            `json:"filename" doc:"What it is called when it is fetched" example:"Sales.pdf"`
	Format      report.Format     `json:"format" example:"pdf"`
	Rows        int               `json:"rows" doc:"How many records it has" example:"120"`
	Size        int64             `json:"size" doc:"Bytes" example:"52341"`
	ExpiresAt   time.Time         `json:"expires_at" doc:"Until when it is kept"`
	Warnings    []adapter.Warning `json:"warnings,omitempty" doc:"Fields that were replaced or left out"`
}

// Period is what a report by name is asked for. It is exported because huma
// looks into exported embedded structs alone.
type Period struct {
	SystemID  string `json:"system_id" query:"system_id" required:"true" minLength:"1" maxLength:"255" doc:"The system" example:"odoo_main"`
	Format    string `json:"format,omitempty" query:"format" enum:"pdf,excel,xlsx,csv,jsonl" default:"pdf" doc:"What is made"`
	StartDate string `json:"start_date,omitempty" query:"start_date" doc:"The first day; inventory takes none" example:"2026-01-01"`
	EndDate   string `json:"end_date,omitempty" query:"end_date" doc:"The last day" example:"2026-01-31"`
	Limit     int    `json:"limit,omitempty" query:"limit" minimum:"0" doc:"At most so many records; all unless given"`
	Title     string `json:"title,omitempty" query:"title" maxLength:"200" doc:"Another title"`
	Language  string `json:"language,omitempty" query:"language" maxLength:"35" doc:"en, ar or fr; that of the request unless given" example:"ar"`
	Timezone  string `json:"timezone,omitempty" query:"timezone" maxLength:"64" doc:"Of days and times; UTC unless given" example:"Asia/Riyadh"`
	Async     bool   `json:"async,omitempty" query:"async" doc:"Answer 202 at once and make the file in the background, see /operations; the server decides so by itself where there are many records"`
}

// Asked are the parts of a request for a report beside its body.
type Asked struct {
	Name   string `path:"report" enum:"sales,inventory,partners" doc:"Which report"`
	Lang   string `query:"lang" hidden:"true"`
	Accept string `header:"Accept-Language" hidden:"true"`
}

func (a *API) registerExports() {
	const tag = "Files"
	failures := []int{403, 404, 422, 429, 501, 502, 503, 504}
	op := a.raw(route{
		id: "exportRecords", method: http.MethodPost, path: "/api/v1/files/export", tag: tag, class: limit.Report, timeout: a.ExportTimeout, carries: true, own: true,
		summary: "Write records to a file",
		description: "As a table with labels in the caller's language, names in the place of ids, amounts with their currency and totals; read from right to left in Arabic. " +
			"All records are read, page by page. A PDF has at most " + strconv.Itoa(report.MaxPDFRows) + " rows. Texts that a spreadsheet would take for formulas are kept from it. " +
			"The file is the caller's alone and is kept until expires_at. With async, or for more records than the server makes at once, the answer is 202 with an operation; " +
			"its result tells the download_url, and /operations/{operation_id}/result is the file too.",
		errors: append(failures, 400, 409, 413, 415),
	}, a.exportRecords)
	op.Parameters = append(op.Parameters, versionParameter())
	a.document(op, reflect.TypeFor[exportRequest](), reflect.TypeFor[exportOutput]())
	a.huma.OpenAPI().Paths["/api/v1/files/export"].Post.Responses["202"] = a.acceptedResponse()
	named := route{
		id: "createReport", method: http.MethodPost, path: "/api/v1/files/report/{report}", tag: tag, class: limit.Report, timeout: a.ExportTimeout, carries: true, own: true,
		summary: "Make a report", description: "Sales, inventory or partners of a system, as an export with columns and conditions that fit.",
		errors: append(failures, 400, 409, 413, 415),
	}
	registerReport(a, named, func(ctx context.Context, in *struct {
		Asked
		Body Period
	}) (*accepted, error) {
		return a.report(ctx, in.Asked, in.Body)
	})
	named.id, named.method, named.errors = "getReport", http.MethodGet, failures
	registerReport(a, named, func(ctx context.Context, in *struct {
		Asked
		Period
	}) (*accepted, error) {
		return a.report(ctx, in.Asked, in.Period)
	})
	down := a.raw(route{
		id: "downloadReport", method: http.MethodGet, path: "/api/v1/files/download/{name}", tag: tag, class: limit.File, timeout: a.TransferTimeout, carries: true,
		summary: "Fetch an export", description: "By its download_url, until it expires, by the user who made it. Range, If-Range, If-None-Match and HEAD are understood.",
		errors: []int{404, 416, 429},
	}, a.downloadReport)
	down.Parameters = append(down.Parameters, &huma.Param{
		Name: "name", In: "path", Required: true, Description: "As in download_url", Example: "report-Zk3v.pdf", Schema: &huma.Schema{Type: huma.TypeString},
	})
	a.documentDownload(down)
}

// registerReport registers an operation that answers 200 with a file's ticket,
// or 202 with a background operation.
func registerReport[I any](a *API, r route, handler func(context.Context, *I) (*accepted, error)) {
	op := a.operation(r)
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[exportOutput](), true, "ExportOutput")
	op.Responses = a.answers(op, map[string]*huma.MediaType{"application/json": {Schema: schema}})
	op.Responses["202"] = a.acceptedResponse()
	huma.Register(a.huma, op, saying(handler))
}

func (a *API) report(ctx context.Context, asked Asked, p Period) (*accepted, error) {
	id := callFrom(ctx).identity
	words := i18n.For(preferences(asked.Lang, asked.Accept, id)...)
	return a.export(ctx, &exportParameters{Report: asked.Name, Period: p, Language: words.Language}, http.Header{}, p.Async, false)
}

func (a *API) exportRecords(c *echo.Context) error {
	body, err := a.readBody(c.Request())
	if err != nil {
		return err
	}
	var r exportRequest
	given, err := exportShape.decode(body, &r)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	n := callFrom(ctx).note
	n.systemID, n.model = r.SystemID, r.Model
	for _, name := range [...]string{"system_id", "model", "format"} {
		if !slices.Contains(given, name) {
			return invalid(name, "is missing")
		}
	}
	p := &exportParameters{Records: &r, Version: c.Request().Header.Get(versionHeader), Language: wordsFor(c.Request()).Language}
	out, err := a.export(ctx, p, c.Response().Header(), r.Async, slices.Contains(given, "async"))
	if err != nil {
		return err
	}
	if out.Status == 0 {
		return writeJSON(c.Response(), out.Body)
	}
	h := c.Response().Header()
	h.Set("Location", out.Location)
	h["Content-Type"] = jsonType
	c.Response().WriteHeader(out.Status)
	return json.NewEncoder(c.Response()).Encode(out.Body)
}

// ask reads which records are wanted.
func (r *exportRequest) ask(request *export.Request) (err error) {
	if r.Limit < 0 {
		return invalid("limit", "can't be negative")
	}
	if len(r.Title) > 200 {
		return invalid("title", "is longer than 200 bytes")
	}
	if request.Order, err = adapter.ParseOrder(r.Order); err != nil {
		return err
	}
	if r.Filters == nil {
		return nil
	}
	if request.Filter, err = adapter.ParseDomainJSON(r.Filters); err != nil {
		return err
	}
	if text := string(r.Filters); request.Filter != nil && len(text) <= 200 {
		request.Subtitle = request.Words.T("report_filter", "Filter", text)
	}
	return nil
}

// dayOr is a day as people write it, or that it was left open.
func dayOr(l report.Locale, day string) string {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return "…"
	}
	return l.Day(at)
}

// formatOf reads a format.
func formatOf(text string) (report.Format, error) {
	f, ok := report.ParseFormat(text)
	if !ok {
		return "", invalid("format", "%q is none of pdf, excel, csv and jsonl", clip(text))
	}
	return f, nil
}

// localeOf reads a language and a time zone.
func localeOf(lang, zone string, asked *i18n.Words) (*i18n.Words, *time.Location, error) {
	words := asked
	if lang != "" {
		base, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(lang, "_", "-")), "-")
		if !slices.Contains(i18n.Languages, base) {
			return nil, nil, invalid("language", "must be one of %s", strings.Join(i18n.Languages, ", "))
		}
		words = i18n.For(base)
	}
	at := time.UTC
	if zone != "" {
		var err error
		if at, err = time.LoadLocation(zone); err != nil || zone == "Local" {
			return nil, nil, invalid("timezone", "%q is no time zone; they read like Asia/Riyadh", clip(zone))
		}
	}
	return words, at, nil
}

// owner tells users apart on the shelf.
func owner(id *auth.Identity) string { return fmt.Sprint(id.TenantID, " ", id.UserID) }

// errNoShelf refuses exports where there is no place for them.
var errNoShelf = adapter.Errorf(adapter.Unsupported, "this server keeps no exports: it has no directory for them")

// export answers with an export, or with the operation that makes it.
func (a *API) export(ctx context.Context, p *exportParameters, answer http.Header, async, said bool) (*accepted, error) {
	plan, err := a.planned(ctx, p, answer)
	if err != nil {
		return nil, err
	}
	started, err := a.startExport(ctx, p, plan, async, said && !async)
	if err != nil {
		return nil, err
	}
	if started != nil {
		answer.Del(versionHeader)
		return &accepted{Status: http.StatusAccepted, Location: started.StatusURL, Body: started}, nil
	}
	out, err := a.exportNow(ctx, plan)
	if err != nil {
		return nil, err
	}
	return &accepted{Body: out}, nil
}

// exportNow writes a table to the shelf.
func (a *API) exportNow(ctx context.Context, plan *exportPlan) (*exportOutput, error) {
	if a.Reports == nil {
		return nil, errNoShelf
	}
	select {
	case a.exports <- struct{}{}:
		defer func() { <-a.exports }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	call := callFrom(ctx)
	ctx, warnings := adapter.WithWarnings(bridge.Patient(ctx))
	plan.made(time.Now())
	table, err := export.Table(ctx, plan.sys, plan.request)
	if err != nil {
		return nil, err
	}
	ticket, rows, err := a.write(owner(call.identity), plan.format, table)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return nil, newProblem(http.StatusGatewayTimeout, "", fmt.Sprintf("the export took longer than %s; narrow the filter, ask for fewer fields, or have it made in the background with \"async\": true", a.ExportTimeout))
		}
		return nil, err
	}
	call.note.details = exportDetails(plan.format, rows, ticket.Size, table)
	// Under an idempotency key the answer is worth no more than the file.
	call.goodUntil = ticket.ExpiresAt
	out := exportAnswer(ticket, plan.format, rows, warnings.List())
	return &out, nil
}

// downloadPath is where files are fetched.
const downloadPath = "/api/v1/files/download/"

func exportAnswer(ticket shelf.Ticket, format report.Format, rows int, warnings []adapter.Warning) exportOutput {
	return exportOutput{
		Success: true, DownloadURL: downloadPath + ticket.Name, Filename: ticket.Title, Format: format,
		Rows: rows, Size: ticket.Size, ExpiresAt: ticket.ExpiresAt, Warnings: warnings,
	}
}

// exportDetails are what the audit log has of an export.
func exportDetails(format report.Format, rows int, size int64, table *report.Table) map[string]any {
	fields := make([]string, len(table.Columns))
	for i := range table.Columns {
		fields[i] = table.Columns[i].Name
	}
	return map[string]any{"format": format, "rows": rows, "size": size, "fields": fields}
}

// shelfProblem is what a client is told where there is no room.
func shelfProblem(err error) error {
	if e, full := errors.AsType[*shelf.FullError](err); full {
		return &adapter.Error{Code: adapter.Unavailable, Temporary: true, RetryAfter: time.Minute, Message: e.Error()}
	}
	return err
}

// write writes a table to a file of its owner.
func (a *API) write(owner string, format report.Format, table *report.Table) (ticket shelf.Ticket, rows int, err error) {
	defer func() { err = shelfProblem(err) }()
	draft, err := a.Reports.Create(owner)
	if err != nil {
		return ticket, 0, err
	}
	defer func() { _ = draft.Close() }()
	out := bufio.NewWriterSize(draft, 128<<10)
	rows, err = report.Write(out, format, table)
	if err == nil {
		err = out.Flush()
	}
	if e, ok := errors.AsType[*report.TooManyRows](err); ok {
		return ticket, rows, invalid("format", "%s", e.Error())
	}
	if err != nil {
		return ticket, rows, err
	}
	ticket, err = draft.Keep(table.Title, string(format))
	return ticket, rows, err
}

func (a *API) downloadReport(c *echo.Context) error {
	missing := newProblem(http.StatusNotFound, "", "there is no such file, or it is not yours; export again")
	if a.Reports == nil {
		return missing
	}
	call := callFrom(c.Request().Context())
	f, err := a.Reports.Open(owner(call.identity), c.Param("name"))
	switch {
	case errors.Is(err, shelf.ErrMissing):
		return missing
	case errors.Is(err, shelf.ErrExpired):
		return newProblem(http.StatusNotFound, "", "the file has expired; export again")
	case err != nil:
		return err
	}
	defer func() { _ = f.Close() }()
	call.note.details = map[string]any{"filename": f.Title, "size": f.Size}
	_, ext, _ := strings.Cut(c.Param("name"), ".")
	return serveFile(c, served{name: f.Title, kind: report.Format(ext).MIMEType(), tag: f.Tag, at: f.KeptAt, content: f})
}
