package export

import (
	"context"
	_ "embed" // of the presets
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

//go:embed presets.yaml
var presetsFile []byte

// preset is one report by name.
type preset struct {
	Title string           `yaml:"title"` // a message of package i18n
	Kinds map[string]basis `yaml:",inline"`
}

// basis is what a kind of system is asked for.
type basis struct {
	Model  string   `yaml:"model"`
	Filter []any    `yaml:"filter"`
	Fields []string `yaml:"fields"`
	Order  string   `yaml:"order"`
	Date   string   `yaml:"date"` // the field that a period is about, "" for none
}

var presets = func() map[string]preset {
	var all map[string]preset
	if err := yaml.Unmarshal(presetsFile, &all); err != nil {
		panic("presets.yaml: " + err.Error()) //nolint:forbidigo // the file is part of the program, and every test says so
	}
	return all
}()

// Presets are the names of the reports.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }

// Period are the days that a report is about, both included; "" is open.
type Period struct{ Start, End string }

// Preset fills a request in for the report of a name.
func Preset(ctx context.Context, sys *bridge.System, name string, p Period, r Request) (Request, error) {
	report, known := presets[name]
	if !known {
		return r, adapter.Errorf(adapter.NotFound, "there is no report %q; there are %s", name, strings.Join(Presets(), ", "))
	}
	b, known := report.Kinds[sys.Kind()]
	if !known {
		return r, adapter.Errorf(adapter.Unsupported, "there is no report %q of systems of kind %s; export a model instead", name, sys.Kind())
	}
	described, err := sys.Describe(ctx, b.Model)
	if err != nil {
		return r, err
	}
	raw, err := json.Marshal(b.Filter)
	if err != nil {
		return r, err
	}
	r.Model = b.Model
	if len(b.Filter) > 0 {
		if r.Filter, err = adapter.ParseDomainJSON(raw); err != nil {
			return r, err
		}
	}
	if r.Order, err = adapter.ParseOrder(b.Order); err != nil {
		return r, err
	}
	for _, f := range b.Fields {
		if described.Has(f) {
			r.Fields = append(r.Fields, f)
		}
	}
	if r.Title == "" {
		r.Title = r.Words.T(report.Title)
	}
	within, err := p.filter(b.Date, described.Fields[b.Date].Type, r.Zone)
	if err != nil {
		return r, err
	}
	if len(within) > 0 {
		if r.Filter != nil {
			within = append(adapter.And{r.Filter}, within...)
		}
		r.Filter = within
	}
	return r, nil
}

// filter are the conditions of the period on a field. The days are those of the
// zone.
func (p Period) filter(field string, t adapter.FieldType, zone *time.Location) (adapter.And, error) {
	if zone == nil {
		zone = time.UTC
	}
	var start, end time.Time
	for _, day := range []struct {
		name, text string
		at         *time.Time
	}{{"start_date", p.Start, &start}, {"end_date", p.End, &end}} {
		if day.text == "" {
			continue
		}
		at, err := time.ParseInLocation(time.DateOnly, day.text, zone)
		if err != nil {
			return nil, &adapter.Error{Code: adapter.InvalidArgument, Field: day.name, Message: day.name + " must be a day such as 2026-01-31"}
		}
		if field == "" {
			return nil, &adapter.Error{Code: adapter.InvalidArgument, Field: day.name, Message: day.name + ": this report is of the present moment; it takes no period"}
		}
		*day.at = at
	}
	if !start.IsZero() && !end.IsZero() && end.Before(start) {
		return nil, &adapter.Error{Code: adapter.InvalidArgument, Field: "end_date", Message: "end_date is before start_date"}
	}
	var within adapter.And
	add := func(op adapter.Op, at time.Time) {
		value := at.Format(time.DateOnly)
		if t == adapter.DateTime {
			value = at.UTC().Format(time.DateTime)
		}
		within = append(within, adapter.Cond{Field: field, Op: op, Value: value})
	}
	if !start.IsZero() {
		add(adapter.GreaterEq, start)
	}
	if !end.IsZero() {
		add(adapter.Less, end.AddDate(0, 0, 1))
	}
	return within, nil
}
