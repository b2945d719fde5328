package bridge_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cache"
)

func Example() {
	ctx := context.Background()
	open := func(context.Context, bridge.SystemConfig) (adapter.Adapter, error) {
		return memory.New(adapter.Schema{Model: "res.partner", Fields: map[string]adapter.Field{"name": {Type: adapter.Char}}}), nil
	}
	kept := cache.New(cache.NewMemory(0))
	defer kept.Close()
	b, err := bridge.New(bridge.Config{
		Source:  bridge.Static(bridge.SystemConfig{Tenant: "acme", ID: "main", Kind: "memory"}),
		Openers: map[string]bridge.Opener{"memory": open},
		Cache:   kept,
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()

	sys, err := b.System(ctx, bridge.Caller{Tenant: "acme", User: "sara"}, "main")
	if err != nil {
		fmt.Println(err)
		return
	}
	made, err := sys.Create(ctx, "res.partner", adapter.Record{"name": "Azure Interior"})
	fmt.Println(made["id"], err)
	for range 2 {
		answer, err := sys.Operation(ctx, "search_read", bridge.OperationRequest{Model: "res.partner", Fields: bridge.Names{"name"}})
		fmt.Println(string(answer.Result), answer.Cached, err)
	}
	_, err = b.System(ctx, bridge.Caller{Tenant: "umbrella", User: "eve"}, "main")
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// [{"id":1,"name":"Azure Interior"}] false <nil>
	// [{"id":1,"name":"Azure Interior"}] true <nil>
	// not_found: there is no system "main"
}
