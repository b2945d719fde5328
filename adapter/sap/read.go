package sap

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/wire"
)

// Stream yields all records that match, page by page, with no more than a page
// in memory. Without an order they come by key.
func (c *Client) Stream(ctx context.Context, q adapter.Query) iter.Seq2[adapter.Record, error] {
	return func(yield func(adapter.Record, error) bool) {
		left := q.Limit
		q.Limit = 0
		p, err := c.plan(ctx, q)
		if err == nil && left < 0 {
			err = p.m.wrong("limit", "limit is negative")
		}
		if err != nil {
			yield(nil, err)
			return
		}
		size := c.config.PageSize
		if left > 0 {
			size = min(size, left)
		}
		n := 0
		for r, err := range p.rows(ctx, size, left) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(r.record, nil) {
				return
			}
			if n++; n == left {
				return
			}
		}
	}
}

// rows yields everything that a plan matches, in its order.
func (p *plan) rows(ctx context.Context, size, most int) iter.Seq2[row, error] {
	if !p.merges() {
		return p.scan(ctx, size)
	}
	return func(yield func(row, error) bool) {
		rows, err := p.gather(ctx, most)
		if err != nil {
			yield(row{}, err)
			return
		}
		for _, r := range rows {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// SearchIDs returns the ids of the records that match: as many as the limit
// says, or all of them where it says nothing.
func (c *Client) SearchIDs(ctx context.Context, q adapter.Query) ([]adapter.ID, error) {
	q.Fields = []string{idField}
	limit := q.Limit
	p, err := c.plan(ctx, q)
	if err != nil {
		return nil, err
	}
	ids := []adapter.ID{}
	skip := p.localOffset()
	if p.merges() {
		skip = p.offset
	}
	most := 0
	if limit > 0 {
		most = limit + skip
	}
	size := c.config.PageSize
	if most > 0 {
		size = min(size, most)
	}
	for r, err := range p.rows(ctx, size, most) {
		if err != nil {
			return nil, err
		}
		if skip > 0 {
			skip--
			continue
		}
		ids = append(ids, r.record.ID())
		if len(ids) == limit {
			break
		}
	}
	return ids, nil
}

// Count returns how many records match.
func (c *Client) Count(ctx context.Context, model string, filter adapter.Filter) (int64, error) {
	p, err := c.plan(ctx, adapter.Query{Model: model, Filter: filter, Fields: []string{idField}})
	if err != nil {
		return 0, err
	}
	if p.filter.never {
		return 0, nil
	}
	if p.filter.residual != nil || p.m.set.NoCount {
		var n int64
		for _, err := range p.scan(ctx, c.config.PageSize) {
			if err != nil {
				return 0, err
			}
			n++
		}
		return n, nil
	}
	var total int64
	for _, filter := range p.chunks {
		n, err := p.m.count(ctx, filter)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func (m *model) count(ctx context.Context, filter expr) (int64, error) {
	query := ""
	if !filter.constant() {
		query = "$filter=" + escapeQuery(filter.text)
	}
	req := m.request(ctx, http.MethodGet, m.root()+"/$count", query)
	req.Header = req.Header.Clone()
	// The count is a text, not JSON.
	req.Header.Set("Accept", "text/plain, */*;q=0.5")
	var resp *wire.Response
	var err error
	if len(m.service.path)+len(req.Path)+len(query) <= m.service.client.config.MaxURL {
		resp, err = m.do(ctx, req)
	} else {
		resp, err = m.get(ctx, m.root()+"/$count", query)
	}
	if err != nil {
		return 0, err
	}
	text := strings.TrimSpace(strings.TrimPrefix(string(resp.Body), "\ufeff"))
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, m.unreadable(err)
	}
	return n, nil
}

// readBatch is how many records are read by one batch.
const readBatch = 100

// Read returns the records of ids in their order, many at a time by $batch. An
// id that does not exist, or is none, is left out.
func (c *Client) Read(ctx context.Context, model string, ids []adapter.ID, fields []string) ([]adapter.Record, error) {
	m, err := c.model(ctx, model)
	if err != nil {
		return nil, err
	}
	if err := m.addressable("read"); err != nil {
		return nil, err
	}
	sel, err := m.selectFields(fields)
	if err != nil {
		return nil, err
	}
	query := strings.Join(sel.options(), "&")
	var paths []string
	for _, id := range ids {
		k, err := m.parseID(id)
		if err != nil {
			continue
		}
		path, err := m.path(k)
		if err == nil {
			paths = append(paths, path)
		}
	}
	records := make([]adapter.Record, 0, len(paths))
	for chunk := range slices.Chunk(paths, readBatch) {
		rows, err := m.readPaths(ctx, chunk, query)
		if err != nil {
			return nil, err
		}
		for _, raw := range rows {
			r, err := sel.record(ctx, raw, false)
			if err != nil {
				return nil, err
			}
			records = append(records, r)
		}
	}
	return records, nil
}

// readPaths reads single records, leaving out those that are not there.
func (m *model) readPaths(ctx context.Context, paths []string, query string) ([]map[string]any, error) {
	if len(paths) == 1 {
		return m.readEach(ctx, paths, query)
	}
	sets := make([]wire.ChangeSet, len(paths))
	for i, path := range paths {
		target := strings.TrimPrefix(path, "/")
		if query != "" {
			target += "?" + query
		}
		sets[i] = wire.ChangeSet{{Method: http.MethodGet, Path: target, Header: m.header()}}
	}
	outcomes, err := m.batch(ctx, sets)
	if adapter.CodeOf(err) == adapter.Unsupported || adapter.CodeOf(err) == adapter.NotFound {
		// The service has no $batch.
		return m.readEach(ctx, paths, query)
	}
	if err != nil {
		return nil, err
	}
	var rows []map[string]any
	for _, outcome := range outcomes {
		if fault := outcome.Fault; fault != nil {
			err := m.service.client.conn.Refused(fault, m.name, false)
			if err.Code == adapter.NotFound {
				continue
			}
			return nil, err
		}
		raw, err := m.entity(outcome.Responses[0].Body)
		if err != nil {
			return nil, err
		}
		rows = append(rows, raw)
	}
	return rows, nil
}

func (m *model) readEach(ctx context.Context, paths []string, query string) ([]map[string]any, error) {
	var rows []map[string]any
	for _, path := range paths {
		resp, err := m.do(ctx, m.request(ctx, http.MethodGet, path, query))
		if errors.Is(err, adapter.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(resp.Body)) == 0 {
			continue // 204: v4 has nothing there
		}
		raw, err := m.entity(resp.Body)
		if err != nil {
			return nil, err
		}
		rows = append(rows, raw)
	}
	return rows, nil
}
