package recordsync

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
)

// plain is a value in the one form that all systems' values of a type are
// compared in: nil for nothing, a bool, a number as text, a text, an id's text,
// or a sorted list of those.
func plain(t adapter.FieldType, v any) any {
	switch t {
	case adapter.Boolean:
		return adapter.Record{"": v}.Bool("")
	case adapter.Integer, adapter.Float, adapter.Monetary:
		// Odoo has no numbers that are not set.
		n := adapter.Record{"": v}.Float("")
		if n == 0 || math.IsNaN(n) || math.IsInf(n, 0) {
			return "0"
		}
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return strconv.FormatFloat(n, 'f', -1, 64)
		}
		// Systems keep some decimals, in binary or not.
		return strconv.FormatFloat(n, 'g', 15, 64)
	}
	if adapter.IsEmpty(v) {
		return nil
	}
	switch t {
	case adapter.Many2One:
		r, ok := adapter.RefOf(v)
		if !ok {
			return nil
		}
		return r.ID.String()
	case adapter.Many2Many:
		ids := idsOf(v)
		out := make([]string, len(ids))
		for i, id := range ids {
			out[i] = id.String()
		}
		slices.Sort(out)
		return out
	case adapter.DateTime, adapter.Date:
		at := adapter.Record{"": v}.Time("")
		if at.IsZero() {
			return fmt.Sprint(v)
		}
		if t == adapter.Date {
			return at.Format(time.DateOnly)
		}
		return at.UTC().Truncate(time.Second).Format(time.RFC3339)
	}
	switch v := v.(type) {
	case string:
		return v
	case bool, float64, json.Number, int, int64:
		return fmt.Sprint(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// idsOf reads the ids of a relation to many, given as ids, pairs or records.
func idsOf(v any) []adapter.ID {
	if list, ok := v.([]any); ok {
		var out []adapter.ID
		for _, x := range list {
			if r, ok := adapter.RefOf(x); ok {
				out = append(out, r.ID)
			}
		}
		return out
	}
	return adapter.Record{"": v}.IDs("")
}

// digest is short for a value in the form of plain.
func digest(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		b = []byte(fmt.Sprint(v))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

func same(a, b any) bool {
	if x, ok := a.([]string); ok {
		y, ok := b.([]string)
		return ok && slices.Equal(x, y) || b == nil && len(x) == 0
	}
	if _, ok := b.([]string); ok {
		return same(b, a)
	}
	return a == b
}

// nothing reports whether a value in the form of plain says nothing of
// a record: neither a value nor a default that a system makes up.
func nothing(v any) bool { return v == nil || v == false || v == "0" }

// tidied is a text without what systems tidy up.
func tidied(v any) string {
	if adapter.IsEmpty(v) {
		return ""
	}
	return strings.ToLower(strings.Join(strings.Fields(fmt.Sprint(v)), " "))
}
