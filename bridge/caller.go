package bridge

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cache"
)

// Caller is who asks. There is no way to a system without one.
type Caller struct {
	Tenant string // required: only this tenant's systems exist for the caller
	User   string // required: who it is, for observers
	Roles  []string
	// Rules bound what the caller may call further than Config.Access does; nil
	// does not, an empty list allows nothing. They name models as the system
	// does, whichever words the caller speaks.
	Rules []Rule
	// ReadOnly refuses every call that is not known to change nothing.
	ReadOnly bool
	// Scope is for whom the systems are asked: language, companies, further
	// context. It is part of what answers are kept under.
	Scope adapter.Scope
}

func (c Caller) check() error {
	if c.Tenant == "" || c.User == "" {
		return adapter.Errorf(adapter.Unauthenticated, "a system can only be reached by a caller with a tenant and a user")
	}
	return nil
}

// withContext lays a system's context, as a request brings it, over a scope.
func withContext(s adapter.Scope, raw json.RawMessage) (adapter.Scope, error) {
	if isNull(raw) {
		return s, nil
	}
	var values map[string]any
	if err := adapter.DecodeJSON(raw, &values); err != nil {
		return s, &adapter.Error{Code: adapter.InvalidArgument, Field: "context", Message: `context must be an object such as {"lang": "fr_FR"}`, Err: err}
	}
	s.Values = maps.Clone(s.Values)
	for name, value := range values {
		switch name {
		case "lang":
			if s.Language = ""; value != nil && value != false {
				text, ok := value.(string)
				if !ok {
					return s, wrongContext(name, "a language code such as \"fr_FR\"")
				}
				s.Language = text
			}
		case "tz":
			if s.Timezone = ""; value != nil && value != false {
				text, ok := value.(string)
				if !ok {
					return s, wrongContext(name, "a time zone such as \"Asia/Riyadh\"")
				}
				s.Timezone = text
			}
		case "allowed_company_ids":
			list, ok := value.([]any)
			if !ok {
				return s, wrongContext(name, "a list of ids")
			}
			s.Companies = make([]int64, len(list))
			for i, item := range list {
				id, ok := adapter.IDOf(item)
				n, isInt := id.Int()
				if !ok || !isInt {
					return s, wrongContext(name, "a list of ids")
				}
				s.Companies[i] = n
			}
		default:
			if s.Values == nil {
				s.Values = map[string]any{}
			}
			s.Values[name] = value
		}
	}
	return s, nil
}

func wrongContext(name, want string) error {
	return &adapter.Error{Code: adapter.InvalidArgument, Field: "context." + name, Message: fmt.Sprintf("context.%s must be %s", name, want)}
}

// identity is what answers of this system for this scope are kept under.
func identity(c *SystemConfig, s *adapter.Scope) (cache.Identity, error) {
	id := cache.Identity{
		Tenant: c.Tenant, System: c.ID, Credential: c.Fingerprint,
		Companies: s.Companies, Language: s.Language, Timezone: s.Timezone,
	}
	if id.Credential == "" {
		id.Credential = "revision " + c.Revision
	}
	if len(s.Values) == 0 && s.Fallback == adapter.FallbackKnown && !s.FillEmpty {
		if c.Revision != "" {
			id.Extra = []string{c.Revision}
		}
		return id, nil
	}
	// Marshal sorts the names, so equal contexts have equal bytes.
	values, err := json.Marshal(s.Values)
	if err != nil {
		return id, &adapter.Error{Code: adapter.InvalidArgument, Field: "context", Message: "the context can't be written as JSON", Err: err}
	}
	fill := ""
	if s.FillEmpty {
		fill = "fill"
	}
	id.Extra = []string{c.Revision, string(values), string(s.Fallback), fill}
	return id, nil
}
