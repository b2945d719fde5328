package migrate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/migrate"
)

// manyLines are partners of version 1.0, some of every kind.
func manyLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"id":%d,"name":"P%d","phone":"+%d","customer":%t,"priority":"%d","user_id":[%d,"Ann \"A\""],"x_own":{"a":[1, 2]}}`+"\n", i, i, i*7, i%2 == 0, i%5, i%3+1)
	}
	return b.String()
}

type streamed struct{ out, residue, side, report string }

func stream(tb testing.TB, plan *migrate.Plan, in string, opts migrate.StreamOptions) (streamed, error) {
	tb.Helper()
	var out, residue, side bytes.Buffer
	opts.Residue, opts.Side = &residue, &side
	report, err := migrate.Stream(tb.Context(), strings.NewReader(in), &out, plan, opts)
	return streamed{out.String(), residue.String(), side.String(), asJSON(tb, report)}, err
}

func TestStream(t *testing.T) {
	plan := compile(t, example(t), "partner", "1.0", "2.0", migrate.Options{})
	got, err := stream(t, plan, `{"id":1,"phone":"1","customer":true,"fax":null}`+"\n\n"+`{"id":2,"user_id":[5,"Ann"]}`, migrate.StreamOptions{})
	require.NoError(t, err)
	// The very bytes, not only the same JSON.
	assert.Equal(t, `{"id":1,"phone_primary":"1","fax":null,"type":"contact"}`+"\n"+`{"id":2,"user_ids":[5]}`+"\n", got.out) //nolint:testifylint // order counts
	//nolint:testifylint // order counts
	assert.Equal(t, `{"line":0,"id":1,"model":"partner","kept":[{"at":"1.0","rule":"remove customer","old":{"customer":true},"new":{"type":"contact"}}]}
{"line":1,"id":2,"model":"partner","kept":[{"at":"1.0","rule":"convert user_id","old":{"user_id":[5,"Ann"]},"new":{"user_ids":[5]}}]}
`, strings.ReplaceAll(got.residue, `,"gone":["type"]`, ""))
	var report migrate.Report
	require.NoError(t, json.Unmarshal([]byte(got.report), &report))
	assert.EqualValues(t, 2, report.Records)
	assert.EqualValues(t, 2, report.Migrated)
	assert.EqualValues(t, 2, report.Residues)
	assert.EqualValues(t, 1, report.Count("phone", migrate.Renamed))
	assert.EqualValues(t, 1, report.Count("user_id", migrate.Converted))
	assert.EqualValues(t, 2, report.Count("id", migrate.Carried))
	assert.EqualValues(t, 1, report.Count("fax", migrate.Carried))
}

// TestStreamOrder: however many work, the bytes are those of one.
func TestStreamOrder(t *testing.T) {
	plan := compile(t, example(t), "partner", "1.0", "3.0", migrate.Options{})
	in := manyLines(5000)
	one, err := stream(t, plan, in, migrate.StreamOptions{Workers: 1})
	require.NoError(t, err)
	four, err := stream(t, plan, in, migrate.StreamOptions{Workers: 4})
	require.NoError(t, err)
	assert.Equal(t, one, four)
	assert.Equal(t, 5000, strings.Count(one.out, "\n"))
}

func TestStreamDown(t *testing.T) {
	plan := compile(t, example(t), "partner", "1.0", "3.0", migrate.Options{})
	in := manyLines(3000)
	up, err := stream(t, plan, in, migrate.StreamOptions{})
	require.NoError(t, err)
	var back bytes.Buffer
	_, err = migrate.StreamDown(t.Context(), strings.NewReader(up.out), strings.NewReader(up.residue), &back, plan, migrate.StreamOptions{})
	require.NoError(t, err)
	wanted, got := strings.Split(in, "\n"), strings.Split(back.String(), "\n")
	require.Len(t, got, len(wanted))
	for i := range wanted {
		if wanted[i] != "" {
			require.JSONEq(t, wanted[i], got[i])
		}
	}
	_, err = migrate.StreamDown(t.Context(), strings.NewReader(up.out), nil, io.Discard, plan, migrate.StreamOptions{})
	var missing *migrate.MissingError
	require.ErrorAs(t, err, &missing, "a downgrade without residue")
	assert.Contains(t, missing.Fields, "customer")
	_, err = migrate.StreamDown(t.Context(), strings.NewReader(up.out), strings.NewReader("{}\n"), io.Discard, plan, migrate.StreamOptions{})
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
}

// TestResume breaks a run at every checkpoint in turn and goes on from it.
func TestResume(t *testing.T) {
	plan := compile(t, example(t), "partner", "1.0", "3.0", migrate.Options{})
	in := manyLines(4000)
	whole, err := stream(t, plan, in, migrate.StreamOptions{})
	require.NoError(t, err)
	broken := errors.New("killed")
	for stop := 1; ; stop++ {
		var out, residue, side bytes.Buffer
		var saved []byte
		n := 0
		opts := migrate.StreamOptions{Residue: &residue, Side: &side, Every: 1000, Checkpoint: func(c migrate.Checkpoint) error {
			if n++; n > stop {
				return broken
			}
			b, err := json.Marshal(c)
			saved = b
			return err
		}}
		_, err := migrate.Stream(t.Context(), strings.NewReader(in), &out, plan, opts)
		if err == nil {
			assert.Greater(t, stop, 2, "there were checkpoints to stop at")
			return
		}
		require.ErrorIs(t, err, broken)
		var at migrate.Checkpoint
		require.NoError(t, json.Unmarshal(saved, &at))
		out.Truncate(int(at.Output))
		residue.Truncate(int(at.Residue))
		side.Truncate(int(at.Side))
		opts.Checkpoint, opts.Resume = nil, &at
		report, err := migrate.Stream(t.Context(), strings.NewReader(in[at.Input:]), &out, plan, opts)
		require.NoError(t, err)
		resumed := streamed{out.String(), residue.String(), side.String(), asJSON(t, report)}
		require.Equal(t, whole, resumed)
	}
}

// TestResumeDown is TestResume for the way back, with the residue.
func TestResumeDown(t *testing.T) {
	plan := compile(t, example(t), "partner", "1.0", "3.0", migrate.Options{})
	// Records without residue among the others, so that lines are missing.
	in := strings.ReplaceAll(manyLines(4000), "\n", "\n"+`{"id":0}`+"\n")
	up, err := stream(t, plan, in, migrate.StreamOptions{})
	require.NoError(t, err)
	require.Less(t, strings.Count(up.residue, "\n"), strings.Count(up.out, "\n"))
	up.residue = strings.ReplaceAll(up.residue, "\n", "\n\n") // empty lines do no harm
	var whole bytes.Buffer
	report, err := migrate.StreamDown(t.Context(), strings.NewReader(up.out), strings.NewReader(up.residue), &whole, plan, migrate.StreamOptions{})
	require.NoError(t, err)
	wanted := asJSON(t, report)
	broken := errors.New("killed")
	for stop := 1; ; stop++ {
		var out bytes.Buffer
		var saved []byte
		n := 0
		opts := migrate.StreamOptions{Every: 1000, Checkpoint: func(c migrate.Checkpoint) error {
			if n++; n > stop {
				return broken
			}
			var err error
			saved, err = json.Marshal(c)
			return err
		}}
		_, err := migrate.StreamDown(t.Context(), strings.NewReader(up.out), strings.NewReader(up.residue), &out, plan, opts)
		if err == nil {
			require.Greater(t, stop, 3)
			return
		}
		require.ErrorIs(t, err, broken)
		var at migrate.Checkpoint
		require.NoError(t, json.Unmarshal(saved, &at))
		require.Positive(t, at.Residue)
		out.Truncate(int(at.Output))
		opts.Checkpoint, opts.Resume = nil, &at
		report, err := migrate.StreamDown(t.Context(), strings.NewReader(up.out[at.Input:]), strings.NewReader(up.residue[at.Residue:]), &out, plan, opts)
		require.NoError(t, err)
		require.Equal(t, whole.String(), out.String())
		require.Equal(t, wanted, asJSON(t, report))
	}
}

type fullDisk struct{ left int }

func (d *fullDisk) Write(b []byte) (int, error) {
	if d.left -= len(b); d.left < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(b), nil
}

func TestStreamBadInput(t *testing.T) {
	plan := compile(t, load(t, head+"      - rename: {a: b}\n      - convert: {field: n, as: scale, by: 2}"), "m", "1.0", "2.0", migrate.Options{})
	for name, tc := range map[string]struct{ line, want string }{
		"no object":      {`[1]`, "no JSON object"},
		"truncated":      {`{"a":1`, "without end"},
		"truncated text": {`{"a":"x`, "without end"},
		"twice":          {`{"a":1,"a":2}`, `field "a" appears twice`},
		"twice escaped":  {`{"a":1,"\u0061":2}`, `field "a" appears twice`},
		"twice unknown":  {`{"z":1,"z":2}`, `field "z" appears twice`},
		"NaN":            {`{"n":NaN}`, "unexpected character"},
		"infinite":       {`{"n":-Infinity}`, "broken number"},
		"hex":            {`{"n":0x1}`, "missing comma"},
		"leading zero":   {`{"n":01}`, "missing comma"},
		"not UTF-8":      {"{\"a\":\"\xff\"}", "not UTF-8"},
		"control":        {"{\"a\":\"\x01\"}", "control character"},
		"two records":    {`{"a":1}{"a":2}`, "text after the record"},
		"deep":           {`{"a":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`, "too deep"},
		"wrong type":     {`{"n":"many"}`, `field "n" of m, 1.0 to 2.0: "many" is not a number (rule convert n (pack.yaml:8))`},
		"giant exponent": {`{"n":1e999999999}`, "is not a number"},
		"giant number":   {`{"n":` + strings.Repeat("9", 1000) + `}`, "is not a number"},
		"trailing comma": {`{"a":1,}`, "missing key"},
		"no colon":       {`{"a" 1}`, "missing colon"},
		"unquoted":       {`{a:1}`, "missing key"},
		"broken escape":  {`{"a":"\x"}`, "broken escape"},
	} {
		t.Run(name, func(t *testing.T) {
			in := `{"a":1}` + "\n" + tc.line + "\n" + `{"id":3,"a":3}` + "\n"
			for _, opts := range []migrate.StreamOptions{{}, migrate.StreamOptions{}.Decoding()} {
				got, err := stream(t, plan, in, opts)
				require.ErrorContains(t, err, tc.want)
				assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
				assert.Equal(t, `{"b":1}`+"\n", got.out, "all before the broken record is there")
				opts.OnError = migrate.Collect
				got, err = stream(t, plan, in, opts)
				var partial *migrate.PartialError
				require.ErrorAs(t, err, &partial)
				assert.EqualValues(t, 1, partial.Failed)
				assert.EqualValues(t, 2, partial.Migrated)
				assert.EqualValues(t, 1, partial.Faults[0].Record)
				assert.Equal(t, 2, strings.Count(got.out, "\n"))
			}
		})
	}
	t.Run("ten thousand fields", func(t *testing.T) {
		var b strings.Builder
		b.WriteString(`{"a":1`)
		for i := range 10_000 {
			fmt.Fprintf(&b, `,"f%d":%d`, i, i)
		}
		got, err := stream(t, plan, b.String()+"}\n"+b.String()+"}", migrate.StreamOptions{})
		require.NoError(t, err)
		assert.Equal(t, strings.ReplaceAll(b.String(), `{"a"`, `{"b"`)+"}\n", got.out[:len(got.out)/2])
	})
	t.Run("long line", func(t *testing.T) {
		_, err := stream(t, plan, `{"a":"`+strings.Repeat("x", 100)+`"}`, migrate.StreamOptions{MaxLine: 50})
		assert.ErrorContains(t, err, "longer than 50 bytes")
	})
	t.Run("broken reader", func(t *testing.T) {
		var out bytes.Buffer
		in := io.MultiReader(strings.NewReader(`{"a":1}`+"\n"), iotest.ErrReader(errors.New("cable out")))
		_, err := migrate.Stream(t.Context(), in, &out, plan, migrate.StreamOptions{})
		assert.ErrorContains(t, err, "cable out")
	})
	t.Run("full disk", func(t *testing.T) {
		_, err := migrate.Stream(t.Context(), strings.NewReader(strings.Repeat(`{"a":1}`+"\n", 100_000)), &fullDisk{left: 1000}, plan, migrate.StreamOptions{})
		assert.ErrorContains(t, err, "no space left")
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := migrate.Stream(ctx, strings.NewReader(`{"a":1}`), io.Discard, plan, migrate.StreamOptions{})
		assert.ErrorIs(t, err, context.Canceled)
	})
}

