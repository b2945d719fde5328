package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/recordsync"
)

// holder names this run to others.
func holder() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("bridgecore sync, process %d on %s (%s)", os.Getpid(), cmp.Or(host, "this machine"), rand.Text()[:6])
}

// models synchronises one model after the other, and what waited for a later one
// again.
func (c syncCommand) models(ctx context.Context, w world, pair recordsync.Pair, account *syncAccount) error {
	for _, model := range c.Models {
		if err := c.model(ctx, w, pair, account, &modelAccount{Model: model}); err != nil {
			return err
		}
	}
	if c.DryRun {
		return nil
	}
	for _, m := range account.Models[:len(c.Models)-1] {
		if !slices.ContainsFunc(m.Records, func(o recordsync.Outcome) bool { return len(o.Waiting) > 0 }) {
			continue
		}
		if err := c.model(ctx, w, pair, account, &modelAccount{Model: m.Model, Again: true}); err != nil {
			return err
		}
		// What is left is told once.
		m.Refused, m.Open = nil, nil
	}
	return nil
}

func (c syncCommand) model(ctx context.Context, w world, pair recordsync.Pair, account *syncAccount, m *modelAccount) error {
	pair.Model, pair.Fields, pair.Match = m.Model, of(m.Model, c.Fields), of(m.Model, c.Match)
	var err error
	if pair.Filter, err = c.filter(m.Model); err != nil {
		return err
	}
	if !c.DryRun {
		if err := c.turn(ctx, w, &pair); err != nil {
			return err
		}
		// A run that does not begin keeps it otherwise.
		defer func() { _ = pair.Links.Lease(context.WithoutCancel(ctx), m.Model, pair.Holder, 0) }()
	}
	m.Records = []recordsync.Outcome{}
	account.Models = append(account.Models, m)
	var stop func()
	pair.Watch, stop = c.progress(w, m.Model)
	_, err = pair.Run(ctx, func(o recordsync.Outcome) { m.Records = append(m.Records, o) })
	stop()
	m.Records = recordsync.Settled(m.Records)
	for i := range m.Records {
		m.Add(&m.Records[i])
	}
	m.Records = slices.DeleteFunc(m.Records, func(o recordsync.Outcome) bool { return o.Action == recordsync.Unchanged })
	left := context.WithoutCancel(ctx)
	var listErr error
	if m.Open, listErr = recordsync.ListConflicts(left, pair.Links, m.Model, 0, 0); listErr == nil {
		m.Refused, listErr = pair.Links.Select(left, m.Model, recordsync.Want{Kind: recordsync.WantRefused})
	}
	return cmp.Or(err, listErr)
}

// turn takes the pair, after somebody who was killed perhaps: one who lives
// prolongs what he has.
func (c syncCommand) turn(ctx context.Context, w world, p *recordsync.Pair) error {
	var first *recordsync.Held
	tick := time.NewTicker(min(c.Lease/20, time.Second))
	defer tick.Stop()
	for {
		err := p.Links.Lease(ctx, p.Model, p.Holder, c.Lease)
		held, busy := errors.AsType[*recordsync.Held](err)
		switch {
		case !busy:
			return err
		case strings.HasPrefix(held.By, store.OperationHolder), first != nil && *held != *first:
			return err
		case first == nil:
			first = held
			if err := w.say(w.stderr, "cli_sync_held", "Model", p.Model, "By", held.By); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// progress shows how it stands: as a bar on a terminal, otherwise a line now and
// then.
func (c syncCommand) progress(w world, model string) (watch func(recordsync.Standing), stop func()) {
	say := func(s recordsync.Standing) string {
		if s.Wait > 0 {
			return w.words.T("cli_sync_waits", "Model", model, "Seconds", int(s.Wait/time.Second)+1)
		}
		return w.words.T("cli_sync_stands", "Model", model, "Phase", w.words.T(i18n.PhaseKey+string(s.Phase)), "Looked", s.Sums.Total, "Written", s.Sums.Wrote(), "Refused", s.Sums.Errors+s.Sums.Reverse.Errors)
	}
	if terminal, ok := w.stderr.(*os.File); ok && !c.JSON && term.IsTerminal(int(terminal.Fd())) {
		bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(terminal), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSpinnerType(14), progressbar.OptionSetElapsedTime(true))
		return func(s recordsync.Standing) { bar.Describe(say(s)); _ = bar.Add(1) }, func() { _ = bar.Exit(); fmt.Fprintln(terminal) }
	}
	const often = 10 * time.Second
	last := time.Now()
	return func(s recordsync.Standing) {
		if s.Wait > 0 || time.Since(last) > often {
			last = time.Now()
			fmt.Fprintln(w.stderr, say(s))
		}
	}, func() {}
}
