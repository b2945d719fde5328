// Package upload reads a form with one file, as it comes in: the file goes to
// disk, its size is bounded while it is read, and what it is called and what it
// is are never believed.
package upload

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"os"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
)

// FilePart is the name of the part that is the file.
const FilePart = "file"

// maxField bounds the value of a field, in bytes.
const maxField = 1024

// Spec is what a form may hold.
type Spec struct {
	Required []string // fields that must be there, beside the file
	Optional []string
	MaxFile  int64 // bytes
}

// Form is a form that was read. Close it after use.
type Form struct {
	Fields   map[string]string
	Name     string // safe, never empty
	MIMEType string // by the content
	Size     int64
	Digest   string // SHA-256 of the content, in hex
	content  *os.File
}

// Content is the file, at its beginning.
func (f *Form) Content() (io.ReadSeeker, error) {
	_, err := f.content.Seek(0, io.SeekStart)
	return f.content, err
}

// Close removes the file.
func (f *Form) Close() error {
	if f.content == nil {
		return nil
	}
	err := f.content.Close()
	if gone := os.Remove(f.content.Name()); gone != nil && !errors.Is(gone, os.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// Error is what is wrong with a form.
type Error struct {
	Field   string // the part that it is about, "" for the form
	Message string
	Err     error
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// TooLarge says that the file is larger than it may be.
type TooLarge struct{ Limit int64 }

func (e *TooLarge) Error() string {
	return fmt.Sprintf("the file is larger than the limit of %d bytes", e.Limit)
}

// Read reads a form of the content type. Parts may come in any order.
func Read(contentType string, body io.Reader, spec Spec) (_ *Form, err error) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return nil, &Error{Message: "the Content-Type has no boundary: send the form as multipart/form-data; boundary=...", Err: err}
	}
	f := &Form{Fields: map[string]string{}}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	parts := multipart.NewReader(body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return f, f.whole(spec)
		}
		if err != nil {
			return nil, broken(err)
		}
		if err := f.part(part, spec); err != nil {
			return nil, err
		}
	}
}

// broken is the error of a form that can't be read on.
func broken(err error) error {
	if e, ok := errors.AsType[*TooLarge](err); ok {
		return e
	}
	return &Error{Message: "the form broke off or is malformed; send it again, whole", Err: err}
}

func (f *Form) part(part *multipart.Part, spec Spec) error {
	defer func() { _ = part.Close() }()
	switch name := part.FormName(); {
	case name == FilePart:
		if f.content != nil {
			return &Error{Field: FilePart, Message: "is there twice; send one file in a request"}
		}
		return f.file(part, spec.MaxFile)
	case slices.Contains(spec.Required, name), slices.Contains(spec.Optional, name):
		if _, twice := f.Fields[name]; twice {
			return &Error{Field: name, Message: "is there twice"}
		}
		return f.field(name, part)
	default:
		return &Error{Field: clip(name), Message: "there is no such field; there are " + strings.Join(append(append([]string{FilePart}, spec.Required...), spec.Optional...), ", ")}
	}
}

func (f *Form) field(name string, part io.Reader) error {
	b, err := io.ReadAll(io.LimitReader(part, maxField+1))
	switch {
	case err != nil:
		return broken(err)
	case len(b) > maxField:
		return &Error{Field: name, Message: fmt.Sprintf("is longer than %d bytes", maxField)}
	case !utf8.Valid(b), strings.ContainsFunc(string(b), unicode.IsControl):
		return &Error{Field: name, Message: "must be a text without control characters"}
	}
	f.Fields[name] = string(b)
	return nil
}

func (f *Form) file(part *multipart.Part, most int64) (err error) {
	if f.content, err = os.CreateTemp("", "bridgecore-upload-*"); err != nil {
		return err
	}
	_ = os.Remove(f.content.Name()) // where an open file can't be removed, Close does it
	sum := sha256.New()
	f.Size, err = io.Copy(io.MultiWriter(disk{f.content}, sum), io.LimitReader(part, most+1))
	switch {
	case err != nil:
		if e, ok := errors.AsType[*diskError](err); ok {
			return e.err
		}
		return broken(err)
	case f.Size > most:
		return &TooLarge{most}
	}
	f.Digest = hex.EncodeToString(sum.Sum(nil))
	content, err := f.Content()
	if err != nil {
		return err
	}
	kind, err := mimetype.DetectReader(content)
	if err != nil {
		return err
	}
	f.MIMEType, f.Name = kind.String(), SafeName(fileName(part))
	return nil
}

// disk tells errors of the disk from those of the network.
type disk struct{ w io.Writer }

type diskError struct{ err error }

func (e *diskError) Error() string { return e.err.Error() }

func (d disk) Write(p []byte) (int, error) {
	n, err := d.w.Write(p)
	if err != nil {
		err = &diskError{err}
	}
	return n, err
}

// fileName is the name of the part as it was sent.
func fileName(part *multipart.Part) string {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	return params["filename"]
}

// whole checks that nothing is missing.
func (f *Form) whole(spec Spec) error {
	if f.content == nil {
		return &Error{Field: FilePart, Message: "is missing: the part that is the file"}
	}
	for _, name := range spec.Required {
		if f.Fields[name] == "" {
			return &Error{Field: name, Message: "is missing"}
		}
	}
	return nil
}

// maxName bounds a file's name, in bytes, as file systems do.
const maxName = 255

// SafeName makes of any text the name of a file: no directories, no control
// characters and none that turn the text around, not hidden, not too long for
// any file system, never empty.
func SafeName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == 0x2028, r == 0x2029, r == 0xfeff, r == utf8.RuneError:
			return -1
		case strings.ContainsRune(`:*?"<>|`, r):
			return '_'
		}
		return r
	}, name)
	name = strings.TrimSpace(strings.Trim(strings.TrimSpace(name), "."))
	if base, _, _ := strings.Cut(name, "."); reserved[strings.ToUpper(base)] {
		name = "_" + name
	}
	if name == "" {
		return "file"
	}
	if len(name) <= maxName {
		return name
	}
	ext := path.Ext(name)
	if len(ext) > 20 {
		ext = ""
	}
	stem := name[:maxName-len(ext)]
	for !utf8.ValidString(stem) {
		stem = stem[:len(stem)-1]
	}
	return strings.TrimSpace(stem) + ext
}

// reserved are names that Windows takes for devices.
var reserved = func() map[string]bool {
	m := map[string]bool{"CON": true, "PRN": true, "AUX": true, "NUL": true}
	for _, n := range "123456789" {
		m["COM"+string(n)], m["LPT"+string(n)] = true, true
	}
	return m
}()

func clip(name string) string {
	const most = 60
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "..."
	}
	if name == "" {
		return "a part without a name"
	}
	return name
}
