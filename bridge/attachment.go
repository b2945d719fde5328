package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// fileTimeout bounds one call that carries a file.
const fileTimeout = 5 * time.Minute

// fileModels are the models in which systems keep files, by kind: who may not
// use the model may not use its files.
var fileModels = map[string]string{"odoo": "ir.attachment", "salesforce": "ContentDocument"}

// textIDs are the kinds of systems whose ids are texts, also those that look
// like numbers.
var textIDs = map[string]bool{"salesforce": true, "sap": true}

// ParseID reads an id that was written as a text, in an address or a form.
func (s *System) ParseID(text string) adapter.ID {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && !textIDs[s.Kind()] && strconv.FormatInt(n, 10) == text {
		return adapter.IntID(n)
	}
	return adapter.StringID(text)
}

// mayFile refuses what the caller's roles don't allow: a method of the model of
// the record, and one of the system's model of files.
func (s *System) mayFile(ctx context.Context, model, onRecord, onFile string) error {
	if err := s.may(ctx, model, onRecord); err != nil {
		return err
	}
	return s.mayFiles(ctx, onFile)
}

func (s *System) mayFiles(ctx context.Context, method string) error {
	if files := fileModels[s.Kind()]; files != "" {
		return s.native().allowed(ctx, files, method)
	}
	return nil
}

// recordOf finds the model of a record in the words that s speaks: the system
// for calls about it, and the model there.
func (s *System) recordOf(ctx context.Context, model, method string) (*System, string, error) {
	if s.universal == nil {
		return s, model, nil
	}
	t, err := s.topic(ctx, model, method)
	if err != nil {
		return nil, "", err
	}
	return t.System, t.plan.SystemModel(), nil
}

// Attach stores content as a file of a record and returns it with its id and
// size. The content is read again from its beginning where the call is repeated.
// A system that keeps no files is ErrUnsupported, a missing record ErrNotFound.
func (s *System) Attach(ctx context.Context, file adapter.Attachment, content io.ReadSeeker) (adapter.Attachment, error) {
	own, model, err := s.recordOf(ctx, file.Model, "write")
	if err != nil {
		return adapter.Attachment{}, err
	}
	if err := own.mayFile(ctx, model, "write", "create"); err != nil {
		return adapter.Attachment{}, err
	}
	asked := file.Model
	file.Model = model
	var stored adapter.Attachment
	err = own.changeFiles(ctx, "create", model, func(ctx context.Context, a adapter.Adapter) (err error) {
		if _, err := content.Seek(0, io.SeekStart); err != nil {
			return &adapter.Error{Code: adapter.Internal, Message: "the content of the file can't be read again", NothingSent: true, Err: err}
		}
		stored, err = adapter.Attach(ctx, a, file, content)
		return err
	})
	if err != nil {
		return adapter.Attachment{}, err
	}
	stored.Model, stored.RecordID = asked, file.RecordID
	own.changed(ctx, "create", own.fileModel(), []adapter.ID{stored.ID}, adapter.Record{
		"name": stored.Name, "mimetype": stored.MIMEType, "file_size": stored.Size, "res_model": model, "res_id": file.RecordID.Value(),
	})
	return stored, nil
}

// fileModel is what observers are told that files are of.
func (s *System) fileModel() string {
	if files := fileModels[s.Kind()]; files != "" {
		return files
	}
	return "attachment"
}

// changeFiles makes a change of files, of a record of a model if that is known.
func (s *System) changeFiles(ctx context.Context, method, model string, run func(context.Context, adapter.Adapter) error) error {
	w := work{operation: method, model: s.fileModel(), changes: true, timeout: fileTimeout, run: run}
	var further []string
	if model != "" {
		further = s.names(model)
	}
	return s.changing(ctx, w, further)
}

// Attachments lists the files of a record.
func (s *System) Attachments(ctx context.Context, model string, record adapter.ID) ([]adapter.Attachment, error) {
	own, name, err := s.recordOf(ctx, model, "read")
	if err != nil {
		return nil, err
	}
	if err := own.mayFile(ctx, name, "read", "read"); err != nil {
		return nil, err
	}
	var list []adapter.Attachment
	err = own.do(own.scoped(ctx, &s.caller.Scope), work{operation: "attachments", model: name, run: func(ctx context.Context, a adapter.Adapter) (err error) {
		list, err = adapter.Attachments(ctx, a, name, record)
		return err
	}})
	for i := range list {
		list[i].Model, list[i].RecordID = model, record
	}
	return list, err
}

