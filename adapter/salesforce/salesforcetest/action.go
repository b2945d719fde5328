package salesforcetest

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Action is an invocable action, such as one of Apex or a flow: it gets the
// inputs of one call and returns its outputs.
type Action func(inputs map[string]any) (outputs map[string]any, err error)

// HandleAction registers an action under what comes behind /actions/custom/,
// such as "apex/ConfirmOrder" or "flow/Discount".
func (s *Server) HandleAction(name string, a Action) {
	s.data.Lock()
	defer s.data.Unlock()
	s.actions[strings.ToLower(name)] = a
}

// HandleApex registers an Apex REST resource under what comes behind
// /services/apexrest, such as "/orders". Everything below goes to it as well.
func (s *Server) HandleApex(path string, h http.Handler) {
	s.data.Lock()
	defer s.data.Unlock()
	s.apex["/"+strings.Trim(path, "/")] = h
}

// serveApex is /services/apexrest.
func (s *Server) serveApex(w http.ResponseWriter, r *http.Request, body []byte) {
	if _, admitted := s.admit(w, r); !admitted {
		return
	}
	path := strings.TrimPrefix(r.URL.Path, "/services/apexrest")
	var handler http.Handler
	longest := 0
	s.data.Lock()
	for prefix, h := range s.apex {
		if (path == prefix || strings.HasPrefix(path, prefix+"/")) && len(prefix) > longest {
			handler, longest = h, len(prefix)
		}
	}
	s.data.Unlock()
	if handler == nil {
		writeAnswer(w, failure(&apiError{status: 404, code: "NOT_FOUND", message: "Could not find a match for URL"}))
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	handler.ServeHTTP(w, r)
}

// serveActions is /actions/custom/apex/Name and the lists above it.
func (s *Server) serveActions(c *call) *answer {
	base := "/services/data/v" + c.version + "/actions"
	if len(c.path) == 1 {
		return ok(members{{"standard", base + "/standard"}, {"custom", base + "/custom"}})
	}
	if c.path[1] != "custom" {
		return failure(notFound())
	}
	name := strings.Join(c.path[2:], "/")
	action := s.actions[strings.ToLower(name)]
	if action == nil {
		if len(c.path) <= 3 {
			return s.listActions(name)
		}
		return failure(notFound())
	}
	if c.method == http.MethodGet {
		return ok(members{{"name", c.path[len(c.path)-1]}, {"type", strings.ToUpper(c.path[2])}, {"inputs", []any{}}, {"outputs", []any{}}})
	}
	if c.method != http.MethodPost {
		return failure(methodNotAllowed(c.method, "GET", "HEAD", "POST"))
	}
	var body struct {
		Inputs []map[string]any `json:"inputs"`
	}
	if err := c.decodeBody(&body); err != nil {
		return failure(err)
	}
	var results []members
	status := http.StatusOK
	for _, in := range body.Inputs {
		outputs, err := action(in)
		m := members{{"actionName", c.path[len(c.path)-1]}, {"errors", nil}, {"isSuccess", err == nil}, {"outputValues", outputs}}
		if err != nil {
			status = http.StatusBadRequest
			m[1].value = []members{{{"statusCode", "UNKNOWN_EXCEPTION"}, {"message", err.Error()}, {"fields", []string{}}}}
			m[3].value = nil
		}
		results = append(results, m)
	}
	return &answer{status: status, body: results}
}

func (s *Server) listActions(kind string) *answer {
	names := []string{}
	for name := range s.actions {
		if strings.HasPrefix(name, strings.ToLower(kind)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	list := []members{}
	for _, name := range names {
		list = append(list, members{{"name", name[strings.LastIndexByte(name, '/')+1:]}, {"type", strings.ToUpper(name[:max(0, strings.IndexByte(name, '/'))])}})
	}
	return ok(members{{"actions", list}})
}
