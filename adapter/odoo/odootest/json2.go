package odootest

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
)

// jsonTwo answers POST /json/2/MODEL/METHOD.
func (s *Server) jsonTwo(w http.ResponseWriter, r *http.Request, body []byte) {
	if !s.databaseChosen(w, r) {
		return
	}
	parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/json/2"), "/"), "/")
	user, err := s.bearer(w, r)
	if err != nil {
		s.plainError(w, err)
		return
	}
	if len(parts) != 3 || r.Method != http.MethodPost && r.Method != http.MethodOptions {
		s.plainError(w, &exception{name: notFound, text: "Did you mean POST /json/2/<model>/<method>?", status: http.StatusNotFound})
		return
	}
	if !isJSON(r) {
		errorPage(w, http.StatusUnsupportedMediaType, "Request inferred type is compatible with ['http'] but '/json/2/<__model__>/<__method__>' is type='json2'.")
		return
	}
	var v any
	if len(trimmed(body)) > 0 {
		if v, err = decodeJSON(body); err != nil {
			s.plainError(w, &exception{name: badRequest, text: "could not parse the body as json: " + pythonSyntax(body, err), status: http.StatusBadRequest})
			return
		}
	}
	// Anything but an object is taken for an empty one, without a word.
	params := map[string]any{}
	for key, value := range dictOf(v) {
		params[key] = value
	}
	call := request{user: user, model: parts[1], method: parts[2], kwargs: params, ids: params["ids"], context: params["context"], named: true}
	delete(params, "ids")
	delete(params, "context")
	result, err := s.perform(call)
	if err != nil {
		s.plainError(w, err)
		return
	}
	s.answer(w, http.StatusOK, result)
}

// databaseChosen tells whether it is clear which database is meant: by the
// header, or because there is only one.
func (s *Server) databaseChosen(w http.ResponseWriter, r *http.Request) bool {
	name := r.Header.Get("X-Odoo-Database")
	if name == s.Database || name == "" && len(s.config.OtherDatabases) == 0 {
		return true
	}
	noDatabase(w)
	return false
}

// bearer finds the user of an API key.
func (s *Server) bearer(w http.ResponseWriter, r *http.Request) (*account, error) {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		text := "User not authenticated, use an API Key with a Bearer Authorization header."
		if s.session(r) != nil {
			text = `Missing "Authorization" or Sec-headers for interactive usage.`
		}
		w.Header().Set("WWW-Authenticate", "Bearer ")
		return nil, &exception{name: unauthorized, text: text, status: http.StatusUnauthorized}
	}
	key = strings.TrimSpace(key)
	i := slices.IndexFunc(s.accounts, func(a *account) bool { return a.apiKey == key })
	if i < 0 {
		w.Header().Set("WWW-Authenticate", "Bearer ")
		return nil, &exception{name: unauthorized, text: "Invalid apikey", status: http.StatusUnauthorized}
	}
	return s.accounts[i], nil
}

// plainError writes an error in JSON-2's form.
func (s *Server) plainError(w http.ResponseWriter, err error) {
	var x *exception
	if !errors.As(err, &x) {
		x = raise(plainException, "%s", err.Error())
	}
	status := x.status
	if status == 0 {
		status = http.StatusInternalServerError
		switch x.name {
		case accessError:
			status = http.StatusForbidden
		case accessDenied:
			status = http.StatusForbidden
		case missingError:
			status = http.StatusNotFound
		case userError, validationError:
			status = http.StatusUnprocessableEntity
		}
		if x.name == userError && strings.HasPrefix(x.text, "Object ") {
			status = http.StatusNotFound
		}
	}
	s.answer(w, status, object{{"name", x.name}, {"message", x.message(s.major)}, {"arguments", x.arguments(s.major)}, {"context", object{}}, {"debug", x.traceback(s.major)}})
}

// pythonSyntax words a syntax error as Python's json does, roughly.
func pythonSyntax(_ []byte, err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return "Expecting value: line 1 column " + repr(syntax.Offset) + " (char " + repr(syntax.Offset-1) + ")"
	}
	return "Unterminated string starting at: line 1 column 2 (char 1)"
}

// serveDoc describes the API: the fields and the methods of a model.
func (s *Server) serveDoc(w http.ResponseWriter, r *http.Request) {
	if !s.databaseChosen(w, r) {
		return
	}
	user, err := s.bearer(w, r)
	if err != nil {
		s.plainError(w, err)
		return
	}
	name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/doc-bearer/"), ".json")
	e := &env{database: s.db, user: user}
	if name == "index" {
		s.answer(w, http.StatusOK, s.docIndex(e))
		return
	}
	t := s.db.get(name)
	if t == nil {
		s.plainError(w, &exception{name: notFound, text: notFoundText, status: http.StatusNotFound})
		return
	}
	if err := e.allow(t, "read"); err != nil {
		s.plainError(w, err)
		return
	}
	described := object{}
	for _, method := range s.db.methodNames(name) {
		described = append(described, member{method, s.docMethod(name, method)})
	}
	s.answer(w, http.StatusOK, object{{"model", name}, {"name", t.label}, {"doc", nil}, {"fields", e.describe(t, nil, nil)}, {"methods", described}})
}

func (s *Server) docIndex(e *env) object {
	var models []any
	for _, name := range s.db.modelNames() {
		t := s.db.get(name)
		if e.may(name, "read") {
			fields := object{}
			for _, f := range t.names {
				fields = append(fields, member{f, object{{"string", fieldLabel(name, f)}}})
			}
			models = append(models, object{{"model", name}, {"name", t.label}, {"fields", fields}, {"methods", s.db.methodNames(name)}})
		}
	}
	return object{{"modules", []string{"base", "web", "mail", "contacts", "product", "sale", "purchase", "stock", "account"}}, {"models", models}}
}

func (s *Server) docMethod(model, name string) object {
	m := s.db.find(model, name)
	var signature []string
	parameters := object{}
	for _, p := range m.parameters(s.major) {
		about := object{}
		if !p.required {
			about = append(about, member{"default", nil})
			signature = append(signature, p.name+"=None")
		} else {
			signature = append(signature, p.name)
		}
		parameters = append(parameters, member{p.name, about})
	}
	out := object{{"signature", "(" + strings.Join(signature, ", ") + ")"}, {"parameters", parameters}}
	var api []string
	if !m.record {
		api = append(api, "model")
	}
	if m.reads {
		api = append(api, "readonly")
	}
	if api != nil {
		out = append(out, member{"api", api})
	}
	return append(out, member{"doc", nil}, member{"model", "core"}, member{"module", "core"})
}

func (db *database) modelNames() []string {
	list := make([]string, 0, len(db.models))
	for name := range db.models {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// methodNames are the public methods of a model in this version.
func (db *database) methodNames(model string) []string {
	set := map[string]bool{}
	for key := range methods {
		i := strings.LastIndexByte(key, '.')
		name := key[i+1:]
		if key[:i] != "" && key[:i] != model || db.find(model, name) == nil || db.major >= privateSince[name] && privateSince[name] > 0 {
			continue
		}
		set[name] = true
	}
	list := make([]string, 0, len(set))
	for name := range set {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
