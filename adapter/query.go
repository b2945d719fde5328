package adapter

import (
	"context"
	"errors"
	"iter"
	"strings"
)

// Query asks for records of one model.
type Query struct {
	Model  string
	Filter Filter   // nil matches everything
	Fields []string // nil asks for every field the user may read; "id" always comes along
	Order  []Order  // nil leaves the order to the system, except in All
	Limit  int      // at most this many records; 0 leaves it to the adapter's page size
	Offset int      // records to skip; not with Cursor
	Cursor string   // continues after an earlier page: its Next. Opaque; only good for the same query
	// Plain asks for values as JSON has them rather than as the system does:
	// null for empty, RFC 3339 in UTC for date-times.
	Plain bool
}

// Order is one sort key.
type Order struct {
	Field string
	Desc  bool
}

// ParseOrder reads the form "name desc, id".
func ParseOrder(s string) ([]Order, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var orders []Order
	for part := range strings.SplitSeq(s, ",") {
		words := strings.Fields(part)
		var o Order
		switch {
		case len(words) == 1:
		case len(words) == 2 && strings.EqualFold(words[1], "asc"):
		case len(words) == 2 && strings.EqualFold(words[1], "desc"):
			o.Desc = true
		default:
			return nil, &Error{Code: InvalidArgument, Field: "order", Message: "order must read like \"name desc, id\"; could not read " + quote(strings.TrimSpace(part))}
		}
		o.Field = words[0]
		if !isFieldPath(o.Field) {
			return nil, &Error{Code: InvalidArgument, Field: "order", Message: quote(o.Field) + " is not a field name"}
		}
		orders = append(orders, o)
	}
	return orders, nil
}

// FormatOrder writes orders in the form that ParseOrder reads.
func FormatOrder(orders []Order) string {
	parts := make([]string, len(orders))
	for i, o := range orders {
		parts[i] = o.Field
		if o.Desc {
			parts[i] += " desc"
		}
	}
	return strings.Join(parts, ", ")
}

// Page is one answer to a Query.
type Page struct {
	Records []Record
	// Next continues after this page, "" when it was the last one.
	Next string
	// Truncated says that more records match than were returned.
	Truncated bool
}

// All reads every record that matches, page by page, or by the system's own
// way to stream ([Streamer]). Without an order it reads
// by id, so that records created or deleted meanwhile neither repeat nor hide
// others. q.Limit bounds the whole, not a page. It stops at the first error,
// which it yields with a nil record.
func All(ctx context.Context, a Adapter, q Query) iter.Seq2[Record, error] {
	if s, ok := a.(Streamer); ok && q.Cursor == "" && q.Offset == 0 {
		return s.Stream(ctx, q)
	}
	return func(yield func(Record, error) bool) {
		left := q.Limit
		if q.Order == nil {
			q.Order = []Order{{Field: idField(a)}}
		}
		for {
			q.Limit = left
			page, err := a.Query(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, r := range page.Records {
				if !yield(r, nil) {
					return
				}
			}
			if q.Limit > 0 {
				if left -= len(page.Records); left <= 0 {
					return
				}
			}
			if page.Next == "" {
				return
			}
			if page.Next == q.Cursor {
				yield(nil, &Error{Code: Internal, Model: q.Model, Message: "the cursor does not advance", Err: errors.New("cursor " + page.Next)})
				return
			}
			q.Cursor, q.Offset = page.Next, 0
		}
	}
}

// idField is the field that holds a record's id.
func idField(a Adapter) string {
	if name := a.Info().IDField; name != "" {
		return name
	}
	return "id"
}

func isFieldPath(s string) bool {
	if s == "" {
		return false
	}
	for name := range strings.SplitSeq(s, ".") {
		if !isFieldName(name) {
			return false
		}
	}
	return true
}

func isFieldName(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case c == '_', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case '0' <= c && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return s != ""
}
