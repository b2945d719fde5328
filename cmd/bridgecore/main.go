// Command bridgecore serves one HTTP API over Odoo 13.0 to 19.0, Salesforce and
// SAP.
//
//	bridgecore demo                     try it: nothing to install or configure
//	bridgecore user add admin --admin   make the first user
//	bridgecore tenant add acme          make a tenant
//	bridgecore serve                    serve the API
//	bridgecore worker                   do background operations in a process of their own
//	bridgecore migrate ...              carry records from one Odoo version to another
//	bridgecore sync ...                 keep records of two systems the same
//	bridgecore map ...                  turn records from one vocabulary into another
//
// It is configured by environment variables and a .env file; every command has
// --help. It ends with 0 when all went well, 1 when something failed, 2 when it
// was called or configured wrongly, and 3 when the work was done and something
// was found: refused records, conflicts that wait, problems of coverage,
// findings, failed tests.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/config"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/i18n"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/vault"
)

// The statuses that the program ends with.
const (
	statusOK     = 0
	statusFailed = 1
	statusUsage  = 2
	statusFound  = 3
)

const about = "One HTTP API over Odoo 13.0 to 19.0, Salesforce and SAP, and records carried between them. Try it: bridgecore demo\n\n" +
	"Exit status: 0 all went well; 1 something failed; 2 called or configured wrongly; " +
	"3 done, and something was found (refused records, conflicts that wait, problems of coverage, findings, failed tests)."

type commands struct {
	Serve  serveCommand  `cmd:"" help:"Serve the HTTP API."`
	Worker workerCommand `cmd:"" help:"Do background operations, beside serve; any number of workers over one PostgreSQL database."`
	Demo   demoCommand   `cmd:"" help:"Serve everything embedded, with simulated Odoo servers, a Salesforce and an SAP behind it, and show it at work."`
	User   userCommands  `cmd:"" help:"Add, change, list and delete users."`

	Tenant  tenantCommands  `cmd:"" help:"Add, change, list and delete tenants."`
	Session sessionCommands `cmd:"" help:"List sessions, end them."`

	Migrate   migrateCommand   `cmd:"" help:"Carry records from one version to another, and back."`
	Transfer  transferCommand  `cmd:"" help:"Carry whole models from one Odoo to another."`
	Sync      syncCommand      `cmd:"" help:"Make models of two systems the same, in one direction or both, and keep them so."`
	Plan      planCommand      `cmd:"" help:"Show what a migration would do."`
	Coverage  coverageCommand  `cmd:"" help:"Hold a migration against the schemas of both versions."`
	Diff      diffCommand      `cmd:"" help:"Show what becomes of records, field by field."`
	Lint      lintCommand      `cmd:"" help:"Look rule packs or mappings over."`
	TestRules testRulesCommand `cmd:"" help:"Run the tests that stand beside the rules of packs."`
	Packs     packsCommand     `cmd:"" help:"List the rule packs."`

	Mappings     mappingsCommand     `cmd:"" help:"Show the universal models, and which system has what of them."`
	Map          mapCommand          `cmd:"" help:"Turn records of files from universal words into a system's, or back."`
	TestMappings testMappingsCommand `cmd:"" help:"Run the tests that stand beside mappings."`

	Tasks  tasksCommands  `cmd:"" help:"List background operations, follow, cancel and retry them."`
	Audit  auditCommands  `cmd:"" help:"Verify the audit log, delete what is old."`
	Config configCommands `cmd:"" help:"Check the configuration."`
	Health healthCommand  `cmd:"" help:"Ask the server on this machine whether it is alive."`

	Openapi openapiCommand `cmd:"" help:"Print the description of the API, for generators of clients."`
	Keygen  keygenCommand  `cmd:"" help:"Print a new Fernet key for ENCRYPTION_KEY."`
	Version versionCommand `cmd:"" help:"Print the version."`

	EnvFile string `help:"File of NAME=value lines; the environment wins over it." default:".env" type:"path" placeholder:"FILE"`
	Lang    string `help:"Language of what commands say: en, ar or fr; that of LC_ALL, LC_MESSAGES or LANG unless given." placeholder:"TAG"`
}

// world is what a command sees of the outside.
type world struct {
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
	envFile        string
	words          *i18n.Words
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the next one has its usual effect: it ends the
	// program at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], world{environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}))
}

// run runs the command that args name and returns the status to end with.
func run(ctx context.Context, args []string, w world) (status int) {
	type exit int
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case exit:
			status = int(cause)
		default:
			panic(cause) //nolint:forbidigo // somebody else's panic goes on
		}
	}()
	var c commands
	parser, err := kong.New(&c,
		kong.Name("bridgecore"),
		kong.Description(about),
		kong.Writers(w.stdout, w.stderr),
		kong.Exit(func(code int) { panic(exit(code)) }), //nolint:forbidigo // kong has no other way to stop after --help; caught above
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		panic(err) //nolint:forbidigo // the commands above are wrong, at every start
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(w.stderr, "bridgecore: %v\nTry: bridgecore --help\n", err)
		return statusUsage
	}
	w.envFile, w.words = c.EnvFile, wordsOf(c.Lang, w.environ)
	if err := command.Run(w); err != nil {
		fmt.Fprintln(w.stderr, "bridgecore:", w.message(err))
		if e, ok := errors.AsType[ended](err); ok {
			return e.status
		}
		if _, wrong := errors.AsType[config.Errors](err); wrong {
			return statusUsage
		}
		return statusFailed
	}
	return statusOK
}

type versionCommand struct{}

func (versionCommand) Run(w world) error {
	_, err := fmt.Fprintln(w.stdout, "bridgecore", version())
	return err
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}

type keygenCommand struct{}

func (keygenCommand) Run(w world) error {
	key, err := vault.GenerateKey()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w.stdout, key)
	return err
}
