package sap

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/wire"
)

// selection is what is read of a model's records.
type selection struct {
	m     *model
	all   bool             // every property
	props []*edmx.Property // those that were asked for
	navs  []*edmx.Navigation
	inner map[string]*selection // of each navigation property
}

// maxPath bounds the steps of a path through relations.
const maxPath = 10

// selectFields plans what to read. Paths lead through navigation properties.
func (m *model) selectFields(fields []string) (*selection, error) {
	s := &selection{m: m, all: fields == nil}
	for _, f := range fields {
		if err := s.add(f, f, 0); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *selection) add(path, asked string, depth int) error {
	name, rest, dotted := strings.Cut(path, ".")
	if nav := s.m.typ.Nav(name); nav != nil {
		return s.addNav(nav, rest, asked, depth)
	}
	if name == idField && !dotted && !s.m.idIsProperty() {
		return nil // always comes along
	}
	p := s.m.typ.Prop(name)
	switch {
	case p == nil || p.Type == "Edm.Stream":
		return s.m.unknown(asked, name)
	case dotted && (s.m.meta.Types[p.Type] == nil || p.Collection):
		return s.m.wrong(asked, "%s leads to no other records; remove %s", quote(name), quote("."+rest))
	}
	if !slices.Contains(s.props, p) {
		s.props = append(s.props, p)
	}
	return nil
}

func (s *selection) addNav(nav *edmx.Navigation, rest, asked string, depth int) error {
	if depth >= maxPath {
		return s.m.wrong(asked, "the path leads through more than %d relations", maxPath)
	}
	next := s.m.follow(nav)
	if next == nil {
		return s.m.unsupported(asked, "the metadata do not tell where %s leads", quote(nav.Name))
	}
	inner := s.inner[nav.Name]
	if inner == nil {
		inner = &selection{m: next}
		if s.inner == nil {
			s.inner = map[string]*selection{}
		}
		s.inner[nav.Name] = inner
		s.navs = append(s.navs, nav)
	}
	if rest == "" {
		return nil
	}
	return inner.add(rest, asked, depth+1)
}

// names are the properties to ask for: those that were asked for, and the key.
func (s *selection) names() []string {
	names := slices.Clone(s.m.typ.Keys)
	for _, p := range s.props {
		if !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 && len(s.m.typ.Props) > 0 {
		names = append(names, s.m.typ.Props[0].Name)
	}
	return names
}

// options are the query options $select and $expand, encoded.
func (s *selection) options() []string {
	var out []string
	if s.m.v4() {
		if !s.all {
			out = append(out, "$select="+escapeQuery(strings.Join(s.names(), ",")))
		}
		if expand := s.expand(); expand != "" {
			out = append(out, "$expand="+escapeQuery(expand))
		}
		return out
	}
	var selects, expands []string
	s.flat("", &selects, &expands)
	if len(selects) > 0 && !s.all {
		out = append(out, "$select="+escapeQuery(strings.Join(selects, ",")))
	}
	if len(expands) > 0 {
		out = append(out, "$expand="+escapeQuery(strings.Join(expands, ",")))
	}
	return out
}

// flat lists what v2 wants as paths.
func (s *selection) flat(prefix string, selects, expands *[]string) {
	for _, name := range s.names() {
		*selects = append(*selects, prefix+name)
	}
	for _, nav := range s.navs {
		*expands = append(*expands, prefix+nav.Name)
		s.inner[nav.Name].flat(prefix+nav.Name+"/", selects, expands)
	}
}

// expand writes the $expand of v4.
func (s *selection) expand() string {
	parts := make([]string, len(s.navs))
	for i, nav := range s.navs {
		inner := s.inner[nav.Name]
		options := []string{"$select=" + strings.Join(inner.names(), ",")}
		if deeper := inner.expand(); deeper != "" {
			options = append(options, "$expand="+deeper)
		}
		parts[i] = nav.Name + "(" + strings.Join(options, ";") + ")"
	}
	return strings.Join(parts, ",")
}

// record makes a record of what the service answered.
func (s *selection) record(ctx context.Context, raw map[string]any, plain bool) (adapter.Record, error) {
	d := decoder{meta: s.m.meta.Metadata, plain: plain}
	props := s.props
	if s.all {
		props = s.m.typ.Props
	}
	r := make(adapter.Record, len(props)+len(s.navs)+1)
	for _, p := range props {
		if p.Type == "Edm.Stream" {
			continue
		}
		r[p.Name] = d.value(p, raw[p.Name])
	}
	keys := make(map[string]any, len(s.m.typ.Keys))
	exact := decoder{meta: s.m.meta.Metadata}
	for _, p := range s.m.keyProps() {
		keys[p.Name] = exact.value(p, raw[p.Name])
	}
	if k, ok := s.m.keyOf(keys); ok {
		id, err := s.m.id(k)
		if err != nil {
			return nil, s.m.unreadable(err)
		}
		r[idField] = id.Value()
	}
	for _, nav := range s.navs {
		v, err := s.related(ctx, nav, raw, plain)
		if err != nil {
			return nil, err
		}
		r[nav.Name] = v
	}
	return r, nil
}

// related reads what a navigation property brought along.
func (s *selection) related(ctx context.Context, nav *edmx.Navigation, raw map[string]any, plain bool) (any, error) {
	inner := s.inner[nav.Name]
	if !nav.Many {
		one, ok := raw[nav.Name].(map[string]any)
		if !ok || one["__deferred"] != nil {
			return nil, nil
		}
		r, err := inner.record(ctx, one, plain)
		return map[string]any(r), err
	}
	rows, next := nestedRows(raw, nav.Name)
	out := make([]any, 0, len(rows))
	for {
		for _, row := range rows {
			r, err := inner.record(ctx, row, plain)
			if err != nil {
				return nil, err
			}
			out = append(out, map[string]any(r))
		}
		if next == "" {
			return out, nil
		}
		// The service cut the list. What is missing is behind its link.
		page, err := inner.m.next(ctx, next)
		if err != nil {
			return nil, err
		}
		rows, next = page.rows, page.next
	}
}

// nestedRows reads a list within a record, and the link to its rest.
func nestedRows(raw map[string]any, name string) ([]map[string]any, string) {
	list, ok := raw[name].([]any)
	next := linkOf(raw, name+"@odata.nextLink", name+"@nextLink")
	if !ok {
		if wrapped, is := raw[name].(map[string]any); is {
			list, _ = wrapped["results"].([]any)
			next = linkOf(wrapped, "__next")
		}
	}
	return objects(list), next
}

func linkOf(raw map[string]any, names ...string) string {
	for _, name := range names {
		if s, ok := raw[name].(string); ok {
			return s
		}
	}
	return ""
}

func objects(list []any) []map[string]any {
	out := make([]map[string]any, 0, len(list))
	for _, item := range list {
		if o, ok := item.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

// feed is one answer of several records.
type feed struct {
	rows []map[string]any
	next string // the link to the rest, "" if that was all
}

// unreadable is the error for an answer of another form than it should have.
func (m *model) unreadable(err error) error {
	return &adapter.Error{Code: adapter.Internal, Model: m.name, Message: "SAP's answer has an unexpected form", Err: err}
}

// feed reads the records out of an answer.
func (m *model) feed(body []byte) (feed, error) {
	var envelope map[string]any
	if err := adapter.DecodeJSON(body, &envelope); err != nil {
		return feed{}, m.unreadable(err)
	}
	if d, ok := envelope["d"]; ok {
		switch d := d.(type) {
		case []any:
			return feed{rows: objects(d)}, nil
		case map[string]any:
			list, ok := d["results"].([]any)
			if !ok {
				return feed{rows: []map[string]any{d}}, nil
			}
			return feed{rows: objects(list), next: linkOf(d, "__next")}, nil
		}
	}
	list, ok := envelope["value"].([]any)
	if !ok {
		return feed{}, m.unreadable(nil)
	}
	return feed{rows: objects(list), next: linkOf(envelope, "@odata.nextLink", "@nextLink")}, nil
}

// entity reads a single record out of an answer.
func (m *model) entity(body []byte) (map[string]any, error) {
	var envelope map[string]any
	if err := adapter.DecodeJSON(body, &envelope); err != nil {
		return nil, m.unreadable(err)
	}
	if d, ok := envelope["d"].(map[string]any); ok {
		if list, ok := d["results"].([]any); ok && len(list) == 1 {
			if one, ok := list[0].(map[string]any); ok {
				return one, nil
			}
		}
		return d, nil
	}
	return envelope, nil
}

// next follows a service's link to the rest of an answer. Of a link only the
// path and the query count: hosts behind a proxy give their own address, and
// our credentials are for the configured one alone.
func (m *model) next(ctx context.Context, link string) (feed, error) {
	lost := func(err error) error {
		return &adapter.Error{Code: adapter.Internal, Model: m.name, Message: "SAP's link to the next page leads out of the service", Err: err}
	}
	u, err := url.Parse(link)
	if err != nil || u.RawQuery == "" {
		return feed{}, lost(err)
	}
	path := u.EscapedPath()
	if strings.HasPrefix(path, "/") {
		_, inside, ok := strings.Cut(path, m.service.path+"/")
		if !ok {
			return feed{}, lost(nil)
		}
		path = inside
	}
	if strings.Contains(path, "..") || path == "" {
		return feed{}, lost(nil)
	}
	resp, err := m.do(ctx, m.request(ctx, "GET", "/"+path, u.RawQuery))
	if err != nil {
		return feed{}, err
	}
	return m.feed(resp.Body)
}

// get reads from the service: by GET, or where the address would be too long
// for the way there, by a batch, in which addresses may be longer.
func (m *model) get(ctx context.Context, path, query string) (*wire.Response, error) {
	req := m.request(ctx, "GET", path, query)
	if len(m.service.path)+len(path)+len(query) <= m.service.client.config.MaxURL {
		return m.do(ctx, req)
	}
	if len(query) > maxBatchQuery {
		return nil, m.wrong("filter", "the filter is too long to be sent: over %d kB", maxBatchQuery>>10)
	}
	return m.batchGet(ctx, path, query)
}

// maxBatchQuery bounds a query within a batch, in bytes.
const maxBatchQuery = 512 << 10

func (m *model) batchGet(ctx context.Context, path, query string) (*wire.Response, error) {
	part := wire.Part{Method: "GET", Path: strings.TrimPrefix(path, "/") + "?" + query, Header: m.header()}
	outcomes, err := m.batch(ctx, []wire.ChangeSet{{part}})
	if err != nil {
		return nil, err
	}
	if fault := outcomes[0].Fault; fault != nil {
		err := m.service.client.conn.Refused(fault, m.name, false)
		m.contradicted(err)
		return nil, err
	}
	return outcomes[0].Responses[0], nil
}
