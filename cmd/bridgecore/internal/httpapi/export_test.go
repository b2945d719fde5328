package httpapi_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"github.com/bridgecore/bridgecore/adapter/odoo/odootest"
	"github.com/bridgecore/bridgecore/bridge"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/httpapi"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/limit"
	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/shelf"
)

// export makes an export and fetches it.
func (e *env) export(user, body string, headers ...string) (made map[string]any, file answer) {
	e.t.Helper()
	made = e.send(user, http.MethodPost, "/api/v1/files/export", body, headers...).ok(200)
	file = e.send(user, http.MethodGet, made["download_url"].(string), "")
	require.Equal(e.t, 200, file.status, string(file.body))
	assert.EqualValues(e.t, len(file.body), made["size"])
	return made, file
}

// cells reads CSV.
func cells(t *testing.T, text []byte) [][]string {
	t.Helper()
	text, found := bytes.CutPrefix(text, []byte("\ufeff"))
	assert.True(t, found, "Excel takes it for UTF-8")
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	return rows
}

func arabicOdoo(t *testing.T) *odootest.Server {
	t.Helper()
	s := odootest.NewServer(odootest.Config{Version: "17.0", Languages: map[string]odootest.Terms{"ar_001": {
		"sale.order,name": "مرجع الطلب", "sale.order,date_order": "تاريخ الطلب", "sale.order,partner_id": "العميل", "sale.order,user_id": "مندوب المبيعات",
		"sale.order,state": "الحالة", "sale.order,state,sale": "أمر بيع", "sale.order,state,draft": "عرض سعر", "sale.order,amount_untaxed": "المبلغ دون الضريبة", "sale.order,amount_tax": "الضرائب", "sale.order,amount_total": "الإجمالي",
	}}})
	t.Cleanup(s.Close)
	return s
}

func TestExportsOfEveryFormat(t *testing.T) {
	for _, version := range []string{"13.0", "17.0", "19.0"} {
		t.Run(version, func(t *testing.T) {
			e := newEnv(t)
			e.register("admin", "main", odootest.New(t, version))
			const body = `{"system_id":"main","model":"sale.order","filters":[["id","<=",3]],"fields":["name","partner_id","partner_id.email","state","amount_total","order_line"],"order":"id desc","title":"Orders: May/June","timezone":"Asia/Riyadh","format":"%s"}`
			made, file := e.export("clerk", fmt.Sprintf(body, "csv"))
			assert.EqualValues(t, 3, made["rows"])
			assert.Equal(t, "Orders May June.csv", made["filename"])
			assert.Regexp(t, `^/api/v1/files/download/report-[\w-]+\.csv$`, made["download_url"])
			expires, err := time.Parse(time.RFC3339, made["expires_at"].(string))
			require.NoError(t, err)
			assert.WithinDuration(t, time.Now().Add(time.Hour), expires, time.Minute)
			assert.Equal(t, "text/csv; charset=utf-8", file.header.Get("Content-Type"))
			assert.Equal(t, `attachment; filename="Orders May June.csv"`, file.header.Get("Content-Disposition"))
			rows := cells(t, file.body)
			require.Len(t, rows, 4)
			assert.Equal(t, []string{"Name", "Customer", "Customer / Email", "State", "Amount Total"}, rows[0][:5])
			assert.Equal(t, []string{"S00003", "شركة النور للتجارة", "info@alnoor.example", "Quotation"}, rows[1][:4])
			assert.Equal(t, "552.0", rows[3][4])
			assert.Contains(t, rows[3][5], "S00001", "lines by their names, not by ids")

			_, file = e.export("clerk", fmt.Sprintf(body, "jsonl"))
			lines := decodeLines(t, file.body)
			require.Len(t, lines, 3)
			assert.Equal(t, "شركة النور للتجارة", lines[0]["partner_id"])
			assert.InDelta(t, 552.0, lines[2]["amount_total"], 0)

			made, file = e.export("clerk", fmt.Sprintf(body, "excel"))
			assert.Equal(t, "xlsx", made["format"])
			book, err := excelize.OpenReader(bytes.NewReader(file.body))
			require.NoError(t, err)
			sheet := book.GetSheetList()[0]
			got, err := book.GetRows(sheet)
			require.NoError(t, err)
			assert.Equal(t, "S00003", got[1][0])
			assert.Equal(t, "USD 552.00", got[3][4], "an amount with the record's currency")
			assert.Equal(t, "Total", got[4][0])
			_, file = e.export("clerk", fmt.Sprintf(body, "pdf"))
			assert.True(t, bytes.HasPrefix(file.body, []byte("%PDF-")))
		})
	}
}

