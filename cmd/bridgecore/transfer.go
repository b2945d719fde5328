package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/bridgecore/bridgecore/adapter"
	odooadapter "github.com/bridgecore/bridgecore/adapter/odoo"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/mapping/standard"
	"github.com/bridgecore/bridgecore/transfer"
)

type transferCommand struct {
	From   string   `required:"" help:"Odoo to read: the id of a stored system, or http(s)://USER@HOST/DATABASE with the password or API key in TRANSFER_FROM_PASSWORD." placeholder:"SYSTEM|URL"`
	To     string   `required:"" help:"Odoo to write, the same, with TRANSFER_TO_PASSWORD." placeholder:"SYSTEM|URL"`
	Models []string `required:"" help:"Models to carry, named as in the system they come from." placeholder:"MODEL,..."`
	Pack   string   `default:"community" help:"Rules: community (what Odoo changed), documented, or a file or folder of one's own." placeholder:"community|documented|FILE"`
	Over   string   `default:"community" help:"Pack that rules of one's own are laid over; none for none." placeholder:"PACK"`

	DryRun           bool              `help:"Say what would be done, and write nothing."`
	Verify           bool              `help:"Read both sides back and compare what was carried; write nothing."`
	WithDependencies bool              `help:"Carry along the models of what the records refer to and the target does not have."`
	Unmatched        string            `default:"refuse" enum:"refuse,leave" help:"Where the target has no counterpart of what records refer to: refuse (to begin), or leave (these references out)." placeholder:"refuse|leave"`
	Map              map[string]string `help:"Record of the target that stands for one of the source, MODEL:ID=ID. May be repeated." placeholder:"MODEL:ID=ID"`
	LeaveOut         []string          `help:"Fields not to write, named as in the target, for one model alone as MODEL.FIELD." placeholder:"FIELD,..."`
	Delivered        string            `default:"adopt" enum:"adopt,create" help:"Records that both systems were delivered with, such as base.main_partner: adopt (they are the same, and changed), or create (anew)." placeholder:"adopt|create"`
	CarryState       bool              `help:"Carry the state of orders too. They are drafts otherwise."`
	Binary           bool              `help:"Carry images and files in fields too."`
	Page             int               `default:"100" help:"Records at a time." placeholder:"N"`
	State            string            `help:"File that says how far the transfer is; one named after both systems unless given. With it a broken run goes on, and a later one knows what the target keeps otherwise." placeholder:"FILE"`
	Report           string            `help:"File for the account of every record and field, as JSON." placeholder:"FILE"`
	Tenant           string            `default:"default" help:"Tenant of stored systems." placeholder:"NAME"`
	JSON             bool              `help:"Print the account as JSON."`
}

// Run carries models from one Odoo to another.
func (c transferCommand) Run(ctx context.Context, w world) error {
	if c.DryRun && c.Verify {
		return misused("--dry-run and --verify are two things: give one of them")
	}
	pack, _, err := loadPack(c.Pack, c.Over)
	if err != nil {
		return err
	}
	ends, err := w.ends(ctx, c)
	if err != nil {
		return err
	}
	defer ends.close()
	t := transfer.Transfer{
		Pack: pack, Source: ends.from, Target: ends.to, Models: c.Models, LeaveOut: c.LeaveOut, Map: map[string]adapter.ID{},
		Dependencies: c.WithDependencies, LeaveUnmatched: c.Unmatched == "leave", CreateDelivered: c.Delivered == "create",
		State: c.CarryState, Binary: c.Binary, Page: c.Page,
	}
	for from, to := range c.Map {
		n, err := strconv.ParseInt(to, 10, 64)
		if _, id, ok := strings.Cut(from, ":"); !ok || id == "" || err != nil {
			return misused("--map: %q does not read like res.users:6=2", from+"="+to)
		}
		t.Map[from] = adapter.IntID(n)
	}
	if c.State == "" {
		c.State = "transfer-" + fileName(ends.from.ID()) + "-to-" + fileName(ends.to.ID()) + ".state.json"
	}
	if !c.DryRun && !c.Verify {
		release, err := c.hold(ends.pair())
		if err != nil {
			return err
		}
		defer release()
	}
	if t.Resume, err = c.stateOf(ends); err != nil {
		return err
	}
	t.Save = c.save
	bar, stop := c.bar(w)
	t.Progress = bar
	run := t.Run
	switch {
	case c.DryRun:
		run = t.Survey
	case c.Verify:
		run = t.Verify
	}
	report, err := run(ctx)
	stop()
	if report != nil && !isMisuse(err) {
		if told := c.tell(w, report); told != nil {
			return errors.Join(err, told)
		}
	}
	return c.outcome(ctx, report, err)
}

