package httpapi

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/klauspost/compress/gzhttp"
	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/upload"
)

// FileOutput describes a file of a record.
type FileOutput struct {
	FileID      string `json:"file_id" doc:"The file's id in its system" example:"42"`
	Filename    string `json:"filename" example:"contract.pdf"`
	Size        int64  `json:"size" doc:"Bytes" example:"52341"`
	MIMEType    string `json:"mimetype" example:"application/pdf"`
	DownloadURL string `json:"download_url" doc:"Where to fetch it, with an access token; DELETE removes it" example:"/api/v1/systems/odoo_main/files/42"`
}

func fileOutputOf(sys *bridge.System, f adapter.Attachment) FileOutput {
	return FileOutput{
		FileID: f.ID.String(), Filename: f.Name, Size: f.Size, MIMEType: f.MIMEType,
		DownloadURL: "/api/v1/systems/" + url.PathEscape(sys.ID()) + "/files/" + url.PathEscape(f.ID.String()),
	}
}

type uploadOutput struct {
	Success bool `json:"success" doc:"Always true"`
	FileOutput
	Model    string            `json:"model" example:"res.partner"`
	RecordID adapter.ID        `json:"record_id" example:"123"`
	Field    string            `json:"field,omitempty" doc:"The field that was set too" example:"image_1920"`
	Warnings []adapter.Warning `json:"warnings,omitempty"`
}

// uploadRequest is the form, as OpenAPI has it.
type uploadRequest struct {
	File     []byte `json:"file" format:"binary" doc:"The file. Its type is told by its content, whatever the part's Content-Type says, and its name is made safe"`
	SystemID string `json:"system_id" doc:"The system" example:"odoo_main"`
	Model    string `json:"model" doc:"The record's model" example:"res.partner"`
	RecordID string `json:"record_id" doc:"The record's id" example:"123"`
	Field    string `json:"field,omitempty" doc:"A field of the record that holds files or pictures, to be set to the file too" example:"image_1920"`

	Universal string `json:"use_universal_schema,omitempty" enum:"true,false" doc:"model names a universal model, such as contact"`
}

var uploadSpec = upload.Spec{Required: []string{"system_id", "model", "record_id"}, Optional: []string{"field", universalMember}}

type listFilesInput struct {
	SystemID  string `query:"system_id" required:"true" maxLength:"255" doc:"The system" example:"odoo_main"`
	Model     string `query:"model" required:"true" maxLength:"128" doc:"The record's model" example:"res.partner"`
	RecordID  string `query:"record_id" required:"true" maxLength:"1024" doc:"The record's id" example:"123"`
	Universal bool   `query:"use_universal_schema" doc:"model names a universal model, such as contact"`
	Version   string `header:"X-Odoo-Version" doc:"The version of Odoo in whose words the request is"`
}

type listFilesOutput struct {
	Version string `header:"X-Odoo-Version"`
	Body    struct {
		Success bool         `json:"success"`
		Count   int          `json:"count" example:"1"`
		Files   []FileOutput `json:"files" nullable:"false"`
	}
}

type deleteFileOutput struct {
	Success bool   `json:"success" doc:"Always true"`
	FileID  string `json:"file_id" example:"42"`
	Message string `json:"message" example:"File deleted successfully"`
}

