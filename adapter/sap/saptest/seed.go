package saptest

import (
	"fmt"
	"net/http"
)

// Seed puts n records into a model ("SERVICE.Set") as they are, without the
// rules that callers meet; values returns those of the i-th. A hundred
// thousand take a moment. Nothing is stored if one has no key or one that is
// taken.
func (s *Server) Seed(model string, n int, values func(i int) map[string]any) error {
	e := s.entity(model)
	if e == nil {
		return fmt.Errorf("saptest: there is no entity set %s", model)
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	t := &tx{db: s.db, call: s.inside(e.service)}
	for i := range n {
		vals := make([]any, len(e.table.ent.props))
		for _, p := range e.table.ent.props {
			vals[p.column] = p.initialValue()
		}
		for name, v := range values(i) {
			p := e.byName[name]
			if p == nil {
				t.rollback(0)
				return fmt.Errorf("saptest: %s has no property %q", model, name)
			}
			value, err := p.inward(v)
			if err != nil {
				t.rollback(0)
				return fmt.Errorf("saptest: record %d: %w", i, err)
			}
			vals[p.column] = value
		}
		t.stampETag(e.table, vals, nil)
		if _, err := t.insert(e.table, vals); err != nil {
			t.rollback(0)
			return fmt.Errorf("saptest: record %d: %w", i, err)
		}
	}
	t.commit()
	return nil
}

// Create makes a record as a caller would, lists of nested records included
// ([]map[string]any), and returns its key as it stands in a URL, without the
// parentheses.
func (s *Server) Create(model string, values map[string]any) (string, error) {
	e := s.entity(model)
	if e == nil {
		return "", fmt.Errorf("saptest: there is no entity set %s", model)
	}
	c := s.inside(e.service)
	key := ""
	r := c.write(func(t *tx) *response {
		rec, _, err := t.create(e, nil, nil, e.wire(values, c.bodyFormat()))
		if err != nil {
			return c.refuse(err)
		}
		key = e.predicate(rec.vals, e.service.version)
		return &response{status: http.StatusCreated}
	})
	if r.status >= 400 {
		return "", fmt.Errorf("saptest: %s", r.body)
	}
	return key[1 : len(key)-1], nil
}

// Get returns a record by its key, in the form of [Row.Get], nil if there is
// none.
func (s *Server) Get(model string, key ...any) map[string]any {
	e := s.entity(model)
	if e == nil || len(key) != len(e.table.ent.keys) {
		return nil
	}
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	rec := s.db.find(e.table.ent.model(), key...)
	if rec == nil {
		return nil
	}
	out := map[string]any{}
	for _, p := range e.props {
		out[p.name] = outward(rec.vals[p.column])
	}
	return out
}

// Count counts the records of a model.
func (s *Server) Count(model string) int {
	e := s.entity(model)
	if e == nil {
		return 0
	}
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	return len(e.table.rows)
}

// Lock keeps a record from being changed, as an open transaction of a user
// does, until [Server.Unlock].
func (s *Server) Lock(model, user string, key ...any) error {
	return s.lock(model, key, func(t *table, k string) { t.locks[k] = user })
}

// Unlock ends [Server.Lock].
func (s *Server) Unlock(model string, key ...any) error {
	return s.lock(model, key, func(t *table, k string) { delete(t.locks, k) })
}

func (s *Server) lock(model string, key []any, do func(t *table, k string)) error {
	e := s.entity(model)
	if e == nil {
		return fmt.Errorf("saptest: there is no entity set %s", model)
	}
	s.db.mu.Lock()
	defer s.db.mu.Unlock()
	rec := s.db.find(e.table.ent.model(), key...)
	if rec == nil {
		return fmt.Errorf("saptest: %s has no record %v", model, key)
	}
	do(e.table, rec.key)
	return nil
}

// inside is a call without a request.
func (s *Server) inside(service *Service) *call {
	return &call{server: s, service: service, user: s.Username, language: "EN", root: service.path, header: http.Header{"Accept": {"application/json"}}}
}

// wire makes of Go's values those that decoded JSON has.
func (e *entity) wire(values map[string]any, f wireFormat) map[string]any {
	out := map[string]any{}
	for name, v := range values {
		if n := e.navBy[name]; n != nil {
			if list, ok := v.([]map[string]any); ok {
				items := make([]any, len(list))
				for i := range list {
					items[i] = n.to.wire(list[i], f)
				}
				out[name] = items
				continue
			}
			if one, ok := v.(map[string]any); ok {
				out[name] = n.to.wire(one, f)
				continue
			}
		}
		out[name] = v
		if p := e.byName[name]; p != nil {
			out[name] = p.wire(v, f)
		}
	}
	return out
}
