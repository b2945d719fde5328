package sap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/edmx"
	"github.com/bridgecore/bridgecore/adapter/sap/internal/wire"
)

const (
	// metadataTTL is how long the metadata of a service are taken to stay as
	// they are.
	metadataTTL = time.Hour
	// maxMetadata bounds a metadata document, in bytes.
	maxMetadata = 96 << 20
	// metadataTimeout bounds the load of metadata, which no single caller's
	// context does, since callers share it.
	metadataTimeout = 3 * time.Minute
)

// service is one OData service.
type service struct {
	client *Client
	name   string
	path   string // below the URL, without a slash at the end
	want   string // the version that the Config says
	group  singleflight.Group

	mu     sync.Mutex
	loaded map[string]*metadata // by language

	// needsMatch are the sets that were found to want an If-Match although
	// their metadata don't say so. verbs says that PATCH is unknown here.
	needsMatch sync.Map
	merge      atomic.Bool
}

// metadata are a service's, as they were at one time.
type metadata struct {
	*edmx.Metadata
	at time.Time
}

func newService(c *Client, s Service) *service {
	return &service{client: c, name: s.Name, path: s.Path, want: s.Version, loaded: map[string]*metadata{}}
}

func (s *service) cached(language string) *metadata {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.loaded[language]
	if m != nil && time.Since(m.at) >= metadataTTL {
		delete(s.loaded, language)
		return nil
	}
	return m
}

// metadata returns the service's metadata, loading them if need be. A caller
// that goes away does not fail the others who wait for the same load.
func (s *service) metadata(ctx context.Context, language string) (*metadata, error) {
	if err := s.client.ready(ctx, s.name); err != nil {
		return nil, err
	}
	if m := s.cached(language); m != nil {
		return m, nil
	}
	result := s.group.DoChan(language, func() (any, error) {
		if m := s.cached(language); m != nil {
			return m, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), metadataTimeout)
		defer cancel()
		m, err := s.load(ctx, language)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		const languages = 8
		if len(s.loaded) >= languages {
			clear(s.loaded)
		}
		s.loaded[language] = m
		return m, nil
	})
	select {
	case <-ctx.Done():
		return nil, wire.NotSent(ctx, s.name)
	case r := <-result:
		if r.Err != nil {
			return nil, nothingSent(r.Err)
		}
		return r.Val.(*metadata), nil
	}
}

// nothingSent marks the error of what had to go before a call.
func nothingSent(err error) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok || e.NothingSent {
		return err
	}
	own := *e
	own.NothingSent = true
	return &own
}

func (s *service) load(ctx context.Context, language string) (*metadata, error) {
	resp, err := s.client.conn.Do(ctx, wire.Request{
		Method: http.MethodGet, Service: s.path, Path: "/$metadata", Model: s.name, Language: language,
		Header: accept("application/xml"), Stream: true,
	})
	if err != nil {
		return nil, err
	}
	defer resp.Stream.Close()
	body := &limited{r: resp.Stream, left: maxMetadata}
	parsed, err := edmx.Parse(body)
	switch {
	case body.err != nil:
		return nil, body.err
	case err != nil:
		return nil, &adapter.Error{
			Code: adapter.Unavailable, Model: s.name, Field: "services",
			Message: fmt.Sprintf("the metadata of the service %s can't be read: %s", s.name, strings.TrimPrefix(err.Error(), "edmx: ")), Err: err,
		}
	case s.want == V2 && parsed.V4, s.want == V4 && !parsed.V4:
		return nil, &adapter.Error{
			Code: adapter.InvalidArgument, Model: s.name, Field: "services",
			Message: fmt.Sprintf("the service %s does not speak OData %s: leave its version out", s.name, s.want),
		}
	}
	return &metadata{Metadata: parsed, at: time.Now()}, nil
}

// limited reads at most left bytes and remembers how reading failed.
type limited struct {
	r interface {
		Read(p []byte) (int, error)
	}
	left int
	err  error
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		l.err = adapter.Errorf(adapter.Unsupported, "the metadata of the service are over %d MB", maxMetadata>>20)
		return 0, l.err
	}
	p = p[:min(len(p), l.left)]
	n, err := l.r.Read(p)
	l.left -= n
	if _, ok := errors.AsType[*adapter.Error](err); ok {
		l.err = err
	}
	return n, err
}

// drop forgets the metadata that a system contradicted, unless they are so new
// that it can't have changed since.
func (s *service) drop(m *metadata) {
	const freshFor = 30 * time.Second
	if time.Since(m.at) < freshFor {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.loaded)
}

