package bridge

import (
	"context"
	"iter"
	"slices"

	"github.com/bridgecore/bridgecore/adapter"
)

// eachPage is how many records Each asks for at a time.
const eachPage = 1000

// Each reads every record that matches, page by page, in memory that does not
// grow with them. Fields may lead through relations, as in [System.Read].
// Nothing of it is kept, and nothing that was kept is used. Without an order
// records come by id, each once; with one, a record that is changed meanwhile
// may come twice or not at all. q.Limit bounds the whole. It stops at the first
// error, which it yields with a nil record.
//
// Pages wait for their turn as long as ctx lives, see [Patient].
func (s *System) Each(ctx context.Context, q adapter.Query) iter.Seq2[adapter.Record, error] {
	return func(yield func(adapter.Record, error) bool) {
		for page, err := range s.Pages(ctx, q) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, r := range page.Records {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// Pages is [System.Each] with the records of a page together. Whoever keeps a
// page's Next goes on behind it later, in another process too, with the same
// query and that for its Cursor; it is "" after the last page. q.Limit bounds
// the pages of one call.
func (s *System) Pages(ctx context.Context, q adapter.Query) iter.Seq2[adapter.Page, error] {
	return func(yield func(adapter.Page, error) bool) {
		ctx := Patient(ctx)
		fetch, err := s.fetcher(ctx, &q)
		if err != nil {
			yield(adapter.Page{}, err)
			return
		}
		for left := q.Limit; ; {
			if q.Limit = eachPage; left > 0 {
				q.Limit = min(left, eachPage)
			}
			page, err := fetch(ctx, q)
			if err != nil {
				yield(adapter.Page{}, err)
				return
			}
			if page.Next != "" && page.Next == q.Cursor {
				yield(adapter.Page{}, &adapter.Error{Code: adapter.Internal, Model: q.Model, Message: "the system's cursor does not advance"})
				return
			}
			if !yield(page, nil) {
				return
			}
			if left > 0 {
				if left -= len(page.Records); left <= 0 {
					return
				}
			}
			if page.Next == "" {
				return
			}
			q.Cursor, q.Offset = page.Next, 0
		}
	}
}

// fetcher prepares a query of which many pages are wanted, and returns what
// fetches one.
func (s *System) fetcher(ctx context.Context, q *adapter.Query) (func(context.Context, adapter.Query) (adapter.Page, error), error) {
	ctx = s.scoped(ctx, &s.caller.Scope)
	if s.universal == nil {
		if err := s.may(ctx, q.Model, "search_read"); err != nil {
			return nil, err
		}
		e, _, err := s.expansionOf(ctx, q.Model, q.Fields, "", false)
		if err != nil {
			return nil, err
		}
		if err := s.byID(ctx, q); err != nil {
			return nil, err
		}
		return func(ctx context.Context, q adapter.Query) (adapter.Page, error) {
			page, _, err := s.page(s.scoped(ctx, &s.caller.Scope), q, e, adapter.ID{})
			return page, err
		}, nil
	}
	t, err := s.topic(ctx, q.Model, "search_read")
	if err != nil {
		return nil, err
	}
	sh, err := t.shape(ctx, q.Fields)
	if err != nil {
		return nil, err
	}
	sh.warn(ctx, t)
	if *q, err = t.translated(ctx, *q); err != nil {
		return nil, err
	}
	if err := t.byID(ctx, q); err != nil {
		return nil, err
	}
	return func(ctx context.Context, q adapter.Query) (adapter.Page, error) {
		return t.universalPage(t.scoped(ctx, &t.caller.Scope), q, sh)
	}, nil
}

// byID orders a query that has no order.
func (s *System) byID(ctx context.Context, q *adapter.Query) error {
	if q.Order != nil {
		return nil
	}
	n, err := s.nature(ctx)
	if err != nil {
		return err
	}
	name := n.idField
	if name == "" {
		name = "id"
	}
	q.Order = []adapter.Order{{Field: name}}
	return nil
}

// nameFields are the fields that hold a record's display name, the best first.
var nameFields = []string{"display_name", "Name", "name", "Title", "Subject", "CaseNumber"}

// Names returns the display names of records by their ids, in the scope's
// language. Ids without a record, or of a model whose records have no name, are
// left out.
func (s *System) Names(ctx context.Context, model string, ids []adapter.ID) (map[adapter.ID]string, error) {
	s, model, err := s.recordOf(ctx, model, "read")
	if err != nil {
		return nil, err
	}
	if err := s.may(ctx, model, "read"); err != nil {
		return nil, err
	}
	described, err := s.schema(ctx, model)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(nameFields, described.Has)
	if at < 0 {
		return nil, nil
	}
	names := make(map[adapter.ID]string, len(ids))
	for chunk := range slices.Chunk(ids, expandChunk) {
		var records []adapter.Record
		err := s.do(s.scoped(ctx, &s.caller.Scope), work{operation: "read", model: model, run: func(ctx context.Context, a adapter.Adapter) (err error) {
			records, err = adapter.Read(ctx, a, model, chunk, nameFields[at:at+1])
			return err
		}})
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			names[r.ID()] = r.String(nameFields[at])
		}
	}
	return names, nil
}

// plainWords returns the system for models named as it names them, or as the
// pinned version does.
func (s *System) plainWords() *System {
	if s.universal == nil {
		return s
	}
	return s.native()
}
