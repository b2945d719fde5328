package odootest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// serveJSON answers a JSON-RPC request.
func (s *Server) serveJSON(w http.ResponseWriter, r *http.Request, body []byte, session bool) {
	if r.Method != http.MethodPost && r.Method != http.MethodOptions && isJSON(r) {
		errorPage(w, http.StatusMethodNotAllowed, "The method is not allowed for the requested URL.")
		return
	}
	if !isJSON(r) {
		s.wrongType(w, r)
		return
	}
	v, err := decodeJSON(body)
	if err != nil {
		if s.major >= 16 {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte("Invalid JSON data"))
			return
		}
		errorPage(w, http.StatusBadRequest, "Invalid JSON data: "+repr(string(body)))
		return
	}
	envelope, ok := v.(map[string]any)
	if !ok {
		if s.major >= 16 {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte("Invalid JSON-RPC data"))
			return
		}
		errorPage(w, http.StatusInternalServerError, "The server encountered an internal error and was unable to complete your request. Either the server is overloaded or there is an error in the application.")
		return
	}
	id := envelope["id"]
	params := dictOf(envelope["params"])
	var user *account
	if session {
		if user = s.session(r); user == nil && r.URL.Path != "/web/session/destroy" {
			// Since 16.0 the id is lost with the session.
			if s.major >= 16 {
				id = nil
			}
			s.jsonError(w, http.StatusOK, id, raise(sessionExpired, "Session expired"))
			return
		}
	}
	result, err := s.dispatch(w, r, params, user)
	if err != nil {
		if errors.Is(err, errHTMLNotFound) {
			s.notFound(w, r, body)
			return
		}
		var x *exception
		if session && s.major >= 16 && errors.As(err, &x) && x.name == notFound {
			id = nil // as with sessions
		}
		s.jsonError(w, http.StatusOK, id, err)
		return
	}
	reply := object{{"jsonrpc", "2.0"}, {"id", id}}
	if result != nil {
		reply = append(reply, member{"result", result})
	}
	s.answer(w, http.StatusOK, reply)
}

var errHTMLNotFound = errors.New("no such page")

// wrongType is the answer to a request that does not say it is JSON.
func (s *Server) wrongType(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.major >= 19:
		errorPage(w, http.StatusUnsupportedMediaType, fmt.Sprintf("Request inferred type is compatible with ['http', 'json2'] but '%s' is type='jsonrpc'.", r.URL.Path))
	case s.major >= 16:
		errorPage(w, http.StatusBadRequest, fmt.Sprintf("Request inferred type is compatible with ['http'] but '%s' is type='json'.", r.URL.Path))
	case r.Method == http.MethodPost:
		errorPage(w, http.StatusBadRequest, "Session expired (invalid CSRF token)")
	default:
		errorPage(w, http.StatusBadRequest, fmt.Sprintf("<function>, %s: Function declared as capable of handling request of type 'json' but called with a request of type 'http'", r.URL.Path))
	}
}

// dispatch finds out what a JSON-RPC request is for.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, params map[string]any, user *account) (any, error) {
	path := r.URL.Path
	switch {
	case path == "/jsonrpc":
		class := "RPC"
		if s.major >= 19 {
			class = "JSONRPC"
		}
		if err := lacking(class+".jsonrpc", params, "service", "method", "args"); err != nil {
			return nil, err
		}
		service, _ := params["service"].(string)
		name, _ := params["method"].(string)
		return s.service(service, name, listOf(params["args"]), address(r))
	case path == "/web/webclient/version_info":
		return s.version(), nil
	case path == "/web/database/list":
		return s.databases(), nil
	case path == "/web/session/authenticate":
		return s.authenticate(w, r, params)
	case path == "/web/session/get_session_info":
		return s.sessionInfo(user), nil
	case path == "/web/session/check":
		return nil, nil
	case path == "/web/session/destroy", path == "/web/session/logout":
		s.forget(r)
		return nil, nil
	case path == "/web/session/modules":
		return []string{"base", "web", "mail", "contacts", "product", "sale", "purchase", "stock", "account"}, nil
	case strings.HasPrefix(path, "/web/dataset/call_kw"), strings.HasPrefix(path, "/web/dataset/call_button"):
		return s.callKw(r, params, user)
	case path == "/web/dataset/search_read" && s.major <= 16:
		if params["domain"] == nil {
			return nil, raise(typeError, "object of type 'NoneType' has no len()")
		}
		return s.perform(request{user: user, model: text(params["model"]), method: "web_search_read", kwargs: only(params, "domain", "fields", "offset", "limit"), context: params["context"]})
	}
	if s.major >= 16 {
		return nil, errHTMLNotFound
	}
	return nil, &exception{name: notFound, text: notFoundText, status: http.StatusNotFound}
}

