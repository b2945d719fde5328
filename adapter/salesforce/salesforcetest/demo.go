package salesforcetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
)

// populate makes the objects and what every org has: an administrator and the
// standard price book.
func (s *Server) populate() error {
	if err := s.db.add(standardObjects()...); err != nil {
		return err
	}
	if err := s.db.add(s.config.Objects...); err != nil {
		return err
	}
	t := s.db.begin()
	users, books, profiles := s.db.object("User"), s.db.object("Pricebook2"), s.db.object("Profile")
	s.db.user = newID("005", 1)
	s.Username = "admin@bridgecore.example"
	profile, err := t.insert(profiles, changes{profiles.at("Name"): "System Administrator"})
	if err != nil {
		return err
	}
	admin := make(row, len(users.Fields))
	for name, v := range map[string]any{
		"Username": s.Username, "LastName": "Admin", "FirstName": "Ada", "Email": "admin@bridgecore.example", "Alias": "admin", "IsActive": true, "ProfileId": profile,
		"TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US", "UserType": "Standard", "CompanyName": "BridgeCore",
	} {
		admin[users.at(name)] = v
	}
	if s.UserID, err = t.insertRow(users, admin); err != nil {
		return err
	}
	s.db.user = s.UserID
	standard := make(row, len(books.Fields))
	standard[books.at("Name")], standard[books.at("IsActive")], standard[books.at("IsStandard")], standard[books.at("IsArchived")] = "Standard Price Book", true, true, false
	if s.StandardPricebookID, err = t.insertRow(books, standard); err != nil {
		return err
	}
	s.db.standardPricebook = s.StandardPricebookID
	if s.config.NoDemo {
		return nil
	}
	return s.demo(t)
}

// Create makes a record as the administrator would, without HTTP, and returns
// its id. Values are those of encoding/json or Go's.
func (s *Server) Create(object string, values map[string]any) (string, error) {
	s.data.Lock()
	defer s.data.Unlock()
	s.db.user = s.UserID
	t := s.db.begin()
	id, err := s.put(t, object, values)
	if err != nil {
		t.rollback(0)
		return "", err
	}
	return id, nil
}

// put makes a record of Go's values.
func (s *Server) put(t *tx, object string, values map[string]any) (string, error) {
	o := s.db.object(object)
	if o == nil {
		return "", fmt.Errorf("there is no object %s", object)
	}
	in, err := plain(values)
	if err != nil {
		return "", err
	}
	id, failed := s.create(t, o, in)
	if failed != nil {
		return "", fmt.Errorf("%s: %w", object, failed)
	}
	return id, nil
}

// plain makes Go's values those of JSON.
func plain(values map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(values))
	for key, v := range values {
		switch v := v.(type) {
		case nil, string, bool:
			out[key] = v
		case int:
			out[key] = json.Number(fmt.Sprint(v))
		case int64:
			out[key] = json.Number(fmt.Sprint(v))
		case float64:
			out[key] = json.Number(fmt.Sprint(v))
		case json.Number:
			out[key] = v
		case map[string]any:
			nested, err := plain(v)
			if err != nil {
				return nil, err
			}
			out[key] = nested
		default:
			return nil, fmt.Errorf("%s: a %T is no value of a field", key, v)
		}
	}
	return out, nil
}

// Seed makes n records cheaply: value returns the values of the ith, from 0.
// They are held against the types and lengths of their fields and are unique,
// and nothing else: no rule of the object runs, and what refers to other
// records is taken on trust. It returns the id of the first; the others
// follow.
func (s *Server) Seed(object string, n int, value func(i int) map[string]any) (first string, err error) {
	s.data.Lock()
	defer s.data.Unlock()
	o := s.db.object(object)
	if o == nil {
		return "", fmt.Errorf("there is no object %s", object)
	}
	s.db.user = s.UserID
	t := s.db.begin()
	o.table.rows = slices.Grow(o.table.rows, n)
	for i := range n {
		values, err := plain(value(i))
		if err != nil {
			return "", err
		}
		r, failed := t.seedRow(o, values)
		if failed != nil {
			return "", fmt.Errorf("%s %d: %w", object, i, failed)
		}
		if i == 0 {
			first = r.id()
		}
		o.table.put(r)
	}
	return first, nil
}

func (t *tx) seedRow(o *object, values map[string]any) (row, *apiError) {
	ch, err := t.db.decode(o, values)
	if err != nil {
		return nil, err
	}
	r := make(row, len(o.Fields))
	for i := range o.Fields {
		f := &o.Fields[i]
		v, given := ch[i]
		switch {
		case given && v != nil:
			if r[i], err = f.check(v); err != nil {
				return nil, err
			}
		case f.Type == TypeBoolean:
			r[i] = f.Default == true
		case f.AutoNumber != "":
			r[i] = o.table.number(i, f.AutoNumber)
		case f.Default != nil:
			r[i] = f.Default
		case f.Name == "OwnerId":
			r[i] = t.db.user
		}
	}
	r[fieldID] = newID(o.KeyPrefix, o.table.next)
	o.table.next++
	r[fieldIsDeleted], r[fieldCreatedDate], r[fieldCreatedBy] = false, t.when, t.db.user
	r[fieldModifiedDate], r[fieldModifiedBy], r[fieldModstamp] = t.when, t.db.user, t.when
	return r, unique(o, nil, r)
}

// Update changes a record as the administrator would, without HTTP.
func (s *Server) Update(object, id string, values map[string]any) error {
	s.data.Lock()
	defer s.data.Unlock()
	s.db.user = s.UserID
	o := s.db.object(object)
	if o == nil {
		return fmt.Errorf("there is no object %s", object)
	}
	in, err := plain(values)
	if err != nil {
		return err
	}
	ch, failed := s.db.decode(o, in)
	if failed == nil {
		failed = s.db.begin().update(o, id, ch)
	}
	if failed != nil {
		return fmt.Errorf("%s %s: %w", object, id, failed)
	}
	return nil
}

// Get returns the values of a record by the names of fields, in the form that
// the API answers them, and whether there is one that is not deleted.
func (s *Server) Get(object, id string) (map[string]any, bool) {
	s.data.Lock()
	defer s.data.Unlock()
	o, r, ok := s.db.find(id)
	if !ok || r.deleted() || o != s.db.object(object) {
		return nil, false
	}
	out := map[string]any{}
	for i := range o.Fields {
		f := &o.Fields[i]
		switch v := f.wire(s.db.fieldValue(o, r, i)).(type) {
		case double:
			out[f.Name] = float64(v)
		case members:
			m := map[string]any{}
			for _, of := range v {
				m[of.key] = of.value
			}
			out[f.Name] = m
		default:
			out[f.Name] = v
		}
	}
	return out, true
}

// Count returns how many records of an object there are, deleted ones left
// out.
func (s *Server) Count(object string) int {
	s.data.Lock()
	defer s.data.Unlock()
	o := s.db.object(object)
	if o == nil {
		return 0
	}
	n := 0
	for _, r := range o.table.rows {
		if !r.deleted() {
			n++
		}
	}
	return n
}

// Objects returns the names of all objects.
func (s *Server) Objects() []string {
	s.data.Lock()
	defer s.data.Unlock()
	names := slices.Clone(s.db.names)
	sort.Strings(names)
	return names
}
