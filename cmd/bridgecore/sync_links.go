package main

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/recordsync"
)

// links are where it is kept which record is which: with the server's, if it
// knows both systems, otherwise in a file of their own.
func (c syncCommand) links(ctx context.Context, w world, e *ends, p *recordsync.Pair) (recordsync.Links, error) {
	var s *store.Store
	var err error
	tenant, name := c.Tenant, c.Links
	stored := !addressed(c.Source) && !addressed(c.Target)
	if stored && name == "" {
		s, err = w.open(ctx)
	} else {
		name = cmp.Or(name, "sync-"+fileName(e.from.ID())+"-to-"+fileName(e.to.ID())+".links.db")
		// It has the tables of the server's database, and needs a few of them.
		tenant = "command line"
		if s, err = store.Open(ctx, store.Options{Driver: "sqlite", DSN: name}); err != nil {
			return nil, misused("--links: %s can't be used: %w", name, err)
		}
	}
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, func() { _ = s.Close() })
	t, err := s.EnsureTenant(ctx, tenant)
	if err != nil {
		return nil, err
	}
	var refs [2]int64
	for i, sys := range []*bridge.System{e.from, e.to} {
		row, err := s.System(ctx, t.ID, sys.ID())
		if errors.Is(err, adapter.ErrNotFound) && name != "" {
			row = store.System{TenantID: t.ID, SystemID: sys.ID(), Kind: sys.Kind(), Name: sys.ID()}
			err = s.CreateSystem(ctx, &row)
		}
		if err != nil {
			return nil, err
		}
		refs[i] = row.ID
	}
	return s.SyncLinks(store.SyncPair{TenantID: t.ID, SourceRef: refs[0], TargetRef: refs[1], Words: store.SyncWords(p.Words, p.Version)}), nil
}

func addressed(name string) bool {
	return strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://")
}

// resolve keeps the decisions; the run does what they say.
func (c syncCommand) resolve(ctx context.Context, links recordsync.Links) error {
	for number, choice := range c.Resolve {
		id, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return misused("--resolve: %q does not read like 17=source", number+"="+choice)
		}
		for i, model := range c.Models {
			_, err := recordsync.Resolve(ctx, links, model, id, choice)
			if errors.Is(err, adapter.ErrNotFound) && i < len(c.Models)-1 {
				continue
			}
			if code := adapter.CodeOf(err); code == adapter.NotFound || code == adapter.InvalidArgument {
				return misused("--resolve %s=%s: %s", number, choice, message(err))
			}
			if err != nil {
				return err
			}
			break
		}
	}
	return nil
}
