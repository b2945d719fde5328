package httpapi_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/adapter/salesforce/salesforcetest"
	"github.com/bridgecore/bridgecore/adapter/sap/saptest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
)

// form is a form with a file; fields are pairs of names and values, and "file"
// says where among them the file stands.
func form(filename, content string, fields ...string) (contentType, body string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] != "file" {
			_ = w.WriteField(fields[i], fields[i+1])
			continue
		}
		part, _ := w.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name="file"; filename="%s"`, filename)}, "Content-Type": {fields[i+1]},
		})
		_, _ = part.Write([]byte(content))
	}
	_ = w.Close()
	return w.FormDataContentType(), b.String()
}

// upload attaches a file to a record.
func (e *env) upload(user, system, model, record, filename, content string, more ...string) answer {
	e.t.Helper()
	kind, body := form(filename, content, append([]string{"system_id", system, "model", model, "record_id", record, "file", "application/x-msdownload"}, more...)...)
	return e.send(user, http.MethodPost, "/api/v1/files/upload", body, "Content-Type", kind)
}

// registerAll registers a system of each kind, and returns a model and a record
// of each.
func registerAll(t *testing.T, e *env) map[string][2]string {
	t.Helper()
	records := map[string][2]string{}
	for _, version := range []string{"13.0", "17.0", "19.0"} {
		id := "odoo" + version[:2]
		e.register("admin", id, odootest.New(t, version))
		records[id] = [2]string{"res.partner", "1"}
	}
	org := salesforcetest.New(t)
	e.send("admin", "POST", "/api/v1/systems", registered(t, "crm", "salesforce", "", map[string]any{"url": org.URL, "client_id": org.ClientID, "client_secret": org.ClientSecret})).ok(201)
	s4 := saptest.New(t)
	e.send("admin", "POST", "/api/v1/systems", registered(t, "s4", "sap", "", map[string]any{"url": s4.URL, "username": s4.Username, "password": s4.Password})).ok(201)
	first := func(system, model string) [2]string {
		list := e.send("admin", "POST", "/api/v1/systems/"+system+"/crud", `{"action":"read","model":"`+model+`","limit":1}`).ok(200)["result"].([]any)
		r := list[0].(map[string]any)
		for _, name := range []string{"Id", "id"} {
			if id, ok := r[name].(string); ok {
				return [2]string{model, id}
			}
		}
		t.Fatalf("no id: %v", r)
		return [2]string{}
	}
	records["crm"] = first("crm", "Account")
	records["s4"] = first("s4", "API_BUSINESS_PARTNER.A_BusinessPartner")
	return records
}

// A file goes to every kind of system and comes back the same, in whole and in
// parts, and is gone after it was removed.
func TestFilesOfEverySystem(t *testing.T) {
	_, audited := withAudit(t, false)
	e := newEnv(t, audited)
	content := "%PDF-1.7\n" + strings.Repeat("0123456789", 5000) + "\x00\xff"
	for system, record := range registerAll(t, e) {
		t.Run(system, func(t *testing.T) {
			e.t = t
			v := e.upload("clerk", system, record[0], record[1], "Ver\u00adtrag № 5.pdf", content).ok(200)
			id, isText := v["file_id"].(string)
			require.True(t, isText && id != "", "file_id is a text: %v", v)
			assert.EqualValues(t, len(content), v["size"])
			assert.Equal(t, "application/pdf", v["mimetype"], "told by the content, not by the client")
			assert.Equal(t, "Ver\u00adtrag № 5.pdf", v["filename"])
			where := v["download_url"].(string)

			list := e.send("clerk", "GET", "/api/v1/files?"+url.Values{"system_id": {system}, "model": {record[0]}, "record_id": {record[1]}}.Encode(), "").ok(200)
			found := false
			for _, f := range list["files"].([]any) {
				f := f.(map[string]any)
				if f["file_id"] == id {
					found = true
					assert.Equal(t, v["filename"], f["filename"])
					assert.EqualValues(t, len(content), f["size"])
					assert.Equal(t, where, f["download_url"])
				}
			}
			assert.True(t, found, "%v", list)

			a := e.send("clerk", "GET", where, "")
			require.Equal(t, 200, a.status, string(a.body))
			assert.Equal(t, content, string(a.body))
			assert.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
			assert.Equal(t, "application/pdf", a.header.Get("Content-Type"))
			_, params, err := mime.ParseMediaType(a.header.Get("Content-Disposition"))
			require.NoError(t, err)
			assert.Equal(t, "Ver\u00adtrag № 5.pdf", params["filename"])
			tag := a.header.Get("ETag")
			require.NotEmpty(t, tag)

			part := e.send("clerk", "GET", where, "", "Range", "bytes=9-18", "If-Range", tag)
			require.Equal(t, 206, part.status, string(part.body))
			assert.Equal(t, "0123456789", string(part.body))
			assert.Equal(t, fmt.Sprintf("bytes 9-18/%d", len(content)), part.header.Get("Content-Range"))
			assert.Equal(t, 200, e.send("clerk", "GET", where, "", "Range", "bytes=9-18", "If-Range", `"other"`).status)
			assert.Equal(t, 304, e.send("clerk", "GET", where, "", "If-None-Match", tag).status)
			head := e.send("clerk", "HEAD", where, "")
			assert.Equal(t, 200, head.status)
			assert.Equal(t, strconv.Itoa(len(content)), head.header.Get("Content-Length"))
			assert.Empty(t, head.body)
			out := e.send("clerk", "GET", where, "", "Range", "bytes=900000-")
			out.problem(416, "range_not_satisfiable")
			assert.Equal(t, fmt.Sprintf("bytes */%d", len(content)), out.header.Get("Content-Range"))

			missing := e.send("clerk", "GET", strings.Replace(where, "/files/", "/files/9", 1), "").problem(404, "not_found")
			assert.NotContains(t, missing, "Traceback")
			e.send("rival", "GET", where, "").problem(404, "not_found")
			e.send("rival", "DELETE", where, "").problem(404, "not_found")
			assert.Equal(t, true, e.send("clerk", "DELETE", where, "").ok(200)["success"])
			e.send("clerk", "GET", where, "").problem(404, "not_found")
			e.send("clerk", "DELETE", where, "").problem(404, "not_found")
		})
	}
	e.t = t
	var got []string
	for _, x := range e.trail("admin", "user=clerk&system_id=odoo17") {
		got = append(got, fmt.Sprint(x["action"], " ", x["outcome"]))
		if x["action"] == "uploadFile" {
			details := x["details"].(map[string]any)
			assert.NotEmpty(t, details["file_id"])
			assert.EqualValues(t, len(content), details["size"])
			assert.Len(t, details["changes"], 1)
		}
	}
	assert.Equal(t, []string{
		"uploadFile ok", "downloadFile ok", "downloadFile ok", "downloadFile ok", "downloadFile ok", "downloadFile ok",
		"downloadFile range_not_satisfiable", "downloadFile not_found", "deleteFile ok", "downloadFile not_found", "deleteFile not_found",
	}, got, "a download carries data out: it is recorded though reads are not; a list is a read")
}

func TestAnUploadedPictureBecomesAField(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	e := newEnv(t)
	e.register("admin", "main", odoo)
	png, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
	require.NoError(t, err)
	v := e.upload("clerk", "main", "res.partner", "1", "logo.txt", string(png), "field", "image_1920").ok(200)
	assert.Equal(t, "image/png", v["mimetype"])
	assert.Equal(t, "image_1920", v["field"])
	read := e.send("clerk", "POST", "/api/v1/systems/main/crud", `{"action":"read","model":"res.partner","domain":[["id","=",1]],"fields":["image_1920"]}`).ok(200)
	assert.Equal(t, base64.StdEncoding.EncodeToString(png), read["result"].([]any)[0].(map[string]any)["image_1920"])

	for field, want := range map[string]string{"name": "holds no file", "nothing": "Invalid field 'nothing'"} {
		assert.Contains(t, e.upload("clerk", "main", "res.partner", "1", "x", "y", "field", field).problem(422, "invalid_argument"), want)
	}
	assert.EqualValues(t, 1, e.send("clerk", "GET", "/api/v1/files?system_id=main&model=res.partner&record_id=1", "").ok(200)["count"], "nothing is attached where the field is refused")

	// In universal words, and in those of another version.
	v = e.upload("clerk", "main", "contact", "1", "a.txt", "hello", "use_universal_schema", "true").ok(200)
	assert.Equal(t, "contact", v["model"])
	assert.EqualValues(t, 2, e.send("clerk", "GET", "/api/v1/files?system_id=main&model=contact&record_id=1&use_universal_schema=true", "").ok(200)["count"])
	e.upload("clerk", "main", "contact", "1", "a.txt", "hello", "use_universal_schema", "yes").problem(422, "invalid_argument")
}

func TestFilesThroughAPinnedVersion(t *testing.T) {
	e := newEnv(t, withLenses)
	odoo := odootest.New(t, "19.0")
	e.register("admin", "main", odoo)
	list := func() float64 {
		a := e.send("clerk", "GET", "/api/v1/files?system_id=main&model=account.move&record_id=1", "", "X-Odoo-Version", "13.0")
		assert.Equal(t, "13.0", a.header.Get("X-Odoo-Version"))
		return a.ok(200)["count"].(float64)
	}
	lot, err := odoo.Create("stock.lot", map[string]any{"name": "LOT-1", "product_id": int64(1)})
	require.NoError(t, err)
	kind, body := form("lot.txt", "hello", "file", "", "system_id", "main", "model", "stock.production.lot", "record_id", strconv.FormatInt(lot, 10))
	v := e.send("clerk", "POST", "/api/v1/files/upload", body, "Content-Type", kind, "X-Odoo-Version", "13.0").ok(200)
	assert.Equal(t, "stock.production.lot", v["model"], "the model was renamed since")
	assert.EqualValues(t, 1, e.send("clerk", "GET", "/api/v1/files?system_id=main&model=stock.lot&record_id="+strconv.FormatInt(lot, 10), "").ok(200)["count"])

	before := list()
	kind, body = form("a.txt", "hello", "file", "", "system_id", "main", "model", "account.move", "record_id", "1")
	a := e.send("clerk", "POST", "/api/v1/files/upload", body, "Content-Type", kind, "X-Odoo-Version", "13.0")
	v = a.ok(200)
	assert.Equal(t, "account.move", v["model"])
	assert.Equal(t, before+1, list())
	got := e.send("clerk", "GET", v["download_url"].(string), "", "X-Odoo-Version", "13.0")
	assert.Equal(t, "hello", string(got.body))
}

// What others attached is under names and types of theirs.
func TestForeignNamesAndTypesHurtNoHeader(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	e := newEnv(t)
	e.register("admin", "main", odoo)
	for _, c := range []struct{ name, kind, want, wantKind string }{
		{"a\r\nX-Evil: 1.html", "text/html\r\nX-Evil: 1", "aX-Evil_ 1.html", "application/octet-stream"},
		{"../../x\"; filename=\"y.svg", "image/svg+xml", "x_; filename=_y.svg", "image/svg+xml"},
		{"ملف.txt", "", "ملف.txt", "application/octet-stream"},
	} {
		id, err := odoo.Create("ir.attachment", map[string]any{"name": c.name, "mimetype": c.kind, "datas": "aGk=", "res_model": "res.partner", "res_id": int64(1)})
		require.NoError(t, err)
		a := e.send("clerk", "GET", fmt.Sprint("/api/v1/systems/main/files/", id), "")
		require.Equal(t, 200, a.status, string(a.body))
		assert.Empty(t, a.header.Get("X-Evil"))
		disposition := a.header.Get("Content-Disposition")
		kind, params, err := mime.ParseMediaType(disposition)
		require.NoError(t, err, disposition)
		assert.Equal(t, "attachment", kind)
		assert.Equal(t, c.want, params["filename"])
		if c.kind != "" { // else Odoo tells it by itself
			assert.Equal(t, c.wantKind, a.header.Get("Content-Type"))
		}
		assert.Equal(t, "hi", string(a.body))
	}
}

func withSmallUploads(c *httpapi.Config, _ *bridge.Config) { c.MaxUpload = 5000 }

func TestHostileUploads(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	e := newEnv(t, withSmallUploads)
	e.register("admin", "main", odoo)
	ok := []string{"system_id", "main", "model", "res.partner", "record_id", "1"}
	send := func(kind, body string, headers ...string) answer {
		return e.send("clerk", "POST", "/api/v1/files/upload", body, append([]string{"Content-Type", kind}, headers...)...)
	}

	for name, want := range map[string]string{
		"../../../etc/passwd": "passwd", `..\\..\\win.ini`: "win.ini", strings.Repeat("x", 300) + ".pdf": strings.Repeat("x", 251) + ".pdf",
		"a%0d%0ab.txt": "a%0d%0ab.txt", "تقرير.pdf": "تقرير.pdf", "": "file", "evil\u202etxt.exe": "eviltxt.exe", `a\"; b.html`: "a_; b.html",
	} {
		v := e.upload("clerk", "main", "res.partner", "1", name, "<script>alert(1)</script><html><body>hi").ok(200)
		assert.Equal(t, want, v["filename"])
		assert.Equal(t, "text/html; charset=utf-8", v["mimetype"])
		a := e.send("clerk", "GET", v["download_url"].(string), "")
		require.Equal(t, 200, a.status)
		disposition := a.header.Get("Content-Disposition")
		assert.True(t, strings.HasPrefix(disposition, "attachment; "), disposition)
		_, params, err := mime.ParseMediaType(disposition)
		require.NoError(t, err, disposition)
		assert.Equal(t, want, params["filename"])
		assert.Contains(t, a.header.Get("Content-Security-Policy"), "sandbox")
	}

	// A name that breaks its header is no name at all.
	kind, body := form("NAME", "x", append([]string{"file", "text/plain"}, ok...)...)
	for _, name := range []string{"a\r\nX-Evil: 1\r\n", "nul\x00.txt"} {
		a := send(kind, strings.Replace(body, "NAME", name, 1))
		assert.NotEqual(t, 500, a.status, "%q: %s", name, a.body)
		assert.Empty(t, a.header.Get("X-Evil"))
		if a.status == 200 {
			assert.NotContains(t, a.json()["filename"], "\r")
			assert.NotContains(t, a.json()["filename"], "\x00")
		}
	}

	large := strings.Repeat("x", 5001)
	for name, c := range map[string]struct {
		kind, body string
		status     int
		code, says string
	}{
		"a file too large":    {"", large, 413, "payload_too_large", "5000"},
		"much too large":      {"", strings.Repeat(large, 100), 413, "payload_too_large", "5000"},
		"JSON":                {"application/json", "{}", 415, "unsupported_media_type", "multipart/form-data"},
		"no content type":     {"", "", 0, "", ""},
		"without a boundary":  {"multipart/form-data", "x", 400, "bad_request", "boundary"},
		"another boundary":    {"multipart/form-data; boundary=x", body, 400, "bad_request", "malformed"},
		"nothing":             {"multipart/form-data; boundary=x", "", 400, "bad_request", "broke off"},
		"truncated":           {kind, body[:len(body)-60], 400, "bad_request", "broke off"},
		"cut within the file": {kind, body[:strings.Index(body, "\r\nx\r\n")+3], 400, "bad_request", "broke off"},
	} {
		t.Run(name, func(t *testing.T) {
			e.t = t
			if c.status == 0 {
				t.Skip()
			}
			if c.status == 413 {
				c.kind, c.body = form("a", c.body, append([]string{"file", "text/plain"}, ok...)...)
			}
			a := send(c.kind, c.body)
			a.t = t
			assert.Contains(t, a.problem(c.status, c.code), c.says)
		})
	}
	e.t = t
	for i := 0; i < len(ok); i += 2 {
		fields := append([]string{"file", "text/plain"}, ok[:i]...)
		kind, body := form("a", "x", append(fields, ok[i+2:]...)...)
		a := send(kind, body)
		assert.Equal(t, ok[i]+": is missing", a.problem(422, "invalid_argument"))
	}
	kind, body = form("a", "x", ok...)
	assert.Contains(t, send(kind, body).problem(422, "invalid_argument"), "file: is missing")
	kind, body = form("a", "x", append([]string{"file", "", "evil", "1"}, ok...)...)
	assert.Contains(t, send(kind, body).problem(422, "invalid_argument"), "evil: there is no such field")

	// The file is sent in chunks, without saying how long it is.
	kind, body = form("a", strings.Repeat(large, 30), append([]string{"file", "text/plain"}, ok...)...)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.url+"/api/v1/files/upload", struct{ *strings.Reader }{strings.NewReader(body)})
	require.NoError(t, err)
	req.ContentLength = -1
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Authorization", "Bearer "+e.tokens["clerk"])
	e.do(req).problem(413, "payload_too_large")

	// Who may not, may not, before a byte is read.
	kind, body = form("a", "x", append([]string{"file", "text/plain"}, ok...)...)
	e.send("", "POST", "/api/v1/files/upload", body, "Content-Type", kind).problem(401, "token_missing")
	e.send("rival", "POST", "/api/v1/files/upload", body, "Content-Type", kind).problem(404, "not_found")
	e.upload("clerk", "main", "res.partner", "999999", "a", "x").problem(404, "not_found")
	e.upload("clerk", "main", "res.partner", "one", "a", "x").problem(422, "invalid_argument")
	e.upload("clerk", "main", "no.model", "1", "a", "x").problem(404, "not_found")
	e.upload("clerk", "nothere", "res.partner", "1", "a", "x").problem(404, "not_found")
	assert.NotContains(t, e.log.String(), "panic")
}

