package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// errLocked is what lockFile returns where another process has the lock.
var errLocked = errors.New("it is locked")

// heldError says that another process is at the same work.
type heldError struct{ holder string } // "process 4711, since 2026-01-02 15:04:05"

func (e *heldError) Error() string { return "it is under way: " + e.holder }

// hold takes the lock of a file, and makes the file where it is missing. The
// kernel gives the lock up with the process, however that ends: what is left of
// the file after a kill -9 hinders nobody. release removes the file.
func hold(path string) (release func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := lockFile(f); err != nil {
			if errors.Is(err, errLocked) {
				err = &heldError{holderOf(f)}
			}
			return nil, errors.Join(err, f.Close())
		}
		// It may have been removed by its last holder after it was opened here:
		// then the next one would lock another file of this name.
		mine, err := f.Stat()
		if err == nil {
			var there os.FileInfo
			if there, err = os.Stat(path); err == nil && os.SameFile(mine, there) {
				err = f.Truncate(0)
				if err == nil {
					_, err = fmt.Fprintf(f, "process %d, since %s", os.Getpid(), time.Now().Format(time.DateTime))
				}
				if err != nil {
					return nil, errors.Join(err, f.Close())
				}
				return func() { _ = os.Remove(path); _ = f.Close() }, nil
			}
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

func holderOf(f io.Reader) string {
	const most = 100
	b, err := io.ReadAll(io.LimitReader(f, most))
	if s := strings.TrimSpace(string(b)); err == nil && s != "" {
		return s
	}
	return "another process"
}

// hold keeps a second transfer of the same pair out: one with the same state,
// wherever it runs, and one with another state on this machine.
func (c transferCommand) hold(pair string) (release func(), err error) {
	sum := sha256.Sum256([]byte(pair))
	var releases []func()
	release = func() {
		for _, f := range releases {
			f()
		}
	}
	for _, path := range []string{filepath.Join(lockFolder(), "transfer-"+hex.EncodeToString(sum[:8])+".lock"), c.State + ".lock"} {
		one, err := hold(path)
		if err != nil {
			release()
			if held, is := errors.AsType[*heldError](err); is {
				return nil, fmt.Errorf("another transfer %s is under way (%s): wait for its end, or end it; then the same command goes on where it stopped", pair, held.holder)
			}
			return nil, misused("the transfer can't be locked against a second one: %w; name a --state in a folder of this machine that can be written", err)
		}
		releases = append(releases, one)
	}
	return release, nil
}

// lockFolder is the user's own, or that for temporary files.
func lockFolder() string {
	if own, err := os.UserCacheDir(); err == nil {
		own = filepath.Join(own, "bridgecore")
		if os.MkdirAll(own, 0o700) == nil {
			return own
		}
	}
	return os.TempDir()
}
