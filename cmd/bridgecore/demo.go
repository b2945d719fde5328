package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/systems"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// What the demo's user logs in with. The demo listens to this machine alone
// and keeps nothing.
const (
	demoUser     = "admin"
	demoPassword = "demo-password"
	demoPort     = 8000
	// demoRecovery takes the place of the minute that a breaker stays open.
	demoRecovery = 2 * time.Second
)

type demoCommand struct {
	Exit   bool `help:"End after the tour, with status 0 only if every step gave what it must."`
	NoTour bool `help:"Skip the tour."`
	Port   *int `help:"Port to serve at; 0 takes a free one. 8000 unless given, or a free one if that is taken." placeholder:"N"`
	JSON   bool `help:"Once ready, print one line of JSON with the URL, tokens and systems to standard output; all else goes to standard error."`
}

func (d demoCommand) Run(ctx context.Context, w world) (err error) {
	dir, err := os.MkdirTemp("", "bridgecore-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	c, err := demoConfig(dir)
	if err != nil {
		return err
	}
	srv, err := assemble(ctx, c, newLog(w.stderr, c))
	if err != nil {
		return err
	}
	defer srv.close()

	s, err := newScene(ctx, srv)
	if err != nil {
		return err
	}
	defer s.close()
	listener, err := d.listen(ctx)
	if err != nil {
		return err
	}
	s.URL = "http://" + listener.Addr().String()

	serving, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- srv.serve(serving, listener) }()

	out := w.stdout
	if d.JSON {
		if err := json.NewEncoder(w.stdout).Encode(s.ready); err != nil {
			return err
		}
		out = w.stderr
	}
	failed := d.show(ctx, w, out, s)
	if !d.Exit && ctx.Err() == nil {
		s.invite(w, out)
		select {
		case <-ctx.Done():
			failed = nil // it was told on the way; interrupting the demo is no failure
		case err := <-served:
			return err
		}
	}
	stop()
	return errors.Join(failed, <-served)
}

// show plays the tour, unless told not to.
func (d demoCommand) show(ctx context.Context, w world, out io.Writer, s *scene) error {
	if d.NoTour {
		return nil
	}
	err := s.tour(ctx, w, out)
	if err != nil && !d.Exit {
		_, _ = fmt.Fprintf(out, "\n%s\n", w.words.T("demo_ended_early", "What", err))
	}
	return err
}

// demoConfig is a server that needs nothing and keeps nothing.
func demoConfig(dir string) (*config.Config, error) {
	c, err := config.Load([]string{"BRIDGECORE_DATA_DIR=" + filepath.Join(dir, "data"), "LOG_LEVEL=error"}, "")
	if err != nil {
		return nil, err
	}
	key, err := vault.GenerateKey()
	if err != nil {
		return nil, err
	}
	c.EncryptionKey = vault.NewSecret(key)
	c.JWTSecretKey = vault.NewSecret(rand.Text() + rand.Text())
	c.RecoveryTimeout = config.Seconds(demoRecovery)
	return c, nil
}

