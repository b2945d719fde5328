package odoo

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// attachmentFields are what is read of an ir.attachment, its content apart.
var attachmentFields = []string{"name", "mimetype", "file_size", "res_model", "res_id", "type"}

// Attach stores content as a file of a record. More than
// [Config.MaxAttachment] bytes are ErrInvalidArgument. Odoo decides on the
// type of a file whose MIMEType is empty, and may overrule one that is not.
func (c *Client) Attach(ctx context.Context, file adapter.Attachment, content io.Reader) (adapter.Attachment, error) {
	if file.Name == "" {
		return adapter.Attachment{}, &adapter.Error{Code: adapter.InvalidArgument, Model: "ir.attachment", Field: "name", Message: "the file needs a name"}
	}
	values := adapter.Record{"name": file.Name, "type": "binary"}
	if file.Model != "" {
		name, err := c.modelName(ctx, file.Model)
		if err != nil {
			return adapter.Attachment{}, err
		}
		ids, err := recordIDs(name, []adapter.ID{file.RecordID})
		if err != nil {
			return adapter.Attachment{}, err
		}
		// Odoo keeps files of records that are not there.
		if err := c.allExist(ctx, name, ids); err != nil {
			return adapter.Attachment{}, err
		}
		values["res_model"], values["res_id"] = name, ids[0]
	}
	if file.MIMEType != "" {
		values["mimetype"] = file.MIMEType
	}
	data, err := c.encodeContent(content)
	if err != nil {
		return adapter.Attachment{}, err
	}
	values["datas"] = data
	id, err := c.Create(ctx, "ir.attachment", values)
	if err != nil {
		return adapter.Attachment{}, err
	}
	if stored, err := c.attachment(ctx, id, attachmentFields); err == nil {
		return describe(stored), nil
	}
	// It is there; what Odoo made of it is not worth an error.
	file.ID = id
	file.Size = int64(base64.StdEncoding.DecodedLen(len(data)) - strings.Count(data[max(0, len(data)-2):], "="))
	return file, nil
}

// encodeContent reads a file as base64, within the limit.
func (c *Client) encodeContent(content io.Reader) (string, error) {
	if content == nil {
		return "", nil
	}
	var data strings.Builder
	enc := base64.NewEncoder(base64.StdEncoding, &data)
	n, err := io.Copy(enc, io.LimitReader(content, c.config.MaxAttachment+1))
	if err != nil {
		return "", &adapter.Error{Code: adapter.InvalidArgument, Field: "content", Message: "the file could not be read", NothingSent: true, Err: err}
	}
	if n > c.config.MaxAttachment {
		return "", &adapter.Error{
			Code: adapter.InvalidArgument, Field: "content", NothingSent: true,
			Message: fmt.Sprintf("the file is larger than the %d bytes that may be attached", c.config.MaxAttachment),
		}
	}
	if err := enc.Close(); err != nil {
		return "", err
	}
	return data.String(), nil
}

// Attachments lists the files of a record, in the order of their ids. Values
// of the record's own binary fields are not among them.
func (c *Client) Attachments(ctx context.Context, model string, record adapter.ID) ([]adapter.Attachment, error) {
	name, err := c.modelName(ctx, model)
	if err != nil {
		return nil, err
	}
	ids, err := recordIDs(name, []adapter.ID{record})
	if err != nil {
		return nil, err
	}
	files := []adapter.Attachment{}
	for r, err := range adapter.All(ctx, c, adapter.Query{
		Model: "ir.attachment",
		Filter: adapter.And{
			adapter.Cond{Field: "res_model", Op: adapter.Equal, Value: name},
			adapter.Cond{Field: "res_id", Op: adapter.Equal, Value: ids[0]},
		},
		Fields: attachmentFields,
	}) {
		if err != nil {
			return nil, err
		}
		files = append(files, describe(r))
	}
	return files, nil
}

// OpenAttachment returns a file and its content. One that is only a link to
// elsewhere is ErrUnsupported: the content is not in Odoo.
func (c *Client) OpenAttachment(ctx context.Context, id adapter.ID) (adapter.Attachment, io.ReadCloser, error) {
	r, err := c.attachment(ctx, id, append([]string{"datas"}, attachmentFields...))
	if err != nil {
		return adapter.Attachment{}, nil, err
	}
	if r.String("type") == "url" {
		return adapter.Attachment{}, nil, &adapter.Error{
			Code: adapter.Unsupported, Model: "ir.attachment",
			Message: fmt.Sprintf("attachment %s is a link; its content is not kept in Odoo", id),
		}
	}
	content := base64.NewDecoder(base64.StdEncoding, strings.NewReader(r.String("datas")))
	return describe(r), io.NopCloser(content), nil
}

// DeleteAttachment removes a file.
func (c *Client) DeleteAttachment(ctx context.Context, id adapter.ID) error {
	if _, err := recordIDs("ir.attachment", []adapter.ID{id}); err != nil {
		return err
	}
	return c.Delete(ctx, "ir.attachment", []adapter.ID{id})
}

func (c *Client) attachment(ctx context.Context, id adapter.ID, fields []string) (adapter.Record, error) {
	ids, err := recordIDs("ir.attachment", []adapter.ID{id})
	if err != nil {
		return nil, err
	}
	records, err := c.Read(ctx, "ir.attachment", []adapter.ID{id}, fields)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, missing("ir.attachment", ids)
	}
	return records[0], nil
}

func describe(r adapter.Record) adapter.Attachment {
	a := adapter.Attachment{
		ID: r.ID(), Name: r.String("name"), MIMEType: r.String("mimetype"),
		Size: r.Int("file_size"), Model: r.String("res_model"),
	}
	if id := r.Int("res_id"); id > 0 {
		a.RecordID = adapter.IntID(id)
	}
	return a
}