func TestRun(t *testing.T) {
	plan := compile(t, example(t), "partner", "1.0", "3.0", migrate.Options{})
	in := manyLines(1000)
	var got []migrate.Result
	var done int64
	opts := migrate.RunOptions{Workers: 3, Skip: 10, Done: func(n int64) error { done = n; return nil }}
	report, err := migrate.Run(t.Context(), migrate.Records(strings.NewReader(in)), func(r migrate.Result) error { got = append(got, r); return nil }, plan, opts)
	require.NoError(t, err)
	require.Len(t, got, 990)
	assert.EqualValues(t, 1000, done)
	for i, r := range got {
		require.EqualValues(t, i+10, r.Record.Int("id"), "in order")
	}
	assert.EqualValues(t, 990, report.Migrated)
	array := "[" + strings.ReplaceAll(strings.TrimSpace(in), "\n", ",\n") + "]"
	n := 0
	for _, err := range migrate.Records(strings.NewReader(array)) {
		require.NoError(t, err)
		n++
	}
	assert.Equal(t, 1000, n)

	broken := errors.New("sink is full")
	_, err = migrate.Run(t.Context(), migrate.Records(strings.NewReader(in)), func(migrate.Result) error { return broken }, plan, migrate.RunOptions{})
	assert.ErrorIs(t, err, broken)
	_, err = migrate.Run(t.Context(), migrate.Records(strings.NewReader(`{"a":1}{`)), func(migrate.Result) error { return nil }, plan, migrate.RunOptions{})
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
}

