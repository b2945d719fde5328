package httpapi_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/audit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/report"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/shelf"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/task"
)

const exportPath = "/api/v1/files/export"

// populous is an Odoo with partners enough for several pages.
func populous(t *testing.T, n int) *odootest.Server {
	t.Helper()
	odoo := odootest.New(t, "17.0")
	for i := range n {
		_, err := odoo.Create("res.partner", map[string]any{"name": fmt.Sprintf("Partner %05d", i), "ref": "export", "country_id": 1 + i%2})
		require.NoError(t, err)
	}
	return odoo
}

const manyPartners = `{"system_id":"main","model":"res.partner","filters":[["ref","=","export"]],"fields":["name","country_id","credit_limit","is_company"],"order":"id","async":%t,"format":%q}`

// An export in the background is the file that it is otherwise, though a worker
// stays with it for one step only.
func TestAnExportInTheBackground(t *testing.T) {
	tasks, start := withTasks(t, func(c *task.Config) { c.Slice = time.Nanosecond })
	var log *audit.Log
	e := newEnv(t, tasks, func(hc *httpapi.Config, _ *bridge.Config) {
		log = audit.New(audit.Config{Store: hc.Store})
		hc.Auditing.Log = log
	})
	t.Cleanup(func() { _ = log.Close() })
	start()
	e.register("admin", "main", populous(t, 2300))
	for _, format := range []string{"csv", "jsonl", "excel", "pdf"} {
		body := fmt.Sprintf(manyPartners, false, format)
		made, file := e.export("clerk", body)
		id := e.started("clerk", exportPath, fmt.Sprintf(manyPartners, true, format))
		end := e.ended("clerk", id, "succeeded")
		assert.Equal(t, "report", end["kind"])
		assert.EqualValues(t, 2300, end["progress"].(map[string]any)["done"])
		assert.EqualValues(t, 100, end["progress"].(map[string]any)["percent"])
		result := end["result"].(map[string]any)
		for _, member := range []string{"success", "filename", "format", "rows"} {
			assert.Equal(t, made[member], result[member], member)
		}
		mine := e.send("clerk", "GET", result["download_url"].(string), "")
		require.Equal(t, 200, mine.status)
		assert.EqualValues(t, len(mine.body), result["size"])
		for _, who := range []string{"clerk", "admin"} {
			same := e.send(who, "GET", "/api/v1/operations/"+id+"/result", "")
			require.Equal(t, 200, same.status, string(same.body))
			assert.Equal(t, mine.body, same.body)
			assert.Equal(t, mine.header.Get("Content-Type"), same.header.Get("Content-Type"))
			assert.Equal(t, mine.header.Get("Content-Disposition"), same.header.Get("Content-Disposition"))
		}
		part := e.send("clerk", "GET", "/api/v1/operations/"+id+"/result", "", "Range", "bytes=0-9")
		assert.Equal(t, 206, part.status)
		assert.Equal(t, mine.body[:10], part.body)
		e.send("admin", "GET", result["download_url"].(string), "").problem(404, "not_found")
		switch format {
		case "csv", "jsonl": // the others have the time in them
			assert.Equal(t, string(file.body), string(mine.body))
		case "pdf":
			assert.Len(t, strings.Split(string(mine.body), "/Type /Page\n"), len(strings.Split(string(file.body), "/Type /Page\n")))
		}
	}
	recorded := 0
	for _, x := range e.trail("admin", "action=report&user=clerk") {
		recorded++
		assert.EqualValues(t, 2300, x["details"].(map[string]any)["rows"])
	}
	assert.Equal(t, 4, recorded, "each file once")
}

// Reports by name can be made so too, and a limit holds over all pages.
func TestAReportInTheBackground(t *testing.T) {
	tasks, start := withTasks(t, nil)
	e := newEnv(t, tasks)
	start()
	e.register("admin", "main", populous(t, 1500))
	id := e.started("clerk", "/api/v1/files/report/partners", `{"system_id":"main","format":"csv","limit":1200,"async":true,"language":"ar"}`)
	result := e.ended("clerk", id, "succeeded")["result"].(map[string]any)
	assert.EqualValues(t, 1200, result["rows"])
	rows := cells(t, e.send("clerk", "GET", result["download_url"].(string), "").body)
	assert.Len(t, rows, 1201)
	assert.Contains(t, result["filename"], "جهات الاتصال")
	a := e.send("clerk", "GET", "/api/v1/files/report/partners?system_id=main&format=csv&async=true", "")
	v := a.ok(http.StatusAccepted)
	assert.Equal(t, v["status_url"], a.header.Get("Location"))
}

