package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/breaker"
	"github.com/bridgecore/bridgecore/cache"
	"github.com/bridgecore/bridgecore/mapping"
)

// The defaults of Config.
const (
	DefaultMaxConcurrent = 10
	DefaultMaxWait       = 2 * time.Second
	DefaultCallTimeout   = 30 * time.Second
	DefaultRetries       = 2
	DefaultRecheck       = time.Second
	DefaultIdle          = 30 * time.Minute
)

// Config makes a Bridge. Source and Openers are required; every other zero
// value has a default or turns the part off.
type Config struct {
	Source  Source
	Openers map[string]Opener // by the system's kind
	// Cache keeps answers; nil asks the system every time. The bridge does
	// not close it.
	Cache   *cache.Cache
	Breaker breaker.Settings // for each system; OnChange is called too

	MaxConcurrent int           // calls to one system at a time; 0 is DefaultMaxConcurrent
	MaxWait       time.Duration // how long a call waits for its turn; 0 is DefaultMaxWait
	// CallTimeout bounds one call to a system, dialling included. It counts as
	// the system's failure when it passes, so callers' own deadlines, which
	// don't, should be longer. 0 is DefaultCallTimeout.
	CallTimeout time.Duration
	// Retries is how often a call that may be repeated is repeated; 0 is
	// DefaultRetries, negative is never. Whatever it says, repeated calls stay
	// under a tenth of a system's calls, apart from a few at the beginning.
	Retries int
	// Recheck is how long a system's configuration is used before Source is
	// asked again. 0 is DefaultRecheck. [Bridge.Forget] is sooner.
	Recheck time.Duration
	Idle    time.Duration // connections unused for so long are closed; 0 is DefaultIdle
	// RecordTTL is how long answers with records are kept; 0 is five minutes.
	// Names and descriptions of fields have their own times.
	RecordTTL time.Duration

	Access Access // nil allows every model and public method
	// Lenses let systems be used as other versions of their kind, see
	// [System.As]; by kind.
	Lenses map[string]Lens
	// Mappings let systems be used in the universal vocabulary, see
	// [System.Universal]; nil leaves that to the systems that have their own.
	Mappings *mapping.Set
	// NoAutoExpand keeps search_read from fetching the name, email and phone
	// of a partner_id that nobody asked for.
	NoAutoExpand bool
	// Keep holds what cursors of [System.Changes] are too small for; nil is the
	// memory of this process.
	Keep Keep

	Observer Observer
	Logger   *slog.Logger // nil is slog.Default
}

// Bridge reaches systems for callers. It is safe for concurrent use.
type Bridge struct {
	config Config
	log    *slog.Logger
	// mappings are Config's, nil for none.
	mappings *layer
	keep     Keep
	now      func() time.Time // by which cursors of System.Changes note when
	tracked  int64            // how many records a model may have for System.Changes to find deletions

	mu     sync.RWMutex
	optics map[string]*optics // by kind
	links  map[systemName]*link
	// tenants outlive the links: they count since the bridge was made.
	tenants sync.Map // of *statistics, by tenant
	closed  bool
	wait    sync.WaitGroup // closing of retired links
}

// New makes a bridge. It refuses a configuration that can't work, with a
// sentence that says why.
func New(c Config) (*Bridge, error) {
	switch {
	case c.Source == nil:
		return nil, errors.New("a bridge needs a Source of systems; bridge.Static makes one of a fixed list")
	case len(c.Openers) == 0:
		return nil, errors.New("a bridge needs an Opener for at least one kind of system")
	case c.MaxConcurrent < 0 || c.MaxWait < 0 || c.CallTimeout < 0 || c.Recheck < 0 || c.Idle < 0 || c.RecordTTL < 0:
		return nil, errors.New("the limits of a bridge can't be negative; 0 is the default")
	}
	for kind, open := range c.Openers {
		if kind == "" || open == nil {
			return nil, fmt.Errorf("the Opener of kind %q is missing", kind)
		}
	}
	if err := c.Access.validate(); err != nil {
		return nil, err
	}
	setDefault(&c.MaxConcurrent, DefaultMaxConcurrent)
	setDefault(&c.MaxWait, DefaultMaxWait)
	setDefault(&c.CallTimeout, DefaultCallTimeout)
	setDefault(&c.Retries, DefaultRetries)
	setDefault(&c.Recheck, DefaultRecheck)
	setDefault(&c.Idle, DefaultIdle)
	setDefault(&c.RecordTTL, ttlRecords)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	b := &Bridge{config: c, log: c.Logger, optics: map[string]*optics{}, links: map[systemName]*link{}, keep: c.Keep, now: time.Now, tracked: changesTracked}
	if b.keep == nil {
		b.keep = newMemoryKeep()
	}
	if c.Mappings != nil {
		b.mappings = newLayer(c.Mappings, "")
	}
	for kind, l := range c.Lenses {
		o, err := newOptics(kind, l)
		if err != nil {
			return nil, err
		}
		b.optics[kind] = o
	}
	return b, nil
}

