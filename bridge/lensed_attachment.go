package bridge

import (
	"context"
	"io"

	"github.com/bridgecore/bridgecore/adapter"
)

// Attach stores a file with a record.
func (l *lensed) Attach(ctx context.Context, file adapter.Attachment, content io.Reader) (adapter.Attachment, error) {
	asked := file.Model
	if asked != "" {
		var v *view
		var err error
		if ctx, v, err = l.view(ctx, asked); err != nil {
			return adapter.Attachment{}, err
		}
		file.Model = v.lens.Model()
	}
	stored, err := adapter.Attach(ctx, l.own, file, content)
	if stored.Model != "" {
		stored.Model = asked
	}
	return stored, err
}

// Attachments lists the files of a record.
func (l *lensed) Attachments(ctx context.Context, model string, record adapter.ID) ([]adapter.Attachment, error) {
	ctx, v, err := l.view(ctx, model)
	if err != nil {
		return nil, err
	}
	list, err := adapter.Attachments(ctx, l.own, v.lens.Model(), record)
	for i := range list {
		list[i].Model = model
	}
	return list, err
}

// OpenAttachment opens a file. The model of its record is named as the caller's
// version does, if that has it.
func (l *lensed) OpenAttachment(ctx context.Context, id adapter.ID) (adapter.Attachment, io.ReadCloser, error) {
	file, content, err := adapter.OpenAttachment(ctx, l.own, id)
	if err == nil && file.Model != "" {
		if lens, err := l.lens(file.Model, l.server, l.pin.version); err == nil {
			file.Model = lens.Model()
		}
	}
	return file, content, err
}

// DeleteAttachment removes a file.
func (l *lensed) DeleteAttachment(ctx context.Context, id adapter.ID) error {
	return adapter.DeleteAttachment(ctx, l.own, id)
}
