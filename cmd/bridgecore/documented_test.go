package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
)

const (
	repository     = "../.."
	documentedPage = repository + "/docs/documented.md"
	documents      = repository + "/../shared/mission/"
)

// TestDocumentedRequests sends the requests of docs/documented.md in order and
// holds the answers against those that stand below them.
func TestDocumentedRequests(t *testing.T) {
	p := newProgram(t)
	code, _, stderr := p.run("correct-horse-9\n", "user", "add", "admin", "--admin")
	require.Equal(t, statusOK, code, stderr)
	s := serve(t, p)
	defer func() {
		s.cancel()
		assert.Equal(t, statusOK, <-s.ended)
		http.DefaultClient.CloseIdleConnections()
	}()
	simulated := func(version string) string {
		o, err := odootest.Start(odootest.Config{Version: version, Database: "production", Users: []odootest.User{{Login: "admin", Password: "secret123", Role: odootest.RoleAdmin}}})
		require.NoError(t, err)
		t.Cleanup(o.Close)
		return o.URL
	}
	d := &documentedRun{
		server: s.url,
		words: map[string]string{
			// The documented one is shorter than new ones may be.
			"password123":              "correct-horse-9",
			"https://odoo.example.com": simulated("17.0"),
			"https://old.example.com":  simulated("13.0"),
		},
		ids: map[string]json.Number{},
	}
	exchanges := documentedExchanges(t)
	require.NotEmpty(t, exchanges)
	for _, x := range exchanges {
		t.Run(x.heading, func(t *testing.T) { d.play(t, x) })
	}
}

// documentedExchange is a request of the page, and what stands below it.
type documentedExchange struct {
	heading string
	request string
	form    string // of the answer: "json", "text", "gzip" or nothing
	status  int    // 0 for any that tells of success
	answer  string
}

// documentedExchanges reads the blocks of the page.
func documentedExchanges(t *testing.T) (all []documentedExchange) {
	t.Helper()
	heading := ""
	lines := strings.Split(page(t), "\n")
	for i := 0; i < len(lines); i++ {
		if title, ok := strings.CutPrefix(strings.TrimLeft(lines[i], "#"), " "); ok && strings.HasPrefix(lines[i], "#") {
			heading = title
		}
		info, opens := strings.CutPrefix(lines[i], "```")
		if !opens {
			continue
		}
		length := slices.Index(lines[i+1:], "```")
		require.NotEqual(t, -1, length, "a block that does not end, below %q", heading)
		block := strings.Join(lines[i+1:i+1+length], "\n")
		i += length + 1
		form, status, _ := strings.Cut(info, " ")
		if form == "http" {
			all = append(all, documentedExchange{heading: heading, request: block})
			continue
		}
		require.Contains(t, []string{"json", "text", "gzip"}, form, "below %q", heading)
		require.NotEmpty(t, all, "an answer without a request, below %q", heading)
		x := &all[len(all)-1]
		require.Empty(t, x.form, "two answers to one request, below %q", heading)
		x.form, x.answer = form, block
		if status != "" {
			var err error
			x.status, err = strconv.Atoi(status)
			require.NoError(t, err)
		}
	}
	return all
}

// documentedRun is the page being played.
type documentedRun struct {
	server string
	words  map[string]string      // what stands in requests for what was answered
	ids    map[string]json.Number // what a documented id stands for
}

func (d *documentedRun) play(t *testing.T, x documentedExchange) {
	t.Helper()
	req := d.request(t, x.request)
	res, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	if x.status == 0 {
		require.Equal(t, 2, res.StatusCode/100, "%s\n%s", x.request, body)
	} else {
		require.Equal(t, x.status, res.StatusCode, "%s\n%s", x.request, body)
	}
	switch x.form {
	case "json":
		got, want := numbers(t, body), numbers(t, []byte(x.answer))
		for _, fault := range d.unlike("", want, got) {
			t.Errorf("%s\n%s\nin the answer %s", x.request, fault, body)
		}
		d.remember(got)
	case "text":
		for want := range strings.SplitSeq(x.answer, "\n") {
			if !strings.Contains("\n"+string(body), "\n"+want) {
				t.Errorf("no line begins with %s", want)
			}
		}
	case "gzip":
		// The least percentage that it saves.
		least, err := strconv.ParseFloat(x.answer, 64)
		require.NoError(t, err)
		require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
		r, err := gzip.NewReader(bytes.NewReader(body))
		require.NoError(t, err)
		plain, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, 100-100*float64(len(body))/float64(len(plain)), least, "%d bytes of %d", len(body), len(plain))
	}
}

