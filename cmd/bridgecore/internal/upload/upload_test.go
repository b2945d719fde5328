package upload_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/cmd/bridgecore/internal/upload"
)

const kind = "multipart/form-data; boundary=cut"

var spec = upload.Spec{Required: []string{"model"}, Optional: []string{"field"}, MaxFile: 1000}

func part(disposition, value string) string {
	return "--cut\r\nContent-Disposition: form-data; " + disposition + "\r\nContent-Type: image/png\r\n\r\n" + value + "\r\n"
}

const end = "--cut--\r\n"

func TestAFormIsRead(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	file, model := part(`name="file"; filename="a b.txt"`, "hello"), part(`name="model"`, "res.partner")
	for _, body := range []string{model + file + end, file + model + end, "preamble\r\n" + file + model + "--cut--"} {
		f, err := upload.Read(kind, strings.NewReader(body), spec)
		require.NoError(t, err)
		assert.Equal(t, map[string]string{"model": "res.partner"}, f.Fields)
		assert.Equal(t, "a b.txt", f.Name)
		assert.Equal(t, "text/plain; charset=utf-8", f.MIMEType, "not what the client says")
		assert.EqualValues(t, 5, f.Size)
		assert.Equal(t, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", f.Digest)
		for range 2 {
			r, err := f.Content()
			require.NoError(t, err)
			b, err := io.ReadAll(r)
			require.NoError(t, err)
			assert.Equal(t, "hello", string(b))
		}
		require.NoError(t, f.Close())
	}
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestFormsThatAreRefused(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	file, model := part(`name="file"; filename="a"`, "x"), part(`name="model"`, "m")
	for name, c := range map[string]struct{ kind, body, field, message string }{
		"no boundary":        {"multipart/form-data", file + model + end, "", "boundary"},
		"another boundary":   {"multipart/form-data; boundary=other", file + model + end, "", "malformed"},
		"no file":            {kind, model + end, "file", "is missing"},
		"no field":           {kind, file + end, "model", "is missing"},
		"an empty field":     {kind, file + part(`name="model"`, "") + end, "model", "is missing"},
		"truncated":          {kind, model + file[:len(file)-2], "", "broke off"},
		"truncated headers":  {kind, model + "--cut\r\nContent-Dispo", "", "broke off"},
		"no end":             {kind, model + file, "", "broke off"},
		"nothing":            {kind, "", "", "broke off"},
		"two files":          {kind, file + file + model + end, "file", "twice"},
		"a field twice":      {kind, file + model + model + end, "model", "twice"},
		"another field":      {kind, file + model + part(`name="x"`, "") + end, "x", "no such field"},
		"a nameless part":    {kind, file + model + part(`filename="x"`, "") + end, "a part without a name", "no such field"},
		"a long field":       {kind, file + part(`name="model"`, strings.Repeat("x", 1025)) + end, "model", "longer"},
		"a field with a NUL": {kind, file + part(`name="model"`, "a\x00b") + end, "model", "control"},
		"a field with CRLF":  {kind, file + part(`name="model"`, "a\r\nb") + end, "model", "control"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := upload.Read(c.kind, strings.NewReader(c.body), spec)
			var wrong *upload.Error
			require.ErrorAs(t, err, &wrong)
			assert.Equal(t, c.field, wrong.Field)
			assert.Contains(t, wrong.Message, c.message)
		})
	}
	large := part(`name="file"; filename="a"`, strings.Repeat("x", 1001)) + model + end
	_, err := upload.Read(kind, strings.NewReader(large), spec)
	var tooLarge *upload.TooLarge
	require.ErrorAs(t, err, &tooLarge)
	boom := errors.New("reset")
	_, err = upload.Read(kind, io.MultiReader(strings.NewReader(model+file[:len(file)-2]), failing{boom}), spec)
	require.ErrorIs(t, err, boom)
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, left)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestNamesAreMadeSafe(t *testing.T) {
	for name, want := range map[string]string{
		"report.pdf":                      "report.pdf",
		"../../etc/passwd":                "passwd",
		`C:\Windows\win.ini`:              "win.ini",
		"a\r\nSet-Cookie: x=1":            "aSet-Cookie_ x=1",
		"nul\x00byte.txt":                 "nulbyte.txt",
		"":                                "file",
		"...":                             "file",
		"/":                               "file",
		".htaccess":                       "htaccess",
		"invoice\u202efdp.exe":            "invoicefdp.exe",
		"CON.txt":                         "_CON.txt",
		"a\xffb.txt":                      "a_b.txt",
		`x"; filename="evil.html`:         "x_; filename=_evil.html",
		"تقرير المبيعات.pdf":              "تقرير المبيعات.pdf",
		strings.Repeat("ا", 300):          strings.Repeat("ا", 127),
		strings.Repeat("x", 300):          strings.Repeat("x", 255),
		strings.Repeat("x", 300) + ".pdf": strings.Repeat("x", 251) + ".pdf",
	} {
		got := upload.SafeName(name)
		assert.Equal(t, want, got)
		assert.LessOrEqual(t, len(got), 255)
	}
}

func FuzzSafeName(f *testing.F) {
	f.Add("../a\r\n.pdf")
	f.Add(strings.Repeat("é.", 200))
	f.Fuzz(func(t *testing.T, name string) {
		got := upload.SafeName(name)
		if got == "" || len(got) > 255 || !utf8.ValidString(got) || strings.ContainsAny(got, "/\\\r\n\x00\"") || got[0] == '.' {
			t.Fatalf("%q", got)
		}
		if upload.SafeName(got) != got {
			t.Fatalf("%q is made %q", got, upload.SafeName(got))
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(part(`name="file"; filename="a"`, "x") + part(`name="model"`, "m") + end))
	f.Fuzz(func(t *testing.T, body []byte) {
		form, err := upload.Read(kind, bytes.NewReader(body), spec)
		if err == nil {
			_ = form.Close()
		}
	})
}
