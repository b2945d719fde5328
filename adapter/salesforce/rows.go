package salesforce

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

const (
	// maxOffset is the greatest OFFSET that SOQL takes.
	maxOffset = 2000
	// maxURI is how many bytes a request's address may have. Salesforce allows
	// 16,384 together with the headers, in which the access token may be long.
	maxURI = 12_000
	// maxSOQL is how many characters a query may have.
	maxSOQL = 100_000
	// minBatch is the smallest batch that Salesforce gives.
	minBatch = 200
)

// plan is a query that is ready to be sent.
type plan struct {
	object    *object
	filter    filter
	selection *selection
	matcher   *adapter.Matcher // what is left of the filter
	order     []orderKey
	byID      int8   // 1 and -1 when the records come by id
	sum       uint64 // of what a cursor may continue
}

type orderKey struct {
	path  string
	field *field
	desc  bool
}

// orderBy is the ORDER BY clause. What is not set comes last, and first where
// the order is descending, as in other databases.
func (p *plan) orderBy() string {
	switch {
	case p.byID > 0:
		return " ORDER BY Id"
	case p.byID < 0:
		return " ORDER BY Id DESC"
	case len(p.order) == 0:
		return ""
	}
	parts := make([]string, len(p.order))
	for i, key := range p.order {
		switch {
		case key.path == "Id" && key.desc:
			parts[i] = "Id DESC"
		case key.path == "Id":
			parts[i] = "Id"
		case key.desc:
			parts[i] = key.path + " DESC NULLS FIRST"
		default:
			parts[i] = key.path + " ASC NULLS LAST"
		}
	}
	return " ORDER BY " + strings.Join(parts, ", ")
}

// soql writes the query for one part of the filter.
func (p *plan) soql(where node, after string, tail string) string {
	if after != "" {
		op := " > "
		if p.byID < 0 {
			op = " < "
		}
		where = allOf(where, compare("Id"+op+"'"+after+"'"))
	}
	return "SELECT " + p.selection.list() + " FROM " + p.object.Name + where.where() + p.orderBy() + tail
}

// parts are the filter, in as many pieces as the length of an address needs.
// A long list of fields goes by another way anyway, where there is more room.
func (p *plan) parts() (parts []node, disjoint bool, err error) {
	room := maxURI - 1000 - len(p.selection.list())
	if room < maxURI/2 {
		room = maxSOQL - 5000 - len(p.selection.list())
	}
	parts, disjoint = p.filter.where.split(max(room, 1000))
	if len(parts) > maxSplit {
		return nil, false, &adapter.Error{
			Code: adapter.InvalidArgument, Model: p.object.Name, Field: "domain", NothingSent: true,
			Message: fmt.Sprintf("the filter is so long that it would take more than %d queries; use shorter lists", maxSplit),
		}
	}
	return parts, disjoint, nil
}

// start is where a reading of rows begins.
type start struct {
	after  string // behind the record of this id
	offset int    // behind so many rows
	url    string // with this batch of an open query,
	base   int    // whose first row is this one
	want   int    // about how many rows are wanted; 0 for all
}

// source gives raw records in order.
type source interface {
	next(ctx context.Context) (map[string]any, bool, error)
	// position is where to go on behind the last record.
	position() string
}

// rows gives the records that match, in order, as Salesforce wrote them.
type rows struct {
	plan   *plan
	source source
	err    error
	// seen holds the ids so far where parts of the filter overlap.
	seen map[string]bool
}

// rows begins to read all records of a plan.
func (c *Client) rows(p *plan) *rows { return c.rowsFrom(p, start{}) }

func (c *Client) rowsFrom(p *plan, at start) *rows {
	r := &rows{plan: p}
	where := p.filter.where
	if where.op == opConstant && !where.truth {
		r.source = nothing{}
		return r
	}
	parts, disjoint, err := p.parts()
	if err != nil {
		return &rows{err: err}
	}
	if len(parts) == 1 {
		r.source = &pager{c: c, plan: p, where: parts[0], start: at, at: at.offset}
		return r
	}
	if !disjoint {
		r.seen = map[string]bool{}
	}
	m := &merger{plan: p, skip: at.offset}
	for _, part := range parts {
		m.add(&pager{c: c, plan: p, where: part, start: start{after: at.after, want: at.want}})
	}
	r.source = m
	return r
}

