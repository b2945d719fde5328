package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/schemas"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/mapping"
	"github.com/bridgecore/bridgecore/mapping/standard"
)

// standardMappings names the mappings that are part of the program, where
// files of one's own may be named.
const standardMappings = "standard"

// mappingFile reports whether a file holds mappings rather than rules of
// migration: its first document says which of them it is.
func mappingFile(content []byte) bool {
	var first yaml.Node
	if err := yaml.Unmarshal(content, &first); err != nil || len(first.Content) == 0 || first.Content[0].Kind != yaml.MappingNode {
		return false
	}
	keys := first.Content[0].Content
	for i := 0; i < len(keys); i += 2 {
		if keys[i].Value == "mapping" || keys[i].Value == "universal" {
			return true
		}
	}
	return false
}

// areMappings reports whether a name, as commands take it, stands for mappings.
func areMappings(name string) (map[string][]byte, bool, error) {
	if name == standardMappings {
		return nil, true, nil
	}
	if isPack(name) {
		return nil, false, nil
	}
	files, err := packFiles(name)
	if err != nil {
		return nil, false, err
	}
	var yes, no string
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if mappingFile(files[file]) {
			yes = file
		} else {
			no = file
		}
	}
	if yes != "" && no != "" {
		return nil, false, misused("%s holds mappings and %s does not: keep them in folders of their own", yes, no)
	}
	return files, yes != "", nil
}

// loadMappings loads files of mappings, over the standard ones unless over is
// none.
func loadMappings(name string, files map[string][]byte, over string) (*mapping.Set, error) {
	if name == standardMappings {
		return standard.Set(), nil
	}
	var base *mapping.Set
	if over != "none" {
		base = standard.Set()
	}
	set, err := mapping.LoadFiles(files, mapping.Over(base))
	if err != nil {
		return nil, mappingsError(name, err)
	}
	return set, nil
}

// mappingsError gives every mistake in a file of mappings.
func mappingsError(name string, err error) error {
	if mistakes, ok := errors.AsType[mapping.LoadErrors](err); ok {
		return misused("the mappings of %s can't be used\n%s", name, mistakes.Error())
	}
	return misused("the mappings of %s can't be used: %s", name, message(err))
}

// lintMappings looks over mappings and returns what is doubtful.
func lintMappings(name string, files map[string][]byte, over string) ([]mapping.Finding, error) {
	set, err := loadMappings(name, files, over)
	if err != nil {
		return nil, err
	}
	findings := []mapping.Finding{}
	for _, f := range set.Lint(recordedSchema) {
		if mine(files, f.Pos) {
			findings = append(findings, f)
		}
	}
	return findings, nil
}

// mine tells what is said of one's own files from what is said of the standard
// ones below.
func mine(files map[string][]byte, at mapping.Position) bool {
	_, ok := files[at.File]
	return ok || files == nil
}

// recordedSchema describes a model as it was recorded of Odoo Community; nil
// where it was not.
func recordedSchema(system, version, model string) *adapter.Schema {
	if system != systems.Odoo {
		return nil
	}
	number, _, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(number)
	if err != nil {
		return nil
	}
	recorded := schemas.Fields(model, major)
	if recorded == nil {
		return nil
	}
	s := &adapter.Schema{Model: model, Fields: make(map[string]adapter.Field, len(recorded))}
	for name, f := range recorded {
		field := adapter.Field{
			Type: adapter.FieldType(f.Type), Relation: f.Relation, Inverse: f.Inverse, Required: f.Required,
			Stored: f.Stored, Searchable: f.Searchable, Sortable: f.Sortable,
			// What is stored can be written, though forms show it read-only.
			Readonly: f.Readonly && !f.Stored,
		}
		for _, key := range f.Selection {
			field.Selection = append(field.Selection, adapter.Option{Value: key, Label: key})
		}
		s.Fields[name] = field
	}
	return s
}

type mappingFlags struct {
	Over string `default:"standard" enum:"standard,none" help:"What mappings of one's own are laid over: standard, or none." placeholder:"standard|none"`
}

type testMappingsCommand struct {
	Files []string `arg:"" optional:"" name:"file" help:"standard (the default), or a file or folder of one's own."`
	mappingFlags
	JSON    bool `help:"Print JSON."`
	Verbose bool `short:"v" help:"Print the tests that passed too."`
}

// mappingOutcome is the result of a test, as JSON.
type mappingOutcome struct {
	Pos      mapping.Position `json:"pos"`
	Name     string           `json:"name"`
	Model    string           `json:"model"`
	System   string           `json:"system"`
	Version  string           `json:"version,omitempty"`
	Passed   bool             `json:"passed"`
	Problems []string         `json:"problems"`
}

// Run runs the tests that stand beside mappings.
func (c testMappingsCommand) Run(ctx context.Context, w world) error {
	if len(c.Files) == 0 {
		c.Files = []string{standardMappings}
	}
	outcomes, passed := []mappingOutcome{}, 0
	for _, name := range c.Files {
		files, ok, err := areMappings(name)
		if err != nil {
			return err
		}
		if !ok {
			return misused("%s holds no mappings; bridgecore test-rules tests rule packs", name)
		}
		set, err := loadMappings(name, files, c.Over)
		if err != nil {
			return err
		}
		for _, r := range set.Test(ctx) {
			if !mine(files, r.Case.Pos) {
				continue
			}
			outcomes = append(outcomes, mappingOutcome{r.Case.Pos, r.Case.Name, r.Model, r.System, r.Version, r.Passed(), append([]string{}, r.Problems...)})
			if r.Passed() {
				passed++
			}
			if !c.JSON && (c.Verbose || !r.Passed()) {
				if _, err := fmt.Fprintln(w.stdout, r); err != nil {
					return err
				}
			}
		}
	}
	return told(w.stdout, c.JSON, outcomes, len(outcomes), passed, "mappings")
}

// told says how tests went.
func told(w io.Writer, asJSON bool, outcomes any, all, passed int, beside string) error {
	var err error
	if asJSON {
		err = printJSON(w, outcomes)
	} else {
		_, err = fmt.Fprintf(w, "%d tests, %d passed\n", all, passed)
	}
	switch {
	case err != nil:
		return err
	case all == 0:
		return found("there are no tests beside the %s", beside)
	case passed < all:
		return found("%d of %d tests failed", all-passed, all)
	}
	return nil
}

type mappingsCommand struct {
	Files []string `arg:"" optional:"" name:"file" help:"Files or folders of one's own, laid over the standard mappings."`
	JSON  bool     `help:"Print JSON."`
}

// Run prints which system has which universal field.
func (c mappingsCommand) Run(w world) error {
	set := standard.Set()
	for _, name := range c.Files {
		files, ok, err := areMappings(name)
		if err != nil {
			return err
		}
		if !ok {
			return misused("%s holds no mappings", name)
		}
		if set, err = mapping.LoadFiles(files, mapping.Over(set)); err != nil {
			return mappingsError(name, err)
		}
	}
	if c.JSON {
		return printJSON(w.stdout, set.Coverage())
	}
	_, err := fmt.Fprint(w.stdout, set.Coverage())
	return err
}
