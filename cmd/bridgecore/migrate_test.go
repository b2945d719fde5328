package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asProgram makes the test binary be the program itself, for tests that need a
// process.
const asProgram = "BRIDGECORE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

const crossing = "--model=res.partner --from=13.0 --to=19.0"

func migrateArgs(more ...string) []string {
	return append(append([]string{"migrate"}, strings.Fields(crossing)...), more...)
}

func (p program) file(name, content string) string {
	p.t.Helper()
	name = filepath.Join(p.t.TempDir(), name)
	require.NoError(p.t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

func contentOf(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

func TestMigrateGivesTheDocumentedResult(t *testing.T) {
	p := newProgram(t)
	status, out, errs := p.run(`{"name":"Ahmed Al-Saudi","customer":true,"phone":"+966501234567","user_id":5}`, migrateArgs()...)
	assert.Equal(t, statusOK, status, errs)
	assert.JSONEq(t, `{"name":"Ahmed Al-Saudi","type":"contact","phone_primary":"+966501234567","sales_person_id":5}`, out)
	assert.Contains(t, errs, "1 records, 1 migrated, 0 refused")
	assert.Contains(t, errs, "--pack community", "it is labelled for what it is")
	assert.NotContains(t, errs, "\x1b", "no bar where there is no terminal")
}

func TestMigrateThereAndBack(t *testing.T) {
	p := newProgram(t)
	dir := t.TempDir()
	up, residue, report := filepath.Join(dir, "up.ndjson"), filepath.Join(dir, "residue.ndjson"), filepath.Join(dir, "report.json")
	old := `{"id":1,"name":"S1","note":"Terms & more","invoice_status":"no","amount_by_group":[["VAT",15]]}` + "\n" + `{"id":2,"name":"S2","note":false}` + "\n"
	args := []string{"migrate", "--pack=community", "--model=sale.order", "--from=13.0", "--to=19.0"}
	status, out, errs := p.run(old, append(args, "--out="+up, "--residue="+residue, "--report="+report, "--json")...)
	require.Equal(t, statusOK, status, errs)
	assert.Empty(t, out)
	assert.NotEmpty(t, contentOf(t, residue))
	var told, kept map[string]any
	require.NoError(t, json.Unmarshal([]byte(errs), &told), "--json: %s", errs)
	require.NoError(t, json.Unmarshal([]byte(contentOf(t, report)), &kept))
	assert.Equal(t, told, kept)
	assert.EqualValues(t, 2, kept["records"])

	status, out, errs = p.run("", append(args, "--down", "--in="+up, "--residue="+residue)...)
	require.Equal(t, statusOK, status, errs)
	wanted, got := strings.Split(strings.TrimSpace(old), "\n"), strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, got, len(wanted))
	for i := range wanted {
		assert.JSONEq(t, wanted[i], got[i])
	}

	status, _, errs = p.run("", append(args, "--down", "--in="+up)...)
	assert.Equal(t, statusFailed, status, "without the residue")
	assert.Contains(t, errs, "amount_by_group")
	status, out, errs = p.run("", append(args, "--down", "--allow-loss", "--in="+up)...)
	assert.Equal(t, statusOK, status, errs)
	assert.NotContains(t, out, "amount_by_group")
}

func TestMigrateFormats(t *testing.T) {
	p := newProgram(t)
	dir := t.TempDir()
	csv := p.file("in.csv", "\ufeffid,name,customer,phone,user_id\n1,\"Al-Saudi, Ahmed\",True,+966,5\n2,\"two\nlines\",,,\n")
	status, out, errs := p.run("", migrateArgs("--in="+csv, "--output-format=ndjson")...)
	require.Equal(t, statusOK, status, errs)
	assert.Equal(t, []string{`{"id":1,"name":"Al-Saudi, Ahmed","phone_primary":"+966","sales_person_id":5,"type":"contact"}`, `{"id":2,"name":"two\nlines"}`, ""}, strings.Split(out, "\n"))

	for name, want := range map[string]string{
		"out.csv":  "id,name,phone_primary,sales_person_id,type\n1,\"Al-Saudi, Ahmed\",+966,5,contact\n2,\"two\nlines\",,,\n",
		"out.json": "[\n{\"id\":1,\"name\":\"Al-Saudi, Ahmed\",\"phone_primary\":\"+966\",\"sales_person_id\":5,\"type\":\"contact\"},\n{\"id\":2,\"name\":\"two\\nlines\"}\n]\n",
	} {
		file := filepath.Join(dir, name)
		status, _, errs = p.run("", migrateArgs("--in="+csv, "--out="+file)...)
		require.Equal(t, statusOK, status, errs)
		assert.Equal(t, want, contentOf(t, file))
	}
	array := p.file("in.json", "[\n {\"id\": 1, \"phone\": \"1\"},\n {\"id\": 2}\n]")
	status, out, errs = p.run("", migrateArgs("--in="+array)...)
	require.Equal(t, statusOK, status, errs)
	assert.JSONEq(t, `[{"id":1,"phone_primary":"1"},{"id":2}]`, out)
	status, out, _ = p.run("[]", migrateArgs("--input-format=json")...)
	assert.Equal(t, statusOK, status)
	assert.JSONEq(t, `[]`, out)
	status, out, _ = p.run("", migrateArgs()...)
	assert.Equal(t, statusOK, status, "no records")
	assert.Empty(t, out)
}

func TestMigrateBadInput(t *testing.T) {
	p := newProgram(t)
	good := `{"id":1,"phone":"1"}` + "\n"
	for name, tc := range map[string]struct {
		format, in string
		want       string
	}{
		"truncated":             {"ndjson", good + `{"id":2,"pho`, "record"},
		"no object":             {"ndjson", good + `[1]`, "object"},
		"null":                  {"ndjson", good + `null`, ""},
		"duplicate keys":        {"ndjson", good + `{"phone":"1","phone":"2"}`, `"phone" appears twice`},
		"NaN":                   {"ndjson", good + `{"phone":NaN}`, ""},
		"invalid UTF-8":         {"ndjson", good + "{\"phone\":\"\xff\"}", "UTF-8"},
		"truncated array":       {"json", `[{"id":1},{"id":2}`, "ends in the middle"},
		"truncated in a record": {"json", `[{"id":1},{"id":`, "ends in the middle"},
		"array that is none":    {"json", `{"id":1}`, "array"},
		"more after the array":  {"json", `[{"id":1}] []`, "follows"},
		"empty file of JSON":    {"json", ``, "empty"},
		"array, duplicates":     {"json", `[{"phone":"1","phone":"2"}]`, `"phone" appears twice`},
		"array, NaN":            {"json", `[{"phone":NaN}]`, "not JSON"},
		"truncated CSV":         {"csv", "id,name\n1,\"open", "not CSV"},
		"cells missing":         {"csv", "id,name\n1\n", "number of cells"},
		"column twice":          {"csv", "id,id\n1,2\n", "twice"},
		"column without name":   {"csv", "id,\n1,2\n", "no name"},
		"NaN in CSV":            {"csv", "id,credit_limit\n1,NaN\n", `"NaN" is not a number`},
		"no boolean":            {"csv", "id,is_company\n1,maybe\n", `line 2, is_company: "maybe" is not true or false`},
		"CSV, invalid UTF-8":    {"csv", "id,name\n1,\xff\n", "UTF-8"},
		"empty file of CSV":     {"csv", "", "empty"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := p.run(tc.in, migrateArgs("--input-format="+tc.format, "--output-format=ndjson")...)
			assert.Equal(t, statusFailed, status, errs)
			assert.Contains(t, errs, "bridgecore: ")
			assert.Contains(t, errs, tc.want)
			assert.NotContains(t, errs, "panic")
			if strings.HasPrefix(tc.in, good) {
				assert.Equal(t, []string{`{"id":1,"phone_primary":"1"}`, ""}, strings.Split(out, "\n"), "the records before it")
			}
		})
	}
	status, out, errs := p.run(good+"[1]\n"+good, migrateArgs("--on-error=collect")...)
	assert.Equal(t, statusFound, status)
	assert.Equal(t, 2, strings.Count(out, "\n"))
	assert.Contains(t, errs, "record 1:")
	assert.Contains(t, errs, "1 of 3 records could not be migrated")

	var wide bytes.Buffer
	wide.WriteString(`{"id":1`)
	for i := range 10_000 {
		fmt.Fprintf(&wide, `,"x_%d":%d`, i, i)
	}
	wide.WriteString("}")
	status, out, errs = p.run(wide.String(), migrateArgs()...)
	assert.Equal(t, statusOK, status, errs)
	assert.JSONEq(t, wide.String(), out, "10,000 fields")
}

func TestMigrateMistakes(t *testing.T) {
	p := newProgram(t)
	in := p.file("in.ndjson", `{"id":1}`)
	broken := p.file("broken.yaml", "pack: own\nfrom: '1'\nto: '2'\nmodels:\n  m: {rules: [{rename: {a: b}}, {rename: {a: c}}]}\n")
	for name, tc := range map[string]struct {
		args string
		want string
	}{
		"unknown version":     {"plan --model=x --from=12.0 --to=19.0", `version "12.0" is unknown`},
		"downgrade":           {"plan --model=x --from=19.0 --to=13.0", "downgrade"},
		"unknown pack":        {"plan --pack=nope --model=x --from=13.0 --to=14.0", `no pack "nope"`},
		"unknown model":       {"plan --pack=community --model=res.partnr --from=13.0 --to=14.0", "did you mean res.partner?"},
		"no model":            {"plan --from=13.0 --to=14.0", "--model"},
		"model of no schema":  {"coverage --pack=community --any-model --model=no.such --from=13.0 --to=14.0", "no model no.such"},
		"contradicting rules": {"lint " + broken, "broken.yaml:5: "},
		"removed model":       {"plan --pack=community --model=uom.category --from=16.0 --to=19.0", "does not exist"},
		"no input":            {"migrate " + crossing + " --in=/no/such", "--in"},
		"a folder":            {"migrate " + crossing + " --in=" + filepath.Dir(in), "folder"},
		"no output":           {"migrate " + crossing + " --out=/no/such/file", "--out"},
		"same file":           {"migrate " + crossing + " --in=" + in + " --out=" + in, "same file"},
		"resume a pipe":       {"migrate " + crossing + " --resume", "--resume needs --in and --out"},
		"resume CSV":          {"migrate " + crossing + " --resume --in=a.csv --out=b.csv", "NDJSON"},
		"loss upwards":        {"migrate " + crossing + " --allow-loss", "--down"},
		"unknown tenant":      {"coverage --tenant=nobody --target=system:x --model=res.partner --from=13.0 --to=14.0", `no tenant "nobody"`},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := p.run("", strings.Fields(tc.args)...)
			assert.Equal(t, statusUsage, status, errs)
			assert.Empty(t, out)
			assert.Contains(t, errs, tc.want)
		})
	}
}

func TestAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("SKIPPED: there is no /dev/full here")
	}
	p := newProgram(t)
	for _, flags := range [][]string{
		{"--out=/dev/full"}, {"--residue=/dev/full"}, {"--report=/dev/full"},
		{"--out=/dev/full", "--output-format=json"}, {"--out=/dev/full", "--output-format=csv"},
	} {
		status, _, errs := p.run(`{"id":1,"customer":true,"type":"other","phone":"1"}`, migrateArgs(flags...)...)
		assert.Equal(t, statusFailed, status, flags)
		assert.Contains(t, errs, "no space left", flags)
	}
}

// TestKillAndResume kills the program in the middle of a run, with a signal
// that it can't see, and goes on: the bytes are those of an unbroken run.
func TestKillAndResume(t *testing.T) {
	t.Parallel()
	const records = 60_000
	dir := t.TempDir()
	in := filepath.Join(dir, "in.ndjson")
	f, err := os.Create(in)
	require.NoError(t, err)
	w := bufio.NewWriter(f)
	for i := range records {
		_, _ = fmt.Fprintf(w, `{"id":%d,"name":"P%d","customer":%t,"type":"other","phone":"+%d","x_note":"%s"}`+"\n", i, i, i%2 == 0, i, strings.Repeat("n", i%50))
	}
	require.NoError(t, w.Flush())
	require.NoError(t, f.Close())
	files := func(name string) []string {
		dir := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(dir, 0o700))
		return []string{filepath.Join(dir, "out.ndjson"), filepath.Join(dir, "residue.ndjson"), filepath.Join(dir, "report.json")}
	}
	args := func(f []string) []string {
		return migrateArgs("--in="+in, "--out="+f[0], "--residue="+f[1], "--report="+f[2], "--every=500", "--workers=1", "--resume")
	}
	whole, broken := files("whole"), files("broken")
	p := newProgram(t)
	killAndResume(p, records, whole, broken, args)

	// And the way back, which reads the residue.
	up := whole
	down := func(f []string) []string {
		return migrateArgs("--down", "--in="+up[0], "--residue="+up[1], "--out="+f[0], "--report="+f[2], "--every=500", "--workers=1", "--resume")
	}
	whole, broken = files("whole down"), files("broken down")
	whole[1], broken[1] = "", ""
	killAndResume(p, records, whole, broken, down)
	first, _, _ := strings.Cut(contentOf(t, whole[0]), "\n")
	assert.JSONEq(t, `{"id":0,"name":"P0","customer":true,"type":"other","phone":"+0","x_note":""}`, first)
}

