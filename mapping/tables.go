package mapping

import (
	"context"

	"github.com/bridgecore/bridgecore/adapter"
)

// Tables is a [Lookup] over records in memory, by the system's model. Its
// records have "id".
type Tables map[string][]adapter.Record

// FindID implements [Lookup].
func (t Tables) FindID(_ context.Context, model string, filter adapter.Filter) (adapter.ID, error) {
	m, err := adapter.NewMatcher(filter, adapter.MatchOptions{})
	if err != nil {
		return adapter.ID{}, err
	}
	var found adapter.ID
	for _, r := range t[model] {
		ok, err := m.Match(r)
		switch {
		case err != nil:
			return adapter.ID{}, err
		case ok && !found.IsZero():
			return adapter.ID{}, &adapter.Error{Code: adapter.InvalidArgument, Model: model, Message: "several records of " + model + " fit; give the id itself"}
		case ok:
			found = r.ID()
		}
	}
	return found, nil
}

// Value implements [Lookup].
func (t Tables) Value(_ context.Context, model string, id adapter.ID, field string) (any, error) {
	for _, r := range t[model] {
		if r.ID() == id {
			return r[field], nil
		}
	}
	return nil, nil
}
