package migrate

import (
	"context"
	"errors"
	"iter"
	"runtime"

	"github.com/bridgecore/bridgecore/adapter"
)

// OnError says what a run does about a record that can't be migrated.
type OnError string

// The ways.
const (
	StopOnError OnError = "stop"    // the default, also of ""
	Collect     OnError = "collect" // go on, and return a [*PartialError]
)

// RunOptions say how a run goes. The zero value is right.
type RunOptions struct {
	Workers int // at once; 0 for one a processor
	OnError OnError
	// Skip passes over the first records of the source: as many as an earlier
	// run reported done.
	Skip int64
	// Done is called after every batch that the sink took, with the number of
	// records read since the beginning, skipped ones included. May be nil.
	Done func(records int64) error
}

func (o RunOptions) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}

// batchSize is how many records a worker takes at once.
const batchSize = 64

type batch struct {
	first   int64
	records []adapter.Record
	results []Result
	errs    []error
	tally   *tally
}

// Run carries records from a source up to a sink, in order, several at once,
// in constant memory. The sink is called by one goroutine at a time; its error
// ends the run, as does one of the source. The report is never nil. With
// Collect, refused records make a [*PartialError] at the end; otherwise the
// first one is the error, and the sink has all records before it.
func Run(ctx context.Context, source iter.Seq2[adapter.Record, error], sink func(Result) error, plan *Plan, opts RunOptions) (*Report, error) {
	report := plan.newReport()
	next, stop := iter.Pull2(source)
	defer stop()
	place := int64(0)
	var failed error
	read := func() (*batch, bool, error) {
		b := &batch{first: -1, tally: newTally()}
		for len(b.records) < batchSize && failed == nil {
			rec, err, more := next()
			if !more {
				break
			}
			if err != nil {
				failed = err
				break
			}
			place++
			if place <= opts.Skip {
				continue
			}
			if b.first < 0 {
				b.first = place - 1
			}
			b.records = append(b.records, rec)
		}
		if len(b.records) == 0 {
			return nil, false, failed
		}
		return b, true, nil
	}
	sessions := make([]*session, opts.workers())
	for i := range sessions {
		sessions[i] = newSession(plan)
	}
	work := func(w int, b *batch) {
		s := sessions[w]
		s.tally = b.tally
		b.results, b.errs = make([]Result, len(b.records)), make([]error, len(b.records))
		for i, rec := range b.records {
			if err := ctx.Err(); err != nil {
				b.errs[i] = err
				return
			}
			s.tally.begin(b.first + int64(i))
			b.results[i], b.errs[i] = s.up(ctx, rec)
			s.tally.end(b.errs[i] == nil, !b.results[i].Residue.Empty())
			if b.errs[i] != nil && opts.OnError != Collect {
				return
			}
		}
	}
	var first error
	take := func(b *batch) error {
		report.take(b.tally, plan)
		for i := range b.records {
			if err := b.errs[i]; err != nil {
				if ended := context.Cause(ctx); ended != nil {
					return ended
				}
				report.fault(b.first+int64(i), b.records[i].ID(), err)
				if opts.OnError != Collect {
					first = err
					return errStopped
				}
				continue
			}
			if err := sink(b.results[i]); err != nil {
				return err
			}
		}
		if opts.Done != nil {
			return opts.Done(b.first + int64(len(b.records)))
		}
		return nil
	}
	err := pipeline(ctx, len(sessions), read, work, take)
	return report, report.outcome(err, first)
}

// errStopped ends a pipeline at a refused record.
var errStopped = errors.New("stopped at a refused record")

func (p *Plan) newReport() *Report {
	return &Report{Model: p.model, ToModel: p.ToModel(), From: p.from, To: p.to, Fields: []FieldReport{}, Errors: []RecordFault{}, Warnings: p.Warnings()}
}

// take counts a batch in.
func (r *Report) take(t *tally, p *Plan) {
	r.add(t.report(p.opts.Source))
	r.Records += t.records
	r.Migrated += t.migrated
	r.Residues += t.residues
	r.Persons += t.persons
}

func (r *Report) fault(place int64, id adapter.ID, err error) {
	r.Failed++
	if len(r.Errors) >= mostFaults {
		return
	}
	f := RecordFault{Record: place, ID: id, Message: err.Error(), err: err}
	if e, ok := errors.AsType[*adapter.Error](err); ok {
		f.Field = e.Field
	}
	r.Errors = append(r.Errors, f)
}

func (r *Report) outcome(err, first error) error {
	switch {
	case first != nil && errors.Is(err, errStopped):
		return first
	case err != nil:
		return err
	case r.Failed > 0:
		return &PartialError{Migrated: r.Migrated, Failed: r.Failed, Faults: r.Errors}
	}
	return nil
}