// model is an entity set with what is known of it, for the time of a call.
type model struct {
	service *service
	meta    *metadata
	set     *edmx.Set // nil for a type that no set has
	typ     *edmx.Type
	name    string // "SERVICE.Set"
}

func (m *model) v4() bool { return m.meta.V4 }

// model finds a model by its name: "SERVICE.Set", or "Set" where one service
// alone has it.
func (c *Client) model(ctx context.Context, name string) (*model, error) {
	return c.modelIn(ctx, name, "")
}

func (c *Client) modelIn(ctx context.Context, name, language string) (*model, error) {
	if err := c.ready(ctx, name); err != nil {
		return nil, err
	}
	prefix, set, dotted := strings.Cut(name, ".")
	if !dotted {
		return c.bareModel(ctx, name, language)
	}
	s := c.byName[prefix]
	if s == nil {
		names := make([]string, len(c.services))
		for i, s := range c.services {
			names[i] = s.name
		}
		return nil, unknownModel(name, "no service "+quote(prefix)+" is configured", adapter.Nearest(prefix, names), nil)
	}
	meta, err := s.metadata(ctx, language)
	if err != nil {
		return nil, ofModel(err, name)
	}
	if m := s.modelOf(meta, set); m != nil {
		return m, nil
	}
	names := make([]string, 0, len(meta.Sets))
	for known := range meta.Sets {
		names = append(names, known)
	}
	slices.Sort(names)
	return nil, unknownModel(name, "the service "+s.name+" has no entity set "+quote(set), adapter.Nearest(set, names), nil)
}

// ofModel makes an error about a service one about a model of it.
func ofModel(err error, name string) error {
	e, ok := errors.AsType[*adapter.Error](err)
	if !ok {
		return err
	}
	own := *e
	own.Model = name
	return &own
}

func unknownModel(name, problem, nearest string, cause error) error {
	e := &adapter.Error{Code: adapter.NotFound, Model: name, Field: "model", Message: problem, Err: cause}
	if nearest != "" {
		e.Message += "; did you mean " + quote(nearest) + "?"
	}
	return e
}

// bareModel looks for an entity set in all services.
func (c *Client) bareModel(ctx context.Context, name, language string) (*model, error) {
	var found []*model
	var failed error
	for _, s := range c.services {
		meta, err := s.metadata(ctx, language)
		if err != nil {
			if code := adapter.CodeOf(err); code != adapter.NotFound && code != adapter.PermissionDenied {
				failed = err
			}
			continue
		}
		if meta.Sets[name] != nil {
			found = append(found, s.modelOf(meta, name))
		}
	}
	switch {
	case len(found) == 1 && failed == nil:
		return found[0], nil
	case failed != nil:
		return nil, ofModel(failed, name)
	case len(found) == 0:
		return nil, unknownModel(name, "no configured service has an entity set "+quote(name), "", nil)
	}
	return nil, &adapter.Error{
		Code: adapter.InvalidArgument, Model: name, Field: "model",
		Message: "more than one service has an entity set " + quote(name) + "; write " + found[0].name + " or " + found[1].name,
	}
}

// modelOf is the model of a set, or of an entity type that no set has.
func (s *service) modelOf(meta *metadata, name string) *model {
	if set := meta.Sets[name]; set != nil {
		return &model{service: s, meta: meta, set: set, typ: set.Type, name: s.name + "." + name}
	}
	for _, t := range meta.Types {
		if t.Name == name && !t.Complex {
			return &model{service: s, meta: meta, typ: t, name: s.name + "." + name}
		}
	}
	return nil
}

// follow returns the model that a navigation property leads to.
func (m *model) follow(nav *edmx.Navigation) *model {
	if m.set != nil {
		if name := m.set.Bindings[nav.Name]; name != "" {
			if next := m.service.modelOf(m.meta, name); next != nil {
				return next
			}
		}
	}
	target := m.meta.Types[nav.Target]
	if target == nil {
		return nil
	}
	for name, set := range m.meta.Sets {
		if set.Type == target && m.meta.only(target) {
			return m.service.modelOf(m.meta, name)
		}
	}
	return &model{service: m.service, meta: m.meta, typ: target, name: m.service.name + "." + target.Name}
}

// only reports whether a type has one set alone.
func (m *metadata) only(t *edmx.Type) bool {
	n := 0
	for _, set := range m.Sets {
		if set.Type == t {
			n++
		}
	}
	return n == 1
}

// root is the path of the model's set within its service.
func (m *model) root() string {
	if m.set == nil {
		return ""
	}
	return "/" + m.set.Name
}