// TestAnArabicReport also writes the files to a directory, for people to look
// at.
func TestAnArabicReport(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "main", arabicOdoo(t))
	for _, format := range []string{"csv", "pdf", "xlsx"} {
		made := e.send("clerk", "POST", "/api/v1/files/report/sales", `{"system_id":"main","format":"`+format+`","language":"ar","timezone":"Asia/Riyadh"}`).ok(200)
		file := e.send("clerk", "GET", made["download_url"].(string), "")
		require.Equal(t, 200, file.status)
		assert.Equal(t, "المبيعات."+format, made["filename"])
		assert.Equal(t, `attachment; filename="`+strings.Repeat("_", 8)+`.`+format+`"; filename*=UTF-8''%D8%A7%D9%84%D9%85%D8%A8%D9%8A%D8%B9%D8%A7%D8%AA.`+format, file.header.Get("Content-Disposition"))
		if format == "csv" {
			rows := cells(t, file.body)
			assert.Equal(t, []string{"مرجع الطلب", "تاريخ الطلب", "العميل", "مندوب المبيعات", "الحالة", "المبلغ دون الضريبة", "الضرائب", "الإجمالي"}, rows[0])
			assert.Equal(t, "أمر بيع", rows[1][4])
		}
		if dir := os.Getenv("BRIDGECORE_REPORT_DIR"); dir != "" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "served."+format), file.body, 0o600))
		}
	}
	// The language of the request counts unless the body names one. What Odoo
	// has not installed it isn't asked for.
	a := e.send("clerk", "POST", "/api/v1/files/report/sales?lang=ar", `{"system_id":"main","format":"csv"}`).ok(200)
	assert.Equal(t, "المبيعات.csv", a["filename"])
	a = e.send("clerk", "GET", "/api/v1/files/report/sales?system_id=main&format=csv", "", "Accept-Language", "fr").ok(200)
	assert.Equal(t, "Ventes.csv", a["filename"])
}

func TestReportsOfEverySystem(t *testing.T) {
	e := newEnv(t)
	registerAll(t, e)
	for _, system := range []string{"odoo13", "odoo17", "odoo19", "crm", "s4"} {
		for _, name := range []string{"sales", "inventory", "partners"} {
			made := e.send("clerk", "GET", "/api/v1/files/report/"+name+"?format=csv&system_id="+system, "").ok(200)
			assert.Positive(t, made["rows"], "%s %s", system, name)
			assert.Empty(t, made["warnings"], "%s %s", system, name)
			rows := cells(t, e.send("clerk", "GET", made["download_url"].(string), "").body)
			assert.GreaterOrEqual(t, len(rows[0]), 5, "%s %s", system, name)
			period := fmt.Sprintf(`{"system_id":"%s","format":"csv","start_date":"%s","end_date":"%s"}`, system, time.Now().AddDate(-20, 0, 0).Format(time.DateOnly), time.Now().AddDate(0, 0, 1).Format(time.DateOnly))
			before := fmt.Sprintf(`{"system_id":"%s","format":"csv","end_date":"1999-12-31"}`, system)
			if name == "inventory" {
				assert.Contains(t, e.send("clerk", "POST", "/api/v1/files/report/"+name, period).problem(422, "invalid_argument"), "start_date")
				continue
			}
			assert.Equal(t, made["rows"], e.send("clerk", "POST", "/api/v1/files/report/"+name, period).ok(200)["rows"], "%s %s", system, name)
			assert.EqualValues(t, 0, e.send("clerk", "POST", "/api/v1/files/report/"+name, before).ok(200)["rows"], "%s %s", system, name)
		}
	}
	e.send("clerk", "POST", "/api/v1/files/report/nothing", `{"system_id":"odoo17"}`).problem(422, "invalid_argument")
	for field, body := range map[string]string{
		"start_date": `"start_date":"yesterday"`, "end_date": `"start_date":"2026-02-01","end_date":"2026-01-01"`, "language": `"language":"xx"`, "timezone": `"timezone":"Mars/Base"`, "format": `"format":"doc"`,
	} {
		assert.Contains(t, e.send("clerk", "POST", "/api/v1/files/report/sales", `{"system_id":"odoo17",`+body+`}`).problem(422, "invalid_argument"), field)
	}
}

