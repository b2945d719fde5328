package report

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
)

// writeCSV writes numbers and dates as programs read them, and texts so that no
// spreadsheet takes them for formulas.
func writeCSV(w io.Writer, t *Table) (int, error) {
	if t.BOM {
		if _, err := io.WriteString(w, "\ufeff"); err != nil {
			return 0, err
		}
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	cells := make([]string, len(t.Columns))
	for i := range t.Columns {
		cells[i] = harmless(t.Columns[i].Label)
	}
	if err := out.Write(cells); err != nil {
		return 0, err
	}
	rows := 0
	for row, err := range t.Rows {
		if err != nil {
			return rows, err
		}
		for i := range t.Columns {
			cells[i] = ""
			if i < len(row) {
				cells[i] = t.csvCell(&t.Columns[i], row[i])
			}
		}
		if err := out.Write(cells); err != nil {
			return rows, err
		}
		rows++
	}
	out.Flush()
	return rows, out.Error()
}

func (t *Table) csvCell(c *Column, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case json.Number:
		return string(v)
	case Quantity:
		return string(v.Number)
	case bool:
		if v {
			return "true"
		}
		if c.Kind == Bool {
			return "false"
		}
		return ""
	case string:
		return harmless(v)
	}
	return harmless(t.text(c, v))
}

// harmless keeps a text from being taken for a formula: an apostrophe before
// it says that it is text.
func harmless(s string) string {
	trimmed := strings.TrimLeft(s, " \u00a0")
	if trimmed == "" {
		return s
	}
	switch trimmed[0] {
	case '=', '+', '-', '@', '\t', '\r', '\n', '|', '%':
		return "'" + s
	}
	return s
}

// writeJSONL writes one object a row, its keys in the order of the columns.
func writeJSONL(w io.Writer, t *Table) (int, error) {
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	names := make([][]byte, len(t.Columns))
	for i := range t.Columns {
		name, err := json.Marshal(t.Columns[i].Name)
		if err != nil {
			return 0, err
		}
		names[i] = append(name, ':')
	}
	rows := 0
	var line strings.Builder
	value := json.NewEncoder(&line)
	value.SetEscapeHTML(false)
	for row, err := range t.Rows {
		if err != nil {
			return rows, err
		}
		line.Reset()
		line.WriteByte('{')
		for i, name := range names {
			if i > 0 {
				line.WriteByte(',')
			}
			line.Write(name)
			var v any
			if i < len(row) {
				v = row[i]
			}
			if err := value.Encode(v); err != nil {
				return rows, err
			}
		}
		// Encode ends each value with a newline.
		if _, err := out.WriteString(strings.ReplaceAll(line.String(), "\n", "") + "}\n"); err != nil {
			return rows, err
		}
		rows++
	}
	return rows, out.Flush()
}