// addressable returns an error for a model that only nested reads reach.
func (m *model) addressable(doing string) error {
	if m.set != nil {
		return nil
	}
	return &adapter.Error{
		Code: adapter.Unsupported, Model: m.name,
		Message: fmt.Sprintf("%s has no entity set of its own: it can't be %s by itself, only through the record it belongs to", m.name, doing),
		Err:     errors.ErrUnsupported,
	}
}

// wrong is an ErrInvalidArgument about a field of the model.
func (m *model) wrong(field, format string, args ...any) error {
	return &adapter.Error{Code: adapter.InvalidArgument, Model: m.name, Field: field, Message: fmt.Sprintf(format, args...)}
}

// unsupported is an ErrUnsupported about a field of the model.
func (m *model) unsupported(field, format string, args ...any) error {
	return &adapter.Error{Code: adapter.Unsupported, Model: m.name, Field: field, Message: fmt.Sprintf(format, args...), Err: errors.ErrUnsupported}
}

// unknown is the error for a field that the model lacks.
func (m *model) unknown(path, name string) error {
	err := adapter.UnknownField(m.schema(), name)
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		own := *e
		own.Field = path
		return &own
	}
	return err
}

// The media types of answers.
const (
	jsonPlain = "application/json"
	// Numbers of 64 bits and decimals as texts, so that nothing on the way
	// makes floating point numbers of them.
	jsonExact = "application/json;odata.metadata=minimal;IEEE754Compatible=true"
)

func accept(media string) http.Header { return http.Header{"Accept": {media}} }

// header is what every request to the model's service has.
func (m *model) header() http.Header {
	if m.v4() {
		return http.Header{"Accept": {jsonExact}, "Odata-Version": {"4.0"}, "Odata-Maxversion": {"4.01"}}
	}
	return http.Header{"Accept": {jsonPlain}, "Dataserviceversion": {"2.0"}, "Maxdataserviceversion": {"2.0"}}
}

// contentType is that of what is written.
func (m *model) contentType() string {
	if m.v4() {
		return "application/json;IEEE754Compatible=true"
	}
	return jsonPlain
}

// request is a request to the model's service.
func (m *model) request(ctx context.Context, method, path, query string) wire.Request {
	return wire.Request{
		Method: method, Service: m.service.path, Path: path, Query: query, Header: m.header(),
		Model: m.name, Language: language(ctx), Changes: method != http.MethodGet,
	}
}

// do makes a request, and forgets metadata that the answer contradicts.
func (m *model) do(ctx context.Context, req wire.Request) (*wire.Response, error) {
	resp, err := m.service.client.conn.Do(ctx, req)
	if err != nil {
		m.contradicted(err)
		return nil, err
	}
	if looksLikePage(resp.Body) {
		return nil, m.pageError(req.Changes)
	}
	return resp, nil
}

// contradicted forgets metadata where a refusal shows that they have changed.
func (m *model) contradicted(err error) {
	if fault, ok := errors.AsType[*wire.Fault](err); ok && fault.Status == http.StatusBadRequest || adapter.CodeOf(err) == adapter.NotFound {
		m.service.drop(m.meta)
	}
}

// looksLikePage reports whether an answer is a web page: SAP's logon page comes
// with the status 200.
func looksLikePage(body []byte) bool {
	start := bytes.ToLower(bytes.TrimLeft(body[:min(len(body), 64)], " \t\r\n\ufeff"))
	return bytes.HasPrefix(start, []byte("<!doctype")) || bytes.HasPrefix(start, []byte("<html"))
}

func (m *model) pageError(changes bool) error {
	e := &adapter.Error{Code: adapter.Unauthenticated, Model: m.name, Message: "SAP answered with a page for people, such as its logon page: check the URL, and that the service takes this way to log in"}
	if changes {
		e.Code = adapter.UnknownOutcome
	}
	return e
}

// batch sends change sets to the model's service.
func (m *model) batch(ctx context.Context, sets []wire.ChangeSet) ([]wire.Outcome, error) {
	req := wire.Request{Service: m.service.path, Model: m.name, Language: language(ctx), Header: http.Header{}}
	if m.v4() {
		req.Header.Set("Odata-Version", "4.0")
		req.Header.Set("Odata-Maxversion", "4.01")
		// Without it a service stops at the first part that fails.
		req.Header.Set("Prefer", "odata.continue-on-error")
	} else {
		req.Header.Set("Dataserviceversion", "2.0")
		req.Header.Set("Maxdataserviceversion", "2.0")
	}
	return m.service.client.conn.Batch(ctx, req, sets)
}

func quote(s string) string {
	const most = 80
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return fmt.Sprintf("%q", s)
}
