package bridge

import (
	"encoding/json"
	"errors"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cache"
)

// Answer is what a read or an operation gives.
type Answer struct {
	// Result is the answer in JSON, number literals as the system wrote them.
	// It may be shared with the cache and must not be changed.
	Result json.RawMessage
	// Cached says that the answer was kept from an earlier call.
	Cached bool
	// Optimized says that the question was rewritten: relations fetched along,
	// conditions put in another order.
	Optimized bool
	// Truncated says that a limit of ours, and not the caller's own, cut the
	// answer; Limit is that limit.
	Truncated bool
	Limit     int
	// NextCursor continues after this answer, "" where nothing is known to
	// follow.
	NextCursor string
	Warnings   []adapter.Warning
	// ETag is the tag of the one record that was read, for [System.UpdateIf],
	// where it was asked for and the system can tell.
	ETag string

	transient bool // not worth keeping
}

// Records decodes the result of a read.
func (a Answer) Records() ([]adapter.Record, error) {
	var records []adapter.Record
	if err := adapter.DecodeJSON(a.Result, &records); err != nil {
		return nil, &adapter.Error{Code: adapter.Internal, Message: "the answer is no list of records", Err: err}
	}
	return records, nil
}

// The flags under which answers are kept.
const (
	flagOptimized uint8 = 1 << iota
	flagTruncated
)

// aside is what is kept beside an answer's bytes, usually nothing.
type aside struct {
	Limit      int               `json:"limit,omitempty"`
	NextCursor string            `json:"next_cursor,omitempty"`
	Warnings   []adapter.Warning `json:"warnings,omitempty"`
	ETag       string            `json:"etag,omitempty"`
}

// value turns an answer into what is kept of it.
func (a *Answer) value() cache.Value {
	v := cache.Value{Body: a.Result, Transient: a.transient}
	if a.Optimized {
		v.Flags |= flagOptimized
	}
	if a.Truncated {
		v.Flags |= flagTruncated
	}
	if a.Limit != 0 || a.NextCursor != "" || len(a.Warnings) > 0 || a.ETag != "" {
		v.Meta, _ = json.Marshal(aside{a.Limit, a.NextCursor, a.Warnings, a.ETag})
	}
	return v
}

// answerOf is the way back. The body is not looked at.
func answerOf(v cache.Value, cached bool) (Answer, error) {
	a := Answer{
		Result: v.Body, Cached: cached,
		Optimized: v.Flags&flagOptimized != 0, Truncated: v.Flags&flagTruncated != 0,
	}
	if len(v.Meta) > 0 {
		var m aside
		if err := json.Unmarshal(v.Meta, &m); err != nil {
			return Answer{}, &adapter.Error{Code: adapter.Internal, Message: "a kept answer can't be read", Err: err}
		}
		a.Limit, a.NextCursor, a.Warnings, a.ETag = m.Limit, m.NextCursor, m.Warnings, m.ETag
	}
	return a, nil
}

func asError(err error) (*adapter.Error, bool) { return errors.AsType[*adapter.Error](err) }

func wrong(field, format string, args ...any) error {
	e := adapter.Errorf(adapter.InvalidArgument, format, args...)
	e.Field = field
	return e
}
