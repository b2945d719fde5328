package memory

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bridgecore/bridgecore/adapter"
)

func quoted(s string) string {
	if len(s) > 80 {
		s = s[:80] + "..."
	}
	return strconv.Quote(s)
}

// store checks values against the schema and returns them as rows keep them:
// null for what is not set, numbers as json.Number, references as bare ids.
func (a *Adapter) store(t *table, values adapter.Record) (adapter.Record, error) {
	row := make(adapter.Record, len(t.schema.Fields))
	for name, value := range values {
		field, ok := t.schema.Fields[name]
		if !ok {
			return nil, adapter.UnknownField(t.schema, name)
		}
		if field.Readonly {
			return nil, refuse(t.schema, name, "can't be written")
		}
		if computed(field) {
			return nil, refuse(t.schema, name, "is computed; write "+quoted(field.Inverse)+" of "+field.Relation)
		}
		stored, problem := a.storeValue(field, value)
		if problem != "" {
			return nil, refuse(t.schema, name, problem)
		}
		if field.Required && adapter.IsEmpty(stored) && field.Type != adapter.Boolean {
			return nil, missing(t.schema, name)
		}
		row[name] = stored
	}
	return row, nil
}

func refuse(schema *adapter.Schema, field, problem string) error {
	return &adapter.Error{Code: adapter.InvalidArgument, Model: schema.Model, Field: field, Message: "field " + quoted(field) + " " + problem}
}

func missing(schema *adapter.Schema, field string) error {
	return refuse(schema, field, "is required")
}

func emptyOf(t adapter.FieldType) any {
	switch t {
	case adapter.Boolean:
		return false
	case adapter.One2Many, adapter.Many2Many:
		return []any{}
	}
	return nil
}

// storeValue returns a value as rows keep it, or what is wrong with it.
func (a *Adapter) storeValue(field adapter.Field, value any) (stored any, problem string) {
	if field.Type == adapter.Boolean {
		switch v := value.(type) {
		case nil:
			return false, ""
		case bool:
			return v, ""
		}
		return nil, "takes true or false"
	}
	if value == nil || value == false {
		return emptyOf(field.Type), ""
	}
	switch field.Type {
	case adapter.Char, adapter.Text, adapter.HTML, adapter.Selection, adapter.Binary:
		return storeText(field, value)
	case adapter.Integer, adapter.Float, adapter.Monetary:
		return storeNumber(field, value)
	case adapter.Date, adapter.DateTime:
		return storeTime(field, value)
	case adapter.Many2One:
		ref, ok := adapter.RefOf(value)
		if !ok {
			return nil, "takes the id of a record of " + field.Relation
		}
		return ref.ID.Value(), a.dangling(field, ref.ID)
	case adapter.One2Many, adapter.Many2Many:
		return a.storeList(field, value)
	}
	return storeAny(value)
}

func storeText(field adapter.Field, value any) (any, string) {
	s, ok := value.(string)
	switch {
	case !ok:
		return nil, "takes a text"
	case s == "":
		return nil, ""
	case !utf8.ValidString(s):
		return nil, "holds a text that is not UTF-8"
	case field.Size > 0 && utf8.RuneCountInString(s) > field.Size:
		return nil, "takes at most " + strconv.Itoa(field.Size) + " characters"
	case field.Type == adapter.Binary:
		if _, err := base64.StdEncoding.DecodeString(s); err != nil {
			return nil, "takes base64"
		}
	case field.Type == adapter.Selection && len(field.Selection) > 0:
		known := make([]string, len(field.Selection))
		for i, option := range field.Selection {
			known[i] = option.Value
		}
		if !slices.Contains(known, s) {
			return nil, "has no option " + quoted(s) + "; use one of " + strings.Join(known, ", ")
		}
	}
	return s, ""
}

func storeNumber(field adapter.Field, value any) (any, string) {
	literal, ok := numberLiteral(value)
	if !ok {
		return nil, "takes a number"
	}
	if field.Type == adapter.Integer && strings.ContainsAny(literal, ".eE") {
		f, err := strconv.ParseFloat(literal, 64)
		if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
			return nil, "takes a whole number"
		}
		literal = strconv.FormatFloat(f, 'f', -1, 64)
	}
	return json.Number(literal), ""
}

func numberLiteral(value any) (string, bool) {
	switch v := value.(type) {
	case json.Number:
		return string(v), json.Valid([]byte(v)) && (v[0] == '-' || '0' <= v[0] && v[0] <= '9')
	case string, bool, []any, map[string]any:
		return "", false
	}
	b, err := json.Marshal(value)
	if err != nil || len(b) == 0 || (b[0] != '-' && (b[0] < '0' || b[0] > '9')) {
		return "", false
	}
	return string(b), true
}