func setDefault[T int | time.Duration](v *T, value T) {
	if *v == 0 {
		*v = value
	}
}

// System returns a tenant's system as the caller may use it. It does not dial
// the system: that waits for the first call. A system of another tenant is
// ErrNotFound exactly as one that does not exist.
func (b *Bridge) System(ctx context.Context, caller Caller, id string) (*System, error) {
	if err := caller.check(); err != nil {
		return nil, err
	}
	l, err := b.link(ctx, systemName{caller.Tenant, id})
	if err != nil {
		return nil, err
	}
	sys := &System{bridge: b, link: l, caller: caller}
	if v := l.config.PinnedVersion; v != "" {
		return sys.As(v)
	}
	return sys, nil
}

// Forget drops what the bridge knows of a system: call it when its
// configuration changed or it was removed. Calls under way end; answers that
// were kept are left behind.
func (b *Bridge) Forget(tenant, id string) {
	name := systemName{tenant, id}
	b.mu.Lock()
	l := b.links[name]
	delete(b.links, name)
	b.mu.Unlock()
	if l != nil {
		b.retire(l)
	}
	b.config.Cache.Bump(context.Background(), cache.Subject{Tenant: tenant, System: id})
}

// Close closes all connections and waits until the calls under way have
// ended. Later calls are ErrUnavailable.
func (b *Bridge) Close() error {
	b.mu.Lock()
	b.closed = true
	links := slices.Collect(maps.Values(b.links))
	clear(b.links)
	b.mu.Unlock()
	for _, l := range links {
		b.retire(l)
	}
	b.wait.Wait()
	return nil
}

// link returns the connection of a system under its present configuration.
func (b *Bridge) link(ctx context.Context, name systemName) (*link, error) {
	b.mu.RLock()
	l, closed := b.links[name], b.closed
	b.mu.RUnlock()
	if closed {
		return nil, errClosed
	}
	// One caller asks the Source again while the others go on with what is
	// known.
	if l != nil && !l.due(b.config.Recheck) {
		return l, nil
	}
	config, err := b.config.Source.System(ctx, name.tenant, name.id)
	if err != nil {
		code := adapter.CodeOf(err)
		switch {
		case l == nil:
		case code == adapter.NotFound, code == adapter.PermissionDenied:
			b.Forget(name.tenant, name.id) //nolint:contextcheck // it was removed or shut off, whoever happened to notice
		default:
			l.checked.Store(0) // not known: the next caller asks again
		}
		if code == adapter.NotFound {
			return nil, notFound(name.id)
		}
		return nil, bare(err)
	}
	if config.Tenant != name.tenant || config.ID != name.id {
		// A Source that mixes tenants up must not get through.
		b.log.Error("the source gave another system than the one asked for", "asked", name.tenant+"/"+name.id, "got", config)
		return nil, notFound(name.id)
	}
	open := b.config.Openers[config.Kind]
	if open == nil {
		kinds := slices.Sorted(maps.Keys(b.config.Openers))
		return nil, adapter.Errorf(adapter.Unsupported, "system %q is of kind %q; this bridge knows %s", name.id, config.Kind, strings.Join(kinds, ", "))
	}
	if l != nil && l.config.Revision == config.Revision {
		l.remap(&config)
		return l, nil
	}
	fresh := newLink(b, config, open)
	fresh.remap(&config)
	return b.install(name, l, fresh)
}

// install puts fresh in the place of old, unless somebody else did.
func (b *Bridge) install(name systemName, old, fresh *link) (*link, error) {
	var retired []*link
	b.mu.Lock()
	l := b.links[name]
	switch {
	case b.closed:
		b.mu.Unlock()
		return nil, errClosed
	case l != nil && l != old && l.config.Revision == fresh.config.Revision:
		fresh = l
	default:
		if l != nil {
			retired = append(retired, l)
		}
		b.links[name] = fresh
		for other, l := range b.links {
			if l != fresh && l.idle(b.config.Idle) {
				retired = append(retired, l)
				delete(b.links, other)
			}
		}
	}
	b.mu.Unlock()
	for _, l := range retired {
		b.retire(l)
	}
	return fresh, nil
}

// retire closes a link when its last call has ended.
func (b *Bridge) retire(l *link) {
	b.wait.Go(func() {
		if err := l.close(); err != nil {
			b.log.Warn("closing a system's connection failed", "system", l.config, "error", err)
		}
	})
}

var errClosed = &adapter.Error{Code: adapter.Unavailable, Message: "the bridge is closed", NothingSent: true}

func notFound(id string) error {
	return adapter.Errorf(adapter.NotFound, "there is no system %q", id)
}
