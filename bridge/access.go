package bridge

import (
	"path"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// Rule allows methods on models. Names are patterns as of package path: "*"
// is anything, "sale.*" what begins with "sale.".
type Rule struct {
	Models  []string
	Methods []string
}

// Access lists what each role may call. A caller may do what any of his roles
// allows. nil allows everything; an empty non-nil Access nothing. Methods
// that begin with an underscore are refused in any case.
type Access map[string][]Rule

func (a Access) check(caller *Caller, model, method string) error {
	if a == nil {
		return nil
	}
	for _, role := range caller.Roles {
		for _, rule := range a[role] {
			if matches(rule.Models, model) && matches(rule.Methods, method) {
				return nil
			}
		}
	}
	return &adapter.Error{Code: adapter.PermissionDenied, Model: model, Message: "your role does not allow " + method + " on " + model}
}

func (a Access) validate() error {
	for role, rules := range a {
		for _, rule := range rules {
			for _, pattern := range slices.Concat(rule.Models, rule.Methods) {
				if _, err := path.Match(pattern, ""); err != nil {
					return adapter.Errorf(adapter.InvalidArgument, "the access of role %q has a pattern that can't be read: %q", role, pattern)
				}
			}
		}
	}
	return nil
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if p == "*" || p == name {
			return true
		}
		ok, _ := path.Match(p, name)
		return ok
	})
}
