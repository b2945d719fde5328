package recordfile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/bridgecore/bridgecore/adapter"
)

// Writer takes NDJSON and writes a format. Close ends the file; it does not
// close what is written to.
type Writer interface {
	io.WriteCloser
}

// NewWriter returns a writer of the format. CSV is kept in a temporary file
// until all columns are known.
func NewWriter(w io.Writer, f Format) (Writer, error) {
	switch f {
	case JSON:
		return &arrayWriter{out: w}, nil
	case CSV:
		spool, err := os.CreateTemp("", "bridgecore-*.ndjson")
		if err != nil {
			return nil, fmt.Errorf("making a temporary file: %w", err)
		}
		return &csvWriter{out: w, spool: spool}, nil
	default:
		return plainWriter{w}, nil
	}
}

type plainWriter struct{ io.Writer }

func (plainWriter) Close() error { return nil }

// arrayWriter puts whole lines into an array.
type arrayWriter struct {
	out  io.Writer
	some bool
	buf  []byte
	rest []byte // a line that has no end yet
}

func (a *arrayWriter) Write(p []byte) (int, error) {
	a.buf = a.buf[:0]
	for line := range bytes.Lines(p) {
		if a.rest = append(a.rest, line...); line[len(line)-1] == '\n' {
			a.line()
		}
	}
	if _, err := a.out.Write(a.buf); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (a *arrayWriter) line() {
	separator := ",\n"
	if !a.some {
		a.some, separator = true, "[\n"
	}
	a.buf = append(append(a.buf, separator...), bytes.TrimSpace(a.rest)...)
	a.rest = a.rest[:0]
}

func (a *arrayWriter) Close() error {
	a.buf = a.buf[:0]
	if len(a.rest) > 0 {
		a.line()
	}
	if !a.some {
		a.buf = append(a.buf, '[')
	}
	_, err := a.out.Write(append(a.buf, "\n]\n"...))
	return err
}

type csvWriter struct {
	out   io.Writer
	spool *os.File
}

func (c *csvWriter) Write(p []byte) (int, error) { return c.spool.Write(p) }

// Close writes the file: the columns are all fields that some record has, in
// the order they are met in.
func (c *csvWriter) Close() (err error) {
	defer func() { err = errors.Join(err, c.spool.Close(), os.Remove(c.spool.Name())) }()
	var cols columns
	err = c.each(func(names []string, _ []json.RawMessage) error {
		for _, name := range names {
			cols.add(name)
		}
		return nil
	})
	if err != nil || len(cols.names) == 0 {
		return err
	}
	w := csv.NewWriter(c.out)
	if err := w.Write(cols.names); err != nil {
		return err
	}
	err = c.each(func(names []string, values []json.RawMessage) error {
		cells := make(map[string]string, len(names))
		for i, name := range names {
			cells[name] = cellOf(values[i])
		}
		return w.Write(cols.row(cells))
	})
	w.Flush()
	return errors.Join(err, w.Error())
}

// each reads the spooled records, members in the order they were written in.
func (c *csvWriter) each(take func(names []string, values []json.RawMessage) error) error {
	if _, err := c.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	dec := json.NewDecoder(bufio.NewReaderSize(c.spool, 1<<16))
	for {
		switch _, err := dec.Token(); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		var names []string
		var values []json.RawMessage
		for dec.More() {
			t, err := dec.Token()
			if err != nil {
				return err
			}
			name, _ := t.(string)
			var v json.RawMessage
			if err := dec.Decode(&v); err != nil {
				return err
			}
			names, values = append(names, name), append(values, v)
		}
		if _, err := dec.Token(); err != nil {
			return err
		}
		if err := take(names, values); err != nil {
			return err
		}
	}
}

// cellOf writes a value as the text of a cell: texts without quotes, nothing
// for null, everything else as JSON.
func cellOf(raw json.RawMessage) string {
	switch raw[0] {
	case 'n':
		return ""
	case '"':
		var s string
		if adapter.DecodeJSON(raw, &s) == nil {
			return s
		}
	}
	return string(raw)
}
