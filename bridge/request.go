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
		return json.Unmarshal(b, (*[]string)(n))
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
}

// members are all members that become arguments, in the order in which they
// go into keys.
var members = []member{
	{"domain", func(r *OperationRequest) any { return raw(r.Domain) }},
	{"fields", func(r *OperationRequest) any { return list(r.Fields) }},
	{"limit", func(r *OperationRequest) any { return number(r.Limit) }},
	{"offset", func(r *OperationRequest) any {
		if r.Offset == 0 {
			return nil
		}
		return r.Offset
	}},
	{"order", func(r *OperationRequest) any { return text(r.Order) }},
	{"cursor", func(r *OperationRequest) any { return text(r.Cursor) }},
	{"ids", func(r *OperationRequest) any {
		if r.IDs == nil {
			return nil
		}
		return r.IDs
	}},
	{"id", func(r *OperationRequest) any {
		if r.ID.IsZero() {
			return nil
		}
		return IDs{r.ID}
	}},
	{"values", func(r *OperationRequest) any { return raw(r.Values) }},
	{"vals_list", func(r *OperationRequest) any { return raw(r.ValsList) }},
	{"default", func(r *OperationRequest) any { return raw(r.Default) }},
	{"next_id", func(r *OperationRequest) any {
		if r.NextID.IsZero() {
			return nil
		}
		return r.NextID
	}},
	{"specification", func(r *OperationRequest) any { return raw(r.Specification) }},
	{"count_limit", func(r *OperationRequest) any { return number(r.CountLimit) }},
	{"load", func(r *OperationRequest) any { return optional(r.Load) }},
	{"name", func(r *OperationRequest) any { return optional(r.Name) }},
	{"operator", func(r *OperationRequest) any { return text(r.Operator) }},
	{"groupby", func(r *OperationRequest) any { return list(r.GroupBy) }},
	{"aggregates", func(r *OperationRequest) any { return list(r.Aggregates) }},
	{"having", func(r *OperationRequest) any { return raw(r.Having) }},
	{"orderby", func(r *OperationRequest) any { return text(r.OrderBy) }},
	{"lazy", func(r *OperationRequest) any { return flag(r.Lazy) }},
	{"allfields", func(r *OperationRequest) any { return list(r.AllFields) }},
	{"attributes", func(r *OperationRequest) any { return list(r.Attributes) }},
	{"field_name", func(r *OperationRequest) any { return list(r.FieldName) }},
	{"field_onchange", func(r *OperationRequest) any { return raw(r.FieldOnChange) }},
	{"operation", func(r *OperationRequest) any { return text(r.Operation) }},
	{"raise_exception", func(r *OperationRequest) any { return flag(r.RaiseException) }},
	{"view_id", func(r *OperationRequest) any { return raw(r.ViewID) }},
	{"view_type", func(r *OperationRequest) any { return text(r.ViewType) }},
	{"views", func(r *OperationRequest) any { return raw(r.Views) }},
	{"options", func(r *OperationRequest) any { return raw(r.Options) }},
	{"toolbar", func(r *OperationRequest) any { return flag(r.Toolbar) }},
	{"submenu", func(r *OperationRequest) any { return flag(r.Submenu) }},
	{"method", func(r *OperationRequest) any { return text(r.Method) }},
	{"args", func(r *OperationRequest) any { return raw(r.Args) }},
	{"kwargs", func(r *OperationRequest) any { return raw(r.Kwargs) }},
}

func raw(b json.RawMessage) any {
	if isNull(b) {
		return nil
	}
	return b
}

func list(n Names) any {
	if n == nil {
		return nil
	}
	return n
}

func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func number(p *int) any {
	if p == nil {
		return nil
	}
	return *p
}

func optional(p *string) any {
	if p == nil {
		return nil
	}
	return *p
}

func flag(p *bool) any {
	if p == nil {
		return nil
	}
	return *p
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
			if c == '\\' {
				i++
			} else if c == '"' {
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
