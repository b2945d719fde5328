// Package audit records who did what. Entries are written to the store in
// batches: those that arrive while one batch is written make up the next, so a
// busy server pays for few transactions and a quiet one waits for nobody.
package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// Appender is what the log needs of the store.
type Appender interface {
	AppendAudit(ctx context.Context, entries []*store.AuditEntry) error
}

// Values says what is kept of the values that were written.
type Values string

// The ways to keep values.
const (
	Names  Values = "names"  // which fields, not what: the default
	Hashes Values = "hashes" // a keyed hash of each, to tell later whether it was a certain value
)

// Config says how the log behaves. Store is required.
type Config struct {
	Store  Appender
	Values Values // "" is Names
	Key    []byte // of the hashes
	// BestEffort lets changes be acknowledged although they could not be
	// recorded. Otherwise they are not.
	BestEffort bool
	// Notify is told of every entry that is durable; nil for nobody. It must
	// return at once.
	Notify func(*store.AuditEntry)
	Log    *slog.Logger // nil for slog.Default
}

// How much is written at once, how much may wait, and for how long.
const (
	maxBatch = 256
	maxQueue = 8192
	timeout  = 10 * time.Second
)

// ErrClosed is what Append returns after Close.
var ErrClosed = errors.New("the audit log is closed")

// Log records entries. It is safe for concurrent use. Close it before the
// store.
type Log struct {
	Config
	queue chan pending
	done  chan struct{}

	mu     sync.RWMutex
	closed bool
}

// pending is an entry that waits for its batch.
type pending struct {
	entry   *store.AuditEntry
	written chan error // nil where nobody waits
}

// New starts a log.
func New(c Config) *Log {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Values == "" {
		c.Values = Names
	}
	l := &Log{Config: c, queue: make(chan pending, maxQueue), done: make(chan struct{})}
	go l.run()
	return l
}

// Append records an entry and returns when it is durable. With BestEffort it
// returns nil even if it is not; the failure is logged.
func (l *Log) Append(ctx context.Context, e *store.AuditEntry) error {
	p := pending{e, make(chan error, 1)}
	if err := l.send(ctx, p, true); err != nil {
		return l.forgive(err)
	}
	select {
	case err := <-p.written:
		return l.forgive(err)
	case <-ctx.Done():
		// It will be written all the same; nobody knows yet.
		return l.forgive(context.Cause(ctx))
	}
}

// Add records an entry without waiting for it. When too many wait already it
// is dropped, which is logged: only for what changes nothing.
func (l *Log) Add(e *store.AuditEntry) {
	if err := l.send(context.Background(), pending{entry: e}, false); err != nil {
		l.Log.Warn("an audit entry was dropped", "action", e.Action, "request_id", e.RequestID, "error", err)
	}
}

var errFull = errors.New("too many entries wait to be written")

func (l *Log) send(ctx context.Context, p pending, wait bool) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.closed {
		return ErrClosed
	}
	select {
	case l.queue <- p:
		return nil
	default:
	}
	if !wait {
		return errFull
	}
	select {
	case l.queue <- p:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *Log) forgive(err error) error {
	if err != nil && l.BestEffort {
		l.Log.Error("a change was not recorded in the audit log", "error", err)
		return nil
	}
	return err
}

// Close writes what waits and stops.
func (l *Log) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.queue)
	}
	l.mu.Unlock()
	<-l.done
	return nil
}

func (l *Log) run() {
	defer close(l.done)
	for first := range l.queue {
		batch := append(make([]pending, 0, maxBatch), first)
	more:
		for len(batch) < maxBatch {
			select {
			case p, ok := <-l.queue:
				if !ok {
					break more
				}
				batch = append(batch, p)
			default:
				break more
			}
		}
		l.write(batch)
	}
}

func (l *Log) write(batch []pending) {
	entries := make([]*store.AuditEntry, len(batch))
	waiting := false
	for i, p := range batch {
		entries[i] = p.entry
		waiting = waiting || p.written != nil
	}
	// Not the requests' contexts: an entry is written though its caller left.
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := l.Store.AppendAudit(ctx, entries)
	if err != nil && !waiting {
		l.Log.Error("audit entries were lost", "count", len(batch), "error", err)
	}
	for _, p := range batch {
		if err == nil && l.Notify != nil {
			l.Notify(p.entry)
		}
		if p.written != nil {
			p.written <- err
		}
	}
}

// Describe is what is kept of values that were written, as JSON: the fields'
// names, or a keyed hash for each.
func (l *Log) Describe(values map[string]any) map[string]any {
	out := make(map[string]any, len(values))
	for name, v := range values {
		if l.Values != Hashes {
			out[name] = true
			continue
		}
		out[name] = Hash(l.Key, name, v)
	}
	return out
}

// Hash is the keyed hash of a field's value.
func Hash(key []byte, field string, v any) string {
	b, err := json.Marshal([2]any{field, v})
	if err != nil {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(b)
	return "hmac-sha256:" + hex.EncodeToString(mac.Sum(nil)[:16])
}
