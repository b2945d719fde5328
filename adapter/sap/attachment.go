package sap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/wire"
)

// attachmentService is SAP's service for the files of business objects.
const (
	attachmentService = "API_CV_ATTACHMENT_SRV"
	attachmentSet     = "AttachmentContentSet"
)

// businessObjects are the types of the standard APIs' records in the
// attachment service, and how long their keys are inside.
var businessObjects = map[string]struct {
	kind   string
	digits int
}{
	"API_BUSINESS_PARTNER.A_BusinessPartner":     {"BUS1006", 10},
	"API_PRODUCT_SRV.A_Product":                  {"BUS1001006", 18},
	"API_SALES_ORDER_SRV.A_SalesOrder":           {"BUS2032", 10},
	"API_BILLING_DOCUMENT_SRV.A_BillingDocument": {"VBRK", 10},
}

// files is where the files of a record are: behind a navigation property of its
// own, or in the attachment service.
type files struct {
	m      *model // of the files
	owner  *model
	id     adapter.ID
	key    key
	nav    *edmx.Navigation // nil for the attachment service
	object string           // the type in the attachment service
	linked string           // the record's key there
}

// filesOf finds out where the files of a record are.
func (c *Client) filesOf(ctx context.Context, model string, id adapter.ID) (*files, error) {
	m, err := c.model(ctx, model)
	if err != nil {
		return nil, err
	}
	k, err := m.parseID(id)
	if errors.Is(err, errNever) {
		return nil, m.missing(id)
	}
	if err != nil {
		return nil, err
	}
	f := &files{owner: m, id: id, key: k}
	for _, nav := range m.typ.Navs {
		if next := m.follow(nav); nav.Many && next != nil && next.typ.HasStream && next.set != nil {
			f.m, f.nav = next, nav
			return f, nil
		}
	}
	known := businessObjects[m.name]
	f.object = known.kind
	if own := c.config.BusinessObjects[m.name]; own != "" {
		f.object = own
	}
	if f.object == "" {
		return nil, m.unsupported("model", "it is not known where SAP keeps files of %s: name its type of business object in the configuration", m.name)
	}
	if c.byName[attachmentService] == nil {
		return nil, m.unsupported("model", "files need the service %s, which is not configured", attachmentService)
	}
	if f.m, err = c.model(ctx, attachmentService+"."+attachmentSet); err != nil {
		return nil, err
	}
	for _, part := range k {
		s, _ := textOf(part)
		if strings.Trim(s, "0123456789") == "" {
			s = strings.Repeat("0", max(known.digits-len(s), 0)) + s
		}
		f.linked += s
	}
	return f, nil
}

// Attach stores content as a file of a record: through the navigation property
// of its model that leads to media, or else, for the business objects of the
// standard APIs, by API_CV_ATTACHMENT_SRV. Other models are ErrUnsupported, and
// more than [Config.MaxAttachment] bytes ErrInvalidArgument.
func (c *Client) Attach(ctx context.Context, file adapter.Attachment, content io.Reader) (adapter.Attachment, error) {
	switch {
	case file.Name == "":
		return adapter.Attachment{}, &adapter.Error{Code: adapter.InvalidArgument, Model: file.Model, Field: "name", Message: "the file needs a name"}
	case file.Model == "":
		return adapter.Attachment{}, &adapter.Error{Code: adapter.InvalidArgument, Field: "model", Message: "SAP keeps files with records alone: name the model and the record"}
	}
	f, err := c.filesOf(ctx, file.Model, file.RecordID)
	if err != nil {
		return adapter.Attachment{}, err
	}
	data, err := c.readContent(content)
	if err != nil {
		return adapter.Attachment{}, err
	}
	if file.MIMEType == "" {
		file.MIMEType = "application/octet-stream"
	}
	req, err := f.upload(ctx, file)
	if err != nil {
		return adapter.Attachment{}, err
	}
	req.Body = data
	resp, err := f.m.do(ctx, req)
	if errors.Is(err, adapter.ErrNotFound) {
		return adapter.Attachment{}, f.owner.missing(f.id)
	}
	if err != nil {
		return adapter.Attachment{}, err
	}
	raw, err := f.m.entity(resp.Body)
	if err != nil {
		return adapter.Attachment{}, &adapter.Error{Code: adapter.UnknownOutcome, Model: f.m.name, Message: "SAP answered without the key of the file it stored", Err: err}
	}
	stored, err := f.describe(ctx, raw)
	if err != nil || stored.ID.IsZero() {
		return adapter.Attachment{}, &adapter.Error{Code: adapter.UnknownOutcome, Model: f.m.name, Message: "SAP answered without the key of the file it stored", Err: err}
	}
	stored.Size = int64(len(data))
	if stored.Name == "" {
		stored.Name = file.Name
	}
	return stored, nil
}