// killAndResume runs the program twice with files to write, once whole, and
// once killed on the way and resumed.
func killAndResume(p program, records int, whole, broken []string, args func([]string) []string) {
	t := p.t
	t.Helper()
	status, _, errs := p.run("", args(whole)...)
	require.Equal(t, statusOK, status, errs)
	assert.NoFileExists(t, whole[0]+checkpointSuffix)

	killed := 0
	for range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], args(broken)...)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		before, _ := os.ReadFile(broken[0] + checkpointSuffix)
		require.NoError(t, cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		// Kill it once it got further than the run before.
		for running := true; running; {
			select {
			case err := <-ended:
				require.NoError(t, err)
				running = false
			default:
				now, err := os.ReadFile(broken[0] + checkpointSuffix)
				if err != nil || len(now) == 0 || bytes.Equal(now, before) {
					runtime.Gosched()
					continue
				}
				require.NoError(t, cmd.Process.Kill())
				if <-ended != nil {
					killed++
				}
				running = false
			}
		}
	}
	require.Positive(t, killed, "no run was killed before its end")
	require.FileExists(t, broken[0]+checkpointSuffix)

	other := append(args(broken), "--pack=community")
	status, _, errs = p.run("", other...)
	assert.Equal(t, statusUsage, status)
	assert.Contains(t, errs, "other rules")

	// What was written after the last checkpoint, or torn, is cut off.
	torn, err := os.OpenFile(broken[0], os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = torn.WriteString(strings.Repeat("torn", 8<<20))
	require.NoError(t, err)
	require.NoError(t, torn.Close())
	status, _, errs = p.run("", args(broken)...)
	require.Equal(t, statusOK, status, errs)
	for i, name := range whole {
		if name != "" && contentOf(t, name) != contentOf(t, broken[i]) { // too long to be shown
			assert.Fail(t, "the bytes differ", filepath.Base(name))
		}
	}
	assert.Equal(t, records, strings.Count(contentOf(t, broken[0]), "\n"))
	assert.NoFileExists(t, broken[0]+checkpointSuffix)
	t.Logf("killed %d times", killed)
}