// next returns the next record that passes the whole filter.
func (r *rows) next(ctx context.Context) (map[string]any, bool, error) {
	for r.err == nil {
		raw, ok, err := r.source.next(ctx)
		if err != nil || !ok {
			return nil, false, err
		}
		if r.seen != nil {
			id, _ := raw["Id"].(string)
			if r.seen[id] {
				continue
			}
			r.seen[id] = true
		}
		if r.plan.matcher != nil {
			ok, err := r.plan.matcher.Match(r.plan.selection.whole(raw))
			if err != nil {
				return nil, false, err
			}
			if !ok {
				continue
			}
		}
		return raw, true, nil
	}
	return nil, false, r.err
}

type nothing struct{}

func (nothing) next(ctx context.Context) (map[string]any, bool, error) {
	return nil, false, notSent(adapter.ContextError(ctx))
}
func (nothing) position() string { return "" }

// pager reads the rows of one query, batch by batch: by the ids that follow
// the last one, by OFFSET as far as that goes, and else along the server's own
// cursor.
type pager struct {
	c     *Client
	plan  *plan
	where node
	start

	at     int // rows that are behind us
	buffer []map[string]any
	more   string // the next batch of an open query
	done   bool
	last   string // the id of the last record
}

func (p *pager) next(ctx context.Context) (map[string]any, bool, error) {
	for len(p.buffer) == 0 {
		if p.done {
			return nil, false, nil
		}
		if err := p.fetch(ctx); err != nil {
			return nil, false, err
		}
	}
	raw := p.buffer[0]
	p.buffer[0] = nil
	p.buffer = p.buffer[1:]
	p.at++
	p.last, _ = raw["Id"].(string)
	return raw, true, nil
}

func (p *pager) position() string {
	switch {
	case p.plan.byID != 0:
		return "i" + p.last
	case p.url != "":
		return "q" + strings.TrimPrefix(p.url, "/services/data/") + "|" + strconv.Itoa(p.base) + "|" + strconv.Itoa(p.at)
	default:
		return "o" + strconv.Itoa(p.at)
	}
}

func (p *pager) fetch(ctx context.Context) error {
	switch {
	case p.more != "":
		return p.follow(ctx, p.more)
	case p.url != "":
		return p.reopen(ctx)
	case p.want == 0:
		return p.open(ctx, p.at)
	case p.plan.byID != 0 && (p.after != "" || p.at == 0):
		return p.limited(ctx, "")
	case p.at <= maxOffset:
		return p.limited(ctx, " OFFSET "+strconv.Itoa(p.at))
	}
	return p.open(ctx, p.at)
}

// limited reads about as many rows as are wanted, and more each time.
func (p *pager) limited(ctx context.Context, offset string) error {
	n := min(max(p.want, 1), MaxPageSize)
	p.want = min(2*p.want, MaxPageSize)
	result, err := p.c.query(ctx, p.plan.object, p.plan.soql(p.where, p.after, " LIMIT "+strconv.Itoa(n)+offset), n)
	if err != nil {
		return err
	}
	if err := p.take(ctx, result); err != nil {
		return err
	}
	p.more = "" // what follows is asked for anew
	p.done = result.Done && len(result.Records) < n
	if len(result.Records) == 0 {
		p.done = true
	}
	return nil
}

// open begins a query along the server's cursor and skips rows.
func (p *pager) open(ctx context.Context, skip int) error {
	result, err := p.c.query(ctx, p.plan.object, p.plan.soql(p.where, p.after, ""), MaxPageSize)
	if err != nil {
		return err
	}
	base := 0
	for base+len(result.Records) <= skip && !result.Done {
		base += len(result.Records)
		p.url = result.Next
		if result, err = p.c.more(ctx, p.plan.object, result.Next); err != nil {
			return err
		}
	}
	p.base = base
	result.Records = result.Records[min(max(skip-base, 0), len(result.Records)):]
	return p.take(ctx, result)
}