// One vocabulary: the same columns of every kind of system.
func TestExportsInUniversalWords(t *testing.T) {
	e := newEnv(t)
	registerAll(t, e)
	for _, system := range []string{"odoo13", "odoo19", "crm", "s4"} {
		made, file := e.export("clerk", `{"system_id":"`+system+`","model":"contact","use_universal_schema":true,"format":"csv","fields":["name","country","city"],"limit":3,"language":"ar"}`)
		assert.EqualValues(t, 3, made["rows"], system)
		assert.Equal(t, []string{"الاسم", "الدولة", "المدينة"}, cells(t, file.body)[0], system)
	}
	for _, system := range []string{"odoo17", "s4"} {
		_, file := e.export("clerk", `{"system_id":"`+system+`","model":"contact","use_universal_schema":true,"format":"csv","fields":["name","country"],"filters":[["country","=","SA"]],"order":"name"}`)
		rows := cells(t, file.body)[1:]
		assert.NotEmpty(t, rows, system)
		for _, row := range rows {
			assert.Equal(t, "SA", row[1], system)
		}
	}
	_, file := e.export("clerk", `{"system_id":"odoo17","model":"sale_order","use_universal_schema":true,"format":"csv"}`)
	assert.Contains(t, string(file.body), "Blue Harbor Foods")
}

func TestExportsInTheWordsOfAnotherVersion(t *testing.T) {
	e := newEnv(t, withLenses)
	e.register("admin", "main", odootest.New(t, "19.0"))
	_, file := e.export("clerk", `{"system_id":"main","model":"sale.order.line","format":"csv","fields":["product_id","product_uom","product_uom_qty"],"limit":2}`, "X-Odoo-Version", "13.0")
	rows := cells(t, file.body)
	require.Len(t, rows, 3)
	assert.Equal(t, "Units", rows[1][1])
}

func TestExportsThatAreRefused(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "main", odootest.New(t, "17.0"))
	for _, c := range []struct{ says, body string }{
		{"system_id: is missing", `{"model":"res.partner","format":"csv"}`},
		{"model: is missing", `{"system_id":"main","format":"csv"}`},
		{"format: is missing", `{"system_id":"main","model":"res.partner"}`},
		{`"doc" is none of`, `{"system_id":"main","model":"res.partner","format":"doc"}`},
		{"there is no such member", `{"system_id":"main","model":"res.partner","format":"csv","later":true}`},
		{"limit", `{"system_id":"main","model":"res.partner","format":"csv","limit":-1}`},
		{"Invalid field 'nothing'", `{"system_id":"main","model":"res.partner","format":"csv","fields":["nothing"]}`},
		{"Invalid field 'nothing'", `{"system_id":"main","model":"res.partner","format":"csv","fields":["parent_id.nothing"]}`},
		{"files or pictures", `{"system_id":"main","model":"res.partner","format":"csv","fields":["image_1920"]}`},
		{"domain", `{"system_id":"main","model":"res.partner","format":"csv","filters":"x"}`},
		{"order", `{"system_id":"main","model":"res.partner","format":"csv","order":"name sideways"}`},
		{"Invalid field 'x'", `{"system_id":"main","model":"res.partner","format":"csv","filters":[["x","=",1]]}`},
		{"title", `{"system_id":"main","model":"res.partner","format":"csv","title":"` + strings.Repeat("x", 201) + `"}`},
		{"goes with use_universal_schema", `{"system_id":"main","model":"res.partner","format":"csv","unmapped":"drop"}`},
	} {
		assert.Contains(t, e.send("clerk", "POST", "/api/v1/files/export", c.body).problem(422, "invalid_argument"), c.says)
	}
	ok := `{"system_id":"main","model":"res.partner","format":"csv"}`
	e.send("", "POST", "/api/v1/files/export", ok).problem(401, "token_missing")
	e.send("rival", "POST", "/api/v1/files/export", ok).problem(404, "not_found")
	e.send("clerk", "POST", "/api/v1/files/export", strings.Replace(ok, "res.partner", "no.model", 1)).problem(404, "not_found")
}

// The names of related records are read together, not one by one.
func TestNamesAreReadInBatches(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	e := newEnv(t)
	e.register("admin", "main", odoo)
	made, _ := e.export("clerk", `{"system_id":"main","model":"sale.order","fields":["name","order_line"],"format":"csv"}`)
	assert.GreaterOrEqual(t, made["rows"], 10.0)
	assert.Equal(t, 1, odoo.Calls()["sale.order.line.read"])
	assert.Equal(t, 1, odoo.Calls()["sale.order.search_read"])
}