// readContent reads a file, within the limit.
func (c *Client) readContent(content io.Reader) ([]byte, error) {
	if content == nil {
		return []byte{}, nil
	}
	data, err := io.ReadAll(io.LimitReader(content, c.config.MaxAttachment+1))
	if err != nil {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Field: "content", Message: "the file could not be read", NothingSent: true, Err: err}
	}
	if int64(len(data)) > c.config.MaxAttachment {
		return nil, &adapter.Error{
			Code: adapter.InvalidArgument, Field: "content", NothingSent: true,
			Message: fmt.Sprintf("the file is larger than the %d bytes that may be attached", c.config.MaxAttachment),
		}
	}
	return data, nil
}

// upload is the request that stores a file. What belongs to its entity besides
// the content goes in headers, as SAP has it.
func (f *files) upload(ctx context.Context, file adapter.Attachment) (wire.Request, error) {
	path := f.m.root()
	if f.nav != nil {
		owner, err := f.owner.path(f.key)
		if err != nil {
			return wire.Request{}, f.owner.missing(f.id)
		}
		path = owner + "/" + f.nav.Name
	}
	req := f.m.request(ctx, http.MethodPost, path, "")
	req.Header.Set("Content-Type", headerText(file.MIMEType))
	req.Header.Set("Slug", url.PathEscape(file.Name))
	if f.nav == nil {
		req.Header.Set("Businessobjecttypename", headerText(f.object))
		req.Header.Set("Linkedsapobjectkey", headerText(f.linked))
		return req, nil
	}
	for _, pair := range f.nav.Constraint {
		for i, p := range f.owner.keyProps() {
			if p.Name == pair[0] {
				s, _ := textOf(f.key[i])
				req.Header.Set(pair[1], headerText(s))
			}
		}
	}
	return req, nil
}

// headerText is a text that may stand in a header.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
}

