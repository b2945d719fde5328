package salesforce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"path"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

const (
	documentPrefix = "069" // of the ids of ContentDocument
	versionPrefix  = "068" // of those of ContentVersion
	anyType        = "application/octet-stream"
)

// mimeTypes are those of common files. Salesforce keeps no MIME type, only
// what comes behind the last dot of a name.
var mimeTypes = map[string]string{
	"bmp": "image/bmp", "csv": "text/csv", "doc": "application/msword",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"gif":  "image/gif", "gz": "application/gzip", "htm": "text/html", "html": "text/html",
	"jpeg": "image/jpeg", "jpg": "image/jpeg", "json": "application/json", "md": "text/markdown",
	"mp3": "audio/mpeg", "mp4": "video/mp4", "odt": "application/vnd.oasis.opendocument.text",
	"pdf": "application/pdf", "png": "image/png", "ppt": "application/vnd.ms-powerpoint",
	"pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"rtf":  "application/rtf", "svg": "image/svg+xml", "tif": "image/tiff", "tiff": "image/tiff",
	"txt": "text/plain", "wav": "audio/wav", "webp": "image/webp", "xls": "application/vnd.ms-excel",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"xml":  "application/xml", "zip": "application/zip",
}

func mimeType(name string) string {
	if t := mimeTypes[strings.ToLower(strings.TrimPrefix(path.Ext(name), "."))]; t != "" {
		return t
	}
	return anyType
}

// upload is the body of a request that makes a ContentVersion: what is known
// of the file as JSON, then its content as it is.
type upload struct {
	content  io.Reader
	size     int64 // of the content, -1 if it is not known
	most     int64
	head     []byte
	tail     []byte
	boundary string

	sent   int64
	opened bool
}

func newUpload(values map[string]any, name string, content io.Reader, size, most int64) (*upload, error) {
	var head bytes.Buffer
	w := multipart.NewWriter(&head)
	part := func(disposition, contentType string) (io.Writer, error) {
		return w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {disposition}, "Content-Type": {contentType}})
	}
	entity, err := part(`form-data; name="entity_content"`, "application/json")
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	if _, err := entity.Write(b); err != nil {
		return nil, err
	}
	// The name that counts is in the JSON; here it must only be harmless.
	if _, err := part(fmt.Sprintf(`form-data; name="VersionData"; filename="%s"`, asciiName(name)), anyType); err != nil {
		return nil, err
	}
	return &upload{
		content: content, size: size, most: most, head: head.Bytes(),
		tail: []byte("\r\n--" + w.Boundary() + "--\r\n"), boundary: w.Boundary(),
	}, nil
}

func asciiName(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '_'
		}
		return r
	}, clip(name, 100))
}

// body begins the body, again if need be: then the content must be such that
// it can be rewound.
func (u *upload) body() (io.Reader, int64, error) {
	if u.opened {
		seeker, ok := u.content.(io.Seeker)
		if ok {
			_, err := seeker.Seek(0, io.SeekStart)
			ok = err == nil
		}
		if !ok {
			return nil, 0, &adapter.Error{
				Code: adapter.Unavailable, Temporary: true, NothingSent: true,
				Message: "the session ended while the file was sent, and the content can't be read again: send the file once more",
			}
		}
	}
	u.opened, u.sent = true, 0
	length := int64(-1)
	if u.size >= 0 {
		length = int64(len(u.head)) + u.size + int64(len(u.tail))
	}
	return io.MultiReader(bytes.NewReader(u.head), &counted{u}, bytes.NewReader(u.tail)), length, nil
}

// counted reads the content and holds it to its bounds.
type counted struct{ u *upload }

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.u.content.Read(p)
	c.u.sent += int64(n)
	switch {
	case c.u.sent > c.u.most:
		return 0, tooLargeFile(c.u.most)
	case c.u.size >= 0 && (c.u.sent > c.u.size || errors.Is(err, io.EOF) && c.u.sent < c.u.size):
		return 0, &adapter.Error{Code: adapter.InvalidArgument, Field: "size", Message: fmt.Sprintf("the file does not have the %d bytes that were announced", c.u.size)}
	case err != nil && !errors.Is(err, io.EOF):
		return n, &adapter.Error{Code: adapter.InvalidArgument, Field: "content", Message: "the content of the file can't be read", Err: err}
	}
	return n, err
}

func tooLargeFile(most int64) error {
	return &adapter.Error{Code: adapter.InvalidArgument, Field: "content", Message: fmt.Sprintf("the file is over %d bytes, the largest that is sent", most)}
}

