package salesforcetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// changes are values to set, by the ordinals of fields.
type changes map[int]any

// decode reads the values of a request. Fields that do not exist, or hold
// what is not of their type, are errors, before anything is written.
func (db *database) decode(o *object, in map[string]any) (changes, *apiError) {
	out := changes{}
	for _, key := range slices.Sorted(maps.Keys(in)) {
		if key == "attributes" || strings.EqualFold(key, "id") {
			continue
		}
		at, f := o.field(key)
		if f == nil {
			if via, ok := o.parents[strings.ToLower(key)]; ok {
				id, err := db.byExternalID(&o.Fields[via], key, in[key])
				if err != nil {
					return nil, err
				}
				out[via] = id
				continue
			}
			return nil, &apiError{code: "INVALID_FIELD", message: fmt.Sprintf("No such column '%s' on sobject of type %s", key, o.Name)}
		}
		v, ok := f.parse(in[key])
		if !ok {
			return nil, mistyped(f, in[key])
		}
		out[at] = v
	}
	return out, nil
}

// mistyped says that a value is not of its field's type, as the JSON parser of
// the API does.
func mistyped(f *Field, v any) *apiError {
	token := "VALUE_STRING value " + fmt.Sprint(v)
	switch v := v.(type) {
	case map[string]any:
		token = "START_OBJECT"
	case []any:
		token = "START_ARRAY"
	case bool:
		token = "VALUE_" + strings.ToUpper(fmt.Sprint(v))
	case string:
	default:
		token = "VALUE_NUMBER value " + fmt.Sprint(v)
	}
	return &apiError{code: "JSON_PARSER_ERROR", message: fmt.Sprintf("Cannot deserialize instance of %s from %s or request may be missing a required field at [line:1, column:1]", soapType(f), token)}
}

// byExternalID finds the record that {"Account": {"External_Id__c": "x"}} means.
func (db *database) byExternalID(f *Field, key string, v any) (any, *apiError) {
	object, ok := v.(map[string]any)
	if v == nil {
		return nil, nil
	}
	if !ok || len(object) == 0 {
		return nil, &apiError{code: "JSON_PARSER_ERROR", message: "Cannot deserialize instance of " + key + " from VALUE_STRING value or request may be missing a required field at [line:1, column:1]"}
	}
	for name, value := range object {
		if name == "attributes" {
			continue
		}
		for _, to := range f.ReferenceTo {
			target := db.object(to)
			at, ext := target.field(name)
			if ext == nil || !ext.ExternalID {
				continue
			}
			parsed, _ := ext.parse(value)
			switch found := target.table.having(at, parsed); len(found) {
			case 1:
				return found[0].id(), nil
			case 0:
				return nil, &apiError{code: "INVALID_FIELD", message: fmt.Sprintf("Foreign key external ID: %v not found for field %s in entity %s", value, ext.Name, target.Name)}
			default:
				return nil, &apiError{code: "INVALID_FIELD", message: fmt.Sprintf("Foreign key external ID: %v is not unique for field %s in entity %s", value, ext.Name, target.Name)}
			}
		}
		return nil, &apiError{code: "INVALID_FIELD", message: fmt.Sprintf("Field name provided, %s is not an External ID or indexed field for %s", name, strings.Join(f.ReferenceTo, ", "))}
	}
	return nil, nil
}

// refuseReadOnly is an error if a change is of a field that the caller may
// not set.
func refuseReadOnly(o *object, ch changes, may func(*Field) bool) *apiError {
	var names []string
	for _, at := range slices.Sorted(maps.Keys(ch)) {
		if f := &o.Fields[at]; !may(f) {
			names = append(names, f.Name)
		}
	}
	if names == nil {
		return nil
	}
	return &apiError{code: "INVALID_FIELD_FOR_INSERT_UPDATE", message: "Unable to create/update fields: " + strings.Join(names, ", ") + ". Please check the security settings of this field and verify that it is read/write for your profile or permission set.", fields: names}
}

