package odoo

import (
	"embed"
	"io/fs"
	"sync"

	"github.com/bridgecore/bridgecore/migrate"
)

//go:embed packs
var files embed.FS

// First and Last are the versions that the packs begin and end with.
const (
	First = "13.0"
	Last  = "19.0"
)

// Versions returns the versions that the packs know, in order.
func Versions() []string {
	return []string{First, "14.0", "15.0", "16.0", "17.0", "18.0", Last}
}

// Documented returns the rules of BridgeCore's documentation, to the letter.
// Do not write what it gives to an Odoo server: use [Community] for that.
func Documented() *migrate.Pack { return documented() }

// Community returns what Odoo Community changed from 13.0 to 19.0.
func Community() *migrate.Pack { return community() }

// Packs returns the packs of this package by name; [Named] loads one alone.
func Packs() map[string]*migrate.Pack {
	return map[string]*migrate.Pack{"documented": Documented(), "community": Community()}
}

// Named returns a pack of this package, and whether there is one of the name.
// Only that one is loaded: reading the rules takes tens of milliseconds, once.
func Named(name string) (*migrate.Pack, bool) {
	switch name {
	case "documented":
		return Documented(), true
	case "community":
		return Community(), true
	}
	return nil, false
}

// Functions returns the Go functions that the packs' rules use, for packs of
// one's own: func rules find them by name when passed to Load.
func Functions() []migrate.LoadOption {
	options := make([]migrate.LoadOption, 0, len(functions))
	for name, f := range functions {
		options = append(options, migrate.WithFunc(name, f))
	}
	return options
}

var (
	documented = sync.OnceValue(func() *migrate.Pack { return load("documented") })
	community  = sync.OnceValue(func() *migrate.Pack { return load("community") })
)

// load reads a pack that is part of the program: a mistake in it is one in the
// program, which the tests find.
func load(name string) *migrate.Pack {
	sub, err := fs.Sub(files, "packs/"+name)
	if err != nil {
		panic(err) //nolint:forbidigo // the files are part of the program
	}
	p, err := migrate.Load(sub, Functions()...)
	if err != nil {
		panic(err) //nolint:forbidigo // the files are part of the program
	}
	return p
}