// Attach stores a file and links it to the record, as one request: a
// ContentVersion whose first place is the record. The content is sent as it is
// read. With file.Size set, its length is announced; otherwise it travels in
// chunks.
//
// The id is that of the ContentDocument, which stays the same when further
// versions follow.
func (c *Client) Attach(ctx context.Context, file adapter.Attachment, content io.Reader) (adapter.Attachment, error) {
	o, err := c.object(ctx, file.Model)
	if err != nil {
		return adapter.Attachment{}, err
	}
	ids, err := known(o, []adapter.ID{file.RecordID})
	if err != nil {
		return adapter.Attachment{}, err
	}
	size := int64(-1)
	switch {
	case file.Name == "":
		return adapter.Attachment{}, &adapter.Error{Code: adapter.InvalidArgument, Model: o.Name, Field: "name", Message: "a file needs a name", NothingSent: true}
	case file.Size > c.config.MaxAttachment:
		return adapter.Attachment{}, notSent(tooLargeFile(c.config.MaxAttachment))
	case file.Size > 0:
		size = file.Size
	}
	u, err := newUpload(map[string]any{
		"Title": file.Name, "PathOnClient": file.Name, "FirstPublishLocationId": ids[0],
	}, file.Name, content, size, c.config.MaxAttachment)
	if err != nil {
		return adapter.Attachment{}, &adapter.Error{Code: adapter.InvalidArgument, Model: o.Name, Message: "the file can't be described", Err: err, NothingSent: true}
	}
	a, err := c.wire.send(ctx, request{
		method: http.MethodPost, path: c.path("sobjects", "ContentVersion"), body: u.body, model: o.Name, changes: true,
		contentType: `multipart/form-data; boundary="` + u.boundary + `"`,
	})
	if err != nil {
		return adapter.Attachment{}, err
	}
	var result saveResult
	if err := a.decode(&result, o.Name, "a new file"); err != nil {
		return adapter.Attachment{}, lost(err, true)
	}
	versions, err := c.versions(ctx, "Id = "+quoted(result.ID))
	if err != nil || len(versions) == 0 {
		return adapter.Attachment{}, lost(err, true)
	}
	file.ID, file.Size = versions[0].file.ID, u.sent
	if file.MIMEType == "" {
		file.MIMEType = mimeType(file.Name)
	}
	return file, nil
}

// version is a version of a file.
type version struct {
	id   string
	file adapter.Attachment
}

func (c *Client) versions(ctx context.Context, where string) ([]version, error) {
	o := &object{Name: "ContentVersion"}
	result, err := c.query(ctx, o, "SELECT Id, ContentDocumentId, Title, FileExtension, ContentSize FROM ContentVersion WHERE "+where, 0)
	if err != nil {
		return nil, err
	}
	out := make([]version, len(result.Records))
	for i, r := range result.Records {
		out[i].id, _ = r["Id"].(string)
		document, _ := r["ContentDocumentId"].(string)
		out[i].file = fileOf(document, r)
	}
	return out, nil
}

// fileOf describes a file by the fields that a document and a version share.
func fileOf(document string, r map[string]any) adapter.Attachment {
	record := adapter.Record(r)
	name := record.String("Title")
	// Files that people upload have a title without what is behind the dot.
	if ext := record.String("FileExtension"); ext != "" && !strings.EqualFold(path.Ext(name), "."+ext) {
		name += "." + ext
	}
	return adapter.Attachment{ID: adapter.StringID(longID(document)), Name: name, MIMEType: mimeType(name), Size: record.Int("ContentSize")}
}

// Attachments lists the files that are linked to a record.
func (c *Client) Attachments(ctx context.Context, model string, record adapter.ID) ([]adapter.Attachment, error) {
	o, err := c.object(ctx, model)
	if err != nil {
		return nil, err
	}
	ids, err := known(o, []adapter.ID{record})
	if err != nil {
		return nil, err
	}
	links := &object{Name: "ContentDocumentLink"}
	result, err := c.query(ctx, links, "SELECT ContentDocumentId, ContentDocument.Title, ContentDocument.FileExtension, ContentDocument.ContentSize"+
		" FROM ContentDocumentLink WHERE LinkedEntityId = "+quoted(ids[0]), 0)
	files := []adapter.Attachment{}
	for {
		if err != nil {
			return nil, err
		}
		for _, r := range result.Records {
			document, _ := r["ContentDocumentId"].(string)
			nested, _ := r["ContentDocument"].(map[string]any)
			file := fileOf(document, nested)
			file.Model, file.RecordID = o.Name, adapter.StringID(ids[0])
			files = append(files, file)
		}
		if result.Done || result.Next == "" {
			return files, nil
		}
		result, err = c.more(ctx, links, result.Next)
	}
}

// DeleteAttachment removes a file with all of its versions, from every record
// that it is linked to. The id is that of its ContentDocument.
func (c *Client) DeleteAttachment(ctx context.Context, id adapter.ID) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	if !strings.HasPrefix(idText(id), documentPrefix) {
		return &adapter.Error{Code: adapter.NotFound, Model: "ContentDocument", Field: "Id", Message: quote(id.String()) + " is the id of no file"}
	}
	return c.Delete(ctx, "ContentDocument", []adapter.ID{id})
}

// OpenAttachment returns a file and its content, which comes as it is read. An
// id of a ContentDocument gives its latest version, that of a ContentVersion
// just that one.
func (c *Client) OpenAttachment(ctx context.Context, id adapter.ID) (adapter.Attachment, io.ReadCloser, error) {
	if err := c.ready(ctx); err != nil {
		return adapter.Attachment{}, nil, err
	}
	missing := &adapter.Error{Code: adapter.NotFound, Model: "ContentDocument", Field: "Id", Message: quote(id.String()) + " is the id of no file"}
	text := idText(id)
	var where string
	switch {
	case strings.HasPrefix(text, documentPrefix):
		where = "ContentDocumentId = " + quoted(text) + " AND IsLatest = TRUE"
	case strings.HasPrefix(text, versionPrefix):
		where = "Id = " + quoted(text)
	default:
		return adapter.Attachment{}, nil, missing
	}
	versions, err := c.versions(ctx, where)
	if err != nil {
		return adapter.Attachment{}, nil, err
	}
	if len(versions) == 0 {
		return adapter.Attachment{}, nil, missing
	}
	resp, err := c.wire.stream(ctx, request{path: c.path("sobjects", "ContentVersion", versions[0].id, "VersionData"), accept: "*/*", model: "ContentVersion"})
	if err != nil {
		return adapter.Attachment{}, nil, err
	}
	return versions[0].file, resp.Body, nil
}
