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
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/auth"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

type userCommands struct {
	Add    userAddCommand    `cmd:"" help:"Add a user. The password is asked for, or read from standard input."`
	Passwd userPasswdCommand `cmd:"" help:"Change a user's password, which ends the user's sessions."`
	List   userListCommand   `cmd:"" help:"List the users."`
}

type userAddCommand struct {
	Username string `arg:"" help:"Name to log in with, in any case."`
	Tenant   string `default:"default" help:"Tenant whose systems the user sees; made if there is none." placeholder:"NAME"`
	Admin    bool   `help:"Give the role admin, which may register and change systems."`
	Email    string `help:"E-mail address." placeholder:"ADDRESS"`
	FullName string `help:"Name for people." placeholder:"NAME"`
}

func (c userAddCommand) Run(ctx context.Context, w world) error {
	if c.Username = strings.TrimSpace(c.Username); c.Username == "" || len(c.Username) > 255 {
		return errors.New("a user name has 1 to 255 bytes")
	}
	if c.Tenant = strings.TrimSpace(c.Tenant); c.Tenant == "" {
		return errors.New("a tenant needs a name")
	}
	s, err := w.open(ctx)
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
	password, err := w.newPassword()
	if err != nil {
		return err
	}
	role := store.Plain
	if c.Admin {
		role = store.Admin
	}
	u := store.User{Username: c.Username, Email: c.Email, FullName: c.FullName, Role: role}
	if err := addUser(ctx, s, c.Tenant, &u, password); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "added %s %q to tenant %q\n", role, u.Username, c.Tenant)
	return err
}

// addUser adds an active user to the tenant, which it makes if need be.
func addUser(ctx context.Context, s *store.Store, tenant string, u *store.User, password string) error {
	hash, err := auth.NewPasswords().Hash(ctx, password)
	if err != nil {
		return err
	}
	t, err := s.EnsureTenant(ctx, tenant)
	if err != nil {
		return err
	}
	u.TenantID, u.PasswordHash, u.IsActive = t.ID, hash, true
	return s.CreateUser(ctx, u)
}

type userPasswdCommand struct {
	Username string `arg:"" help:"The user."`
}

func (c userPasswdCommand) Run(ctx context.Context, w world) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if _, err := s.UserByName(ctx, c.Username); err != nil {
		return fmt.Errorf("there is no user %q", c.Username)
	}
	password, err := w.newPassword()
	if err != nil {
		return err
	}
	hash, err := auth.NewPasswords().Hash(ctx, password)
	if err != nil {
		return err
	}
	if err := s.SetPassword(ctx, c.Username, hash); err != nil {
		return err
	}
	_, err = fmt.Fprintf(w.stdout, "changed the password of %q; the user's sessions have ended\n", strings.ToLower(c.Username))
	return err
}

type userListCommand struct{}

func (userListCommand) Run(ctx context.Context, w world) error {
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	tenants, err := s.Tenants(ctx)
	if err != nil {
		return err
	}
	names := map[int64]string{}
	for _, t := range tenants {
		names[t.ID] = t.Name
	}
	users, err := s.Users(ctx)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(w.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tUSERNAME\tTENANT\tROLE\tACTIVE\tCREATED\tNAME\tEMAIL")
	for _, u := range users {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%t\t%s\t%s\t%s\n", u.ID, u.Username, names[u.TenantID], u.Role, u.IsActive, u.CreatedAt.UTC().Format("2006-01-02"), u.FullName, u.Email)
	}
	return table.Flush()
}

// config loads the configuration.
func (w world) config() (*config.Config, error) { return config.Load(w.environ, w.envFile) }

// open opens the database that the configuration names.
func (w world) open(ctx context.Context) (*store.Store, error) {
	c, err := w.config()
	if err != nil {
		return nil, err
	}
	return openStore(ctx, c, nil)
}

func openStore(ctx context.Context, c *config.Config, onQuery func(operation string, took time.Duration)) (*store.Store, error) {
	db, err := config.ParseDatabaseURL(c.DatabaseURL, c.DataDir)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Options{
		Driver: db.Driver, DSN: db.DSN.Reveal(),
		MaxIdle: c.DBPoolSize, MaxOpen: c.DBPoolSize + c.DBMaxOverflow, OnQuery: onQuery,
	})
}

// newPassword asks for a password twice, or reads a line where nobody can be
// asked.
func (w world) newPassword() (string, error) {
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
		return password, auth.CheckPassword(password)
	}
	ask := func(prompt string) (string, error) {
		fmt.Fprint(w.stderr, prompt)
		password, err := term.ReadPassword(int(terminal.Fd()))
		fmt.Fprintln(w.stderr)
		return string(password), err
	}
	password, err := ask("Password: ")
	if err != nil {
		return "", err
	}
	if err := auth.CheckPassword(password); err != nil {
		return "", err
	}
	again, err := ask("Again: ")
	if err != nil {
		return "", err
	}
	if again != password {
		return "", errors.New("the two passwords differ")
	}
	return password, nil
}