// Whatever a record says, a spreadsheet takes none of it for a formula.
func TestFormulasAreTexts(t *testing.T) {
	odoo := odootest.New(t, "17.0")
	evil := []string{`=cmd|' /C calc'!A0`, "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1", `=HYPERLINK("http://evil")`, "|x", "%0A=1"}
	for _, name := range evil {
		_, err := odoo.Create("res.partner", map[string]any{"name": name, "ref": "evil"})
		require.NoError(t, err)
	}
	e := newEnv(t)
	e.register("admin", "main", odoo)
	const body = `{"system_id":"main","model":"res.partner","filters":[["ref","=","evil"]],"fields":["name"],"title":"=cmd|x","format":"%s"}`
	_, file := e.export("clerk", fmt.Sprintf(body, "csv"))
	rows := cells(t, file.body)[1:]
	require.Len(t, rows, len(evil))
	for _, row := range rows {
		assert.Equal(t, "'", row[0][:1], "%q", row[0])
	}
	_, file = e.export("clerk", fmt.Sprintf(body, "xlsx"))
	book, err := excelize.OpenReader(bytes.NewReader(file.body))
	require.NoError(t, err)
	sheet := book.GetSheetList()[0]
	for i := range evil {
		at := fmt.Sprint("A", i+2)
		formula, err := book.GetCellFormula(sheet, at)
		require.NoError(t, err)
		assert.Empty(t, formula)
		kind, err := book.GetCellType(sheet, at)
		require.NoError(t, err)
		assert.Contains(t, []excelize.CellType{excelize.CellTypeInlineString, excelize.CellTypeSharedString}, kind)
	}
}

// A download belongs to who made it: for anybody else, and under any other name,
// there is nothing.
func TestADownloadIsItsMakersAlone(t *testing.T) {
	_, audited := withAudit(t, false)
	now := time.Now()
	e := newEnv(t, audited, func(h *httpapi.Config, _ *bridge.Config) {
		reports, err := shelf.New(shelf.Config{Dir: t.TempDir(), Key: []byte("0123456789abcdef"), Life: time.Hour, Now: func() time.Time { return now }})
		require.NoError(t, err)
		h.Reports = reports
	})
	e.register("admin", "main", odootest.New(t, "17.0"))
	made, file := e.export("clerk", `{"system_id":"main","model":"res.partner","fields":["name"],"format":"csv"}`)
	where := made["download_url"].(string)

	missing := e.send("clerk", "GET", "/api/v1/files/download/report-nothere.csv", "").problem(404, "not_found")
	for _, user := range []string{"admin", "rival"} {
		assert.Equal(t, missing, e.send(user, "GET", where, "").problem(404, "not_found"), "exactly like one that does not exist")
	}
	e.send("", "GET", where, "").problem(401, "token_missing")
	flipped := []byte(where)
	at := len(where) - len(".csv") - 5
	flipped[at] = map[bool]byte{true: 'B', false: 'A'}[flipped[at] == 'A']
	for _, other := range []string{string(flipped), strings.Replace(where, ".csv", ".pdf", 1), where + "x", strings.Replace(where, "report-", "report-A", 1), "/api/v1/files/download/..%2F..%2Fetc%2Fpasswd"} {
		assert.Equal(t, missing, e.send("clerk", "GET", other, "").problem(404, "not_found"), other)
	}

	tag := file.header.Get("ETag")
	part := e.send("clerk", "GET", where, "", "Range", "bytes=3-6", "If-Range", tag)
	assert.Equal(t, 206, part.status)
	assert.Equal(t, "Name", string(part.body))
	assert.Equal(t, 304, e.send("clerk", "GET", where, "", "If-None-Match", tag).status)
	head := e.send("clerk", "HEAD", where, "")
	assert.Equal(t, 200, head.status)
	assert.Equal(t, strconv.Itoa(len(file.body)), head.header.Get("Content-Length"))
	whole := e.send("clerk", "GET", where, "", "Accept-Encoding", "gzip")
	assert.Empty(t, whole.header.Get("Content-Encoding"), "ranges and the tag are of the file as it is")
	assert.Equal(t, file.body, whole.body)

	now = now.Add(time.Hour)
	assert.Contains(t, e.send("clerk", "GET", where, "").problem(404, "not_found"), "expired")
	assert.Equal(t, missing, e.send("admin", "GET", where, "").problem(404, "not_found"))

	var got []string
	for _, x := range e.trail("admin", "user=clerk") {
		got = append(got, fmt.Sprint(x["action"], " ", x["outcome"]))
		if x["action"] == "exportRecords" {
			details := x["details"].(map[string]any)
			assert.Equal(t, "csv", details["format"])
			assert.EqualValues(t, made["rows"], details["rows"])
			assert.Equal(t, []any{"name"}, details["fields"])
			assert.Equal(t, "res.partner", x["model"])
		}
	}
	assert.Equal(t, []string{"exportRecords ok", "downloadReport ok"}, got[:2], "what carries data out is recorded, whatever is recorded of reads")
	assert.Equal(t, "downloadReport not_found", got[len(got)-1])
}