// TestRewritingIsDecoding holds the token rewriter against the path that
// decodes whole records, on generated packs and records.
func TestRewritingIsDecoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := drawPlan(t)
		r := recordGen().Draw(t, "record")
		line, err := json.Marshal(r)
		require.NoError(t, err)
		sameStream(t, plan, line)
	})
}

type failer interface {
	require.TestingT
	Helper()
	Context() context.Context
}

func sameStream(t failer, plan *migrate.Plan, line []byte) {
	t.Helper()
	run := func(opts migrate.StreamOptions) (streamed, error) {
		var out, residue, side bytes.Buffer
		opts.Residue, opts.Side, opts.Workers = &residue, &side, 1
		report, err := migrate.Stream(t.Context(), bytes.NewReader(line), &out, plan, opts)
		b, jerr := json.Marshal(report)
		require.NoError(t, jerr)
		return streamed{out.String(), residue.String(), side.String(), string(b)}, err
	}
	fast, err1 := run(migrate.StreamOptions{})
	slow, err2 := run(migrate.StreamOptions{}.Decoding())
	require.Equal(t, err2 == nil, err1 == nil, "%v\n%v", err1, err2)
	if err1 != nil {
		return
	}
	require.Equal(t, lines(t, slow.out), lines(t, fast.out))
	require.Equal(t, lines(t, slow.residue), lines(t, fast.residue))
	require.Equal(t, lines(t, slow.side), lines(t, fast.side))
	require.Equal(t, slow.report, fast.report)
}

func lines(t failer, s string) []any {
	var out []any
	for line := range strings.Lines(s) {
		var v any
		require.NoError(t, adapter.DecodeJSON([]byte(line), &v), "%s", line)
		out = append(out, v)
	}
	return out
}