func (a *API) registerFiles() {
	const tag = "Files"
	failures := []int{403, 404, 422, 429, 501, 502, 503, 504}
	up := route{
		id: "uploadFile", method: http.MethodPost, path: "/api/v1/files/upload", tag: tag, class: limit.File, timeout: a.TransferTimeout,
		summary: "Attach a file to a record",
		description: "A form with the file and where it belongs; the parts may come in any order. It becomes an attachment of the record " +
			"(ir.attachment in Odoo, a linked ContentVersion in Salesforce, an attachment of the business object in SAP), and the value of a field as well where one is named. " +
			"Files of at most " + strconv.FormatInt(a.MaxUpload, 10) + " bytes are taken.",
		errors: append(failures, 400, 409, 413, 415),
	}
	a.forms[up.key()] = true
	a.documentUpload(a.raw(up, a.uploadFile))
	register(a, route{
		id: "listFiles", method: http.MethodGet, path: "/api/v1/files", tag: tag, class: limit.File,
		summary: "The files of a record", description: "What was attached to it, here or in the system itself.", errors: failures,
	}, a.listFiles)
	const path = "/api/v1/systems/{system_id}/files/{file_id}"
	down := a.raw(route{
		id: "downloadFile", method: http.MethodGet, path: path, tag: tag, class: limit.File, timeout: a.TransferTimeout, carries: true,
		summary: "Fetch a file", description: "As it was stored, always as an attachment and never to be shown in place. Range, If-Range, If-None-Match and HEAD are understood.",
		errors: append(failures, 416),
	}, a.downloadFile)
	down.Parameters = append(down.Parameters, systemParameter(), fileParameter())
	a.documentDownload(down)
	remove := a.raw(route{
		id: "deleteFile", method: http.MethodDelete, path: path, tag: tag, class: limit.File,
		summary: "Remove a file", description: "Where the system lets files be removed. In Salesforce it goes with all of its versions, from every record that it is linked to.",
		errors: append(failures, 409),
	}, a.deleteFile)
	remove.Parameters = append(remove.Parameters, systemParameter(), fileParameter())
	a.documentAnswer(remove, reflect.TypeFor[deleteFileOutput]())
}

func fileParameter() *huma.Param {
	return &huma.Param{
		Name: "file_id", In: "path", Required: true, Description: "The file_id of an upload or a list", Example: "42",
		Schema: &huma.Schema{Type: huma.TypeString},
	}
}

// spokenOf is spoken for a system that is not named in the path.
func (a *API) spokenOf(ctx context.Context, id string, universal bool, version string, answer http.Header) (*bridge.System, error) {
	sys, err := a.system(ctx, id)
	if err != nil {
		return nil, err
	}
	if universal {
		return Universal{UseUniversal: true}.of(sys, version)
	}
	return speaking(sys, version, answer)
}

func (a *API) uploadFile(c *echo.Context) error {
	r := c.Request()
	spec := uploadSpec
	spec.MaxFile = a.MaxUpload
	// Its own bound is for what the form has beside the file.
	body := http.MaxBytesReader(c.Response(), r.Body, a.MaxUpload+formRoom)
	form, err := upload.Read(r.Header.Get("Content-Type"), body, spec)
	if err != nil {
		c.Response().Header().Set("Connection", "close")
		return a.uploadProblem(err)
	}
	defer func() { _ = form.Close() }()
	n := callFrom(r.Context()).note
	n.systemID, n.model = form.Fields["system_id"], form.Fields["model"]
	n.details = map[string]any{"size": form.Size, "mimetype": form.MIMEType, "sha256": form.Digest}
	said, err := json.Marshal([]any{form.Fields, form.Name, form.Digest})
	if err != nil {
		return err
	}
	return a.onlyOnce(c, fingerprint(r, said), func(c *echo.Context) error { return a.attach(c, form) })
}

// aboutPicture says it of the file where a system could do nothing with a
// picture: Odoo opens those that it is given, and fails inside of what opens
// them when they are damaged.
func aboutPicture(err error, mimeType string) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok || e.Code != adapter.InvalidArgument || e.Field != "" || !strings.HasPrefix(mimeType, "image/") {
		return err
	}
	p := invalid(upload.FilePart, "the system can't read it as %s; it may be damaged", mimeType)
	p.cause = err
	return p
}