func TestAnExportHappensOnce(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "main", odootest.New(t, "17.0"))
	body := `{"system_id":"main","model":"res.partner","fields":["name"],"format":"csv"}`
	first := e.send("clerk", "POST", "/api/v1/files/export", body, "Idempotency-Key", "x1").ok(200)
	again := e.send("clerk", "POST", "/api/v1/files/export", body, "Idempotency-Key", "x1")
	assert.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	assert.Equal(t, first, again.ok(200))
}

// An export that breaks off leaves nothing behind.
func TestABrokenExportLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	odoo := odootest.New(t, "17.0")
	e := newEnv(t, func(h *httpapi.Config, _ *bridge.Config) {
		reports, err := shelf.New(shelf.Config{Dir: dir, Key: []byte("0123456789abcdef"), Life: time.Hour})
		require.NoError(t, err)
		h.Reports = reports
	})
	e.register("admin", "main", odoo)
	body := `{"system_id":"main","model":"res.partner","fields":["name"],"format":"csv"}`
	e.send("clerk", "POST", "/api/v1/files/export", body).ok(200)
	odoo.Down()
	assert.Equal(t, 503, e.send("clerk", "POST", "/api/v1/files/export", body).status)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}

// Requests for files are counted as such.
func TestFilesAndReportsHaveTheirOwnRates(t *testing.T) {
	e := newEnv(t, withLimits(limit.Rates{limit.File: 2, limit.Report: 1, limit.Default: 0}))
	e.register("admin", "main", odootest.New(t, "17.0"))
	body := `{"system_id":"main","model":"res.partner","fields":["name"],"format":"csv"}`
	a := e.send("clerk", "POST", "/api/v1/files/export", body)
	where := a.ok(200)["download_url"].(string)
	assert.Contains(t, a.header.Get("RateLimit-Policy"), `"report"`)
	e.send("clerk", "POST", "/api/v1/files/report/sales", `{"system_id":"main","format":"csv"}`).problem(429, "rate_limited")
	assert.Contains(t, e.send("clerk", "GET", where, "").header.Get("RateLimit-Policy"), `"file"`)
	e.upload("clerk", "main", "res.partner", "1", "a", "x").ok(200)
	e.send("clerk", "GET", "/api/v1/files?system_id=main&model=res.partner&record_id=1", "").problem(429, "rate_limited")
}

func TestTheColumnsOfAnExportAreDescribed(t *testing.T) {
	e := newEnv(t)
	e.register("admin", "main", odootest.New(t, "17.0"))
	_, file := e.export("clerk", `{"system_id":"main","model":"res.partner","format":"csv","limit":1}`)
	header := cells(t, file.body)[0]
	assert.Equal(t, []string{"ID", "Name"}, header[:2])
	slices.Sort(header)
	assert.NotContains(t, header, "Image 1920", "contents of files are no columns")
	_, file = e.export("clerk", `{"system_id":"main","model":"res.partner","format":"pdf","limit":1}`)
	assert.Len(t, regexp.MustCompile(`/Type /Page\n`).FindAll(file.body, -1), 1)
}

func TestAFullShelfTakesNoMore(t *testing.T) {
	e := newEnv(t, func(h *httpapi.Config, _ *bridge.Config) {
		reports, err := shelf.New(shelf.Config{Dir: t.TempDir(), Key: []byte("0123456789abcdef"), Life: time.Hour, Most: 4000})
		require.NoError(t, err)
		h.Reports = reports
	})
	e.register("admin", "main", odootest.New(t, "17.0"))
	a := e.send("clerk", "POST", "/api/v1/files/export", `{"system_id":"main","model":"res.partner","format":"csv"}`)
	assert.Contains(t, a.problem(503, "unavailable"), "1000 bytes")
	assert.Equal(t, "60", a.header.Get("Retry-After"))
	e.export("clerk", `{"system_id":"main","model":"res.partner","format":"csv","fields":["name"],"limit":3}`)
}