// follow reads the next batch.
func (p *pager) follow(ctx context.Context, url string) error {
	result, err := p.c.more(ctx, p.plan.object, url)
	if e, ok := errors.AsType[*adapter.Error](err); ok && e.Native == "INVALID_QUERY_LOCATOR" && p.plan.byID != 0 && p.last != "" {
		// The server has forgotten the query, and the ids tell where to go on.
		p.more, p.url, p.after = "", "", p.last
		return p.open(ctx, 0)
	}
	if err != nil {
		return err
	}
	p.url, p.base = url, p.at
	return p.take(ctx, result)
}

// reopen goes on in the midst of a batch that a cursor names.
func (p *pager) reopen(ctx context.Context) error {
	result, err := p.c.more(ctx, p.plan.object, p.url)
	if err != nil {
		return err
	}
	result.Records = result.Records[min(max(p.at-p.base, 0), len(result.Records)):]
	return p.take(ctx, result)
}

func (p *pager) take(ctx context.Context, result *queryResult) error {
	if err := p.c.complete(ctx, p.plan.selection, result.Records); err != nil {
		return err
	}
	p.buffer = result.Records
	if n := len(p.buffer); n > 0 {
		last, _ := p.buffer[n-1]["Id"].(string)
		if p.plan.byID != 0 {
			p.after = last
		}
	}
	p.more, p.done = result.Next, result.Done
	return nil
}

// queryResult is one batch of a query's answer.
type queryResult struct {
	TotalSize int64            `json:"totalSize"`
	Done      bool             `json:"done"`
	Next      string           `json:"nextRecordsUrl"`
	Records   []map[string]any `json:"records"`
}

// query sends SOQL, in the address where it fits. What is too long for an
// address travels in the body of a composite request, as Salesforce advises.
func (c *Client) query(ctx context.Context, o *object, soql string, batch int) (*queryResult, error) {
	if len(soql) > maxSOQL {
		return nil, &adapter.Error{
			Code: adapter.InvalidArgument, Model: o.Name, Field: "domain", NothingSent: true,
			Message: fmt.Sprintf("the query would have %d characters, and Salesforce takes %d; use a shorter filter or fewer fields", len(soql), maxSOQL),
		}
	}
	path := c.root + "/query?q=" + queryEscape(soql)
	header := map[string]string{}
	if batch > 0 {
		header["Sforce-Query-Options"] = "batchSize=" + strconv.Itoa(min(max(batch, minBatch), MaxPageSize))
	}
	result := &queryResult{}
	if len(path) > maxURI {
		err := c.composite(ctx, o, []subrequest{{Method: http.MethodGet, URL: path, ReferenceID: "query", Header: header}}, func(r []subresponse) error {
			return r[0].decode(result, o.Name, "a query")
		})
		return result, err
	}
	a, err := c.wire.send(ctx, request{path: path, header: header, model: o.Name})
	if err != nil {
		return nil, err
	}
	return result, a.decode(result, o.Name, "a query")
}

// nextBatch is the form of a nextRecordsUrl. Nothing else is followed.
var nextBatch = regexp.MustCompile(`^/services/data/v[0-9]{2,3}\.0/query/[A-Za-z0-9_-]{1,200}$`)

// more reads another batch of an open query.
func (c *Client) more(ctx context.Context, o *object, url string) (*queryResult, error) {
	if !nextBatch.MatchString(url) {
		return nil, &adapter.Error{Code: adapter.Internal, Model: o.Name, Message: "Salesforce names the rest of a query in an unexpected way", Err: errors.New("salesforce: nextRecordsUrl " + clip(url, 100))}
	}
	a, err := c.wire.send(ctx, request{path: url, model: o.Name})
	if err != nil {
		return nil, err
	}
	result := &queryResult{}
	return result, a.decode(result, o.Name, "a query")
}

// complete reads the child records that did not fit into the answer.
func (c *Client) complete(ctx context.Context, s *selection, records []map[string]any) error {
	for _, relation := range s.many {
		for _, r := range records {
			nested, ok := r[relation.name].(map[string]any)
			if !ok {
				continue
			}
			list, _ := nested["records"].([]any)
			url, _ := nested["nextRecordsUrl"].(string)
			for url != "" {
				result, err := c.more(ctx, relation.selection.object, url)
				if err != nil {
					return err
				}
				for _, child := range result.Records {
					list = append(list, child)
				}
				url = result.Next
			}
			nested["records"] = list
		}
	}
	return nil
}