func text(v any) string { s, _ := v.(string); return s }

func only(params map[string]any, keys ...string) map[string]any {
	out := map[string]any{}
	for _, k := range keys {
		if v, ok := params[k]; ok {
			out[k] = v
		}
	}
	return out
}

// lacking is Python's complaint about parameters that were not given.
func lacking(who string, params map[string]any, wanted ...string) error {
	var missing []string
	for _, name := range wanted {
		if _, ok := params[name]; !ok {
			missing = append(missing, repr(name))
		}
	}
	switch n := len(missing); n {
	case 0:
		return nil
	case 1:
		return raise(typeError, "%s() missing 1 required positional argument: %s", who, missing[0])
	case 2:
		return raise(typeError, "%s() missing 2 required positional arguments: %s and %s", who, missing[0], missing[1])
	default:
		return raise(typeError, "%s() missing %d required positional arguments: %s, and %s", who, n, strings.Join(missing[:n-1], ", "), missing[n-1])
	}
}

func (s *Server) callKw(r *http.Request, params map[string]any, user *account) (any, error) {
	button := strings.HasPrefix(r.URL.Path, "/web/dataset/call_button")
	wanted := []string{"model", "method", "args", "kwargs"}
	if s.major >= 18 && params["model"] == nil {
		return nil, &exception{name: notFound, text: notFoundText, status: http.StatusNotFound}
	}
	if err := lacking("DataSet.call_kw", params, wanted...); err != nil {
		return nil, err
	}
	model := text(params["model"])
	if s.db.models[model] == nil && !secret[model] {
		if s.major >= 18 {
			return nil, &exception{name: notFound, text: notFoundText, status: http.StatusNotFound}
		}
		return nil, raise(keyError, "%s", model)
	}
	result, err := s.perform(request{user: user, model: model, method: text(params["method"]), args: listOf(params["args"]), kwargs: dictOf(params["kwargs"])})
	if err == nil && button {
		if action := dictOf(result); action == nil || action["type"] == nil {
			return false, nil
		}
	}
	return result, err
}

// jsonError writes an error in JSON-RPC's form.
func (s *Server) jsonError(w http.ResponseWriter, status int, id any, err error) {
	var x *exception
	if !errors.As(err, &x) {
		x = raise(plainException, "%s", err.Error())
	}
	code, title := int64(200), "Odoo Server Error"
	if s.major >= 19 {
		code = 0
	}
	switch x.name {
	case sessionExpired:
		code, title = 100, "Odoo Session Expired"
	case notFound:
		code, title = 404, "404: Not Found"
	}
	debug := x.traceback(s.major)
	if s.major >= 19 && x.name == accessDenied {
		debug = x.last(s.major) + "\n"
	}
	data := object{{"name", x.name}, {"debug", debug}, {"message", x.message(s.major)}, {"arguments", x.arguments(s.major)}}
	switch {
	case s.major == 13:
		data = append(data, member{"exception_type", exceptionType(x)})
	case s.major >= 19:
		data = object{data[0], data[2], data[3], {"context", object{}}, data[1]}
	default:
		data = append(data, member{"context", object{}})
	}
	fault := object{{"code", code}, {"message", title}, {"data", data}}
	if code == 404 && s.major <= 15 {
		fault = append(object{{"http_status", int64(404)}}, fault...)
	}
	s.answer(w, status, object{{"jsonrpc", "2.0"}, {"id", id}, {"error", fault}})
}

// exceptionType is 13.0's own sorting of exceptions.
func exceptionType(x *exception) string {
	switch x.name {
	case userError:
		return "user_error"
	case validationError:
		return "validation_error"
	case missingError:
		return "missing_error"
	case accessError:
		return "access_error"
	case accessDenied:
		return "access_denied"
	case redirectWarning:
		return "warning"
	}
	return "internal_error"
}

// service is the RPC services behind /jsonrpc and /xmlrpc.
func (s *Server) service(service, name string, args []any, from string) (any, error) {
	switch service {
	case "common":
		return s.common(name, args, from)
	case "object":
		return s.object(name, args, from)
	case "db":
		switch name {
		case "list":
			return s.databases(), nil
		case "server_version":
			return s.config.Build, nil
		case "db_exist":
			return len(args) > 0 && args[0] == s.Database, nil
		}
		return nil, raise(plainException, "Method not found: %s", name)
	}
	if s.major <= 15 {
		return nil, raise(unboundLocal, "cannot access local variable 'dispatch' where it is not associated with a value")
	}
	return nil, raise(keyError, "%s", service)
}

