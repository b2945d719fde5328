package bridge

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/bridgecore/bridgecore/adapter"
)

// OperationRequest holds the members of an operation's request. Which of them
// an operation takes is in [Operations]; the others must be left out. A
// member that is null counts as left out.
type OperationRequest struct {
	Model  string          `json:"model" doc:"The model, such as res.partner."`
	Domain json.RawMessage `json:"domain,omitempty" doc:"Odoo domain: a list of conditions such as [\"is_company\", \"=\", true], joined by \"&\", \"|\" and \"!\" before them."`
	Fields Names           `json:"fields,omitempty" doc:"Fields to read. partner_id.email reads through a relation."`
	Limit  *int            `json:"limit,omitempty" doc:"At most this many; 0 or none is the operation's own limit."`
	Offset int             `json:"offset,omitempty" doc:"How many to skip."`
	Order  string          `json:"order,omitempty" doc:"Such as \"name desc, id\"."`
	Cursor string          `json:"cursor,omitempty" doc:"next_cursor of an earlier answer to the same request, instead of offset."`

	IDs IDs        `json:"ids,omitempty" doc:"The ids of the records."`
	ID  adapter.ID `json:"id,omitzero" doc:"One id, where one is meant."`

	Values   json.RawMessage `json:"values,omitempty" doc:"Field values of a record."`
	ValsList json.RawMessage `json:"vals_list,omitempty" doc:"Field values of several records."`
	Default  json.RawMessage `json:"default,omitempty" doc:"Values that a copy gets instead of the original's."`
	NextID   adapter.ID      `json:"next_id,omitzero"`

	Specification json.RawMessage `json:"specification,omitempty" doc:"What to read, nested, as web_read takes it."`
	CountLimit    *int            `json:"count_limit,omitempty"`
	Load          *string         `json:"load,omitempty" doc:"An empty text leaves many-to-one values as ids."`

	Name     *string `json:"name,omitempty" doc:"What a name must contain, or the name to create."`
	Operator string  `json:"operator,omitempty" doc:"How name is compared; ilike if left out."`

	GroupBy    Names           `json:"groupby,omitempty"`
	Aggregates Names           `json:"aggregates,omitempty"`
	Having     json.RawMessage `json:"having,omitempty"`
	OrderBy    string          `json:"orderby,omitempty"`
	Lazy       *bool           `json:"lazy,omitempty"`

	AllFields  Names `json:"allfields,omitempty" doc:"The fields to describe; all if left out."`
	Attributes Names `json:"attributes,omitempty" doc:"What to tell of each field; all if left out."`

	FieldName     Names           `json:"field_name,omitempty" doc:"The field or fields that changed on the form."`
	FieldOnChange json.RawMessage `json:"field_onchange,omitempty" doc:"The fields of the form, as onchange of the system's version takes them."`

	Operation      string `json:"operation,omitempty" doc:"read, write, create or unlink."`
	RaiseException *bool  `json:"raise_exception,omitempty"`

	ViewID   json.RawMessage `json:"view_id,omitempty"`
	ViewType string          `json:"view_type,omitempty"`
	Views    json.RawMessage `json:"views,omitempty" doc:"Pairs of a view's id, or false, and its type."`
	Options  json.RawMessage `json:"options,omitempty"`
	Toolbar  *bool           `json:"toolbar,omitempty"`
	Submenu  *bool           `json:"submenu,omitempty"`

	Method string          `json:"method,omitempty" doc:"The method to call."`
	Args   json.RawMessage `json:"args,omitempty" doc:"A list: the method's arguments by position."`
	Kwargs json.RawMessage `json:"kwargs,omitempty" doc:"An object: the method's arguments by name."`

	Context json.RawMessage `json:"context,omitempty" doc:"Odoo's context: lang, tz, allowed_company_ids and others."`
	// Expand is how values through relations are given: "dotted", the default,
	// or "nested".
	Expand Expand `json:"expand,omitempty" enum:"dotted,nested" doc:"How values through relations are given: as members partner_id.name, or as an object in partner_id."`
	// Optimize turns the rewriting of the question off (false); left out it
	// is on.
	Optimize *bool `json:"optimize,omitempty" doc:"false asks the system exactly what the request says."`
	// Fallback and FillEmpty are those of [adapter.Scope].
	Fallback  adapter.Fallback `json:"fallback,omitempty" enum:"all,off" doc:"What becomes of fields that this version lacks: replaced or dropped as far as they are known (left out), all dropped (all), refused (off)."`
	FillEmpty bool             `json:"fill_empty,omitempty" doc:"Fill empty values from documented alternatives."`

	// ETag asks a read of one record for its tag, IfMatch makes a write or an
	// unlink of one record on condition of it, or of AnyTag.
	ETag    bool   `json:"etag,omitempty" doc:"read of one id: tell the record's tag too, to send as if_match."`
	IfMatch string `json:"if_match,omitempty" doc:"write, unlink of one id: the etag that the record must still have, or * for a record that must be there."`
}

