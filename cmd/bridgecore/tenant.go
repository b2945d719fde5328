package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/accounts"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

type tenantCommands struct {
	Add    tenantAddCommand    `cmd:"" help:"Add a tenant."`
	Set    tenantSetCommand    `cmd:"" help:"Change a tenant. Servers that run notice within ten seconds."`
	List   tenantListCommand   `cmd:"" help:"List the tenants."`
	Delete tenantDeleteCommand `cmd:"" help:"Lock a tenant's users out for good. What belongs to it is kept; set --status active brings it back."`
}

// tenantFlags are what can be said of a tenant.
type tenantFlags struct {
	TrialUntil string   `help:"Day or time at which the trial ends, in UTC: 2026-12-31 or 2026-12-31T12:00:00Z. Makes the status trial." placeholder:"TIME"`
	Limits     *string  `help:"Requests a minute of each user by class, in place of the server's: read=200,write=0 (0 is no limit); empty for the server's own." placeholder:"CLASS=N,..."`
	Allow      []string `sep:"none" help:"What a role may call: viewer=res.*,sale.order:read. May be repeated for the roles user and viewer." placeholder:"ROLE=RULE,..."`
	AllowAll   []string `help:"Roles that may call everything again." placeholder:"ROLE,..."`
}

// change is what the flags ask for, given the access that there is.
func (f *tenantFlags) change(access map[string][]string) (accounts.TenantChange, error) {
	var c accounts.TenantChange
	if f.TrialUntil != "" {
		at, err := time.Parse(time.DateOnly, f.TrialUntil)
		if err != nil {
			at, err = time.Parse(time.RFC3339, f.TrialUntil)
		}
		if err != nil {
			return c, misused("--trial-until: %q does not read like 2026-12-31 or 2026-12-31T12:00:00Z", f.TrialUntil)
		}
		status := store.Trial
		c.TrialEndsAt, c.Status = &at, &status
	}
	if f.Limits != nil {
		var rates limit.Rates
		if err := rates.UnmarshalText([]byte(*f.Limits)); err != nil {
			return c, misused("--limits: %v", err)
		}
		limits := make(map[string]int, len(rates))
		for class, n := range rates {
			limits[string(class)] = n
		}
		c.Limits = &limits
	}
	if len(f.Allow)+len(f.AllowAll) == 0 {
		return c, nil
	}
	access = maps.Clone(access)
	if access == nil {
		access = map[string][]string{}
	}
	for _, text := range f.Allow {
		role, rules, found := strings.Cut(text, "=")
		if !found {
			return c, misused("--allow: %q does not read like viewer=res.*,sale.order:read", text)
		}
		access[role] = slices.DeleteFunc(strings.Split(rules, ","), func(s string) bool { return s == "" })
	}
	for _, role := range f.AllowAll {
		delete(access, role)
	}
	c.Access = &access
	return c, nil
}

type tenantAddCommand struct {
	Name string `arg:"" help:"Name of the tenant."`
	tenantFlags
}

func (c tenantAddCommand) Run(ctx context.Context, w world) error {
	change, err := c.change(nil)
	if err != nil {
		return err
	}
	t := store.Tenant{Name: c.Name}
	if change.TrialEndsAt != nil {
		t.TrialEndsAt, t.Status = *change.TrialEndsAt, *change.Status
	}
	if change.Limits != nil {
		t.Limits = *change.Limits
	}
	if change.Access != nil {
		t.Access = *change.Access
	}
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if t, err = accountsOf(s).AddTenant(ctx, accounts.Console, t); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "added tenant %q (%s); give it an admin: bridgecore user add NAME --tenant %s --admin\n", t.Name, t.Status, strconv.Quote(t.Name))
	return err
}

type tenantSetCommand struct {
	Name   string  `arg:"" help:"The tenant."`
	Rename *string `help:"Its name from now on." placeholder:"NAME"`
	Status *string `enum:"active,trial,suspended,deleted" help:"active, trial (with --trial-until), suspended or deleted." placeholder:"STATUS"`
	tenantFlags
}

func (c tenantSetCommand) Run(ctx context.Context, w world) error {
	return w.withTenant(ctx, c.Name, func(s *store.Store, t store.Tenant) error {
		change, err := c.change(t.Access)
		if err != nil {
			return err
		}
		if c.Status != nil {
			status := store.TenantStatus(*c.Status)
			if change.TrialEndsAt != nil && status != store.Trial {
				return misused("--trial-until contradicts --status %s", status)
			}
			change.Status = &status
		}
		change.Name = c.Rename
		if t, err = accountsOf(s).ChangeTenant(ctx, accounts.Console, t.ID, change); err != nil {
			return err
		}
		_, err = fmt.Fprintf(w.stdout, "changed tenant %q (%s)\n", t.Name, t.Status)
		return err
	})
}