// A large export is not made while its caller waits, unless he wants that.
func TestALargeExportGoesToTheBackground(t *testing.T) {
	tasks, start := withTasks(t, nil)
	e := newEnv(t, tasks, func(h *httpapi.Config, _ *bridge.Config) { h.ExportBackground = 30 })
	start()
	e.register("admin", "main", populous(t, 40))
	const asked = `{"system_id":"main","model":"res.partner","filters":[["ref","=","export"]],"fields":["name"],"format":"csv"`
	id := e.started("clerk", exportPath, asked+`}`)
	assert.EqualValues(t, 40, e.ended("clerk", id, "succeeded")["result"].(map[string]any)["rows"])
	e.export("clerk", asked+`,"async":false}`)
	e.export("clerk", asked+`,"limit":30}`)
	for _, method := range []string{"POST", "GET"} {
		path, body := "/api/v1/files/report/partners", `{"system_id":"main","format":"csv"}`
		if method == "GET" {
			path, body = path+"?system_id=main&format=csv", ""
		}
		v := e.send("clerk", method, path, body).ok(http.StatusAccepted)
		e.ended("clerk", v["operation_id"].(string), "succeeded")
	}
}

func TestExportsInTheBackgroundThatAreRefused(t *testing.T) {
	tasks, _ := withTasks(t, nil)
	e := newEnv(t, tasks)
	e.register("admin", "main", populous(t, report.MaxPDFRows+1))
	for _, c := range []struct {
		status     int
		code, body string
	}{
		{404, "not_found", `{"system_id":"main","model":"no.such","format":"csv","async":true}`},
		{404, "not_found", `{"system_id":"others","model":"res.partner","format":"csv","async":true}`},
		{422, "invalid_argument", `{"system_id":"main","model":"res.partner","format":"csv","async":true,"filters":[["nope","=",1]]}`},
		{422, "invalid_argument", `{"system_id":"main","model":"res.partner","format":"csv","async":true,"fields":["image_1920"]}`},
		{422, "invalid_argument", `{"system_id":"main","model":"res.partner","format":"word","async":true}`},
		{422, "invalid_argument", `{"system_id":"main","model":"res.partner","format":"csv","async":1}`},
		{422, "invalid_argument", `{"system_id":"main","model":"res.partner","format":"pdf","async":true,"filters":[["ref","=","export"]]}`},
	} {
		e.send("clerk", "POST", exportPath, c.body).problem(c.status, c.code)
	}
	assert.Empty(t, e.send("admin", "GET", "/api/v1/operations", "").ok(200)["operations"])
}

// A system that its user may no longer use is not read on.
func TestAnExportLosesItsSystem(t *testing.T) {
	tasks, start := withTasks(t, nil)
	e := newEnv(t, tasks)
	e.register("admin", "main", populous(t, 20))
	id := e.started("clerk", exportPath, fmt.Sprintf(manyPartners, true, "csv"))
	u, err := e.store.UserByName(t.Context(), "clerk")
	require.NoError(t, err)
	e.send("admin", "PATCH", fmt.Sprint("/api/v1/admin/users/", u.ID), `{"systems":[]}`).ok(200)
	start()
	end := e.ended("clerk", id, "failed")
	assert.Equal(t, "not_found", end["error"].(map[string]any)["code"])
	e.send("clerk", "GET", "/api/v1/operations/"+id+"/result", "").problem(409, "conflict")
}

