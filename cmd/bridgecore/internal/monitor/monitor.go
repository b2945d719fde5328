// Package monitor writes the page on which admins see background operations and
// what they are done by. It knows no HTTP and no database: it is given what
// there is to show. Whatever is shown was said by somebody, so that all of it
// goes through html/template.
package monitor

import (
	"embed"
	"encoding/json"
	"html/template"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

//go:embed *.html style.css
var files embed.FS

// Style is the page's style sheet.
var Style = func() []byte {
	b, err := files.ReadFile("style.css")
	if err != nil {
		panic("monitor: " + err.Error()) //nolint:forbidigo // the file is part of the program
	}
	return b
}()

// Path is where the page is served.
const Path = "/tasks"

// States are those that one can ask for, in the order in which they are shown.
var States = []store.OperationState{store.Running, store.Queued, store.Failed, store.Succeeded, store.Cancelled}

// Frame is what every page has.
type Frame struct {
	Words *i18n.Words
	Now   time.Time
	// Reload is the number of seconds after which the page is fetched again; 0
	// is never.
	Reload int
	Here   string // the address of this page, without its language
}

// Login is the page on which one logs in.
type Login struct {
	Frame

	Username string
	Problem  string // why it did not work, in the language of the words
}

// Filter is which operations are shown.
type Filter struct {
	State, Kind string
	Before      string // the id of the last one on the page before
	Still       bool   // the page is not fetched again by itself
}

// Address is where they are shown.
func (f Filter) Address() string {
	q := url.Values{}
	for name, value := range map[string]string{"state": f.State, "kind": f.Kind, "before": f.Before} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Still {
		q.Set("still", "1")
	}
	if len(q) == 0 {
		return Path
	}
	return Path + "?" + q.Encode()
}

// With returns the filter for another state, from its newest on.
func (f Filter) With(state store.OperationState) Filter {
	f.State, f.Before = string(state), ""
	return f
}

// Of returns the filter for another kind, from its newest on.
func (f Filter) Of(kind string) Filter {
	f.Kind, f.Before = kind, ""
	return f
}

// After returns the filter for what comes after an operation.
func (f Filter) After(id string) Filter {
	f.Before = id
	return f
}

// Stop returns the filter for a page that is not fetched again.
func (f Filter) Stop(still bool) Filter {
	f.Still = still
	return f
}

// Page is what there is to see.
type Page struct {
	Frame

	User    string
	Tenant  string // "" for all of them
	Seal    string // proves that a form was on a page of this session
	Filter  Filter
	Problem string

	Counts     []store.OperationCount
	Finished   []store.FinishedOperation // within the last hour
	Operations []store.Operation
	More       bool             // there are older ones
	Tenants    map[int64]string // names, where all are shown
	Rounds     []Round
	Workers    []store.Worker
}

// Round is how it stands with something periodic.
type Round struct {
	Name, State, Error string
	Every, Took        time.Duration
	LastAt, NextAt     time.Time
}

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"list": func(v ...string) []string { return v },
}).ParseFS(files, "*.html"))

// Write writes the page.
func (l *Login) Write(w io.Writer) error { return templates.ExecuteTemplate(w, "login.html", l) }

// Write writes the page.
func (p *Page) Write(w io.Writer) error { return templates.ExecuteTemplate(w, "tasks.html", p) }

// T is a message.
func (f *Frame) T(key string) string { return f.Words.T(key) }

// State is what a state is called.
func (f *Frame) State(state any) string {
	switch s, _ := state.(store.OperationState); s {
	case store.Running:
		return f.Words.T("monitor_running")
	case store.Queued:
		return f.Words.T("monitor_queued")
	case store.Succeeded:
		return f.Words.T("monitor_succeeded")
	case store.Failed:
		return f.Words.T("monitor_failed")
	case store.Cancelled:
		return f.Words.T("monitor_cancelled")
	}
	switch state {
	case "waiting":
		return f.Words.T("monitor_queued")
	case "":
		return f.Words.T("monitor_never")
	}
	if text, is := state.(string); is {
		return f.State(store.OperationState(text))
	}
	return ""
}

// Direction is that in which the language is read.
func (f *Frame) Direction() string {
	if f.Words.Language == "ar" {
		return "rtl"
	}
	return "ltr"
}

// Languages are those in which the page can be had.
func (f *Frame) Languages() []Language {
	var list []Language
	for _, code := range i18n.Languages {
		at, err := url.Parse(f.Here)
		if err != nil {
			continue
		}
		q := at.Query()
		q.Set("lang", code)
		at.RawQuery = q.Encode()
		list = append(list, Language{code, map[string]string{"en": "English", "ar": "العربية", "fr": "Français"}[code], at.String(), code == f.Words.Language})
	}
	return list
}

// Language is one that can be chosen.
type Language struct {
	Code, Name, Address string
	Chosen              bool
}

// At is a time as people read it, in UTC.
func (f *Frame) At(t any) string {
	at, ok := t.(time.Time)
	if p, is := t.(*time.Time); is && p != nil {
		at, ok = *p, true
	}
	if !ok || at.IsZero() {
		return "–"
	}
	at = at.UTC()
	if at.Format(time.DateOnly) == f.Now.UTC().Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	return at.Format("2006-01-02 15:04")
}