// withTenant opens the database and finds a tenant.
func (w world) withTenant(ctx context.Context, name string, do func(*store.Store, store.Tenant) error) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	t, err := s.TenantByName(ctx, name)
	if err != nil {
		return err
	}
	return do(s, t)
}

type tenantListCommand struct{}

func (tenantListCommand) Run(ctx context.Context, w world) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	list, err := s.Tenants(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tNAME\tSTATUS\tTRIAL UNTIL\tUSERS\tSYSTEMS\tSESSIONS\tLIMITS\tALLOWED")
	for _, t := range list {
		n, err := s.TenantCounts(ctx, t.ID)
		if err != nil {
			return err
		}
		until := ""
		if !t.TrialEndsAt.IsZero() {
			until = t.TrialEndsAt.UTC().Format(time.RFC3339)
		}
		var limits, allowed []string
		for _, class := range slices.Sorted(maps.Keys(t.Limits)) {
			limits = append(limits, class+"="+strconv.Itoa(t.Limits[class]))
		}
		for _, role := range slices.Sorted(maps.Keys(t.Access)) {
			allowed = append(allowed, role+"="+strings.Join(t.Access[role], ","))
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", t.ID, t.Name, t.Status, until, n.Users, n.Systems, n.Sessions, strings.Join(limits, ","), strings.Join(allowed, " "))
	}
	return table.Flush()
}

type tenantDeleteCommand struct {
	Name string `arg:"" help:"The tenant."`
}

func (c tenantDeleteCommand) Run(ctx context.Context, w world) error {
	return w.withTenant(ctx, c.Name, func(s *store.Store, t store.Tenant) error {
		if _, err := accountsOf(s).RemoveTenant(ctx, accounts.Console, t.ID); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w.stdout, "deleted tenant %q; its data are kept\n", t.Name)
		return err
	})
}

type sessionCommands struct {
	List   sessionListCommand   `cmd:"" help:"List the sessions that have not ended."`
	Revoke sessionRevokeCommand `cmd:"" help:"End a session, or all of a user. Servers that run notice within ten seconds."`
}

type sessionListCommand struct {
	User   string `help:"One user only." placeholder:"NAME" xor:"whose"`
	Tenant string `help:"One tenant only." placeholder:"NAME" xor:"whose"`
}

func (c sessionListCommand) Run(ctx context.Context, w world) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	tenant := store.AnyTenant
	if c.Tenant != "" {
		t, err := s.TenantByName(ctx, c.Tenant)
		if err != nil {
			return err
		}
		tenant = t.ID
	}
	if c.User != "" {
		if _, err := s.UserByName(ctx, c.User); err != nil {
			return fmt.Errorf("there is no user %q", c.User)
		}
	}
	list, err := s.AllSessions(ctx, tenant)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tUSER\tSINCE\tREFRESHED\tADDRESS\tCLIENT")
	for _, one := range list {
		if c.User != "" && one.User.Username != strings.ToLower(c.User) {
			continue
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", one.ID, one.User.Username, one.CreatedAt.UTC().Format(time.RFC3339), one.RefreshedAt.UTC().Format(time.RFC3339), one.Address, one.Agent)
	}
	return table.Flush()
}

type sessionRevokeCommand struct {
	ID   string `arg:"" optional:"" help:"The session's id, as list prints it."`
	User string `help:"End all sessions of this user." placeholder:"NAME"`
}

func (c sessionRevokeCommand) Run(ctx context.Context, w world) error {
	if (c.ID == "") == (c.User == "") {
		return misused("name a session, or a user with --user")
	}
	if c.User != "" {
		return w.withUser(ctx, c.User, func(s *store.Store, u store.User) error {
			if _, err := accountsOf(s).EndSessions(ctx, accounts.Console, u.ID); err != nil {
				return err
			}
			_, err := fmt.Fprintf(w.stdout, "ended all sessions of %q\n", u.Username)
			return err
		})
	}
	conf, s, err := w.configured(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	one, err := s.SessionByID(ctx, c.ID)
	if errors.Is(err, adapter.ErrNotFound) {
		return fmt.Errorf("there is no session %q; bridgecore session list prints those that there are", c.ID)
	}
	if err != nil {
		return err
	}
	if err := newAuth(s, conf, nil).EndSession(ctx, one.ID); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "ended the session of %q\n", one.User.Username)
	return err
}
