package mapping

import "github.com/bridgecore/bridgecore/adapter"

// Direction says which way a test goes.
type Direction string

// The directions.
const (
	Both        Direction = "both"
	ToSystem    Direction = "to_system"
	ToUniversal Direction = "to_universal"
)

// Case is a test beside a mapping; the package's comment has its form.
type Case struct {
	Name      string
	Universal map[string]any
	System    map[string]any
	Written   map[string]any
	Direction Direction
	Operation string
	Version   string
	Lookup    map[string][]map[string]any
	Warnings  []string
	Error     string
	IsFilter  bool
	Filter    adapter.Filter
	Gives     adapter.Filter
	Fields    []string
	Reads     []string
	Pos       Position
}