// insert makes a record and returns its id.
func (t *tx) insert(o *object, ch changes) (string, *apiError) {
	if o.NotCreateable {
		return "", &apiError{code: "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message: "entity type " + o.Name + " does not support create"}
	}
	if err := refuseReadOnly(o, ch, (*Field).createable); err != nil {
		return "", err
	}
	r := make(row, len(o.Fields))
	for i := range o.Fields {
		f := &o.Fields[i]
		switch {
		case f.Type == TypeBoolean:
			r[i] = f.Default == true
		case f.Default != nil:
			r[i] = f.Default
			if number, ok := f.Default.(int); ok {
				r[i] = float64(number)
			}
		case f.Name == "OwnerId":
			r[i] = t.db.user
		}
	}
	for at, v := range ch {
		if v != nil || o.Fields[at].Type != TypeBoolean {
			r[at] = v
		}
	}
	mark := t.mark()
	id, err := t.insertRow(o, r)
	if err != nil {
		t.rollback(mark)
	}
	return id, err
}

func (t *tx) insertRow(o *object, r row) (string, *apiError) {
	r[fieldIsDeleted] = false
	r[fieldCreatedDate], r[fieldCreatedBy] = t.when, t.db.user
	if err := t.save(o, nil, r); err != nil {
		return "", err
	}
	r[fieldID] = newID(o.KeyPrefix, o.table.next)
	o.table.next++
	for i := range o.Fields {
		if f := &o.Fields[i]; f.AutoNumber != "" {
			r[i] = o.table.number(i, f.AutoNumber)
		}
	}
	t.put(o, r)
	if o.rules.after != nil {
		if err := o.rules.after(t, nil, r); err != nil {
			return "", err
		}
	}
	return r.id(), nil
}

// save holds a record against all that must be so before it is stored.
func (t *tx) save(o *object, old, r row) *apiError {
	r[fieldModifiedDate], r[fieldModifiedBy], r[fieldModstamp] = t.when, t.db.user, t.when
	if err := t.db.recordFault(o, r); err != nil {
		return err
	}
	if o.rules.before != nil {
		if err := o.rules.before(t, old, r); err != nil {
			return err
		}
	}
	var missing []string
	for i := range o.Fields {
		if f := &o.Fields[i]; f.Required && r[i] == nil {
			missing = append(missing, f.Name)
		}
	}
	if missing != nil {
		return required(missing...)
	}
	for i := range o.Fields {
		f := &o.Fields[i]
		if i < systemFields || r[i] == nil || old != nil && f.Type != TypeBase64 && old[i] == r[i] {
			continue
		}
		v, err := f.check(r[i])
		if err != nil {
			return err
		}
		if f.Type == TypeReference {
			if v, err = t.db.checkReference(f, v); err != nil {
				return err
			}
		}
		r[i] = v
	}
	return unique(o, old, r)
}

func required(names ...string) *apiError {
	return &apiError{code: "REQUIRED_FIELD_MISSING", message: "Required fields are missing: [" + strings.Join(names, ", ") + "]", fields: names}
}

// checkReference holds a reference against what it may lead to, and returns
// the id in its 18 characters.
func (db *database) checkReference(f *Field, v any) (any, *apiError) {
	text, _ := v.(string)
	id, ok := parseID(text)
	if !ok {
		return nil, &apiError{code: "MALFORMED_ID", message: f.Label + ": id value of incorrect type: " + text, fields: []string{f.Name}}
	}
	o := db.byPrefix(id[:3])
	if o == nil || !slices.Contains(f.ReferenceTo, o.Name) {
		if o == nil {
			return nil, &apiError{code: "INVALID_CROSS_REFERENCE_KEY", message: "invalid cross reference id", fields: []string{}}
		}
		return nil, &apiError{code: "MALFORMED_ID", message: f.Label + ": id value of incorrect type: " + id, fields: []string{f.Name}}
	}
	r, ok := o.table.get(id)
	if !ok {
		return nil, &apiError{code: "INVALID_CROSS_REFERENCE_KEY", message: "invalid cross reference id", fields: []string{}}
	}
	if r.deleted() {
		return nil, &apiError{code: "ENTITY_IS_DELETED", message: "entity is deleted", fields: []string{}}
	}
	return id, nil
}

// unique is an error if another record has a value that must be unique.
func unique(o *object, old, r row) *apiError {
	for i := range o.Fields {
		f := &o.Fields[i]
		if !f.Unique || r[i] == nil || old != nil && old[i] == r[i] {
			continue
		}
		for _, other := range o.table.having(i, r[i]) {
			if old != nil && other.id() == old.id() {
				continue
			}
			return &apiError{code: "DUPLICATE_VALUE", message: "duplicate value found: " + f.Name + " duplicates value on record with id: " + other.id(), fields: []string{}}
		}
	}
	return nil
}

// target finds the record that a write is of.
func (db *database) target(o *object, text string) (row, *apiError) {
	id, ok := parseID(text)
	if !ok {
		return nil, &apiError{code: "MALFORMED_ID", message: o.Label + " ID: id value of incorrect type: " + text, fields: []string{"Id"}}
	}
	if id[:3] != o.KeyPrefix {
		return nil, &apiError{code: "MALFORMED_ID", message: o.Label + " ID: id value of incorrect type: " + id, fields: []string{"Id"}}
	}
	r, ok := o.table.get(id)
	if !ok {
		return nil, &apiError{status: 404, code: "INVALID_CROSS_REFERENCE_KEY", message: "invalid cross reference id", fields: []string{}}
	}
	if r.deleted() {
		return nil, &apiError{status: 404, code: "ENTITY_IS_DELETED", message: "entity is deleted", fields: []string{}}
	}
	return r, nil
}

// update changes a record.
func (t *tx) update(o *object, id string, ch changes) *apiError {
	old, err := t.db.target(o, id)
	if err != nil {
		return err
	}
	if o.NotUpdateable {
		return &apiError{code: "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message: "entity type " + o.Name + " does not support update"}
	}
	if err := refuseReadOnly(o, ch, (*Field).updateable); err != nil {
		return err
	}
	r := slices.Clone(old)
	for at, v := range ch {
		f := &o.Fields[at]
		if v == nil && (f.Type == TypeBoolean || f.NotNull) {
			continue
		}
		r[at] = v
	}
	mark := t.mark()
	if err := t.save(o, old, r); err != nil {
		t.rollback(mark)
		return err
	}
	t.put(o, r)
	if o.rules.after != nil {
		if err := o.rules.after(t, old, r); err != nil {
			t.rollback(mark)
			return err
		}
	}
	return nil
}

// remove deletes a record and what goes with it: it stays in the recycle bin.
func (t *tx) remove(o *object, id string) *apiError {
	r, err := t.db.target(o, id)
	if err != nil {
		return err
	}
	if o.NotDeletable {
		return &apiError{status: 405, code: "METHOD_NOT_ALLOWED", message: "HTTP Method 'DELETE' not allowed. Allowed are HEAD,GET,PATCH"}
	}
	mark := t.mark()
	if err := t.removeRow(o, r); err != nil {
		t.rollback(mark)
		return err
	}
	return nil
}

func (t *tx) removeRow(o *object, r row) *apiError {
	if err := t.db.recordFault(o, r); err != nil {
		return err
	}
	if o.rules.deleting != nil {
		if err := o.rules.deleting(t, r); err != nil {
			return err
		}
	}
	for _, child := range o.children {
		referring := child.object.table.referring(child.field, r.id())
		f := &child.object.Fields[child.field]
		if f.Restrict && len(referring) > 0 {
			return undeletable(o, r, child.object, referring)
		}
	}
	for _, child := range o.children {
		for _, c := range child.object.table.referring(child.field, r.id()) {
			if child.object.Fields[child.field].Cascade {
				// A record may hang on two parents that go at once.
				if now, _ := child.object.table.get(c.id()); now.deleted() {
					continue
				}
				if err := t.removeRow(child.object, c); err != nil {
					return err
				}
				continue
			}
			emptied := slices.Clone(c)
			emptied[child.field], emptied[fieldModstamp] = nil, t.when
			t.put(child.object, emptied)
		}
	}
	current, _ := o.table.get(r.id())
	gone := slices.Clone(current)
	gone[fieldIsDeleted], gone[fieldModstamp], gone[fieldModifiedDate], gone[fieldModifiedBy] = true, t.when, t.when, t.db.user
	t.put(o, gone)
	if o.rules.after != nil {
		return o.rules.after(t, current, nil)
	}
	return nil
}

func undeletable(o *object, r row, child *object, referring []row) *apiError {
	names := make([]string, 0, 5)
	for _, c := range referring[:min(5, len(referring))] {
		if child.name >= 0 {
			names = append(names, c.text(child.name))
		}
	}
	name := ""
	if o.name >= 0 {
		name = r.text(o.name)
	}
	return &apiError{code: "DELETE_FAILED", message: fmt.Sprintf("Your attempt to delete %s could not be completed because it is associated with the following %s.: %s\n", name, strings.ToLower(child.Plural), strings.Join(names, ", ")), fields: []string{}}
}
