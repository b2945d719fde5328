package adapter

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// decodeRecord stores r in the struct target points to, one field at a time,
// so that one unreadable value is reported by its name.
func decodeRecord(r Record, target any) error {
	v := reflect.ValueOf(target)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return &Error{Code: InvalidArgument, Message: fmt.Sprintf("Decode needs a non-nil pointer, not %T", target)}
	}
	v = v.Elem()
	if v.Kind() != reflect.Struct {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, target)
	}
	for name, index := range fieldIndex(v.Type()) {
		value, present := r[name]
		if !present {
			continue
		}
		field, err := reachField(v, index)
		if err == nil {
			err = decodeValue(value, field)
		}
		if err != nil {
			return &Error{Code: InvalidArgument, Field: name, Message: fmt.Sprintf("field %q does not fit %s", name, v.Type().FieldByIndex(index).Type), Err: err}
		}
	}
	return nil
}

// reachField is v.FieldByIndex, which makes the embedded structs on its way
// where they are nil pointers.
func reachField(v reflect.Value, index []int) (reflect.Value, error) {
	for _, i := range index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return v, fmt.Errorf("the embedded %s is nil and can't be set", v.Type())
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v, nil
}

func decodeValue(value any, field reflect.Value) error {
	switch {
	case value == nil:
		field.SetZero()
		return nil
	case value == false && field.Kind() != reflect.Bool && field.Kind() != reflect.Interface:
		// Odoo's word for an empty value of any type.
		field.SetZero()
		return nil
	}
	if ref, ok := RefOf(value); ok {
		switch field.Type() {
		case reflect.TypeFor[Ref]():
			field.Set(reflect.ValueOf(ref))
			return nil
		case reflect.TypeFor[ID]():
			field.Set(reflect.ValueOf(ref.ID))
			return nil
		}
		if _, pair := value.([]any); pair {
			switch field.Kind() {
			case reflect.Int, reflect.Int32, reflect.Int64:
				n, isInt := ref.ID.Int()
				if !isInt || field.OverflowInt(n) {
					return fmt.Errorf("id %s is no %s", ref.ID, field.Type())
				}
				field.SetInt(n)
				return nil
			case reflect.String:
				field.SetString(ref.Name)
				return nil
			}
		}
	}
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, field.Addr().Interface())
}

var fieldIndexes sync.Map // reflect.Type -> map[string][]int

// fieldIndex maps the JSON names of a struct's fields to their places.
func fieldIndex(t reflect.Type) map[string][]int {
	if cached, ok := fieldIndexes.Load(t); ok {
		return cached.(map[string][]int)
	}
	index := map[string][]int{}
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() || f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch name {
		case "-":
			continue
		case "":
			name = f.Name
		}
		index[name] = f.Index
	}
	fieldIndexes.Store(t, index)
	return index
}
