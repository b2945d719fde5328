// Package recordfile reads and writes files of records: NDJSON, which is what
// runs work on, CSV, and a JSON array. Nothing is held in memory but one
// record.
package recordfile

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Format is how a file holds records.
type Format string

// The formats.
const (
	NDJSON Format = "ndjson" // one JSON object a line
	CSV    Format = "csv"    // a line with the fields' names, then one a record
	JSON   Format = "json"   // one array of objects
)

var extensions = map[string]Format{".ndjson": NDJSON, ".jsonl": NDJSON, ".csv": CSV, ".json": JSON}

// FormatOf returns the format that a file's name tells, NDJSON where it tells
// none.
func FormatOf(name string) Format {
	if f, known := extensions[strings.ToLower(filepath.Ext(name))]; known {
		return f
	}
	return NDJSON
}

// Error says where a file is not what its format asks for.
type Error struct {
	Format Format
	Record int64 // its place in the file, from 0
	Line   int   // of CSV, from 1; 0 where it is not known
	Field  string
	What   string
	Err    error
}

// Error names the place.
func (e *Error) Error() string {
	s := fmt.Sprintf("record %d", e.Record)
	if e.Line > 0 {
		s = fmt.Sprintf("line %d", e.Line)
	}
	if e.Field != "" {
		s += ", " + e.Field
	}
	s += ": " + e.What
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns what the reader of the format said.
func (e *Error) Unwrap() error { return e.Err }

// bom begins files that some spreadsheets write.
var bom = []byte("\xef\xbb\xbf")

// columns are the fields of a CSV file in the order they are met in.
type columns struct {
	names []string
	at    map[string]int
}

func (c *columns) add(name string) {
	if c.at == nil {
		c.at = map[string]int{}
	}
	if _, known := c.at[name]; !known {
		c.at[name] = len(c.names)
		c.names = append(c.names, name)
	}
}

// row returns a record's cells.
func (c *columns) row(cells map[string]string) []string {
	out := make([]string, len(c.names))
	for name, cell := range cells {
		out[c.at[name]] = cell
	}
	return out
}