// request reads a request as it is written down: a line with the method and
// the path, headers, an empty line, a body.
func (d *documentedRun) request(t *testing.T, text string) *http.Request {
	t.Helper()
	for word, meaning := range d.words {
		text = strings.ReplaceAll(text, word, meaning)
	}
	head, body, _ := strings.Cut(text, "\n\n")
	line, fields, _ := strings.Cut(head, "\n")
	method, path, ok := strings.Cut(line, " ")
	require.True(t, ok, line)
	header := http.Header{}
	for field := range strings.SplitSeq(fields, "\n") {
		if name, value, ok := strings.Cut(field, ": "); ok {
			header.Set(name, value)
		}
	}
	var content []byte
	switch {
	case header.Get("Content-Type") == "multipart/form-data":
		content = d.form(t, header, body)
	case body != "":
		var err error
		content, err = json.Marshal(d.known(numbers(t, []byte(body))))
		require.NoError(t, err)
		header.Set("Content-Type", "application/json")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, d.server+path, bytes.NewReader(content))
	require.NoError(t, err)
	req.Header = header
	return req
}

// form reads a form as it is written down: a line for each field, and for the
// file its name in brackets and what is in it.
func (d *documentedRun) form(t *testing.T, header http.Header, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for line := range strings.SplitSeq(text, "\n") {
		name, value, ok := strings.Cut(line, ": ")
		require.True(t, ok, line)
		file, content, isFile := strings.Cut(strings.TrimPrefix(value, "["), "] ")
		if !isFile {
			require.NoError(t, w.WriteField(name, fmt.Sprint(d.known(json.Number(value)))))
			continue
		}
		part, err := w.CreateFormFile(name, file)
		require.NoError(t, err)
		_, err = io.WriteString(part, content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	header.Set("Content-Type", w.FormDataContentType())
	return b.Bytes()
}

// known puts into a request what its ids stand for.
func (d *documentedRun) known(v any) any {
	switch v := v.(type) {
	case json.Number:
		if id, ok := d.ids[v.String()]; ok {
			return id
		}
	case []any:
		for i := range v {
			v[i] = d.known(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = d.known(v[key])
		}
	}
	return v
}

// remember keeps what later requests name.
func (d *documentedRun) remember(answer any) {
	members, _ := answer.(map[string]any)
	for _, name := range []string{"access_token", "refresh_token", "download_url", "file_id", "status_url"} {
		if text, ok := members[name].(string); ok {
			d.words["{"+name+"}"] = text
		}
	}
}

var documentedTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)

// unlike says how an answer differs from the documented one.
func (d *documentedRun) unlike(path string, want, got any) []string {
	if want == "..." {
		return nil
	}
	fault := func(format string, args ...any) []string {
		return []string{path + ": " + fmt.Sprintf(format, args...)}
	}
	switch want := want.(type) {
	case map[string]any:
		members, ok := got.(map[string]any)
		if !ok {
			return fault("is %v, not an object", got)
		}
		var faults []string
		for _, name := range slices.Sorted(maps.Keys(want)) {
			value, there := members[name]
			switch number, isNumber := want[name].(json.Number); {
			case want[name] == "!absent":
				if there {
					faults = append(faults, path+"."+name+": must not be there")
				}
			case !there:
				faults = append(faults, path+"."+name+": is missing")
			case name == "id" && isNumber && len(number) >= 3:
				// The documents' own ids are 123 and the like; 1 is one.
				id, ok := value.(json.Number)
				if known, again := d.ids[number.String()]; !ok || again && known != id && path != ".result" {
					faults = append(faults, fmt.Sprintf("%s.id: is %v, not %v", path, value, known))
				}
				d.ids[number.String()] = id
			default:
				faults = append(faults, d.unlike(path+"."+name, want[name], value)...)
			}
		}
		return faults
	case []any:
		items, ok := got.([]any)
		if !ok {
			return fault("is %v, not a list", got)
		}
		open := len(want) > 0 && want[len(want)-1] == "..."
		if open {
			want = want[:len(want)-1]
		}
		if len(items) < len(want) || !open && len(items) != len(want) || open && len(items) == 0 {
			return fault("has %d items, not %d", len(items), len(want))
		}
		var faults []string
		for i := range want {
			faults = append(faults, d.unlike(fmt.Sprintf("%s[%d]", path, i), want[i], items[i])...)
		}
		return faults
	case string:
		text, ok := got.(string)
		begin, open := strings.CutSuffix(want, "...")
		switch {
		case !ok:
			return fault("is %v, not a text", got)
		case open && strings.HasPrefix(text, begin):
		case documentedTime.MatchString(want):
			if _, err := time.Parse(time.RFC3339, text); err != nil {
				return fault("%v", err)
			}
		case text != want:
			return fault("is %q, not %q", text, want)
		}
	case json.Number:
		wanted := want
		if id, ok := d.ids[want.String()]; ok {
			wanted = id
		}
		number, ok := got.(json.Number)
		if !ok {
			return fault("is %v, not a number", got)
		}
		a, errA := wanted.Float64()
		b, errB := number.Float64()
		if errA != nil || errB != nil || a != b {
			return fault("is %v, not %v", got, wanted)
		}
	default:
		if want != got {
			return fault("is %v, not %v", got, want)
		}
	}
	return nil
}

// numbers decodes JSON, keeping numbers as they are written.
func numbers(t *testing.T, text []byte) (v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&v), string(text))
	return v
}

