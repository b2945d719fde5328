package recordsync

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/bridge"
)

// Words are in which the two systems are compared.
type Words string

// The words.
const (
	// Own are each system's own: for two systems of one kind and version.
	Own Words = "own"
	// Pinned are those of Pair.Version, for two versions of Odoo: rules of
	// migration translate, see [bridge.System.As].
	Pinned Words = "pinned"
	// Universal are those that all kinds have, see [bridge.System.Universal].
	Universal Words = "universal"
)

// DefaultWords are those that two systems have in common: their own where they
// are of one kind, otherwise the universal ones.
func DefaultWords(source, target *bridge.System) Words {
	if source.Kind() != target.Kind() {
		return Universal
	}
	return Own
}

// Of is a system in the words; version is that of Pinned.
func (w Words) Of(sys *bridge.System, version string) (*bridge.System, error) {
	switch w {
	case Universal:
		return sys.Universal(bridge.UniversalOptions{})
	case Pinned:
		return sys.As(version)
	}
	return sys.As("")
}

// Policy decides a conflict: a field that both sides changed to different values
// since they were last the same.
type Policy string

// The policies.
const (
	SourceWins Policy = "source" // the default
	TargetWins Policy = "target"
	Newest     Policy = "newest" // of two records the one that was changed last, see the package's documentation
	Manual     Policy = "manual" // neither: somebody chooses, see Resolve
)

// Deletions say what a deletion on one side does to the other.
type Deletions string

// What a deletion does.
const (
	Ignore    Deletions = "ignore"    // nothing: the default
	Propagate Deletions = "propagate" // the other record is deleted too
	Archive   Deletions = "archive"   // the other record's field "active" becomes false
)

// The defaults of a Pair.
const (
	DefaultPage        = 200
	DefaultConcurrency = 4
	DefaultSettle      = 40 * time.Second
	DefaultLease       = 2 * time.Minute
)

// Pair is what is kept the same. Source, Target, Model and Links are required;
// every other zero value has a default.
type Pair struct {
	Source, Target *bridge.System
	// Model is what is synchronised, named in the Words.
	Model string
	Words Words // "" is DefaultWords
	// Version is that of Pinned, such as "17.0".
	Version string
	// Fields are those to synchronise, in the Words. nil are all that both
	// systems have, store and let be written; files and lines are not among them.
	Fields []string
	// Filter selects the records, on both sides. One that ceases to match is
	// left as it is.
	Filter adapter.Filter
	// Along are models that are synchronised too, before or after this one: what
	// refers to a record of theirs that is not there yet waits for it.
	Along         []string
	Bidirectional bool
	Policy        Policy    // "" is SourceWins
	Deletions     Deletions // "" is Ignore
	// Match are fields by which a record is recognised that the other side has
	// already, the best first: a barcode, an email. One that several records
	// have is never guessed at: it becomes a conflict.
	Match []string
	// ExternalID is a field of the target that keeps the source's id, such as
	// an external id of Salesforce. It must not be one of Fields.
	ExternalID string
	DryRun     bool
	// Retry tries records again that were refused, though they did not change.
	Retry       bool
	Page        int // records at a time; 0 is DefaultPage
	Concurrency int // changes under way at a time; 0 is DefaultConcurrency
	// Settle is how long a system may go on with a call whose answer was lost.
	// What became of that is not looked for before. 0 is DefaultSettle, negative
	// does not wait.
	Settle time.Duration
	Links  Links
	// Holder is who runs: two runs of one pair at once are refused unless
	// they are by the same. "" is somebody new each time.
	Holder string
	// Lease is for how long a run that died still has the pair; one that lives
	// prolongs it. 0 is DefaultLease.
	Lease time.Duration
	// Watch hears from Run after every step how it stands, and before it waits.
	// nil hears nothing.
	Watch func(Standing)
	Now   func() time.Time // our clock; nil is time.Now
}

// Standing is how it stands with a run.
type Standing struct {
	Phase Phase // that is next
	Sums  Sums  // so far
	// Wait is how long the run waits now, for what may still arrive at a system.
	Wait time.Duration
}

// Session is a Pair that was looked at, ready to be run.
type Session struct {
	Pair
	sides  [2]*side
	fields []string
	shape  string
	state  State
	run    string // of this run
	phase  Phase
	step   int64
	refs   map[refKey]ref
	told   map[adapter.ID]bool // see Progress.Told
}

