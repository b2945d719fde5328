// Migratefile carries a file of generated records, as many as asked for, from
// Odoo 13.0 to 19.0 in constant memory, and prints the account:
//
//	go run ./examples/migratefile 1000000
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/bridgecore/bridgecore/migrate"
	"github.com/bridgecore/bridgecore/migrate/odoo"
)

func main() {
	records := 1_000_000
	if len(os.Args) > 1 {
		n, err := strconv.Atoi(os.Args[1])
		if err != nil || n < 0 {
			fmt.Fprintln(os.Stderr, "usage: migratefile [RECORDS]")
			os.Exit(2)
		}
		records = n
	}
	dir, err := os.MkdirTemp("", "migratefile-")
	if err == nil {
		err = run(context.Background(), os.Stdout, dir, records)
		if removed := os.RemoveAll(dir); err == nil {
			err = removed
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, dir string, records int) (err error) {
	plan, err := odoo.Community().Compile("res.partner", "13.0", "19.0")
	if err != nil {
		return err
	}
	old := filepath.Join(dir, "13.ndjson")
	if err := generate(old, records); err != nil {
		return err
	}
	in, err := os.Open(old)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(dir, "19.ndjson"))
	if err != nil {
		return err
	}
	residue, err := os.Create(filepath.Join(dir, "residue.ndjson"))
	if err != nil {
		return err
	}
	report, err := migrate.Stream(ctx, in, out, plan, migrate.StreamOptions{Residue: residue, OnError: migrate.Collect})
	for _, f := range []*os.File{out, residue} {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%d records, %d migrated, %d with residue, %d refused\n", report.Records, report.Migrated, report.Residues, report.Failed)
	return err
}

// generate writes partners as Odoo 13.0 has them.
func generate(name string, records int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for i := range records {
		// An error stays with the writer, and Flush returns it.
		_, _ = fmt.Fprintf(w, `{"id":%d,"name":"Partner %d","phone":"+%d","mobile":"+%d","lang":"en_US","is_company":%t}`+"\n", i+1, i, i*7, i*3, i%5 == 0)
	}
	err = w.Flush()
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
