package bridge

import (
	"errors"

	"github.com/bridgecore/bridgecore/adapter"
)

// eachTranslated creates records that must be translated first. One that can't
// be is a failure of its own, and the others are created.
func eachTranslated(values []adapter.Record, translate func(adapter.Record) (adapter.Record, error), create func([]adapter.Record) ([]adapter.ID, error)) ([]adapter.ID, error) {
	good := make([]adapter.Record, 0, len(values))
	places := make([]int, 0, len(values))
	failed := map[int]error{}
	for i, v := range values {
		r, err := translate(v)
		if err != nil {
			failed[i] = err
			continue
		}
		good, places = append(good, r), append(places, i)
	}
	made, err := create(good)
	partial, some := errors.AsType[*adapter.PartialError](err)
	if err != nil && !some {
		return nil, err
	}
	ids := make([]adapter.ID, len(values))
	for j, id := range made {
		ids[places[j]] = id
	}
	if some {
		for j, err := range partial.Failed {
			failed[places[j]] = err
		}
	}
	if len(failed) > 0 {
		return ids, &adapter.PartialError{Done: ids, Failed: failed}
	}
	return ids, nil
}
