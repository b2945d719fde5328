package report

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// keptQuantity is how a Quantity lies in a kept row.
type keptQuantity struct {
	Number json.Number `json:"n,omitempty"`
	Unit   string      `json:"u,omitempty"`
}

// AppendRow appends a row as a line of text from which [ReadRow] has it back.
func AppendRow(dst []byte, row []any) ([]byte, error) {
	kept := row
	for i, v := range row {
		if q, ok := v.(Quantity); ok {
			if &kept[0] == &row[0] {
				kept = append([]any(nil), row...)
			}
			kept[i] = keptQuantity(q)
		}
	}
	b, err := json.Marshal(kept)
	if err != nil {
		return dst, err
	}
	return append(append(dst, b...), '\n'), nil
}

// ReadRow reads a line that AppendRow wrote.
func ReadRow(line []byte) ([]any, error) {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var row []any
	if err := dec.Decode(&row); err != nil {
		return nil, fmt.Errorf("read a kept row: %w", err)
	}
	for i, v := range row {
		if m, ok := v.(map[string]any); ok {
			number, _ := m["n"].(json.Number)
			unit, _ := m["u"].(string)
			row[i] = Quantity{number, unit}
		}
	}
	return row, nil
}
