package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/recordfile"
	"github.com/bridgecore/bridgecore/migrate"
)

// checkpointSuffix is put to the name of the output for the file that says how
// far an unfinished run got.
const checkpointSuffix = ".checkpoint"

// checkpoint is what such a file holds.
type checkpoint struct {
	// Run tells this run from others: rules, versions, model, files.
	Run string `json:"run"`
	// Size is the input's, which must not have changed.
	Size int64 `json:"size"`
	migrate.Checkpoint
}

// outputs are the files of a run.
type outputs struct {
	out           recordfile.Writer
	outFile       *os.File // nil for standard output
	residue, side *os.File
	reads         bool // the residue is read
	checkpoint    string
	run           string
	size          int64
	at            *checkpoint // where the run goes on; nil at the beginning
}

// files opens what the run writes, and brings everything to where a broken run
// stopped.
func (c migrateCommand) files(w world, in *input, plan *migrate.Plan) (_ *outputs, err error) {
	o := &outputs{reads: c.Down, size: in.size}
	defer func() {
		if err != nil {
			o.close()
		}
	}()
	if c.Resume {
		if o.at, err = c.unfinished(in, plan); err != nil {
			return nil, err
		}
	}
	target := w.stdout
	if c.Out != "" {
		if o.outFile, err = o.create("--out", c.Out, func(k *migrate.Checkpoint) int64 { return k.Output }); err != nil {
			return nil, err
		}
		target = o.outFile
	}
	if o.out, err = recordfile.NewWriter(target, c.outputFormat()); err != nil {
		return nil, err
	}
	if c.Residue != "" {
		if c.Down {
			if o.residue, err = os.Open(c.Residue); err != nil {
				return nil, misused("--residue: %w", err)
			}
			if o.at != nil {
				if _, err := o.residue.Seek(o.at.Residue, io.SeekStart); err != nil {
					return nil, err
				}
			}
		} else if o.residue, err = o.create("--residue", c.Residue, func(k *migrate.Checkpoint) int64 { return k.Residue }); err != nil {
			return nil, err
		}
	}
	if c.Side != "" {
		if o.side, err = o.create("--side", c.Side, func(k *migrate.Checkpoint) int64 { return k.Side }); err != nil {
			return nil, err
		}
	}
	if o.at != nil {
		if _, err := in.file.Seek(o.at.Input, io.SeekStart); err != nil {
			return nil, err
		}
	}
	if in.size > 0 && o.outFile != nil && in.format == recordfile.NDJSON && c.outputFormat() == recordfile.NDJSON && isRegular(o.outFile) && (!o.reads || o.residue == nil || isRegular(o.residue)) {
		o.run = c.identity(plan)
		if o.checkpoint = c.Out + checkpointSuffix; o.at == nil {
			// One of an earlier run would be taken for this one's.
			if err := os.Remove(o.checkpoint); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	return o, nil
}

// create opens a file for writing: empty, or cut to its length at the
// checkpoint.
func (o *outputs) create(flag, name string, length func(*migrate.Checkpoint) int64) (*os.File, error) {
	if o.at == nil {
		f, err := os.Create(name)
		if err != nil {
			return nil, misused("%s: %w", flag, err)
		}
		return f, nil
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil, misused("%s: %w; without it the run can't go on: leave --resume out to start anew", flag, err)
	}
	want := length(&o.at.Checkpoint)
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.Size() < want:
		err = misused("%s: %s is shorter than when the run stopped; leave --resume out to start anew", flag, name)
	default:
		if err = f.Truncate(want); err == nil {
			_, err = f.Seek(want, io.SeekStart)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// unfinished returns where a broken run stopped, nil where there is none.
func (c migrateCommand) unfinished(in *input, plan *migrate.Plan) (*checkpoint, error) {
	name := c.Out + checkpointSuffix
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k := new(checkpoint)
	if err := json.Unmarshal(b, k); err != nil || k.Report == nil {
		return nil, misused("--resume: %s is broken; leave --resume out to start anew", name)
	}
	switch {
	case k.Run != c.identity(plan):
		return nil, misused("--resume: %s is of a run with other rules, versions, files or flags; leave --resume out to start anew", name)
	case k.Size != in.size:
		return nil, misused("--resume: %s has changed since; leave --resume out to start anew", c.In)
	}
	return k, nil
}

// identity tells apart runs whose outputs would differ.
func (c migrateCommand) identity(plan *migrate.Plan) string {
	b, err := json.Marshal([]any{c.Pack, plan.Model(), plan, plan.Options().Target, c.In, c.Out, c.Residue, c.Side, c.Down, c.AllowLoss, c.OnError})
	if err != nil {
		b = nil // a plan can be written
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// keep stores a checkpoint once everything before it is on the disk.
func (o *outputs) keep(k migrate.Checkpoint) error {
	for _, f := range []*os.File{o.outFile, o.residue, o.side} {
		if f == nil || (f == o.residue && o.reads) || !isRegular(f) {
			continue
		}
		if err := f.Sync(); err != nil {
			return err
		}
	}
	b, err := json.Marshal(checkpoint{o.run, o.size, k})
	if err != nil {
		return err
	}
	next := o.checkpoint + ".new"
	if err := writeSynced(next, b); err != nil {
		return err
	}
	return os.Rename(next, o.checkpoint)
}

func writeSynced(name string, b []byte) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func isRegular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// finish ends the output, and removes the checkpoint of a run that is done:
// what such a run gave is whole, refused records included.
func (o *outputs) finish(err error) error {
	closed := o.out.Close()
	if err == nil {
		err = closed
	}
	for _, f := range []*os.File{o.outFile, o.side, o.written()} {
		if f == nil {
			continue
		}
		if closed := f.Close(); err == nil {
			err = closed
		}
	}
	o.outFile, o.side = nil, nil
	_, partial := errors.AsType[*migrate.PartialError](err)
	if (err == nil || partial) && o.checkpoint != "" {
		if removed := os.Remove(o.checkpoint); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
			return fmt.Errorf("the run is done, but %s could not be removed: %w", o.checkpoint, removed)
		}
	}
	return err
}

// written is the residue where it is written, for finish to close.
func (o *outputs) written() *os.File {
	if o.reads {
		return nil
	}
	f := o.residue
	o.residue = nil
	return f
}

// close gives up what is still open.
func (o *outputs) close() {
	for _, f := range []*os.File{o.outFile, o.residue, o.side} {
		if f != nil {
			_ = f.Close()
		}
	}
}
