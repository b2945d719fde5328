package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/accounts"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

type userCommands struct {
	Add    userAddCommand    `cmd:"" help:"Add a user. The password is asked for, or read from standard input."`
	Set    userSetCommand    `cmd:"" help:"Change a user's role, systems, language, names, or lock the user out."`
	Passwd userPasswdCommand `cmd:"" help:"Change a user's password, which ends the user's sessions."`
	List   userListCommand   `cmd:"" help:"List the users."`
	Delete userDeleteCommand `cmd:"" help:"Delete a user, which ends the user's sessions."`
}

type userAddCommand struct {
	Username string   `arg:"" help:"Name to log in with, in any case."`
	Tenant   string   `default:"default" help:"Tenant whose systems the user sees; made if there is none." placeholder:"NAME"`
	Role     string   `default:"user" enum:"operator,admin,user,viewer" help:"viewer reads; user also writes; admin also registers systems and manages the tenant's users; operator also manages tenants." placeholder:"ROLE"`
	Admin    bool     `help:"The same as --role admin."`
	Systems  []string `help:"Systems that the user may use, by system_id; all unless given." placeholder:"ID,..."`
	Language string   `help:"Language of messages: en, ar or fr." placeholder:"LANGUAGE"`
	Email    string   `help:"E-mail address." placeholder:"ADDRESS"`
	FullName string   `help:"Name for people." placeholder:"NAME"`
}

func (c userAddCommand) Run(ctx context.Context, w world) error {
	if c.Username = strings.TrimSpace(c.Username); c.Username == "" || len(c.Username) > 255 {
		return errors.New("a user name has 1 to 255 bytes")
	}
	if c.Tenant = strings.TrimSpace(c.Tenant); c.Tenant == "" {
		return errors.New("a tenant needs a name")
	}
	role := store.Role(c.Role)
	if c.Admin {
		if role == store.Viewer || role == store.Operator {
			return misused("--admin contradicts --role %s", c.Role)
		}
		role = store.Admin
	}
	conf, s, err := w.configured(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	switch _, err := s.UserByName(ctx, c.Username); {
	case err == nil:
		return fmt.Errorf("there is already a user %q", c.Username)
	case !errors.Is(err, adapter.ErrNotFound):
		return err
	}
	password, err := w.newPassword(policy(conf), c.Username)
	if err != nil {
		return err
	}
	u := store.User{Username: c.Username, Email: c.Email, FullName: c.FullName, Role: role, Language: c.Language}
	if c.Systems != nil {
		u.Granted = c.Systems
	}
	if err := addUser(ctx, s, c.Tenant, &u, password); err != nil {
		return err
	}
	return w.say(w.stdout, "cli_user_added", "Role", role, "User", u.Username, "Tenant", c.Tenant)
}

// policy is what new passwords must be.
func policy(c *config.Config) auth.Policy { return auth.Policy{MinLength: c.PasswordMinLength} }

// accountsOf changes accounts in the name of whoever runs the command. Lengths
// of passwords were checked before.
func accountsOf(s *store.Store) *accounts.Accounts {
	return &accounts.Accounts{Store: s, Policy: auth.Policy{MinLength: auth.MinPassword}, Hash: auth.NewPasswords().Hash}
}

// addUser adds an active user to the tenant, which it makes if need be. That
// the password is long enough is the caller's to see to.
func addUser(ctx context.Context, s *store.Store, tenant string, u *store.User, password string) error {
	t, err := s.EnsureTenant(ctx, tenant)
	if err != nil {
		return err
	}
	u.TenantID = t.ID
	*u, err = accountsOf(s).AddUser(ctx, accounts.Console, *u, password)
	return err
}

type userSetCommand struct {
	Username   string   `arg:"" help:"The user."`
	Role       *string  `enum:"operator,admin,user,viewer" help:"viewer reads; user also writes; admin also registers systems and manages the tenant's users; operator also manages tenants." placeholder:"ROLE"`
	Systems    []string `help:"Systems that the user may use, and no others." placeholder:"ID,..." xor:"systems"`
	AllSystems bool     `help:"Let the user use all systems of the tenant." xor:"systems"`
	Language   *string  `help:"Language of messages: en, ar or fr; empty for none in particular." placeholder:"LANGUAGE"`
	Email      *string  `help:"E-mail address." placeholder:"ADDRESS"`
	FullName   *string  `help:"Name for people." placeholder:"NAME"`
	Active     *bool    `negatable:"" help:"Let the user log in; --no-active locks the user out and ends the sessions."`
}

func (c userSetCommand) Run(ctx context.Context, w world) error {
	change := accounts.UserChange{Email: c.Email, FullName: c.FullName, Language: c.Language, IsActive: c.Active}
	if c.Role != nil {
		role := store.Role(*c.Role)
		change.Role = &role
	}
	switch {
	case c.AllSystems:
		change.Granted = new(store.Granted)
	case c.Systems != nil:
		granted := store.Granted(c.Systems)
		change.Granted = &granted
	}
	return w.withUser(ctx, c.Username, func(s *store.Store, u store.User) error {
		if _, err := accountsOf(s).ChangeUser(ctx, accounts.Console, u.ID, change); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w.stdout, "changed %q\n", u.Username)
		return err
	})
}