func TestAnUploadHappensOnce(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	e := newEnv(t)
	e.register("admin", "main", odoo)
	send := func(name, content string) answer {
		// The boundary is another one each time.
		kind, body := form(name, content, "file", "", "system_id", "main", "model", "res.partner", "record_id", "1")
		return e.send("clerk", "POST", "/api/v1/files/upload", body, "Content-Type", kind, "Idempotency-Key", "k1")
	}
	first := send("a.txt", "hello").ok(200)
	again := send("a.txt", "hello")
	assert.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	assert.Equal(t, first, again.ok(200))
	assert.Contains(t, send("a.txt", "hello!").problem(422, "invalid_argument"), "another request")
	assert.Contains(t, send("b.txt", "hello").problem(422, "invalid_argument"), "another request")
	assert.EqualValues(t, 1, e.send("clerk", "GET", "/api/v1/files?system_id=main&model=res.partner&record_id=1", "").ok(200)["count"])
}

func decodeLines(t *testing.T, body []byte) []map[string]any {
	t.Helper()
	var out []map[string]any
	for line := range bytes.Lines(body) {
		var v map[string]any
		require.NoError(t, json.Unmarshal(line, &v), string(line))
		out = append(out, v)
	}
	return out
}

// Everything about files names its system in another place than the path: for
// another tenant that system is not there, in the same words.
func TestNobodySeesAnotherTenantsFiles(t *testing.T) {
	e := newEnv(t)
	e.register("rival", "theirs", odootest.New(t, "17.0"))
	made := e.upload("rival", "theirs", "res.partner", "1", "secret.txt", "canary").ok(200)
	kind, body := form("a", "x", "file", "", "system_id", "{id}", "model", "res.partner", "record_id", "1")
	for name, c := range map[string]struct{ method, path, body, kind string }{
		"upload":        {"POST", "/api/v1/files/upload", body, kind},
		"list":          {"GET", "/api/v1/files?system_id={id}&model=res.partner&record_id=1", "", ""},
		"download":      {"GET", "/api/v1/systems/{id}/files/" + made["file_id"].(string), "", ""},
		"delete":        {"DELETE", "/api/v1/systems/{id}/files/" + made["file_id"].(string), "", ""},
		"export":        {"POST", "/api/v1/files/export", `{"system_id":"{id}","model":"res.partner","format":"csv"}`, "application/json"},
		"universal":     {"POST", "/api/v1/files/export", `{"system_id":"{id}","model":"contact","use_universal_schema":true,"format":"csv"}`, "application/json"},
		"report":        {"POST", "/api/v1/files/report/sales", `{"system_id":"{id}","format":"csv"}`, "application/json"},
		"report by GET": {"GET", "/api/v1/files/report/sales?system_id={id}&format=csv", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			ask := func(user, id string) answer {
				a := e.send(user, c.method, strings.ReplaceAll(c.path, "{id}", id), strings.ReplaceAll(c.body, "{id}", id), "Content-Type", c.kind)
				a.t = t
				return a
			}
			ask("", "theirs").problem(401, "token_missing")
			for _, user := range []string{"clerk", "admin"} {
				missing := ask(user, "nothere").problem(404, "not_found")
				assert.Equal(t, strings.ReplaceAll(missing, "nothere", "theirs"), ask(user, "theirs").problem(404, "not_found"))
			}
		})
	}
	got := e.send("rival", "GET", made["download_url"].(string), "")
	assert.Equal(t, "canary", string(got.body), "it is still there")
}