// ends are the two systems of a transfer.
type ends struct {
	from, to *bridge.System
	closers  []func()
}

// pair names the two.
func (e *ends) pair() string { return e.from.ID() + " to " + e.to.ID() }

func (e *ends) close() {
	for _, f := range e.closers {
		f()
	}
}

// ends opens both systems.
func (w world) ends(ctx context.Context, c transferCommand) (_ *ends, err error) {
	e := &ends{}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	if e.from, err = w.end(ctx, e, "--from", c.From, "TRANSFER_FROM_PASSWORD", c.Tenant); err != nil {
		return nil, err
	}
	if e.to, err = w.end(ctx, e, "--to", c.To, "TRANSFER_TO_PASSWORD", c.Tenant); err != nil {
		return nil, err
	}
	if err = e.answer(ctx, "--from", "--to"); err != nil {
		return nil, err
	}
	if e.from.ID() == e.to.ID() {
		return nil, misused("--from and --to are the same system")
	}
	return e, nil
}

// answer reports which of the two systems does not answer, or lets nobody in.
func (e *ends) answer(ctx context.Context, from, to string) error {
	for _, x := range []struct {
		name   string
		system *bridge.System
	}{{from, e.from}, {to, e.to}} {
		if _, err := x.system.Version(ctx); err != nil {
			return fmt.Errorf("%s, %s: %s", x.name, x.system.ID(), message(err))
		}
	}
	return nil
}

func (w world) end(ctx context.Context, e *ends, flag, name, variable, tenant string) (*bridge.System, error) {
	if strings.HasPrefix(name, "http://") || strings.HasPrefix(name, "https://") {
		return w.addressed(ctx, e, flag, name, variable)
	}
	conf, err := w.config()
	if err != nil {
		return nil, err
	}
	if _, err := conf.FillSecrets(); err != nil {
		return nil, err
	}
	srv, err := assemble(ctx, conf, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, srv.close)
	tenants, err := srv.store.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tenants {
		if t.Name == tenant {
			return srv.bridge.System(ctx, bridge.Caller{Tenant: systems.Tenant(t.ID), User: "command line"}, strings.TrimPrefix(name, "system:"))
		}
	}
	return nil, misused("%s: %s is no address, which reads like %s, and for a stored system there is no tenant %q (--tenant)", flag, name, addressLike, tenant)
}

const addressLike = "http://USER@HOST/DATABASE"

// addressed reaches a system that is stored nowhere.
func (w world) addressed(ctx context.Context, e *ends, flag, address, variable string) (*bridge.System, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, misused("%s: it must read like %s", flag, addressLike) // not the text of the error: it repeats the address
	}
	if _, has := u.User.Password(); has {
		return nil, misused("%s: leave the password out of the address, and put it into %s", flag, variable)
	}
	path := strings.Trim(u.Path, "/")
	at := strings.LastIndex(path, "/")
	database := path[at+1:]
	if database == "" || u.User.Username() == "" || u.RawQuery != "" {
		return nil, misused("%s: it must read like %s", flag, addressLike)
	}
	secret := ""
	for _, entry := range w.environ {
		if v, is := strings.CutPrefix(entry, variable+"="); is {
			secret = v
		}
	}
	if secret == "" {
		return nil, misused("%s: put the password or API key of %s into %s", flag, u.User.Username(), variable)
	}
	base := url.URL{Scheme: u.Scheme, Host: u.Host}
	if at > 0 {
		base.Path = "/" + path[:at]
	}
	id := u.Host + "/" + path
	b, err := bridge.New(bridge.Config{
		Source: bridge.Static(bridge.SystemConfig{Tenant: "command line", ID: id, Kind: systems.Odoo}),
		Openers: map[string]bridge.Opener{systems.Odoo: func(ctx context.Context, _ bridge.SystemConfig) (adapter.Adapter, error) {
			client, err := odooadapter.Dial(ctx, odooadapter.Config{URL: base.String(), Database: database, Username: u.User.Username(), Password: secret, Timeout: callTimeout})
			if err != nil {
				return nil, err // not a nil client in the interface
			}
			return client, nil
		}},
		Lenses: systems.Lenses(), Mappings: standard.Set(),
		CallTimeout: callTimeout, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, func() { _ = b.Close() })
	return b.System(ctx, bridge.Caller{Tenant: "command line", User: "command line"}, id)
}