func storeTime(field adapter.Field, value any) (any, string) {
	var at time.Time
	switch v := value.(type) {
	case time.Time:
		at = v.UTC()
	case string:
		if v == "" {
			return nil, ""
		}
		if at = (adapter.Record{"t": v}).Time("t"); at.IsZero() {
			return nil, "takes a date such as \"2025-01-31\" or \"2025-01-31 13:45:00\""
		}
	default:
		return nil, "takes a date as a text"
	}
	if field.Type == adapter.Date {
		return at.Format(time.DateOnly), ""
	}
	return at.Format(time.DateTime), ""
}

func (a *Adapter) storeList(field adapter.Field, value any) (any, string) {
	var ids []adapter.ID
	switch list := value.(type) {
	case []any:
		for _, item := range list {
			ref, ok := adapter.RefOf(item)
			if !ok {
				return nil, "takes a list of ids of " + field.Relation
			}
			ids = append(ids, ref.ID)
		}
	case []adapter.ID:
		ids = list
	case []int64:
		for _, n := range list {
			ids = append(ids, adapter.IntID(n))
		}
	case []int:
		for _, n := range list {
			ids = append(ids, adapter.IntID(int64(n)))
		}
	case []string:
		for _, s := range list {
			ids = append(ids, adapter.StringID(s))
		}
	default:
		return nil, "takes a list of ids of " + field.Relation
	}
	stored := make([]any, 0, len(ids))
	seen := make(map[adapter.ID]bool, len(ids))
	for _, id := range ids {
		if problem := a.dangling(field, id); problem != "" {
			return nil, problem
		}
		if !seen[id] {
			seen[id] = true
			stored = append(stored, id.Value())
		}
	}
	return stored, ""
}

// dangling says that an id leads nowhere, "" if it leads to a record.
func (a *Adapter) dangling(field adapter.Field, id adapter.ID) string {
	t, known := a.tables[field.Relation]
	if !known {
		return ""
	}
	if _, ok := t.rows[id]; !ok {
		return "refers to record " + quoted(id.String()) + " of " + field.Relation + ", which does not exist"
	}
	return ""
}

// storeAny copies a value of a field without a form of its own.
func storeAny(value any) (any, string) {
	b, err := json.Marshal(value)
	if err != nil {
		return nil, "takes a value that JSON can hold"
	}
	var stored any
	if err := adapter.DecodeJSON(b, &stored); err != nil {
		return nil, "takes a value that JSON can hold"
	}
	return stored, ""
}

func displayName(schema *adapter.Schema, row adapter.Record) string {
	if name := row.String("name"); name != "" {
		return name
	}
	return schema.Model + "," + row.String("id")
}

// show returns the named fields of a row as callers read them.
func (a *Adapter) show(t *table, row adapter.Record, fields []string, plain bool) adapter.Record {
	out := make(adapter.Record, len(fields)+1)
	out["id"] = shownNumber(row["id"])
	for _, name := range fields {
		if name == "id" {
			continue
		}
		field := t.schema.Fields[name]
		out[name] = a.showValue(t, row, name, field, plain)
	}
	return out
}

func (a *Adapter) showValue(t *table, row adapter.Record, name string, field adapter.Field, plain bool) any {
	if computed(field) {
		list := []any{}
		for _, id := range a.inverse(field, row) {
			list = append(list, shownNumber(id.Value()))
		}
		return list
	}
	value := row[name]
	switch v := value.(type) {
	case nil:
		return emptyOf(field.Type)
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = shownNumber(item)
		}
		if !field.Type.Relational() {
			copied, _ := storeAny(v)
			return copied
		}
		return list
	case map[string]any:
		copied, _ := storeAny(v)
		return copied
	case string:
		if plain && field.Type == adapter.DateTime {
			if at := row.Time(name); !at.IsZero() {
				return at.Format(time.RFC3339)
			}
		}
	}
	if field.Type == adapter.Many2One {
		id, _ := adapter.IDOf(value)
		label := ""
		if related, ok := a.tables[field.Relation]; ok {
			label = related.rows[id].String("display_name")
		}
		return []any{shownNumber(value), label}
	}
	return value
}

// shownNumber turns an id into what decoded JSON holds.
func shownNumber(v any) any {
	if n, ok := v.(int64); ok {
		return json.Number(strconv.FormatInt(n, 10))
	}
	return v
}

// inverse returns the records whose many-to-one leads to row, by id.
func (a *Adapter) inverse(field adapter.Field, row adapter.Record) []adapter.ID {
	t, ok := a.tables[field.Relation]
	if !ok {
		return nil
	}
	target := row.ID()
	var ids []adapter.ID
	for _, id := range t.order {
		if to, ok := adapter.IDOf(t.rows[id][field.Inverse]); ok && to == target {
			ids = append(ids, id)
		}
	}
	return ids
}
