// Package bridge puts callers and systems together: it looks a system up for
// a caller with an identity, dials it when it is first needed, keeps answers
// in a cache, stops asking a system that does not answer, and gives every
// system a bounded share of the process.
//
//	b, err := bridge.New(bridge.Config{
//		Source:  bridge.Static(bridge.SystemConfig{Tenant: "acme", ID: "main", Kind: "odoo", Connection: conn}),
//		Openers: map[string]bridge.Opener{"odoo": open},
//		Cache:   cache.New(cache.NewMemory(0)),
//	})
//	sys, err := b.System(ctx, bridge.Caller{Tenant: "acme", User: "sara"}, "main")
//	answer, err := sys.Operation(ctx, "search_read", bridge.OperationRequest{Model: "res.partner"})
//
// A system can be used in its own words, in those of another version of its
// kind ([System.As]), or in the universal vocabulary, which is the same for
// every kind of system ([System.Universal]):
//
//	universal, err := sys.Universal(bridge.UniversalOptions{})
//	contact, err := universal.Create(ctx, "contact", adapter.Record{"name": "Azure", "country": "SA"})
//
// Everything that the HTTP API can do, a Go program can do with this package.
package bridge