// callTimeout is long: nobody waits behind a screen, and to create an order of
// many lines takes its time.
const callTimeout = 5 * time.Minute

// fileName makes an id fit for a file's name.
func fileName(id string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("/\\:*?\"<>|", r) || r < ' ' {
			return '_'
		}
		return r
	}, id)
}

// stateOf reads where an earlier run stopped.
func (c transferCommand) stateOf(e *ends) (*transfer.State, error) {
	s := &transfer.State{Run: e.pair()}
	b, err := os.ReadFile(c.State)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, misused("--state: %w", err)
	}
	was := &transfer.State{}
	if err := json.Unmarshal(b, was); err != nil || was.Run == "" {
		return nil, misused("--state: %s holds no state of a transfer; name another file", c.State)
	}
	if was.Run != s.Run {
		return nil, misused("--state: %s is of the transfer %s; name another file", c.State, was.Run)
	}
	return was, nil
}

// save keeps the state: whole, or as it was.
func (c transferCommand) save(s *transfer.State) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	next := c.State + ".new"
	if err := writeSynced(next, b); err != nil {
		return err
	}
	return os.Rename(next, c.State)
}

// bar shows how far the transfer is, on a terminal alone.
func (c transferCommand) bar(w world) (func(transfer.Progress), func()) {
	terminal, ok := w.stderr.(*os.File)
	if c.JSON || !ok || !term.IsTerminal(int(terminal.Fd())) {
		return nil, func() {}
	}
	bar := progressbar.NewOptions64(1, progressbar.OptionSetWriter(terminal), progressbar.OptionShowCount(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(40))
	show := func(p transfer.Progress) {
		bar.ChangeMax(max(p.Total, 1))
		bar.Describe(p.Pass + " " + p.Model)
		_ = bar.Set(min(p.Done, max(p.Total, 1)))
	}
	return show, func() { _ = bar.Exit(); fmt.Fprintln(terminal) }
}

// tell gives the account.
func (c transferCommand) tell(w world, report *transfer.Report) error {
	if c.Report != "" {
		f, err := os.Create(c.Report)
		if err == nil {
			err = errors.Join(printJSON(f, report), f.Close())
		}
		if err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	if c.JSON {
		return printJSON(w.stdout, report)
	}
	if _, err := io.WriteString(w.stdout, report.String()); err != nil {
		return err
	}
	created, changed, unchanged, refused := report.Count()
	key := "cli_transferred"
	if report.Dry {
		key = "cli_transfer_surveyed"
	}
	return w.say(w.stdout, key, "Created", created, "Changed", changed, "Unchanged", unchanged, "Refused", refused, "Differences", report.DifferenceCount(), "Writes", report.Writes)
}

// isMisuse reports whether what was asked for can't be done, as against records
// that have no counterpart, which the report is about.
func isMisuse(err error) bool {
	if _, is := errors.AsType[*transfer.UnmatchedError](err); is || err == nil {
		return false
	}
	return slices.Contains([]adapter.Code{adapter.InvalidArgument, adapter.Unsupported, adapter.NotFound}, adapter.CodeOf(err))
}

// outcome turns the end into the status of the program.
func (c transferCommand) outcome(ctx context.Context, report *transfer.Report, err error) error {
	unmatched, isUnmatched := errors.AsType[*transfer.UnmatchedError](err)
	switch {
	case isUnmatched:
		return found("%s (--models, --with-dependencies, --map, --unmatched=leave); nothing was written", unmatched.Error())
	case isMisuse(err):
		return misused("%s", message(err))
	case err != nil && ctx.Err() != nil:
		return errors.New("interrupted; the same command goes on where it stopped")
	case err != nil && report != nil:
		return fmt.Errorf("%s; the same command goes on where it stopped", message(err))
	case err != nil:
		return err
	}
	_, _, _, refused := report.Count()
	switch {
	case refused > 0:
		return found("%d records were refused", refused)
	case c.DryRun && len(report.Unmatched) > 0:
		return found("the target has no counterpart of some references, see above")
	case c.Verify && report.DifferenceCount() > 0:
		return found("%d values differ", report.DifferenceCount())
	}
	return nil
}