// withUser opens the database and finds a user.
func (w world) withUser(ctx context.Context, username string, do func(*store.Store, store.User) error) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	u, err := s.UserByName(ctx, username)
	if errors.Is(err, adapter.ErrNotFound) {
		return fmt.Errorf("there is no user %q", username)
	}
	if err != nil {
		return err
	}
	return do(s, u)
}

type userDeleteCommand struct {
	Username string `arg:"" help:"The user."`
}

func (c userDeleteCommand) Run(ctx context.Context, w world) error {
	return w.withUser(ctx, c.Username, func(s *store.Store, u store.User) error {
		if _, err := accountsOf(s).RemoveUser(ctx, accounts.Console, u.ID); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w.stdout, "deleted %q\n", u.Username)
		return err
	})
}

type userPasswdCommand struct {
	Username string `arg:"" help:"The user."`
}

func (c userPasswdCommand) Run(ctx context.Context, w world) error {
	conf, err := w.config()
	if err != nil {
		return err
	}
	return w.withUser(ctx, c.Username, func(s *store.Store, u store.User) error {
		password, err := w.newPassword(policy(conf), u.Username)
		if err != nil {
			return err
		}
		if _, err := accountsOf(s).ResetPassword(ctx, accounts.Console, u.ID, password); err != nil {
			return err
		}
		return w.say(w.stdout, "cli_password_changed", "User", u.Username)
	})
}

type userListCommand struct {
	Tenant string `help:"One tenant only." placeholder:"NAME"`
}

// userColumns are the keys of the headings after the number.
var userColumns = []string{
	"cli_column_username", "cli_column_tenant", "cli_column_role", "cli_column_active", "cli_column_created", "cli_column_systems", "cli_column_language", "cli_column_name", "cli_column_email",
}

func (c userListCommand) Run(ctx context.Context, w world) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if c.Tenant != "" {
		if _, err := s.TenantByName(ctx, c.Tenant); err != nil {
			return err
		}
	}
	names, err := tenantNames(ctx, s)
	if err != nil {
		return err
	}
	users, err := s.Users(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprint(table, "ID")
	for _, column := range userColumns {
		fmt.Fprint(table, "\t", w.words.T(column))
	}
	fmt.Fprintln(table)
	for _, u := range users {
		if c.Tenant != "" && names[u.TenantID] != c.Tenant {
			continue
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%t\t%s\t%s\t%s\t%s\t%s\n", u.ID, u.Username, names[u.TenantID], u.Role, u.IsActive,
			u.CreatedAt.UTC().Format(time.DateOnly), grantedText(u.Granted), u.Language, u.FullName, u.Email)
	}
	return table.Flush()
}

func grantedText(g store.Granted) string {
	switch {
	case g == nil:
		return "all"
	case len(g) == 0:
		return "none"
	}
	return strings.Join(g, ",")
}

// config loads the configuration.
func (w world) config() (*config.Config, error) { return config.Load(w.environ, w.envFile) }

// open opens the database that the configuration names.
func (w world) open(ctx context.Context) (*store.Store, error) {
	_, s, err := w.configured(ctx)
	return s, err
}

func (w world) configured(ctx context.Context) (*config.Config, *store.Store, error) {
	c, err := w.config()
	if err != nil {
		return nil, nil, err
	}
	s, err := openStore(ctx, c, nil)
	return c, s, err
}

func openStore(ctx context.Context, c *config.Config, onQuery func(ctx context.Context, operation string, took time.Duration)) (*store.Store, error) {
	db, err := config.ParseDatabaseURL(c.DatabaseURL, c.DataDir)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Options{
		Driver: db.Driver, DSN: db.DSN.Reveal(),
		MaxIdle: c.DBPoolSize, MaxOpen: c.DBPoolSize + c.DBMaxOverflow, OnQuery: onQuery,
	})
}

// newPassword asks for a user's password twice, or reads a line where nobody
// can be asked.
func (w world) newPassword(policy auth.Policy, username string) (string, error) {
	terminal, ok := w.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(w.stdin, 2*auth.MaxPassword)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		password := strings.TrimRight(line, "\r\n")
		if password == "" {
			return "", errors.New("no password: type it when asked, or pipe it into the command")
		}
		return password, policy.Check(username, password)
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(w.stderr, prompt)
		password, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(w.stderr)
		return string(password), err
	}
	password, err := ask(w.words.T("cli_password"))
	if err != nil {
		return "", err
	}
	if err := policy.Check(username, password); err != nil {
		return "", err
	}
	again, err := ask(w.words.T("cli_password_again"))
	if err != nil {
		return "", err
	}
	if again != password {
		return "", errors.New("the two passwords differ")
	}
	return password, nil
}
