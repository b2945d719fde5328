package bridge_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/memory"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cache"
)

func ExampleSystem_Attach() {
	ctx := context.Background()
	open := func(context.Context, bridge.SystemConfig) (adapter.Adapter, error) {
		return memory.New(adapter.Schema{Model: "res.partner", Fields: map[string]adapter.Field{"name": {Type: adapter.Char}}}), nil
	}
	b, err := bridge.New(bridge.Config{
		Source:  bridge.Static(bridge.SystemConfig{Tenant: "acme", ID: "main", Kind: "memory"}),
		Openers: map[string]bridge.Opener{"memory": open},
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
	for _, name := range []string{"Azure Interior", "Deco Addict"} {
		if _, err := sys.Create(ctx, "res.partner", adapter.Record{"name": name}); err != nil {
			fmt.Println(err)
		}
	}
	// Every partner, in memory that does not grow with them, gets a letter.
	for partner, err := range sys.Each(ctx, adapter.Query{Model: "res.partner", Fields: []string{"name"}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		letter := adapter.Attachment{Name: "letter.txt", MIMEType: "text/plain", Model: "res.partner", RecordID: partner.ID()}
		stored, err := sys.Attach(ctx, letter, strings.NewReader("Dear "+partner.String("name")))
		if err != nil {
			fmt.Println(err)
			return
		}
		file, err := sys.OpenAttachment(ctx, stored.ID)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := io.ReadAll(file)
		fmt.Println(file.Name, file.Size, string(text), file.Close())
	}
	// Output:
	// letter.txt 19 Dear Azure Interior <nil>
	// letter.txt 16 Dear Deco Addict <nil>
}

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