// Expand is how values through relations are given.
type Expand string

// The ways to give values through relations.
const (
	ExpandDotted Expand = "dotted" // {"partner_id": [5, "Azure"], "partner_id.email": "..."}
	ExpandNested Expand = "nested" // {"partner_id": {"id": 5, "email": "..."}}
)

// Names is a list of names, which may be written as one name.
type Names []string

// UnmarshalJSON reads a list of texts, one text, null or false.
func (n *Names) UnmarshalJSON(b []byte) error {
	switch {
	case len(b) > 0 && b[0] == '[':
		list := make(Names, 0, bytes.Count(b, []byte{','})+1)
		for part := range parts(b) {
			name, rest, ok := leadingText(part)
			if !ok || len(rest) > 0 {
				return json.Unmarshal(b, (*[]string)(n)) // which says what is wrong
			}
			list = append(list, name)
		}
		*n = list
		return nil
	case isNull(b), string(b) == "false":
		*n = nil
		return nil
	}
	var one string
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*n = Names{one}
	return nil
}

// IDs is a list of ids, which may be written as one id.
type IDs []adapter.ID

// UnmarshalJSON reads a list of ids, one id, null or false.
func (ids *IDs) UnmarshalJSON(b []byte) error {
	switch {
	case isNull(b), string(b) == "false":
		*ids = nil
		return nil
	case len(b) > 0 && b[0] == '[':
		if list, ok := plainIDs(b); ok {
			*ids = list
			return nil
		}
		return json.Unmarshal(b, (*[]adapter.ID)(ids))
	}
	var one adapter.ID
	if err := one.UnmarshalJSON(b); err != nil {
		return err
	}
	*ids = IDs{one}
	return nil
}

// plainIDs reads a list of plain integers, which nearly all lists of ids are,
// without a decoder for each.
func plainIDs(b []byte) (IDs, bool) {
	ids := make(IDs, 0, bytes.Count(b, []byte{','})+1)
	for item := range bytes.SplitSeq(b[1:len(b)-1], []byte{','}) {
		item = bytes.TrimSpace(item)
		n, err := strconv.ParseInt(string(item), 10, 64)
		if err != nil || item[0] == '+' {
			return nil, len(ids) == 0 && len(item) == 0 && len(bytes.TrimSpace(b[1:len(b)-1])) == 0
		}
		ids = append(ids, adapter.IntID(n))
	}
	return ids, true
}

func isNull(b []byte) bool { return len(b) == 0 || string(b) == "null" }

// member is a member of a request that becomes an argument.
type member struct {
	name string
	get  func(*OperationRequest) any // nil where it was left out
	set  func(*OperationRequest, json.RawMessage) error
}

// members are all members that become arguments, in the order in which they
// go into keys.
var members = []member{
	raw("domain", func(r *OperationRequest) *json.RawMessage { return &r.Domain }),
	names("fields", func(r *OperationRequest) *Names { return &r.Fields }),
	optional("limit", func(r *OperationRequest) **int { return &r.Limit }),
	plainly("offset", func(r *OperationRequest) *int { return &r.Offset }),
	plainly("order", func(r *OperationRequest) *string { return &r.Order }),
	plainly("cursor", func(r *OperationRequest) *string { return &r.Cursor }),
	{
		"ids",
		func(r *OperationRequest) any {
			if r.IDs == nil {
				return nil
			}
			return r.IDs
		},
		func(r *OperationRequest, b json.RawMessage) error { return r.IDs.UnmarshalJSON(b) },
	},
	{
		"id",
		func(r *OperationRequest) any {
			if r.ID.IsZero() {
				return nil
			}
			return IDs{r.ID}
		},
		func(r *OperationRequest, b json.RawMessage) error { return r.ID.UnmarshalJSON(b) },
	},
	raw("values", func(r *OperationRequest) *json.RawMessage { return &r.Values }),
	raw("vals_list", func(r *OperationRequest) *json.RawMessage { return &r.ValsList }),
	raw("default", func(r *OperationRequest) *json.RawMessage { return &r.Default }),
	plainly("next_id", func(r *OperationRequest) *adapter.ID { return &r.NextID }),
	raw("specification", func(r *OperationRequest) *json.RawMessage { return &r.Specification }),
	optional("count_limit", func(r *OperationRequest) **int { return &r.CountLimit }),
	optional("load", func(r *OperationRequest) **string { return &r.Load }),
	optional("name", func(r *OperationRequest) **string { return &r.Name }),
	plainly("operator", func(r *OperationRequest) *string { return &r.Operator }),
	names("groupby", func(r *OperationRequest) *Names { return &r.GroupBy }),
	names("aggregates", func(r *OperationRequest) *Names { return &r.Aggregates }),
	raw("having", func(r *OperationRequest) *json.RawMessage { return &r.Having }),
	plainly("orderby", func(r *OperationRequest) *string { return &r.OrderBy }),
	optional("lazy", func(r *OperationRequest) **bool { return &r.Lazy }),
	names("allfields", func(r *OperationRequest) *Names { return &r.AllFields }),
	names("attributes", func(r *OperationRequest) *Names { return &r.Attributes }),
	names("field_name", func(r *OperationRequest) *Names { return &r.FieldName }),
	raw("field_onchange", func(r *OperationRequest) *json.RawMessage { return &r.FieldOnChange }),
	plainly("operation", func(r *OperationRequest) *string { return &r.Operation }),
	optional("raise_exception", func(r *OperationRequest) **bool { return &r.RaiseException }),
	raw("view_id", func(r *OperationRequest) *json.RawMessage { return &r.ViewID }),
	plainly("view_type", func(r *OperationRequest) *string { return &r.ViewType }),
	raw("views", func(r *OperationRequest) *json.RawMessage { return &r.Views }),
	raw("options", func(r *OperationRequest) *json.RawMessage { return &r.Options }),
	optional("toolbar", func(r *OperationRequest) **bool { return &r.Toolbar }),
	optional("submenu", func(r *OperationRequest) **bool { return &r.Submenu }),
	plainly("method", func(r *OperationRequest) *string { return &r.Method }),
	raw("args", func(r *OperationRequest) *json.RawMessage { return &r.Args }),
	raw("kwargs", func(r *OperationRequest) *json.RawMessage { return &r.Kwargs }),
}