// queryEscape writes a query into an address. It leaves alone what need not be
// escaped there, since addresses have a limit.
func queryEscape(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	for i := range len(s) {
		switch ch := s[i]; {
		case 'a' <= ch && ch <= 'z', 'A' <= ch && ch <= 'Z', '0' <= ch && ch <= '9', strings.IndexByte("-_.~'(),:*!", ch) >= 0:
			b.WriteByte(ch)
		case ch == ' ':
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(digits[ch>>4])
			b.WriteByte(digits[ch&15])
		}
	}
	return b.String()
}

// merger joins the rows of several queries in the order of the plan.
type merger struct {
	plan    *plan
	sources []source
	heads   []map[string]any // of each source; nil where it has to be read
	empty   []bool
	skip    int
	count   int
	last    string
}

func (m *merger) add(s source) {
	m.sources = append(m.sources, s)
	m.heads = append(m.heads, nil)
	m.empty = append(m.empty, false)
}

func (m *merger) next(ctx context.Context) (map[string]any, bool, error) {
	for {
		raw, ok, err := m.pop(ctx)
		if err != nil || !ok {
			return nil, false, err
		}
		m.count++
		if m.plan.byID == 0 && m.count <= m.skip {
			continue
		}
		m.last, _ = raw["Id"].(string)
		return raw, true, nil
	}
}

func (m *merger) pop(ctx context.Context) (map[string]any, bool, error) {
	best := -1
	for i := range m.sources {
		if m.heads[i] == nil && !m.empty[i] {
			raw, ok, err := m.sources[i].next(ctx)
			if err != nil {
				return nil, false, err
			}
			m.heads[i], m.empty[i] = raw, !ok
		}
		if m.heads[i] != nil && (best < 0 || m.plan.compare(m.heads[i], m.heads[best]) < 0) {
			best = i
		}
	}
	if best < 0 {
		return nil, false, nil
	}
	raw := m.heads[best]
	m.heads[best] = nil
	return raw, true, nil
}

func (m *merger) position() string {
	if m.plan.byID != 0 {
		return "i" + m.last
	}
	return "o" + strconv.Itoa(m.count)
}

// compare orders two records as Salesforce does, texts without regard to case.
func (p *plan) compare(a, b map[string]any) int {
	if p.byID != 0 {
		x, _ := a["Id"].(string)
		y, _ := b["Id"].(string)
		return int(p.byID) * cmp.Compare(x, y)
	}
	for _, key := range p.order {
		if c := key.compare(valueAt(a, key.path), valueAt(b, key.path)); c != 0 {
			return c
		}
	}
	return 0
}

// valueAt is the value at the end of a path.
func valueAt(r map[string]any, path string) any {
	for {
		name, rest, more := strings.Cut(path, ".")
		if !more {
			return r[name]
		}
		next, ok := r[name].(map[string]any)
		if !ok {
			return nil
		}
		r, path = next, rest
	}
}

func (key *orderKey) compare(a, b any) int {
	var c int
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		c = 1
	case b == nil:
		c = -1
	default:
		c = compareValues(a, b, key.field.kind)
	}
	if key.desc {
		return -c
	}
	return c
}

func compareValues(a, b any, k kind) int {
	switch a := a.(type) {
	case bool:
		b, _ := b.(bool)
		switch {
		case a == b:
			return 0
		case b:
			return -1
		}
		return 1
	case json.Number:
		b, _ := b.(json.Number)
		x, ok1 := new(big.Rat).SetString(a.String())
		y, ok2 := new(big.Rat).SetString(b.String())
		if ok1 && ok2 {
			return x.Cmp(y)
		}
	case string:
		b, _ := b.(string)
		if k == kindText || k == kindPicklist {
			return cmp.Compare(strings.ToUpper(a), strings.ToUpper(b))
		}
		return cmp.Compare(a, b)
	}
	return 0
}