func (s *Server) common(name string, args []any, from string) (any, error) {
	switch name {
	case "version":
		return s.version(), nil
	case "about":
		return "See http://openerp.com", nil
	case "authenticate", "login":
		wanted := []string{"db", "login", "password", "user_agent_env"}
		if name == "login" {
			wanted = wanted[:3]
		}
		params := map[string]any{}
		for i, v := range args {
			if i < len(wanted) {
				params[wanted[i]] = v
			}
		}
		if err := lacking("exp_"+name, params, wanted...); err != nil {
			return nil, err
		}
		if err := s.checkDatabase(text(params["db"])); err != nil {
			return nil, err
		}
		if params["password"] == "" && s.major == 18 {
			return nil, raise(assertionError, "scope and key required")
		}
		user, err := s.login(text(params["login"]), text(params["password"]), from, false)
		if err != nil {
			return nil, err
		}
		if user == nil {
			return false, nil
		}
		return user.id, nil
	}
	return nil, raise(plainException, "Method not found: %s", name)
}

func (s *Server) checkDatabase(name string) error {
	switch {
	case name == s.Database:
		return nil
	case name == "" && s.major >= 18:
		return raise(assertionError, "Missing database name")
	case name == "":
		name = "odoo"
	}
	return raise(operationalError, "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  database \"%s\" does not exist\n", name)
}

func (s *Server) object(name string, args []any, _ string) (any, error) {
	if name != "execute" && name != "execute_kw" {
		if len(args) >= 3 {
			return nil, raise(nameError, "Method not available %s", name)
		}
	}
	if len(args) < 5 {
		switch {
		case s.major >= 19 && len(args) >= 3:
			return nil, raise(valueError, "not enough values to unpack (expected at least 5, got %d)", len(args))
		case s.major >= 19:
			return nil, raise(valueError, "not enough values to unpack (expected at least 5, got %d)", len(args))
		}
		return nil, raise(indexError, "tuple index out of range")
	}
	if err := s.checkDatabase(text(args[0])); err != nil {
		return nil, err
	}
	user, err := s.checkUser(args[1], text(args[2]))
	if err != nil {
		return nil, err
	}
	r := request{user: user, model: text(args[3]), method: text(args[4]), args: args[5:]}
	if name == "execute_kw" {
		r.args = nil
		if len(args) > 5 {
			r.args = listOf(args[5])
		}
		if len(args) > 6 {
			r.kwargs = dictOf(args[6])
		}
	}
	return s.perform(r)
}

// checkUser checks the password or key that goes with every RPC call.
func (s *Server) checkUser(uid any, password string) (*account, error) {
	denied := "Access Denied"
	if s.major == 13 {
		denied = "Access denied"
	}
	if uid == false {
		if s.major == 13 {
			return nil, raise(undefinedFunction, "operator does not exist: integer = boolean\nLINE 1: ...\nHINT:  No operator matches the given name and argument types. You might need to add explicit type casts.\n")
		}
		return nil, raise(accessDenied, "%s", denied)
	}
	id, ok := uid.(int64)
	if !ok || password == "" {
		return nil, raise(accessDenied, "%s", denied)
	}
	user := s.account(id)
	switch {
	case user == nil && s.major == 13:
		return nil, raise(typeError, "cannot unpack non-iterable NoneType object")
	case user == nil:
		return nil, missing("res.users", id, id)
	case password == user.password, password == user.apiKey && s.major >= 14:
		return user, nil
	}
	return nil, raise(accessDenied, "%s", denied)
}

// address is where a request comes from, without the port.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Web sessions.

const sessionCookie = "session_id"

func (s *Server) session(r *http.Request) *account {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[c.Value]
}

func (s *Server) forget(r *http.Request) {
	if c, err := r.Cookie(sessionCookie); err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.sessions, c.Value)
	}
}

func (s *Server) authenticate(w http.ResponseWriter, r *http.Request, params map[string]any) (any, error) {
	if err := lacking("Session.authenticate", params, "db", "login", "password"); err != nil {
		return nil, err
	}
	if name := text(params["db"]); name != s.Database {
		if s.major >= 16 {
			return nil, raise(accessError, databaseNotFound)
		}
		return nil, s.checkDatabase(name)
	}
	user, err := s.login(text(params["login"]), text(params["password"]), address(r), true)
	if err != nil {
		return nil, err
	}
	if user == nil {
		if s.major == 13 {
			return nil, raise(accessDenied, "Access denied")
		}
		return nil, raise(accessDenied, "Access Denied")
	}
	id := token()
	s.mu.Lock()
	s.sessions[id] = user
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: id, Path: "/", MaxAge: int((7 * 24 * time.Hour).Seconds()), HttpOnly: true})
	return s.sessionInfo(user), nil
}

