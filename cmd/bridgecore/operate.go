package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/store"
)

type healthCommand struct {
	URL string `help:"Address to ask, http://127.0.0.1:PORT/livez unless given." placeholder:"URL"`
}

// Run is what a container's health check calls: there is no curl in an image
// that holds one program.
func (c healthCommand) Run(ctx context.Context, w world) error {
	if c.URL == "" {
		conf, err := w.config()
		if err != nil {
			return err
		}
		c.URL = "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(conf.Port)) + "/livez"
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return fmt.Errorf("%q is no address", c.URL)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", resp.Status)
	}
	_, err = fmt.Fprintln(w.stdout, "ok")
	return err
}

type configCommands struct {
	Check configCheckCommand `cmd:"" help:"Say everything that is wrong with the configuration, and connect to its database and Redis."`
}

type configCheckCommand struct {
	Offline bool `help:"Do not connect to the database and Redis."`
}

// Run ends with 2 when serve would refuse to start.
func (c configCheckCommand) Run(ctx context.Context, w world) error {
	conf, err := w.config()
	if err != nil {
		return err
	}
	if conf.Environment != config.Development {
		if _, err := conf.FillSecrets(); err != nil {
			return err
		}
	}
	if !c.Offline {
		if err := reach(ctx, conf); err != nil {
			return err
		}
	}
	return w.say(w.stdout, "cli_config_good", "Environment", conf.Environment)
}

// reach connects to what the configuration names.
func reach(ctx context.Context, conf *config.Config) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	s, err := openStore(ctx, conf, nil)
	if err != nil {
		return config.Errors{fmt.Errorf("DATABASE_URL: %w", err)}
	}
	defer func() { _ = s.Close() }()
	kept, check, err := openCache(conf, newLog(discard{}, conf))
	if err != nil {
		return err
	}
	defer func() { _ = kept.Close() }()
	if check == nil {
		return nil
	}
	if err := check(ctx); err != nil {
		return config.Errors{errors.New("REDIS_URL: its Redis does not answer")}
	}
	return nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

type auditCommands struct {
	Verify auditVerifyCommand `cmd:"" help:"Check that no entry of the audit log was changed or removed."`
	Purge  auditPurgeCommand  `cmd:"" help:"Delete entries older than some days. What stays can still be verified."`
}

type auditVerifyCommand struct {
	Tenant string   `help:"One tenant only." placeholder:"NAME"`
	Expect []string `help:"An end of the chain that was printed earlier, TENANT:SEQ:HASH. Shows that the log up to it is the same." placeholder:"TENANT:SEQ:HASH"`
}

// Run ends with 3 when a chain is broken.
func (c auditVerifyCommand) Run(ctx context.Context, w world) error {
	expect, err := c.expected()
	if err != nil {
		return err
	}
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	names, err := tenantNames(ctx, s)
	if err != nil {
		return err
	}
	ids, err := s.AuditTenants(ctx)
	if err != nil {
		return err
	}
	broken, seen := 0, map[string]bool{}
	for _, id := range ids {
		name := names[id]
		if c.Tenant != "" && name != c.Tenant {
			continue
		}
		seen[name] = true
		head, err := s.VerifyAudit(ctx, id, expect[name])
		if _, is := errors.AsType[*store.BrokenChainError](err); is {
			broken++
			fmt.Fprintf(w.stdout, "%s: %s\n", name, w.message(err))
			continue
		}
		if err != nil {
			return err
		}
		if err := w.count(w.stdout, "cli_audit_holds", int(head.Entries), "Tenant", name, "End", fmt.Sprintf("%s:%d:%s", name, head.Seq, head.Hash)); err != nil {
			return err
		}
	}
	for name := range expect {
		if !seen[name] && (c.Tenant == "" || c.Tenant == name) {
			broken++
			if err := w.say(w.stdout, "cli_audit_gone", "Tenant", name); err != nil {
				return err
			}
		}
	}
	if c.Tenant != "" && !seen[c.Tenant] && broken == 0 {
		return fmt.Errorf("there is no audit log of a tenant %q", c.Tenant)
	}
	if broken > 0 {
		return ended{statusFound, errors.New("the audit log is not what was written")}
	}
	return nil
}

func (c auditVerifyCommand) expected() (map[string]map[int64]string, error) {
	out := map[string]map[int64]string{}
	for _, e := range c.Expect {
		parts := strings.Split(e, ":")
		if len(parts) < 3 {
			return nil, misused("--expect: %q does not read like TENANT:SEQ:HASH", e)
		}
		n := len(parts)
		seq, err := strconv.ParseInt(parts[n-2], 10, 64)
		if err != nil || seq < 1 || len(parts[n-1]) != 64 {
			return nil, misused("--expect: %q does not read like TENANT:SEQ:HASH", e)
		}
		name := strings.Join(parts[:n-2], ":")
		if out[name] == nil {
			out[name] = map[int64]string{}
		}
		out[name][seq] = parts[n-1]
	}
	return out, nil
}

// nobody is whose chain holds attempts to log in under names that nobody has.
const nobody = "(nobody)"

func tenantNames(ctx context.Context, s *store.Store) (map[int64]string, error) {
	list, err := s.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	names := map[int64]string{0: nobody}
	for _, t := range list {
		names[t.ID] = t.Name
	}
	return names, nil
}

type auditPurgeCommand struct {
	Days int `arg:"" help:"Entries older than so many days go."`
}

func (c auditPurgeCommand) Run(ctx context.Context, w world) error {
	if c.Days < 1 {
		return misused("DAYS: must be at least 1")
	}
	s, err := w.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	n, err := s.PurgeAudit(ctx, time.Now().AddDate(0, 0, -c.Days))
	if err != nil {
		return err
	}
	return w.count(w.stdout, "cli_audit_purged", int(n))
}
