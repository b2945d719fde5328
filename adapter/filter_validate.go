package adapter

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Validate holds f against the schemas of the models that it touches. The
// error is ErrInvalidArgument and names the field as f has it: one that the
// model lacks (with the nearest that it has), an operator that the field's
// type does not know, a value that can't be one of the field's.
func Validate(f Filter, schemaOf func(model string) (*Schema, error), model string) error {
	schema, err := schemaOf(model)
	if err != nil {
		return err
	}
	v := validator{schemaOf: schemaOf}
	return v.filter(f, schema, "")
}

type validator struct {
	schemaOf func(model string) (*Schema, error)
}

func (v *validator) filter(f Filter, schema *Schema, prefix string) error {
	var err error
	Walk(f, func(c Cond) bool {
		err = v.cond(normalCond(c), schema, prefix)
		return err == nil
	})
	return err
}

func (v *validator) cond(c Cond, schema *Schema, prefix string) error {
	path := prefix + c.Field
	fail := func(problem string) error {
		return &Error{Code: InvalidArgument, Model: schema.Model, Field: path, Message: problem}
	}
	if !c.Op.Known() {
		return fail("operator " + quote(string(c.Op)) + " on " + quote(path) + " is unknown; use one of " + operatorNames)
	}
	field, next, err := v.resolve(c.Field, schema)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok && prefix != "" && e.Code == InvalidArgument {
			e.Field = prefix + e.Field
		}
		return err
	}
	if c.Op == Any || c.Op == NotAny {
		nested, isFilter := c.Value.(Filter)
		switch {
		case !isFilter && c.Value != nil:
			return fail("operator \"" + string(c.Op) + "\" on " + quote(path) + " needs a filter on the related records")
		case !field.Type.Relational():
			return fail("operator \"" + string(c.Op) + "\" needs a field that leads to other records; " + quote(path) + " is " + string(field.Type))
		case next == nil:
			return nil
		}
		return v.filter(nested, next, path+".")
	}
	if problem := checkValue(c.Op, c.Value); problem != "" {
		return fail("operator \"" + string(c.Op) + "\" on " + quote(path) + " " + problem)
	}
	if problem := operatorProblem(c, field); problem != "" {
		return fail(quote(path) + " is " + string(field.Type) + " and " + problem)
	}
	return nil
}

// resolve follows a path to its field, and to the schema that the field leads
// to, if any.
func (v *validator) resolve(path string, schema *Schema) (Field, *Schema, error) {
	walked := ""
	for {
		name, rest, more := strings.Cut(path, ".")
		field, ok := schema.Fields[name]
		if !ok {
			err := unknownField(schema, name)
			err.Field = walked + name
			return Field{}, nil, err
		}
		switch {
		case !more && field.Relation == "":
			return field, nil, nil
		case more && field.Type == Properties:
			return Field{Type: Unknown}, nil, nil
		case more && dateParts[rest] != nil && (field.Type == Date || field.Type == DateTime):
			return Field{Type: Integer}, nil, nil
		case more && field.Relation == "":
			if field.Type == Unknown || field.Type == Reference {
				return Field{Type: Unknown}, nil, nil
			}
			return Field{}, nil, &Error{Code: InvalidArgument, Model: schema.Model, Field: walked + path,
				Message: quote(walked+name) + " is " + string(field.Type) + " and leads to no other records; remove " + quote("."+rest)}
		}
		next, err := v.schemaOf(field.Relation)
		if err != nil {
			if !more {
				// Only a nested filter would need it.
				return field, nil, nil //nolint:nilerr // the field itself is known
			}
			return Field{}, nil, err
		}
		if !more {
			return field, next, nil
		}
		walked += name + "."
		schema, path = next, rest
	}
}

// operatorProblem tells why an operator or its value does not fit a type.
func operatorProblem(c Cond, field Field) string {
	op := operators[c.Op]
	t := field.Type
	switch {
	case t == Unknown || t == "":
		return ""
	case (c.Op == ChildOf || c.Op == ParentOf) && !t.Relational() && c.Field != "id" && !strings.HasSuffix(c.Field, ".id"):
		return "has no hierarchy; \"" + string(c.Op) + "\" needs a relation or \"id\""
	case op.like && (t == Boolean || t == Binary):
		return "can't be compared with \"" + string(c.Op) + "\"; use = or !="
	case op.order && (t == Binary || t == One2Many || t == Many2Many || t == JSON || t == Properties):
		return "has no order for \"" + string(c.Op) + "\"; use =, !=, in or not in"
	case op.like:
		return ""
	}
	values, ok := c.Value.([]any)
	if !ok {
		values = []any{c.Value}
	}
	for _, value := range values {
		if problem := valueProblem(value, t); problem != "" {
			return problem
		}
	}
	return ""
}

// valueProblem tells why a value can't be compared with those of a type.
func valueProblem(value any, t FieldType) string {
	if _, isBool := value.(bool); isBool || IsEmpty(value) {
		return "" // "is (not) set"
	}
	text, isText := value.(string)
	switch t {
	case Integer, Float, Monetary:
		if isText {
			if _, ok := parseDecimal(text); !ok {
				return quote(text) + " is no number"
			}
		}
	case Date, DateTime:
		if !isText {
			return "a date is written as a text such as \"2025-01-31\""
		}
		if _, ok := parseMoment(text); ok {
			return ""
		}
		if _, ok := relativeMoment(text, time.Time{}); !ok {
			return quote(text) + " is no date; write it as \"2025-01-31\" or \"2025-01-31 13:45:00\""
		}
	}
	return ""
}

// unknownField names a field that a model lacks, and the nearest that it has.
func unknownField(schema *Schema, name string) *Error {
	message := "unknown field " + quote(name) + " on " + schema.Model
	if nearest := Nearest(name, fieldNames(schema)); nearest != "" {
		message += "; did you mean " + quote(nearest) + "?"
	}
	return &Error{Code: InvalidArgument, Model: schema.Model, Field: name, Message: message}
}

// UnknownField is the error for a field that the model lacks. It names the
// field and suggests the nearest that the model has.
func UnknownField(schema *Schema, name string) error { return unknownField(schema, name) }

func fieldNames(schema *Schema) []string {
	names := make([]string, 0, len(schema.Fields))
	for name := range schema.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Nearest returns the candidate that name is most likely a misspelling of, ""
// if none is near: at most a third of its letters wrong, missing, too many or
// swapped. Of several equally near the first wins.
func Nearest(name string, candidates []string) string {
	if len(name) > 100 {
		return ""
	}
	best, bestDistance := "", max(len(name)/3, 1)+1
	for _, candidate := range candidates {
		if abs(len(candidate)-len(name)) >= bestDistance {
			continue
		}
		if d := distance(name, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// distance counts the edits between two names: a letter wrong, missing, too
// many, or two swapped.
func distance(a, b string) int {
	before := make([]int, len(b)+1)
	last := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