// Took is a duration as people read it.
func (f *Frame) Took(d time.Duration) string {
	w := f.Words
	switch {
	case d < 0:
		return "–"
	case d < time.Second:
		return w.T("monitor_ms", "N", d.Milliseconds())
	case d < time.Minute:
		return w.T("monitor_s", "N", int(d.Seconds()))
	case d < time.Hour:
		return w.T("monitor_min", "N", int(d.Minutes())) + rest(w, "monitor_s", int(d.Seconds())%60)
	case d < 48*time.Hour:
		return w.T("monitor_h", "N", int(d.Hours())) + rest(w, "monitor_min", int(d.Minutes())%60)
	}
	return w.T("monitor_d", "N", int(d.Hours())/24)
}

func rest(w *i18n.Words, key string, n int) string {
	if n == 0 {
		return ""
	}
	return " " + w.T(key, "N", n)
}

// Kind is a row of the table of kinds.
type Kind struct {
	Name   string
	Counts []int64 // by States
	Hour   int     // ended within the last hour
	Mean   string  // how long they took, from start to end
}

// Kinds are the kinds that there are, with all of them last.
func (p *Page) Kinds() []Kind {
	var list []Kind
	row := func(name string) *Kind {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
		list = append(list, Kind{Name: name, Counts: make([]int64, len(States))})
		return &list[len(list)-1]
	}
	all := Kind{Counts: make([]int64, len(States))}
	for _, c := range p.Counts {
		k := row(c.Kind)
		for i, state := range States {
			if c.State == state {
				k.Counts[i] += c.Count
				all.Counts[i] += c.Count
			}
		}
	}
	took, timed := map[string]time.Duration{}, map[string]int{}
	for i := range p.Finished {
		op := &p.Finished[i]
		row(op.Kind).Hour++
		all.Hour++
		if op.StartedAt != nil {
			for _, name := range [...]string{op.Kind, ""} {
				took[name] += op.FinishedAt.Sub(*op.StartedAt)
				timed[name]++
			}
		}
	}
	list = append(list, all)
	for i := range list {
		if n := timed[list[i].Name]; n > 0 {
			list[i].Mean = p.Took(took[list[i].Name] / time.Duration(n))
		}
	}
	return list
}

// Total is the sum over all kinds.
func (p *Page) Total() Kind {
	all := p.Kinds()
	return all[len(all)-1]
}

// Lately is how many operations ended within the last minute.
func (p *Page) Lately() int {
	n := 0
	for i := range p.Finished {
		if p.Now.Sub(p.Finished[i].FinishedAt) <= time.Minute {
			n++
		}
	}
	return n
}

// StatesShown are the states with the counts of all kinds.
func (p *Page) StatesShown() []Shown {
	list := []Shown{{Name: p.T("monitor_all"), Address: p.Filter.With("").Address(), Chosen: p.Filter.State == ""}}
	total := p.Total()
	for i, s := range States {
		list = append(list, Shown{p.State(s), string(s), p.Filter.With(s).Address(), total.Counts[i], p.Filter.State == string(s)})
	}
	return list
}

// Shown is a choice of the filter.
type Shown struct {
	Name, Class, Address string
	Count                int64
	Chosen               bool
}

// Operation is a row of the table of operations.
type Operation struct {
	store.Operation

	Owner     string // of which tenant; "" where it is the only one
	Percent   int64
	Said      string // how it goes, or why it failed
	Code      string // of the failure
	Duration  string
	Stoppable bool
	Again     bool // it can be tried again
}

// Rows are the operations.
func (p *Page) Rows() []Operation {
	list := make([]Operation, len(p.Operations))
	for i := range p.Operations {
		op := Operation{Operation: p.Operations[i], Said: p.Words.Kept(p.Operations[i].Message)}
		if p.Tenants != nil {
			op.Owner = p.Tenants[op.TenantID]
		}
		if op.Total > 0 {
			op.Percent = min(100, op.Done*100/op.Total)
		}
		if op.State == store.Succeeded {
			op.Percent = 100
		}
		if op.Error != "" {
			var problem struct{ Code, Message string }
			if json.Unmarshal([]byte(op.Error), &problem) == nil {
				op.Code, op.Said = problem.Code, p.Words.Say(problem.Message)
			}
		}
		op.Stoppable = !op.State.Final() && !op.Cancel
		op.Again = op.State == store.Failed || op.State == store.Cancelled
		switch {
		case op.StartedAt == nil:
		case op.FinishedAt != nil:
			op.Duration = p.Took(op.FinishedAt.Sub(*op.StartedAt))
		default:
			op.Duration = p.Took(p.Now.Sub(*op.StartedAt))
		}
		list[i] = op
	}
	return list
}

// Short is an id that is short enough for a column and still tells apart: the
// beginning is the time, the end is chance.
func (o *Operation) Short() string {
	if at := strings.LastIndexByte(o.ID, '-'); at > 0 {
		return o.ID[at+1:]
	}
	return o.ID
}

// Older is where the operations go on, "" at the end.
func (p *Page) Older() string {
	if !p.More || len(p.Operations) == 0 {
		return ""
	}
	return p.Filter.After(p.Operations[len(p.Operations)-1].ID).Address()
}

// roundNames are the messages that say what something periodic does.
var roundNames = map[string]string{
	"purge-audit": "monitor_round_purge_audit", "refresh-systems": "monitor_round_refresh_systems",
	"expire-results": "monitor_round_expire_results", "cache-statistics": "monitor_round_cache_statistics",
}

// Round is what something periodic does.
func (p *Page) Round(name string) string {
	if key := roundNames[name]; key != "" {
		return p.Words.T(key)
	}
	return name
}