// Attachments lists the files of a record.
func (c *Client) Attachments(ctx context.Context, model string, record adapter.ID) ([]adapter.Attachment, error) {
	f, err := c.filesOf(ctx, model, record)
	if err != nil {
		return nil, err
	}
	path, query := "/GetAllOriginals", "BusinessObjectTypeName="+escapeQuery(quoted(f.object))+"&LinkedSAPObjectKey="+escapeQuery(quoted(f.linked))
	if f.nav != nil {
		owner, err := f.owner.path(f.key)
		if err != nil {
			return nil, f.owner.missing(record)
		}
		path, query = owner+"/"+f.nav.Name, ""
	}
	resp, err := f.m.do(ctx, f.m.request(ctx, http.MethodGet, path, query))
	if errors.Is(err, adapter.ErrNotFound) && f.nav != nil {
		return nil, f.owner.missing(record)
	}
	if err != nil {
		return nil, err
	}
	const most = 10_000
	rows, err := f.m.all(ctx, resp.Body, most)
	if err != nil {
		return nil, err
	}
	list := make([]adapter.Attachment, 0, len(rows))
	for _, raw := range rows {
		one, err := f.describe(ctx, raw)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}

// describe reads what is known of a file. Its id says which model it is of,
// since files of all models are opened in the same way.
func (f *files) describe(ctx context.Context, raw map[string]any) (adapter.Attachment, error) {
	r, err := (&selection{m: f.m, all: true}).record(ctx, raw, false)
	if err != nil {
		return adapter.Attachment{}, err
	}
	first := func(names ...string) string {
		for _, name := range names {
			if s := r.String(name); s != "" {
				return s
			}
		}
		return ""
	}
	a := adapter.Attachment{
		Name: first("FileName", "Filename", "fileName", "filename", "Name", "name"), MIMEType: first("MimeType", "ContentType", "mimeType", "contentType", "MIMEType"),
	}
	a.Size, _ = strconv.ParseInt(first("FileSize", "Size", "fileSize", "size"), 10, 64)
	if meta, ok := raw["__metadata"].(map[string]any); ok && a.MIMEType == "" {
		a.MIMEType, _ = meta["content_type"].(string)
	}
	if f.owner != nil {
		a.Model, a.RecordID = f.owner.name, f.id
	}
	if id := r.ID(); !id.IsZero() {
		a.ID = adapter.StringID(f.m.name + "(" + id.String() + ")")
	}
	return a, nil
}

// fileOf finds the model and the key of a file by its id.
func (c *Client) fileOf(ctx context.Context, id adapter.ID) (*model, key, error) {
	gone := &adapter.Error{Code: adapter.NotFound, Field: idField, Message: "there is no file " + quote(id.String())}
	name, text, ok := strings.Cut(strings.TrimSuffix(id.String(), ")"), "(")
	if !ok {
		if err := c.ready(ctx, ""); err != nil {
			return nil, nil, err
		}
		return nil, nil, gone
	}
	m, err := c.model(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if !m.typ.HasStream {
		return nil, nil, gone
	}
	k, err := m.parseID(adapter.StringID(text))
	if err != nil {
		return nil, nil, gone
	}
	return m, k, nil
}

// DeleteAttachment removes a file, where SAP lets files of its kind be removed.
func (c *Client) DeleteAttachment(ctx context.Context, id adapter.ID) error {
	m, k, err := c.fileOf(ctx, id)
	if err != nil {
		return err
	}
	own, err := m.id(k)
	if err != nil {
		return err
	}
	return c.Delete(ctx, m.name, []adapter.ID{own})
}

// OpenAttachment returns a file and its content, as it comes from SAP.
func (c *Client) OpenAttachment(ctx context.Context, id adapter.ID) (adapter.Attachment, io.ReadCloser, error) {
	m, k, err := c.fileOf(ctx, id)
	if err != nil {
		return adapter.Attachment{}, nil, err
	}
	path, err := m.path(k)
	if err != nil {
		return adapter.Attachment{}, nil, &adapter.Error{Code: adapter.NotFound, Field: idField, Message: "there is no file " + quote(id.String())}
	}
	f := &files{m: m}
	resp, err := m.do(ctx, m.request(ctx, http.MethodGet, path, ""))
	if err != nil {
		return adapter.Attachment{}, nil, err
	}
	raw, err := m.entity(resp.Body)
	if err != nil {
		return adapter.Attachment{}, nil, err
	}
	file, err := f.describe(ctx, raw)
	if err != nil {
		return adapter.Attachment{}, nil, err
	}
	req := m.request(ctx, http.MethodGet, path+"/$value", "")
	req.Header, req.Stream = http.Header{"Accept": {"*/*"}}, true
	content, err := m.service.client.conn.Do(ctx, req)
	if err != nil {
		return adapter.Attachment{}, nil, err
	}
	if file.Size == 0 {
		file.Size, _ = strconv.ParseInt(content.Header.Get("Content-Length"), 10, 64)
	}
	return file, content.Stream, nil
}