// An export that runs ends soon after it is cancelled, and goes on where it
// stopped.
func TestCancelAnExport(t *testing.T) {
	tasks, start := withTasks(t, nil)
	odoo := populous(t, 3500)
	e := newEnv(t, tasks)
	start()
	e.register("admin", "main", odoo)
	odoo.SetFault(odootest.Fault{Contains: "search_read", Latency: 300 * time.Millisecond}, odootest.Fault{Contains: "web_search_read", Latency: 300 * time.Millisecond})
	id := e.started("clerk", exportPath, fmt.Sprintf(manyPartners, true, "csv"))
	asked := false
	all := e.follow("clerk", id, "", func(v event) bool {
		if done := v.data["progress"].(map[string]any)["done"].(float64); done >= 1000 && !asked {
			asked = true
			e.send("clerk", "POST", "/api/v1/operations/"+id+"/cancel", "").ok(200)
		}
		return false
	})
	last := all[len(all)-1]
	assert.Equal(t, "cancelled", last.name)
	assert.Less(t, last.data["progress"].(map[string]any)["done"], 3500.0)
	odoo.SetFault()
	e.send("clerk", "POST", "/api/v1/operations/"+id+"/retry", "").ok(200)
	result := e.ended("clerk", id, "succeeded")["result"].(map[string]any)
	assert.EqualValues(t, 3500, result["rows"])
	seen := map[string]bool{}
	for _, row := range cells(t, e.send("clerk", "GET", result["download_url"].(string), "").body)[1:] {
		seen[row[0]] = true
	}
	assert.Len(t, seen, 3500, "each once")
}

// A worker that does not have what another one read says why it can't go on.
func TestWorkersOfExportsShareADirectory(t *testing.T) {
	dir := t.TempDir()
	tasks, start := withTasks(t, func(c *task.Config) { c.MaxAttempts = 2; c.Slice = time.Nanosecond })
	e := newEnv(t, tasks, func(h *httpapi.Config, _ *bridge.Config) {
		reports, err := shelf.New(shelf.Config{Dir: dir, Key: []byte("0123456789abcdef"), Life: time.Hour})
		require.NoError(t, err)
		h.Reports = reports
	})
	start()
	e.register("admin", "main", populous(t, 1500))
	clear := func() {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, x := range entries {
			require.NoError(t, os.RemoveAll(filepath.Join(dir, x.Name())))
		}
	}
	id := e.started("clerk", exportPath, fmt.Sprintf(manyPartners, true, "csv"))
	e.ended("clerk", id, "succeeded")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "the file is there, and the rows it was made of are not")
	clear()
	said := e.send("clerk", "GET", "/api/v1/operations/"+id+"/result", "").problem(404, "not_found")
	assert.Contains(t, said, "REPORTS_DIR")

	id = e.started("clerk", exportPath, fmt.Sprintf(manyPartners, true, "csv"))
	all := e.follow("clerk", id, "", func(v event) bool {
		if v.data["progress"].(map[string]any)["done"].(float64) == 1000 {
			clear()
		}
		return false
	})
	last := all[len(all)-1]
	if last.name == "failed" { // unless it was quicker
		assert.Contains(t, last.data["error"].(map[string]any)["message"], "REPORTS_DIR")
	}
}

// The answer of an export is kept under its key no longer than the file.
func TestAnExportIsMadeAgainWhenItsFileIsGone(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "main", odootest.New(t, "17.0"))
	body := `{"system_id":"main","model":"res.partner","fields":["name"],"format":"csv"}`
	first := e.send("clerk", "POST", exportPath, body, "Idempotency-Key", "x1").ok(200)
	until, err := time.Parse(time.RFC3339, first["expires_at"].(string))
	require.NoError(t, err)
	u, err := e.store.UserByName(t.Context(), "clerk")
	require.NoError(t, err)
	kept, err := e.store.AnswerKept(t.Context(), u.ID, "x1")
	require.NoError(t, err)
	assert.WithinDuration(t, until, kept.ExpiresAt, 0)
	kept.ExpiresAt = time.Now().Add(-time.Second)
	require.NoError(t, e.store.KeepAnswer(t.Context(), kept))
	again := e.send("clerk", "POST", exportPath, body, "Idempotency-Key", "x1")
	assert.Empty(t, again.header.Get("Idempotent-Replayed"))
	assert.NotEqual(t, first["download_url"], again.ok(200)["download_url"])
}