// File is a file as it was fetched from a system. Close it after use.
type File struct {
	adapter.Attachment

	Digest [sha256.Size]byte // of the content
	spool  *os.File
}

// Read reads the content.
func (f *File) Read(p []byte) (int, error) { return f.spool.Read(p) }

// Seek goes to a place of the content.
func (f *File) Seek(offset int64, whence int) (int64, error) { return f.spool.Seek(offset, whence) }

// Close frees what holds the content.
func (f *File) Close() error {
	return errors.Join(f.spool.Close(), removed(f.spool.Name()))
}

// removed removes a file that may be gone.
func removed(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// OpenAttachment fetches a file, into a temporary one on disk: so it can be
// read at any place, as slowly as its reader is, without a connection to the
// system. A missing file is ErrNotFound.
func (s *System) OpenAttachment(ctx context.Context, id adapter.ID) (*File, error) {
	s = s.plainWords()
	if err := s.mayFiles(ctx, "read"); err != nil {
		return nil, err
	}
	spool, err := os.CreateTemp("", "bridgecore-file-*")
	if err != nil {
		return nil, &adapter.Error{Code: adapter.Internal, Message: "there is no place to keep the file", Err: err}
	}
	f := &File{spool: spool}
	_ = os.Remove(spool.Name()) // where an open file can't be removed, Close does it
	err = s.do(s.scoped(ctx, &s.caller.Scope), work{operation: "open_attachment", model: s.fileModel(), timeout: fileTimeout, run: func(ctx context.Context, a adapter.Adapter) error {
		return f.fetch(ctx, a, id)
	}})
	if err == nil && f.Model != "" {
		// The adapter names the model; a lens has put it in the caller's words.
		err = s.allowed(ctx, f.Model, "read")
	}
	if err == nil {
		_, err = spool.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// fetch copies the content, from the beginning if it is repeated.
func (f *File) fetch(ctx context.Context, a adapter.Adapter, id adapter.ID) error {
	file, content, err := adapter.OpenAttachment(ctx, a, id)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	if _, err := f.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := f.spool.Truncate(0); err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f.spool, sum), content)
	if err != nil {
		if _, ok := asError(err); ok {
			return err
		}
		return &adapter.Error{Code: adapter.Unavailable, Temporary: true, Message: "the file broke off while it was fetched", Err: err}
	}
	f.Attachment, f.Size = file, n
	sum.Sum(f.Digest[:0])
	return nil
}

// DeleteAttachment removes a file. A missing one is ErrNotFound; a system that
// removes none is ErrUnsupported.
func (s *System) DeleteAttachment(ctx context.Context, id adapter.ID) error {
	s = s.plainWords()
	if err := s.mayFiles(ctx, "unlink"); err != nil {
		return err
	}
	err := s.changeFiles(ctx, "unlink", "", func(ctx context.Context, a adapter.Adapter) error {
		return adapter.DeleteAttachment(ctx, a, id)
	})
	if err == nil {
		s.changed(ctx, "unlink", s.fileModel(), []adapter.ID{id}, nil)
	}
	return err
}

// BinaryField checks that a model has a field for contents, such as a picture.
func (s *System) BinaryField(ctx context.Context, model, field string) error {
	described, err := s.WithScope(adapter.Scope{}).Describe(ctx, model)
	if err != nil {
		return err
	}
	f, ok := described.Fields[field]
	switch {
	case !ok:
		return unknownField(described, field)
	case f.Type != adapter.Binary:
		return &adapter.Error{Code: adapter.InvalidArgument, Model: model, Field: field, Message: "field \"" + field + "\" of " + model + " holds no file: its type is " + string(f.Type)}
	}
	return nil
}

// SetBinary writes content into a field of a record that holds files or
// pictures, see [System.BinaryField].
func (s *System) SetBinary(ctx context.Context, model string, id adapter.ID, field string, content io.Reader) error {
	if err := s.BinaryField(ctx, model, field); err != nil {
		return err
	}
	var text strings.Builder
	enc := base64.NewEncoder(base64.StdEncoding, &text)
	if _, err := io.Copy(enc, content); err != nil {
		return &adapter.Error{Code: adapter.InvalidArgument, Field: "content", Message: "the file could not be read", NothingSent: true, Err: err}
	}
	_ = enc.Close() // a builder takes everything
	return s.Update(ctx, model, []adapter.ID{id}, adapter.Record{field: text.String()})
}
