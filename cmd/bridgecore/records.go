package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/recordfile"
	"github.com/bridgecore/bridgecore/migrate"
)

// recordFlags say where records come from.
type recordFlags struct {
	In          string `help:"File of records; standard input unless given." placeholder:"FILE"`
	InputFormat string `default:"auto" enum:"auto,ndjson,csv,json" help:"ndjson (one object a line), csv, json (an array), or auto: by the file's name, ndjson unless it tells." placeholder:"FORMAT"`
}

// input are records that are read.
type input struct {
	file   *os.File // nil for standard input
	format recordfile.Format
	lines  io.Reader // as NDJSON
	read   *counter  // bytes of the file itself
	closer io.Closer
	size   int64 // 0 where it is not known
}

// counter counts what is read.
type counter struct {
	io.Reader
	add func(int)
}

// Read reads and counts.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.add != nil && n > 0 {
		c.add(n)
	}
	return n, err
}

// open opens the input. schema gives the cells of CSV their types.
func (r recordFlags) open(w world, schema *adapter.Schema) (*input, error) {
	in := &input{format: formatOf(r.InputFormat, r.In), read: &counter{Reader: w.stdin}}
	if r.In != "" {
		f, err := os.Open(r.In)
		if err != nil {
			return nil, misused("--in: %w", err)
		}
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a folder", r.In)
		}
		if err != nil {
			_ = f.Close()
			return nil, misused("--in: %w", err)
		}
		in.file, in.read.Reader = f, f
		if info.Mode().IsRegular() {
			in.size = info.Size()
		}
	}
	lines := recordfile.Lines(in.read, in.format, schema)
	in.lines, in.closer = lines, lines
	return in, nil
}

// Close closes the file.
func (in *input) Close() error {
	err := in.closer.Close()
	if in.file != nil {
		err = errors.Join(err, in.file.Close())
	}
	return err
}

func formatOf(flag, name string) recordfile.Format {
	if flag != "auto" {
		return recordfile.Format(flag)
	}
	return recordfile.FormatOf(name)
}

// readError says that there are no more records because reading failed.
type readError struct{ error }

// Unwrap returns the cause.
func (e *readError) Unwrap() error { return e.error }

// longestLine bounds a line of NDJSON, in bytes.
const longestLine = 64 << 20

// recordsOf yields the records of NDJSON that a run of the plan would take. A
// line that it would refuse is an error and the next one follows; a
// [*readError] is the last.
func recordsOf(ctx context.Context, r io.Reader, plan *migrate.Plan) iter.Seq2[adapter.Record, error] {
	return func(yield func(adapter.Record, error) bool) {
		s := bufio.NewScanner(r)
		s.Buffer(make([]byte, 1<<16), longestLine)
		for s.Scan() {
			line := bytes.TrimSpace(s.Bytes())
			if len(line) == 0 {
				continue
			}
			var rec adapter.Record
			// The run itself knows best what it takes: it looks for duplicate keys
			// and for invalid UTF-8 too.
			_, err := migrate.Stream(ctx, bytes.NewReader(line), io.Discard, plan, migrate.StreamOptions{Workers: 1})
			if err == nil {
				rec, err = adapter.DecodeRecord(line)
			}
			if !yield(rec, err) {
				return
			}
		}
		if err := s.Err(); err != nil {
			yield(nil, &readError{err})
		}
	}
}
