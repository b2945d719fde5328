package recordfile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/bridgecore/bridgecore/adapter"
)

// Lines returns the records of r as NDJSON. schema gives the cells of a CSV
// file their types, and may be nil: fields that it lacks are texts, apart from
// "id" and the words true and false. Empty cells are left out. What the format
// forbids is an [*Error] where it is met; the reader must be closed.
func Lines(r io.Reader, f Format, schema *adapter.Schema) io.ReadCloser {
	convert := map[Format]func(io.Writer, *bufio.Reader) error{
		CSV:  func(w io.Writer, in *bufio.Reader) error { return linesOfCSV(w, in, schema) },
		JSON: linesOfJSON,
	}[f]
	if convert == nil {
		return io.NopCloser(r)
	}
	out, in := io.Pipe()
	go func() {
		buffered := bufio.NewReaderSize(r, 1<<16)
		if head, _ := buffered.Peek(len(bom)); bytes.Equal(head, bom) {
			_, _ = buffered.Discard(len(bom))
		}
		w := bufio.NewWriterSize(in, 1<<16)
		err := convert(w, buffered)
		// What was read before the mistake goes ahead of it.
		err = errors.Join(err, w.Flush())
		_ = in.CloseWithError(err)
	}()
	return out
}

func linesOfJSON(w io.Writer, r *bufio.Reader) error {
	dec := json.NewDecoder(r)
	place := int64(0)
	fail := func(what string, err error) error {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			what, err = "the file ends in the middle", nil
		}
		return &Error{Format: JSON, Record: place, What: what, Err: err}
	}
	switch t, err := dec.Token(); {
	case errors.Is(err, io.EOF):
		return &Error{Format: JSON, What: "the file is empty; an array of no records is []"}
	case err != nil:
		return fail("not JSON", err)
	case t != json.Delim('['):
		return &Error{Format: JSON, What: "the file must hold an array of objects; for one object a line the format is ndjson"}
	}
	var line bytes.Buffer
	for dec.More() {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return fail("not JSON", err)
		}
		line.Reset()
		if err := json.Compact(&line, raw); err != nil {
			return fail("not JSON", err)
		}
		line.WriteByte('\n')
		if _, err := w.Write(line.Bytes()); err != nil {
			return err
		}
		place++
	}
	if _, err := dec.Token(); err != nil {
		return fail("not JSON", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return &Error{Format: JSON, Record: place, What: "something follows the array"}
	}
	return nil
}

func linesOfCSV(w io.Writer, in *bufio.Reader, schema *adapter.Schema) error {
	r := csv.NewReader(in)
	r.ReuseRecord = true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return &Error{Format: CSV, What: "the file is empty; its first line names the fields"}
	}
	if err != nil {
		return csvError(0, err)
	}
	names := make([][]byte, len(header))
	fields := make([]string, len(header))
	seen := map[string]bool{}
	for i, name := range header {
		name = strings.TrimSpace(name)
		switch {
		case name == "":
			return &Error{Format: CSV, Line: 1, What: fmt.Sprintf("column %d has no name", i+1)}
		case !utf8.ValidString(name):
			return &Error{Format: CSV, Line: 1, What: fmt.Sprintf("the name of column %d is not UTF-8", i+1)}
		case seen[name]:
			return &Error{Format: CSV, Line: 1, Field: name, What: "the column is there twice"}
		}
		seen[name] = true
		fields[i] = name
		names[i], _ = json.Marshal(name) // a text
	}
	line := make([]byte, 0, 512)
	for place := int64(0); ; place++ {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return csvError(place, err)
		}
		line = append(line[:0], '{')
		for i, cell := range row {
			if cell == "" {
				continue
			}
			number, _ := r.FieldPos(i)
			value, problem := valueOf(cell, fields[i], schema)
			if problem != "" {
				return &Error{Format: CSV, Record: place, Line: number, Field: fields[i], What: problem}
			}
			if len(line) > 1 {
				line = append(line, ',')
			}
			line = append(append(append(line, names[i]...), ':'), value...)
		}
		line = append(line, '}', '\n')
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
}

func csvError(place int64, err error) error {
	e := &Error{Format: CSV, Record: place, What: "not CSV", Err: err}
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		e.Line, e.Err = p.StartLine, p.Err
		if errors.Is(p.Err, csv.ErrFieldCount) {
			e.What, e.Err = "the line has another number of cells than the first line", nil
		}
	}
	return e
}

var (
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	someNumber  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	idList      = regexp.MustCompile(`^[0-9]+( *, *[0-9]+)*$`)
)

var truths = map[string]string{"true": "true", "false": "false", "True": "true", "False": "false", "TRUE": "true", "FALSE": "false", "1": "true", "0": "false"}

// valueOf writes a cell as JSON, by its field's type.
func valueOf(cell, field string, schema *adapter.Schema) (value []byte, problem string) {
	if !utf8.ValidString(cell) {
		return nil, "the cell is not UTF-8"
	}
	kind := adapter.Char
	if schema != nil && schema.Has(field) {
		kind = schema.Fields[field].Type
	} else if t := truths[cell]; t != "" && len(cell) > 1 {
		return []byte(t), "" // of a column without a type the words, not 0 and 1
	}
	if field == "id" && wholeNumber.MatchString(cell) {
		kind = adapter.Integer
	}
	wrong := func(want string) ([]byte, string) { return nil, fmt.Sprintf("%q is not %s", clip(cell), want) }
	switch kind {
	case adapter.Boolean:
		if t := truths[cell]; t != "" {
			return []byte(t), ""
		}
		return wrong("true or false")
	case adapter.Integer:
		if wholeNumber.MatchString(cell) {
			return []byte(cell), ""
		}
		return wrong("a whole number")
	case adapter.Float, adapter.Monetary:
		if someNumber.MatchString(cell) {
			return []byte(cell), ""
		}
		return wrong("a number")
	case adapter.Many2One:
		switch {
		case wholeNumber.MatchString(cell):
			return []byte(cell), ""
		case isList(cell), cell == "false":
			return []byte(cell), ""
		}
		return wrong("an id")
	case adapter.One2Many, adapter.Many2Many:
		switch {
		case idList.MatchString(cell):
			return []byte("[" + cell + "]"), ""
		case isList(cell):
			return []byte(cell), ""
		}
		return wrong("a list of ids")
	}
	value, err := json.Marshal(cell)
	if err != nil {
		return wrong("a text")
	}
	return value, ""
}

func isList(cell string) bool { return cell[0] == '[' && json.Valid([]byte(cell)) }

func clip(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
