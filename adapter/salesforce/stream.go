package salesforce

import (
	"context"
	"iter"

	"github.com/bridgecore/bridgecore/adapter"
)

// Stream yields the records that match, batch by batch along the server's
// cursor, in constant memory. The first batch tells how many there are in all:
// from Config.BulkThreshold on, the rest comes by a query job of the Bulk API,
// unless an order other than by Id, a relation to many or a compound field is
// asked for, which that API can't give.
//
// Without an order, and by Id, records come by id.
func (c *Client) Stream(ctx context.Context, q adapter.Query) iter.Seq2[adapter.Record, error] {
	return func(yield func(adapter.Record, error) bool) {
		p, _, err := c.plan(ctx, q)
		if err == nil && (q.Offset > 0 || q.Cursor != "") {
			err = &adapter.Error{Code: adapter.InvalidArgument, Model: q.Model, Field: "offset", NothingSent: true, Message: "a stream begins with the first record: use Query for an offset or a cursor"}
		}
		if err != nil {
			yield(nil, err)
			return
		}
		s := &streaming{c: c, plan: p, query: q, yield: yield}
		if err := s.run(ctx); err != nil {
			yield(nil, withModel(err, p.object.Name))
		}
	}
}

// streaming is one Stream under way.
type streaming struct {
	c     *Client
	plan  *plan
	query adapter.Query
	yield func(adapter.Record, error) bool
	count int
	left  bool // the consumer wants no more
}

// bulky reports whether so many records should come by the Bulk API.
func (s *streaming) bulky(total int64) bool {
	threshold := s.c.config.BulkThreshold
	if threshold < 0 || s.plan.byID <= 0 || !s.plan.selection.flat() {
		return false
	}
	if s.query.Limit > 0 && s.plan.matcher == nil {
		total = min(total, int64(s.query.Limit))
	}
	return total >= int64(threshold)
}

func (s *streaming) run(ctx context.Context) error {
	rows := s.c.rowsFrom(s.plan, start{want: s.smallLimit()})
	if p, ok := rows.source.(*pager); ok && p.want == 0 {
		total, err := p.peek(ctx)
		if err != nil {
			return err
		}
		if s.bulky(total) && p.more != "" {
			return s.runBulk(ctx, rows, p)
		}
	}
	return s.runRows(ctx, rows)
}

// smallLimit is the limit where one request for so many rows gives them all.
func (s *streaming) smallLimit() int {
	if s.query.Limit > 0 && s.query.Limit <= MaxPageSize && s.plan.matcher == nil {
		return s.query.Limit
	}
	return 0
}

// peek reads the first batch and returns how many rows there are in all.
func (p *pager) peek(ctx context.Context) (int64, error) {
	result, err := p.c.query(ctx, p.plan.object, p.plan.soql(p.where, p.after, ""), MaxPageSize)
	if err != nil {
		return 0, err
	}
	return result.TotalSize, p.take(ctx, result)
}

func (s *streaming) runRows(ctx context.Context, rows *rows) error {
	for s.query.Limit == 0 || s.count < s.query.Limit {
		raw, ok, err := rows.next(ctx)
		if err != nil {
			return err
		}
		if !ok || !s.give(raw) {
			return nil
		}
		if s.count%512 == 0 {
			if err := adapter.ContextError(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// give hands a record over, and reports whether more are wanted.
func (s *streaming) give(raw map[string]any) bool {
	s.count++
	s.left = !s.yield(s.plan.selection.shape(raw, s.query.Plain), nil)
	return !s.left
}

// runBulk gives the batch that is there, and begins a query job for what
// follows its last id.
func (s *streaming) runBulk(ctx context.Context, rows *rows, p *pager) error {
	p.more, p.done = "", true
	last := p.after
	if err := s.runRows(ctx, rows); err != nil {
		return err
	}
	if s.left || s.query.Limit > 0 && s.count >= s.query.Limit {
		return nil
	}
	bulk := newBulkRows(s.c, s.plan, last)
	defer bulk.close(ctx)
	rows.source = bulk
	return s.runRows(ctx, rows)
}