// uploadProblem says what is wrong with a form.
func (a *API) uploadProblem(err error) error {
	if errors.As(err, new(*upload.TooLarge)) || errors.As(err, new(*http.MaxBytesError)) {
		return fileTooLarge(a.MaxUpload)
	}
	e, ok := errors.AsType[*upload.Error](err)
	if !ok {
		return err
	}
	if e.Field != "" {
		return invalid(e.Field, "%s", e.Message)
	}
	p := newProblem(http.StatusBadRequest, "", e.Message)
	p.cause = err
	return p
}

func (a *API) attach(c *echo.Context, form *upload.Form) error {
	r := c.Request()
	ctx, warnings := adapter.WithWarnings(r.Context())
	universal := form.Fields[universalMember]
	if universal != "" && universal != "true" && universal != "false" {
		return invalid(universalMember, "must be true or false")
	}
	sys, err := a.spokenOf(ctx, form.Fields["system_id"], universal == "true", r.Header.Get(versionHeader), c.Response().Header())
	if err != nil {
		return err
	}
	model, record, field := form.Fields["model"], sys.ParseID(form.Fields["record_id"]), form.Fields["field"]
	callFrom(ctx).note.ids = []adapter.ID{record}
	content, err := form.Content()
	if err != nil {
		return err
	}
	if field != "" {
		if err := sys.SetBinary(ctx, model, record, field, content); err != nil {
			return aboutPicture(err, form.MIMEType)
		}
	}
	file, err := sys.Attach(ctx, adapter.Attachment{Name: form.Name, MIMEType: form.MIMEType, Size: form.Size, Model: model, RecordID: record}, content)
	if err != nil {
		return aboutPicture(err, form.MIMEType)
	}
	out := uploadOutput{Success: true, FileOutput: fileOutputOf(sys, file), Model: model, RecordID: record, Field: field, Warnings: warnings.List()}
	callFrom(ctx).note.details["file_id"] = out.FileID
	return writeJSON(c.Response(), out)
}

func (a *API) listFiles(ctx context.Context, in *listFilesInput) (*listFilesOutput, error) {
	n := callFrom(ctx).note
	n.systemID, n.model = in.SystemID, in.Model
	answer := http.Header{}
	sys, err := a.spokenOf(ctx, in.SystemID, in.Universal, in.Version, answer)
	if err != nil {
		return nil, err
	}
	list, err := sys.Attachments(ctx, in.Model, sys.ParseID(in.RecordID))
	if err != nil {
		return nil, err
	}
	out := &listFilesOutput{Version: answer.Get(versionHeader)}
	out.Body.Success, out.Body.Count, out.Body.Files = true, len(list), make([]FileOutput, len(list))
	for i, f := range list {
		out.Body.Files[i] = fileOutputOf(sys, f)
	}
	return out, nil
}

func (a *API) downloadFile(c *echo.Context) error {
	ctx := c.Request().Context()
	sys, err := a.spoken(c, Universal{})
	if err != nil {
		return err
	}
	callFrom(ctx).note.details = map[string]any{"file_id": c.Param("file_id")}
	f, err := sys.OpenAttachment(ctx, sys.ParseID(c.Param("file_id")))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	n := callFrom(ctx).note
	n.model, n.details["size"] = f.Model, f.Size
	if !f.RecordID.IsZero() {
		n.ids = []adapter.ID{f.RecordID}
	}
	return serveFile(c, served{name: f.Name, kind: f.MIMEType, tag: hex.EncodeToString(f.Digest[:]), content: f})
}

func (a *API) deleteFile(c *echo.Context) error {
	sys, err := a.spoken(c, Universal{})
	if err != nil {
		return err
	}
	id := c.Param("file_id")
	callFrom(c.Request().Context()).note.details = map[string]any{"file_id": id}
	if err := sys.DeleteAttachment(c.Request().Context(), sys.ParseID(id)); err != nil {
		return err
	}
	return writeJSON(c.Response(), deleteFileOutput{true, id, wordsFor(c.Request()).T("file_deleted")})
}

