package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
)

// working gives a step of an operation what a request has: somebody whose it
// is, and a note for the audit log. The function that it returns records what
// the systems acknowledged; its error means that it could not.
func (a *API) working(ctx context.Context, r *task.Run, kind string) (context.Context, func(error) error, error) {
	user := r.User()
	identity, err := a.Auth.Of(&user)
	if err != nil {
		return nil, nil, err
	}
	c := &call{
		requestID: r.RequestID, start: time.Now(), auditing: a.Auditing,
		identity: identity,
		request:  &http.Request{Header: http.Header{"User-Agent": {"bridgecore operation " + r.ID}}},
	}
	c.noted(kind, true).systemID = r.SystemID
	return context.WithValue(ctx, callKey{}, c), func(err error) error {
		if a.Auditing.Log == nil || len(c.note.done) == 0 && c.note.details == nil {
			return nil
		}
		status := http.StatusOK
		if err != nil {
			p := problemOf(err)
			status, c.code = p.Status, p.Info.Code
		}
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		return a.Auditing.Log.Append(last, c.entry(c.request, status))
	}, nil
}

// noteChange adds a change to the note of whatever ctx is of.
func noteChange(ctx context.Context, change changeNote) {
	if c := callFrom(ctx); c != nil && c.note != nil {
		c.note.mu.Lock()
		defer c.note.mu.Unlock()
		c.note.done = append(c.note.done, change)
	}
}
