package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

// tasksCommands work on the operations of all tenants: they are for the
// operator, who has the database.
type tasksCommands struct {
	List   tasksListCommand   `cmd:"" help:"List background operations, the newest first."`
	Show   tasksShowCommand   `cmd:"" help:"Show one operation."`
	Cancel tasksCancelCommand `cmd:"" help:"Cancel an operation that waits or runs."`
	Retry  tasksRetryCommand  `cmd:"" help:"Let an operation that failed or was cancelled go on from where it stopped."`
	Watch  tasksWatchCommand  `cmd:"" help:"Follow an operation to its end, with a progress bar."`
}

type tasksListCommand struct {
	Kind  string `help:"Only of this kind: batch, migrate, report, sync." enum:",batch,migrate,report,sync" default:"" placeholder:"KIND"`
	State string `help:"Only in this state: queued, running, succeeded, failed, cancelled." enum:",queued,running,succeeded,failed,cancelled" default:"" placeholder:"STATE"`
	Limit int    `help:"At most this many." default:"50"`
}

// Run prints a table.
func (c tasksListCommand) Run(ctx context.Context, w world) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	list, err := s.Operations(ctx, store.OperationFilter{Kind: c.Kind, State: store.OperationState(c.State), Limit: c.Limit})
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(out, "ID\tKIND\tSTATE\tDONE\tUSER\tSYSTEM\tCREATED")
	for i := range list {
		op := &list[i]
		_, _ = fmt.Fprintf(out, "%s\t%s\t%s\t%d/%d\t%s\t%s\t%s\n", op.ID, op.Kind, op.State, op.Done, op.Total, op.Username, op.SystemID, op.CreatedAt.UTC().Format(time.DateTime))
	}
	return out.Flush()
}

type tasksShowCommand struct {
	ID string `arg:"" help:"The operation."`
}

// Run prints one operation.
func (c tasksShowCommand) Run(ctx context.Context, w world) error {
	s, op, err := w.operation(ctx, c.ID)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	out := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	for _, row := range [][2]string{
		{"id", op.ID}, {"kind", op.Kind}, {"state", string(op.State)}, {"user", op.Username}, {"system", op.SystemID},
		{"progress", fmt.Sprintf("%d of %d", op.Done, op.Total)}, {"message", w.words.Kept(op.Message)}, {"result", op.Result}, {"error", op.Error},
		{"failures in a row", strconv.FormatInt(op.Attempts, 10)}, {"created", when(&op.CreatedAt)}, {"started", when(op.StartedAt)},
		{"finished", when(op.FinishedAt)}, {"expires", when(op.ExpiresAt)}, {"request", op.RequestID},
	} {
		if row[1] != "" {
			_, _ = fmt.Fprintf(out, "%s\t%s\n", row[0], row[1])
		}
	}
	return out.Flush()
}

func when(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.DateTime) + " UTC"
}

type tasksCancelCommand struct {
	ID string `arg:"" help:"The operation."`
}

// Run cancels.
func (c tasksCancelCommand) Run(ctx context.Context, w world) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	conf, err := w.config()
	if err != nil {
		return err
	}
	if _, err := s.Operation(ctx, c.ID); errors.Is(err, adapter.ErrNotFound) {
		return noOperation(c.ID)
	} else if err != nil {
		return err
	}
	if err := s.CancelOperation(ctx, c.ID, time.Duration(conf.OperationRetentionHours)*time.Hour); err != nil {
		return err
	}
	op, err := s.Operation(ctx, c.ID)
	if err != nil {
		return err
	}
	if op.State == store.Cancelled {
		_, err = fmt.Fprintln(w.stdout, "cancelled", op.ID)
	} else {
		_, err = fmt.Fprintln(w.stdout, "asked its worker to end", op.ID)
	}
	return err
}

type tasksRetryCommand struct {
	ID string `arg:"" help:"The operation."`
}

// Run lets the operation go on; the workers see it within seconds.
func (c tasksRetryCommand) Run(ctx context.Context, w world) error {
	s, _, err := w.operation(ctx, c.ID)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if err := s.RetryOperation(ctx, c.ID); err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.stdout, "queued again", c.ID)
	return err
}

// operation opens the database and finds an operation in it.
func (w world) operation(ctx context.Context, id string) (*store.Store, store.Operation, error) {
	s, err := w.open(ctx)
	if err != nil {
		return nil, store.Operation{}, err
	}
	op, err := s.Operation(ctx, id)
	if errors.Is(err, adapter.ErrNotFound) {
		err = noOperation(id)
	}
	if err != nil {
		return nil, op, errors.Join(err, s.Close())
	}
	return s, op, nil
}

func noOperation(id string) error {
	return fmt.Errorf("there is no operation %q; bridgecore tasks list prints those that there are", id)
}

type tasksWatchCommand struct {
	ID string `arg:"" help:"The operation."`
}

// Run follows the operation; one that does not succeed ends the program with
// status 1.
func (c tasksWatchCommand) Run(ctx context.Context, w world) error {
	s, op, err := w.operation(ctx, c.ID)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	bar := progressbar.NewOptions64(max(op.Total, 1), progressbar.OptionSetWriter(w.stderr), progressbar.OptionShowCount(),
		progressbar.OptionSetDescription(op.Kind), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(40))
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for !op.State.Final() {
		bar.ChangeMax64(max(op.Total, 1))
		bar.Describe(op.Kind + " " + string(op.State))
		_ = bar.Set64(min(op.Done, max(op.Total, 1)))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if op, err = s.Operation(ctx, c.ID); err != nil {
			return err
		}
	}
	_ = bar.Set64(min(op.Done, max(op.Total, 1)))
	_ = bar.Exit()
	_, _ = fmt.Fprintln(w.stderr)
	if _, err := fmt.Fprintln(w.stdout, strings.TrimSpace(string(op.State)+" "+w.words.Kept(op.Message))); err != nil {
		return err
	}
	if op.State != store.Succeeded {
		return fmt.Errorf("the operation ended as %s; see: bridgecore tasks show %s", op.State, op.ID)
	}
	return nil
}