// served is a file that is answered.
type served struct {
	name, kind string
	tag        string // strong: another content has another one
	at         time.Time
	content    io.ReadSeeker
}

// serveFile answers with a file, or a range of it. Whatever it is, a browser is
// not to show it: it may be a page that somebody uploaded.
func serveFile(c *echo.Context, f served) error {
	w, r := c.Response(), c.Request()
	h := w.Header()
	h.Set("Content-Type", cleanKind(f.kind))
	h.Set("Content-Disposition", disposition(f.name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", `"`+f.tag+`"`)
	// Ranges are of the file as it is, and so is its tag.
	h.Set(gzhttp.HeaderNoCompression, "1")
	ranges := &rangeWriter{ResponseWriter: w}
	http.ServeContent(ranges, r, "", f.at, f.content)
	if !ranges.refused {
		return nil
	}
	for _, name := range [...]string{"Content-Disposition", "Content-Security-Policy", "Etag", "Last-Modified"} {
		h.Del(name)
	}
	return newProblem(http.StatusRequestedRangeNotSatisfiable, "", "the file has no such range; Content-Range tells its size")
}

// rangeWriter keeps back the text with which package http refuses a range.
type rangeWriter struct {
	http.ResponseWriter

	refused bool
}

func (w *rangeWriter) WriteHeader(status int) {
	if status == http.StatusRequestedRangeNotSatisfiable {
		w.refused = true
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *rangeWriter) Write(b []byte) (int, error) {
	if w.refused {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *rangeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// cleanKind is a media type that may stand in a header.
func cleanKind(kind string) string {
	base, params, err := mime.ParseMediaType(kind)
	if err != nil || !strings.Contains(base, "/") {
		return "application/octet-stream"
	}
	return mime.FormatMediaType(base, params)
}

// disposition is the header of RFC 6266: the name in ASCII for old programs,
// and as it is for the others.
func disposition(name string) string {
	name = upload.SafeName(name)
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			return '_'
		}
		return r
	}, name)
	header := `attachment; filename="` + plain + `"`
	if plain != name {
		header += "; filename*=UTF-8''" + percented(name)
	}
	return header
}

// percented encodes all but the characters that RFC 8187 lets stand.
func percented(s string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$&+-.^_`|~", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// documentUpload describes the form.
func (a *API) documentUpload(op huma.Operation) {
	schemas := a.huma.OpenAPI().Components.Schemas
	op.Parameters = append(op.Parameters, versionParameter())
	request := schemas.Schema(reflect.TypeFor[uploadRequest](), true, "Request")
	// In a form the bytes are sent as they are.
	file := schemas.SchemaFromRef(request.Ref).Properties[upload.FilePart]
	file.ContentEncoding = ""
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {Schema: request}}}
	a.documentAnswer(op, reflect.TypeFor[uploadOutput]())
}

// documentAnswer describes an operation that answers with JSON.
func (a *API) documentAnswer(op huma.Operation, answer reflect.Type) {
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"application/json": {Schema: a.huma.OpenAPI().Components.Schemas.Schema(answer, true, "Answer")},
	}}}
	a.documentProblems(&op)
	a.huma.OpenAPI().AddOperation(&op)
}

// documentDownload describes an operation that answers with a file.
func (a *API) documentDownload(op huma.Operation) {
	text := func(description string) *huma.Param {
		return &huma.Param{Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
	}
	// Of which type, the file alone tells.
	content := map[string]*huma.MediaType{"*/*": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The file",
		Headers: map[string]*huma.Param{
			"Content-Disposition": text("attachment, with the file's name"),
			"ETag":                text("changes with the content"),
			"Accept-Ranges":       text("bytes"),
		},
		Content: content,
	}, "206": {Description: "The part that Range asks for", Content: content}, "304": unchanged}
	a.documentProblems(&op)
	a.huma.OpenAPI().AddOperation(&op)
}