func (d demoCommand) listen(ctx context.Context) (net.Listener, error) {
	port := demoPort
	if d.Port != nil {
		port = *d.Port
	}
	listen := func(port int) (net.Listener, error) {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	listener, err := listen(port)
	if err != nil && d.Port == nil {
		listener, err = listen(0)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", port, err)
	}
	return listener, nil
}

// ready is what other programs need to use the demo.
type ready struct {
	URL          string       `json:"url"`
	AccessToken  string       `json:"access_token"`
	RefreshToken string       `json:"refresh_token"`
	Systems      []demoSystem `json:"systems"`
}

// demoSystem is a registered system, and how to reach the simulated one behind
// it directly.
type demoSystem struct {
	SystemID string `json:"system_id"`
	Kind     string `json:"system_type"`
	Version  string `json:"system_version"`
	URL      string `json:"url"`
	Database string `json:"database,omitempty"`
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`

	ClientID     string `json:"client_id,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`
}

// scene is what the demo shows: simulated servers, registered in a server.
type scene struct {
	ready
	odoos      map[string]*odootest.Server // by system_id
	salesforce *salesforcetest.Server
	sap        *saptest.Server
}

// newScene starts the simulated servers, registers them and makes a user.
func newScene(ctx context.Context, srv *server) (_ *scene, err error) {
	s := &scene{odoos: map[string]*odootest.Server{}}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	user := store.User{Username: demoUser, FullName: "Demo Administrator", Email: "admin@example.com", Role: store.Operator}
	if err := addUser(ctx, srv.store, "default", &user, demoPassword); err != nil {
		return nil, err
	}
	if err := s.start(); err != nil { //nolint:contextcheck // they live until the scene is closed
		return nil, err
	}
	for _, system := range s.Systems {
		if err := system.register(ctx, srv, user.TenantID); err != nil {
			return nil, err
		}
	}
	grant, err := srv.auth.Open(user)
	s.AccessToken, s.RefreshToken = grant.AccessToken, grant.RefreshToken
	return s, err
}

// start starts the simulated servers.
func (s *scene) start() (err error) {
	for _, version := range []string{"13.0", "17.0", "19.0"} {
		odoo, err := odootest.Start(odootest.Config{Version: version})
		if err != nil {
			return fmt.Errorf("start a simulated Odoo %s: %w", version, err)
		}
		system := demoSystem{
			SystemID: "odoo" + version[:2], Kind: systems.Odoo, Version: version,
			URL: odoo.URL, Database: odoo.Database, Username: odoo.Username, Password: odoo.Password,
		}
		s.odoos[system.SystemID] = odoo
		s.Systems = append(s.Systems, system)
	}
	if s.salesforce, err = salesforcetest.Start(salesforcetest.Config{}); err != nil {
		return fmt.Errorf("start a simulated Salesforce: %w", err)
	}
	if s.sap, err = saptest.Start(saptest.Config{}); err != nil {
		return fmt.Errorf("start a simulated SAP: %w", err)
	}
	s.Systems = append(s.Systems, demoSystem{
		SystemID: "salesforce", Kind: systems.Salesforce, Version: s.salesforce.Version,
		URL: s.salesforce.URL, ClientID: s.salesforce.ClientID, ClientSecret: s.salesforce.ClientSecret,
	}, demoSystem{
		SystemID: "sap", Kind: systems.SAP, Version: "S/4HANA", URL: s.sap.URL, Username: s.sap.Username, Password: s.sap.Password,
	})
	return nil
}

// register registers the system for a tenant.
func (d demoSystem) register(ctx context.Context, srv *server, tenant int64) error {
	var c systems.Connection
	name := "Simulated "
	switch d.Kind {
	case systems.Salesforce:
		name += "Salesforce"
		c = systems.SalesforceConnection{URL: d.URL, ClientID: d.ClientID, ClientSecret: d.ClientSecret}
	case systems.SAP:
		name += "SAP"
		c = systems.SAPConnection{URL: d.URL, Username: d.Username, Password: d.Password}
	default:
		name += "Odoo " + d.Version
		c = systems.OdooConnection{URL: d.URL, Database: d.Database, Username: d.Username, Password: d.Password}
	}
	sealed, err := srv.vault.Seal(c)
	if err != nil {
		return err
	}
	return srv.store.CreateSystem(ctx, &store.System{
		TenantID: tenant, SystemID: d.SystemID, Kind: d.Kind, Version: d.Version, Name: name, IsActive: true, SealedConfig: sealed,
	})
}

func (s *scene) close() {
	for _, odoo := range s.odoos {
		odoo.Close()
	}
	if s.salesforce != nil {
		s.salesforce.Close()
	}
	if s.sap != nil {
		s.sap.Close()
	}
}

// invite says how to go on by oneself.
func (s *scene) invite(w world, out io.Writer) {
	t := w.words.T
	_, _ = fmt.Fprintf(out, `
%[5]s

  %-18[6]s %[1]s/docs
  %-18[7]s %[2]s / %[3]s
  %-18[8]s odoo13, odoo17, odoo19, salesforce, sap %[9]s

  TOKEN=%[4]s
  curl %[1]s/api/v1/systems/odoo17/odoo/search_read -H "Authorization: Bearer $TOKEN" \
    -d '{"model": "sale.order", "fields": ["name", "partner_id", "amount_total"], "limit": 3}'

%[10]s

  curl %[1]s/api/v1/systems/sap/crud -H "Authorization: Bearer $TOKEN" \
    -d '{"action": "read", "model": "contact", "fields": ["name", "city", "country"], "limit": 3, "use_universal_schema": true}'
`, s.URL, demoUser, demoPassword, s.AccessToken,
		t("demo_stays"), t("demo_page"), t("demo_log_in_as"), t("demo_systems"), t("demo_simulated"), t("demo_same_words"))
}