// sessionFields are what session_info says besides who and where, by the
// versions that say it.
var sessionFields = []struct {
	since, until int
	key          string
	value        any
}{
	{14, 17, "notification_type", "email"},
	{13, 19, "currencies", object{{"1", object{{"symbol", "$"}, {"position", "before"}, {"digits", []any{int64(69), int64(2)}}}}}},
	{13, 19, "show_effect", true}, {13, 18, "display_switch_company_menu", true},
	{13, 18, "cache_hashes", object{{"translations", "0"}, {"load_menus", "0"}}},
	{13, 19, "max_time_between_keys_in_ms", int64(100)}, {13, 17, "web_tours", []any{}}, {13, 13, "out_of_office_message", false}, {13, 17, "odoobot_initialized", true},
	{14, 19, "active_ids_limit", int64(20000)}, {14, 19, "max_file_upload_size", int64(maxBody)},
	{15, 19, "support_url", "https://www.odoo.com/buy"}, {15, 19, "profile_session", nil}, {15, 19, "profile_collectors", nil}, {15, 19, "profile_params", nil},
	{15, 19, "home_action_id", false}, {15, 17, "tour_disable", true}, {15, 19, "iap_company_enrich", true},
	{16, 19, "bundle_params", object{{"lang", "en_US"}}}, {17, 19, "is_internal_user", true},
	{17, 19, "user_settings", object{{"id", int64(1)}}}, {17, 17, "is_quick_edit_mode_enabled", false},
	{18, 19, "is_public", false}, {18, 19, "test_mode", false}, {18, 19, "view_info", object{{"list", object{{"display_name", "List"}, {"icon", "oi oi-view-list"}, {"multi_record", true}}}}},
	{18, 19, "tour_enabled", false}, {18, 19, "current_tour", nil}, {18, 19, "can_insert_in_spreadsheet", false}, {18, 19, "storeData", object{}},
	{19, 19, "quick_login", true}, {19, 19, "groups", object{{"base.group_allow_export", true}}},
}

// adminFields are those of them that only an administrator is told.
var adminFields = names("web_tours tour_disable iap_company_enrich")

func (s *Server) sessionInfo(user *account) object {
	e := &env{database: s.db, user: user}
	s.db.mu.RLock()
	defer s.db.mu.RUnlock()
	users, partners, companies := s.db.get("res.users"), s.db.get("res.partner"), s.db.get("res.company")
	partner := ref(users, user.id, "partner_id")
	admin := user.role == RoleAdmin
	allowed := object{}
	var pairs []any
	for _, id := range user.companies {
		allowed = append(allowed, member{strconv.FormatInt(id, 10), object{{"id", id}, {"name", e.display(companies, id)}, {"sequence", int64(0)}, {"child_ids", []any{}}, {"parent_id", false}}})
		pairs = append(pairs, []any{id, e.display(companies, id)})
	}
	info := object{
		{"uid", user.id}, {"is_system", admin}, {"is_admin", admin},
		{"user_context", object{{"lang", "en_US"}, {"tz", "Europe/Brussels"}, {"uid", user.id}}}, {"db", s.Database},
		{"server_version", s.config.Build}, {"server_version_info", s.versionInfo()}, {"name", e.text(partners, partner, "name")}, {"username", user.login},
		{"partner_display_name", e.display(partners, partner)}, {"partner_id", partner}, {"web.base.url", "http://" + s.addr},
	}
	for _, f := range sessionFields {
		if s.major >= f.since && s.major <= f.until && (admin || !adminFields[f.key]) {
			info = append(info, member{f.key, f.value})
		}
	}
	if s.major <= 16 {
		info = append(info, member{"company_id", user.companies[0]})
	}
	if s.major >= 14 && s.major <= 17 {
		info = append(info, member{"user_id", []int64{user.id}})
	}
	if s.major <= 14 {
		return append(info, member{"user_companies", object{{"current_company", pairs[0]}, {"allowed_companies", pairs}}})
	}
	return append(info, member{"user_companies", object{{"current_company", user.companies[0]}, {"allowed_companies", allowed}}})
}