// raw is a member that is handed on as it is written.
func raw(name string, at func(*OperationRequest) *json.RawMessage) member {
	return member{
		name,
		func(r *OperationRequest) any {
			if b := *at(r); !isNull(b) {
				return b
			}
			return nil
		},
		func(r *OperationRequest, b json.RawMessage) error { *at(r) = b; return nil },
	}
}

func names(name string, at func(*OperationRequest) *Names) member {
	return member{
		name,
		func(r *OperationRequest) any {
			if n := *at(r); n != nil {
				return n
			}
			return nil
		},
		func(r *OperationRequest, b json.RawMessage) error { return at(r).UnmarshalJSON(b) },
	}
}

// optional is a member whose zero value means something else than leaving it
// out.
func optional[T any](name string, at func(*OperationRequest) **T) member {
	return member{
		name,
		func(r *OperationRequest) any {
			if p := *at(r); p != nil {
				return *p
			}
			return nil
		},
		func(r *OperationRequest, b json.RawMessage) error { return json.Unmarshal(b, at(r)) },
	}
}

// plainly is a member whose zero value is the same as leaving it out.
func plainly[T comparable](name string, at func(*OperationRequest) *T) member {
	var zero T
	return member{
		name,
		func(r *OperationRequest) any {
			if v := *at(r); v != zero {
				return v
			}
			return nil
		},
		func(r *OperationRequest, b json.RawMessage) error { return json.Unmarshal(b, at(r)) },
	}
}

// appendCanonical writes an argument so that equal ones have equal bytes: its
// kind, its length and what it says, without the spaces in JSON.
func appendCanonical(dst []byte, v any) []byte {
	at := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0)
	kind := byte('?')
	switch v := v.(type) {
	case json.RawMessage:
		kind = 'j'
		dst = appendCompact(dst, v)
	case Names:
		kind = 'n'
		for _, s := range v {
			dst = binary.AppendUvarint(dst, uint64(len(s)))
			dst = append(dst, s...)
		}
	case IDs:
		kind = 'i'
		for _, id := range v {
			dst = appendID(dst, id)
		}
	case adapter.ID:
		kind = 'i'
		dst = appendID(dst, v)
	case string:
		kind = 's'
		dst = append(dst, v...)
	case int:
		kind = 'd'
		dst = strconv.AppendInt(dst, int64(v), 10)
	case bool:
		kind = 'b'
		dst = strconv.AppendBool(dst, v)
	default:
		dst = fmt.Appendf(dst, "%T %v", v, v)
	}
	dst[at] = kind
	binary.BigEndian.PutUint32(dst[at+1:], uint32(len(dst)-at-5))
	return dst
}

func appendID(dst []byte, id adapter.ID) []byte {
	kind := byte('s')
	if _, ok := id.Int(); ok {
		kind = 'd'
	}
	s := id.String()
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// appendCompact copies JSON without the spaces between its tokens.
func appendCompact(dst, src []byte) []byte {
	start := 0
	inText := false
	for i := 0; i < len(src); i++ {
		switch c := src[i]; {
		case inText:
			switch c {
			case '\\':
				i++
			case '"':
				inText = false
			}
		case c == '"':
			inText = true
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			dst = append(dst, src[start:i]...)
			start = i + 1
		}
	}
	return append(dst, src[min(start, len(src)):]...)
}
