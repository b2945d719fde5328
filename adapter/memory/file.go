package memory

import (
	"bytes"
	"context"
	"io"
	"mime"
	"path"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

type file struct {
	info    adapter.Attachment
	content []byte
}

// Attach implements [adapter.Attacher]. Without a MIME type it goes by the
// name's extension.
func (a *Adapter) Attach(ctx context.Context, info adapter.Attachment, content io.Reader) (adapter.Attachment, error) {
	if info.Name == "" {
		return adapter.Attachment{}, &adapter.Error{Code: adapter.InvalidArgument, Field: "name", Message: "a file needs a name"}
	}
	// Before locking: a reader may take its time.
	b, err := io.ReadAll(content)
	if err != nil {
		return adapter.Attachment{}, &adapter.Error{Code: adapter.InvalidArgument, Field: "content", Message: "the file's content could not be read", Err: err}
	}
	err = a.writing(ctx, func() error {
		if info.Model != "" || !info.RecordID.IsZero() {
			t, err := a.table(info.Model)
			if err != nil {
				return err
			}
			if _, err := t.row(info.RecordID); err != nil {
				return err
			}
		}
		a.fileID++
		info.ID, info.Size = adapter.IntID(a.fileID), int64(len(b))
		if info.MIMEType == "" {
			info.MIMEType = mime.TypeByExtension(path.Ext(info.Name))
		}
		if info.MIMEType == "" {
			info.MIMEType = "application/octet-stream"
		}
		a.files[info.ID] = file{info: info, content: b}
		return nil
	})
	if err != nil {
		return adapter.Attachment{}, err
	}
	return info, nil
}

// Attachments implements [adapter.Attacher]; the oldest comes first.
func (a *Adapter) Attachments(ctx context.Context, model string, record adapter.ID) ([]adapter.Attachment, error) {
	var list []adapter.Attachment
	err := a.reading(ctx, func() error {
		t, err := a.table(model)
		if err != nil {
			return err
		}
		if _, err := t.row(record); err != nil {
			return err
		}
		for _, f := range a.files {
			if f.info.Model == model && f.info.RecordID == record {
				list = append(list, f.info)
			}
		}
		slices.SortFunc(list, func(a, b adapter.Attachment) int { return compareNumbers(a.ID.String(), b.ID.String()) })
		return nil
	})
	return list, err
}

// OpenAttachment implements [adapter.Attacher].
func (a *Adapter) OpenAttachment(ctx context.Context, id adapter.ID) (adapter.Attachment, io.ReadCloser, error) {
	var f file
	err := a.reading(ctx, func() error {
		var ok bool
		if f, ok = a.files[id]; !ok {
			return &adapter.Error{Code: adapter.NotFound, Message: "there is no file " + quoted(id.String())}
		}
		return nil
	})
	if err != nil {
		return adapter.Attachment{}, nil, err
	}
	return f.info, io.NopCloser(bytes.NewReader(f.content)), nil
}

// DeleteAttachment implements [adapter.AttachmentDeleter].
func (a *Adapter) DeleteAttachment(ctx context.Context, id adapter.ID) error {
	return a.writing(ctx, func() error {
		if _, ok := a.files[id]; !ok {
			return &adapter.Error{Code: adapter.NotFound, Message: "there is no file " + quoted(id.String())}
		}
		delete(a.files, id)
		return nil
	})
}