func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(documentedPage)
	require.NoError(t, err)
	return string(text)
}

// Every claim that is said to hold names something that is there.
func TestDocumentedClaims(t *testing.T) {
	text := page(t)
	tests := testNames(t)
	anchors := pageAnchors(text)
	rows := 0
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| claim") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		require.Len(t, cells, 3, line)
		claim, state, evidence := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[1]), strings.TrimSpace(cells[2])
		switch state {
		case "yes", "otherwise":
			assert.NotEmpty(t, evidence, "%s: nothing shows it", claim)
		case "not yet":
			assert.Empty(t, evidence, "%s: something shows it", claim)
			continue
		default:
			t.Errorf("%s: %q is no state", claim, state)
		}
		found := strings.Contains(evidence, "the request") || strings.Contains(evidence, "nothing") || strings.Contains(evidence, "read and not needed")
		for _, m := range regexp.MustCompile("`(\\.[^` ]*) ((?:Test|Fuzz|Benchmark)\\w+)`").FindAllStringSubmatch(evidence, -1) {
			found = true
			assert.Contains(t, tests[filepath.Clean(m[1])], m[2], "%s: there is no such test in %s", claim, m[1])
		}
		for _, m := range regexp.MustCompile("`bridgecore ([a-z -]+)`").FindAllStringSubmatch(evidence, -1) {
			found = true
			assert.True(t, isCommand(t, m[1]), "%s: there is no command %q", claim, m[1])
		}
		for _, m := range regexp.MustCompile(`(?:^|[ ,;])([\w./-]*\w\.(?:md|yml|yaml|json|conf|service|example|go)|Dockerfile|LICENSE|\.env\.example)`).FindAllStringSubmatch(evidence, -1) {
			found = true
			assert.FileExists(t, filepath.Join(repository, m[1]), claim)
		}
		for _, m := range regexp.MustCompile(`\]\(#([^)]+)\)`).FindAllStringSubmatch(evidence, -1) {
			found = true
			assert.Contains(t, anchors, m[1], "%s: there is no such section", claim)
		}
		assert.True(t, found, "%s: %q names nothing that can be looked up", claim, evidence)
	}
	assert.Greater(t, rows, 50)
}

// The page has every section of the documents.
func TestDocumentedSections(t *testing.T) {
	headings := map[string]bool{}
	for line := range strings.SplitSeq(page(t), "\n") {
		if strings.HasPrefix(line, "#") {
			headings[line] = true
		}
	}
	text, err := os.ReadFile(documents + "documentation.md")
	if err != nil {
		t.Skip("SKIPPED: no documents in ../shared/mission, nothing to compare with")
	}
	quoted := false
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasPrefix(line, "```") {
			quoted = !quoted
		}
		if !quoted && strings.HasPrefix(line, "##") && line != "## Table of Contents" {
			assert.True(t, headings[line], "%q of documentation.md is missing", line)
		}
	}
}

// testNames are the tests of each folder.
func testNames(t *testing.T) map[string][]string {
	t.Helper()
	names := map[string][]string{}
	find := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	require.NoError(t, filepath.WalkDir(repository, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path) //nolint:gosec // a file of the repository
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(repository, filepath.Dir(path))
		for _, m := range find.FindAllSubmatch(text, -1) {
			names[folder] = append(names[folder], string(m[1]))
		}
		return err
	}))
	return names
}

// pageAnchors are the links that lead to the headings of a page.
func pageAnchors(text string) (all []string) {
	drop := regexp.MustCompile(`[^\p{L}\p{N} -]`)
	for line := range strings.SplitSeq(text, "\n") {
		if _, title, ok := strings.Cut(line, "# "); ok && strings.HasPrefix(line, "#") {
			all = append(all, strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(title), ""), " ", "-"))
		}
	}
	return all
}

// isCommand reports whether the program has a command.
func isCommand(t *testing.T, words string) bool {
	t.Helper()
	parser, err := kong.New(&commands{})
	require.NoError(t, err)
	node := parser.Model.Node
	for word := range strings.FieldsSeq(words) {
		i := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == word })
		if i < 0 {
			return false
		}
		node = node.Children[i]
	}
	return true
}