// side is one of the systems in a Session.
type side struct {
	at     Side
	system *bridge.System // in the Words, with archived records
	schema *adapter.Schema
	dated  string   // the field with the date of the last change, "" for none
	read   []string // fields that are read
}

// dates are the fields that hold a record's last change, the best first.
var dates = []string{"write_date", "updated_at", "SystemModstamp", "LastModifiedDate", "LastChangeDateTime", "LastChangeDate"}

// Open looks at both systems and refuses a Pair that can't work, with the
// reason.
func Open(ctx context.Context, p Pair) (*Session, error) {
	if err := p.complete(); err != nil {
		return nil, err
	}
	s := &Session{Pair: p, refs: map[refKey]ref{}}
	for at, sys := range []*bridge.System{p.Source, p.Target} {
		got, err := s.open(ctx, Side(at), sys)
		if err != nil {
			return nil, err
		}
		s.sides[at] = got
	}
	if err := s.choose(); err != nil {
		return nil, err
	}
	var err error
	if s.state, err = p.Links.State(ctx, p.Model); err == nil {
		s.askClocks(ctx)
	}
	return s, err
}

func (p *Pair) complete() error {
	if p.Words == "" && p.Source != nil && p.Target != nil {
		p.Words = DefaultWords(p.Source, p.Target)
	}
	for _, d := range []struct {
		to       *string
		fallback string
		field    string
		known    []string
	}{
		{(*string)(&p.Words), string(Own), "words", []string{string(Own), string(Pinned), string(Universal)}},
		{(*string)(&p.Policy), string(SourceWins), "conflicts", []string{string(SourceWins), string(TargetWins), string(Newest), string(Manual)}},
		{(*string)(&p.Deletions), string(Ignore), "deletions", []string{string(Ignore), string(Propagate), string(Archive)}},
	} {
		if *d.to == "" {
			*d.to = d.fallback
		}
		if !slices.Contains(d.known, *d.to) {
			return wrong(d.field, "%s: %q is not known; there are %s", d.field, *d.to, strings.Join(d.known, ", "))
		}
	}
	switch {
	case p.Source == nil || p.Target == nil:
		return errors.New("a Pair needs a Source and a Target")
	case p.Links == nil:
		return errors.New("a Pair needs Links; recordsync.NewMemory makes some")
	case p.Model == "":
		return wrong("model", "the model is missing")
	case p.Source.ID() == p.Target.ID():
		return wrong("target_system_id", "a system can't be synchronised with itself")
	case p.Words == Pinned && p.Version == "":
		return wrong("version", "words that are pinned need a version, such as 17.0")
	case p.Words != Universal && p.Source.Kind() != p.Target.Kind():
		return wrong("words", "system %q is %s and %q is %s: they have only universal words in common", p.Source.ID(), p.Source.Kind(), p.Target.ID(), p.Target.Kind())
	}
	if p.Page <= 0 {
		p.Page = DefaultPage
	}
	if p.Concurrency <= 0 {
		p.Concurrency = DefaultConcurrency
	}
	if p.Settle == 0 {
		p.Settle = DefaultSettle
	}
	if p.Lease <= 0 {
		p.Lease = DefaultLease
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Holder == "" {
		p.Holder = token()
	}
	return nil
}

func token() string {
	var b [12]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func wrong(field, format string, args ...any) error {
	return &adapter.Error{Code: adapter.InvalidArgument, Field: field, Message: fmt.Sprintf(format, args...)}
}

// open translates a side and describes its model.
func (s *Session) open(ctx context.Context, at Side, sys *bridge.System) (*side, error) {
	if sys.Kind() == "odoo" {
		scope := sys.Scope()
		scope.Values = maps.Clone(scope.Values)
		if scope.Values == nil {
			scope.Values = map[string]any{}
		}
		// Archived records are records too; neither followers nor messages of
		// their own for what comes from elsewhere.
		scope.Values["active_test"] = false
		scope.Values["tracking_disable"] = true
		sys = sys.WithScope(scope)
	}
	sys, err := s.Words.Of(sys, s.Version)
	if err != nil {
		return nil, err
	}
	got := &side{at: at, system: sys}
	if got.schema, err = sys.Describe(ctx, s.Model); err != nil {
		return nil, err
	}
	for _, name := range dates {
		if f, ok := got.schema.Fields[name]; ok && (f.Type == adapter.DateTime || f.Type == adapter.Date) {
			got.dated = name
			break
		}
	}
	return got, nil
}

// kept are fields that a system lets be written though it keeps them itself:
// Odoo the ids of a record's ancestors, which are others elsewhere.
var kept = []string{"parent_path"}

// choose settles the fields.
func (s *Session) choose() error {
	source, target := s.sides[Source], s.sides[Target]
	s.fields = slices.Clone(s.Fields)
	if s.fields == nil {
		for name, f := range source.schema.Fields {
			g, both := target.schema.Fields[name]
			switch {
			case !both, name == "id", name == s.ExternalID, slices.Contains(kept, name), !carried(f.Type), f.Type.Relational() != g.Type.Relational():
			case !f.Stored, !g.Stored, g.Readonly, s.Bidirectional && f.Readonly:
			default:
				s.fields = append(s.fields, name)
			}
		}
		slices.Sort(s.fields)
	}
	for _, name := range s.fields {
		for _, sd := range s.sides {
			f, known := sd.schema.Fields[name]
			if !known {
				err, _ := errors.AsType[*adapter.Error](adapter.UnknownField(sd.schema, name))
				err.Message = fmt.Sprintf("%s (of system %q)", err.Message, sd.system.ID())
				return err
			}
			if !carried(f.Type) {
				return wrong("fields", "field %q is %s, which is not synchronised: lines are a model of their own, and files are not values", name, f.Type)
			}
		}
		if name == s.ExternalID {
			return wrong("external_id_field", "field %q keeps the external id and can't be synchronised as well", name)
		}
	}
	if len(s.fields) == 0 {
		return wrong("fields", "the systems have no field in common that can be written")
	}
	for _, name := range s.Match {
		for _, sd := range s.sides {
			if !sd.schema.Has(name) {
				return wrong("match", "match: system %q has no field %q", sd.system.ID(), name)
			}
		}
	}
	if s.ExternalID != "" && !target.schema.Has(s.ExternalID) {
		return wrong("external_id_field", "system %q has no field %q to keep external ids in", target.system.ID(), s.ExternalID)
	}
	for _, sd := range s.sides {
		if s.Deletions == Archive && (sd.at == Target || s.Bidirectional) && !sd.schema.Has("active") {
			return wrong("deletions", "system %q has no field \"active\": its records can't be archived", sd.system.ID())
		}
		sd.read = slices.Clone(s.fields)
		for _, name := range append(slices.Clone(s.Match), sd.dated) {
			if name != "" && !slices.Contains(sd.read, name) {
				sd.read = append(sd.read, name)
			}
		}
	}
	b, err := json.Marshal([]any{s.Words, s.Version, s.fields, adapter.FormatDomain(s.Filter), s.Bidirectional})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	s.shape = hex.EncodeToString(sum[:8])
	return nil
}

// carried reports whether values of a type are synchronised.
func carried(t adapter.FieldType) bool {
	switch t {
	case adapter.One2Many, adapter.Binary, adapter.Reference, adapter.JSON, adapter.Properties, adapter.Unknown:
		return false
	}
	return true
}

// Names are the fields that are synchronised.
func (s *Session) Names() []string { return slices.Clone(s.fields) }

// Run brings both sides together, and returns when there is nothing left to do
// or something is in the way. It tells outcomes as they come. What was done
// stays done: a later Run goes on.
func (p Pair) Run(ctx context.Context, tell func(Outcome)) (Sums, error) {
	if p.Holder == "" {
		p.Holder = token()
	}
	var sums Sums
	s, err := Open(ctx, p)
	if err != nil {
		return sums, err
	}
	defer func() { _ = s.Release(context.WithoutCancel(ctx)) }()
	for at := (Progress{}); at.Phase != PhaseDone; {
		outcomes, err := s.Step(ctx, &at)
		for i := range outcomes {
			sums.Add(&outcomes[i])
			if tell != nil {
				tell(outcomes[i])
			}
		}
		wait, arriving := stillArriving(err)
		if p.Watch != nil && (err == nil || arriving) {
			p.Watch(Standing{at.Phase, sums, wait})
		}
		if arriving {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
				continue
			case <-ctx.Done():
				timer.Stop()
			}
		}
		if err != nil {
			return sums, err
		}
	}
	return sums, nil
}

// Release gives the pair back to others.
func (s *Session) Release(ctx context.Context) error {
	if s.DryRun {
		return nil
	}
	return s.Links.Lease(ctx, s.Model, s.Holder, 0)
}
