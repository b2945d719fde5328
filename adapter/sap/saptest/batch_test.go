package saptest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// op is a request of a batch; a list of them is a change set.
type op struct{ method, path, body, id string }

func writeOps(w *multipart.Writer, ops []op) {
	for _, o := range ops {
		h := textproto.MIMEHeader{"Content-Type": {"application/http"}, "Content-Transfer-Encoding": {"binary"}}
		if o.id != "" {
			h.Set("Content-ID", o.id)
		}
		part, _ := w.CreatePart(h)
		fmt.Fprintf(part, "%s %s HTTP/1.1\r\nAccept: application/json\r\nContent-Type: application/json\r\nIf-Match: *\r\n\r\n%s\r\n", o.method, o.path, o.body)
	}
	_ = w.Close()
}

func (b *browser) batch(service string, parts ...[]op) (statuses []string, bodies []string) {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, ops := range parts {
		if len(ops) == 1 && ops[0].method == http.MethodGet {
			h, _ := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"application/http"}, "Content-Transfer-Encoding": {"binary"}})
			fmt.Fprintf(h, "GET %s HTTP/1.1\r\nAccept: application/json\r\n\r\n\r\n", ops[0].path)
			continue
		}
		var inner bytes.Buffer
		iw := multipart.NewWriter(&inner)
		writeOps(iw, ops)
		h, _ := w.CreatePart(textproto.MIMEHeader{"Content-Type": {"multipart/mixed; boundary=" + iw.Boundary()}})
		_, _ = h.Write(inner.Bytes())
	}
	_ = w.Close()
	r := b.send("POST", service+"$batch", body.String(), "Content-Type", "multipart/mixed; boundary="+w.Boundary())
	if service == sampleV2 {
		r.want(202)
	} else {
		r.want(200)
	}
	return readParts(b.t, r.header.Get("Content-Type"), strings.NewReader(r.body))
}

func readParts(t *testing.T, kind string, body io.Reader) (statuses, bodies []string) {
	t.Helper()
	_, params, err := mime.ParseMediaType(kind)
	require.NoError(t, err)
	r := multipart.NewReader(body, params["boundary"])
	for {
		part, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return statuses, bodies
		}
		require.NoError(t, err)
		if strings.HasPrefix(part.Header.Get("Content-Type"), "multipart") {
			s, more := readParts(t, part.Header.Get("Content-Type"), part)
			statuses, bodies = append(append(statuses, "["), s...), append(append(bodies, ""), more...)
			statuses, bodies = append(statuses, "]"), append(bodies, "")
			continue
		}
		content, err := io.ReadAll(part)
		require.NoError(t, err)
		text := string(content)
		require.True(t, strings.HasPrefix(text, "HTTP/1.1 "), text)
		statuses = append(statuses, text[9:12])
		_, rest, _ := strings.Cut(text, "\r\n\r\n")
		bodies = append(bodies, rest)
	}
}

func TestBatch(t *testing.T) {
	for _, service := range []string{sampleV2, sampleV4} {
		b := open(t, Config{NoDemo: true})
		statuses, bodies := b.batch(service,
			[]op{{"POST", "Samples", `{"Name":"a"}`, "1"}, {"POST", "$1/Lines", `{"LineNo":1}`, "2"}, {"PATCH", "$1", `{"Note":"n"}`, "3"}},
			[]op{{"GET", "Samples?$select=Name,Note", "", ""}},
			[]op{{"GET", b.s.URL + service + "Samples('1')/Lines/$count", "", ""}},
		)
		second := "204"
		if service == sampleV4 {
			second = "200"
		}
		assert.Equal(t, []string{"[", "201", "201", second, "]", "200", "200"}, statuses)
		assert.Contains(t, bodies[5], `"Note":"n"`)
		assert.Equal(t, "1", strings.TrimSpace(bodies[6]))
		assert.Equal(t, 1, b.s.Calls()["PATCH "+map[string]string{sampleV2: "ZSAMPLE_SRV", sampleV4: "zsample"}[service]+".$1"]+b.s.Calls()["PATCH "+map[string]string{sampleV2: "ZSAMPLE_SRV", sampleV4: "zsample"}[service]+".Samples"])

		// A change set is carried out wholly or not at all.
		statuses, bodies = b.batch(service,
			[]op{{"POST", "Samples", `{"Name":"b"}`, "1"}, {"PATCH", "Samples('1')", `{"Note":"gone"}`, "2"}, {"POST", "Samples", `{"Nope":1}`, "3"}},
			[]op{{"GET", "Samples/$count", "", ""}},
		)
		assert.Equal(t, "400", statuses[0])
		assert.Contains(t, bodies[0], "Nope")
		if service == sampleV2 {
			assert.Equal(t, []string{"400", "200"}, statuses)
			assert.Equal(t, "1", strings.TrimSpace(bodies[1]))
		} else {
			assert.Len(t, statuses, 1, "version 4 stops at the first error")
		}
		assert.Equal(t, "n", b.s.Get("ZSAMPLE_SRV.Samples", "1")["Note"])
		assert.Equal(t, 1, b.s.Count("ZSAMPLE_SRV.Samples"))
	}
}

func TestWrongBatches(t *testing.T) {
	b := open(t, Config{NoDemo: true})
	b.send("POST", sampleV2+"$batch", "x", "Content-Type", "text/plain").want(415)
	b.send("POST", sampleV2+"$batch", "x", "Content-Type", "multipart/mixed; boundary=y").want(400)
	b.send("POST", sampleV2+"$batch", "--y\r\nContent-Type: application/http\r\n\r\nnope\r\n--y--", "Content-Type", "multipart/mixed; boundary=y").want(400)
	b.send("POST", sampleV2+"$batch", `{"requests":[]}`).want(415)
	b.send("POST", sampleV4+"$batch", `{"requests":[]}`).want(400)
	b.send("POST", sampleV4+"$batch", `{"requests":[{"id":"1","method":"GET","url":"Samples"},{"id":"1","method":"GET","url":"Samples"}]}`).want(400)
	b.send("GET", sampleV2+"$batch", "").want(405)
	r := b.send("POST", sampleV2+"$batch", "--y\r\nContent-Type: application/http\r\n\r\nPOST Samples HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{\"Name\":\"x\"}\r\n--y--", "Content-Type", "multipart/mixed; boundary=y").want(202)
	assert.Contains(t, r.body, "HTTP/1.1 400", "a change outside a change set")
	assert.Zero(t, b.s.Count("ZSAMPLE_SRV.Samples"))
	b.s.ExpireCSRF()
	b.send("POST", sampleV2+"$batch", "", "Content-Type", "multipart/mixed; boundary=y").want(403)
}

func TestJSONBatch(t *testing.T) {
	b := open(t, Config{NoDemo: true})
	group := func(second string) *reply {
		return b.send("POST", sampleV4+"$batch", `{"requests":[
			{"id":"a","atomicityGroup":"g","method":"POST","url":"Samples","headers":{"content-type":"application/json"},"body":{"Name":"x"}},
			{"id":"b","atomicityGroup":"g","method":"POST","url":"$a/Lines","headers":{"content-type":"application/json"},"body":`+second+`},
			{"id":"c","method":"get","url":"Samples?$count=true","dependsOn":["g"]}]}`, "Prefer", "odata.continue-on-error").want(200)
	}
	r := group(`{"LineNo":1}`)
	assert.Equal(t, "201", fmt.Sprint(r.at("responses/0/status")))
	assert.Equal(t, "x", r.at("responses/0/body/Name"))
	assert.Equal(t, "201", fmt.Sprint(r.at("responses/00/status")))
	assert.Equal(t, "1", fmt.Sprint(r.at("responses/000/body/@odata.count")))
	r = group(`{"LineNo":"x"}`)
	assert.Equal(t, "424", fmt.Sprint(r.at("responses/0/status")))
	assert.Equal(t, "400", fmt.Sprint(r.at("responses/00/status")))
	assert.Equal(t, "424", fmt.Sprint(r.at("responses/000/status")))
	assert.Equal(t, 1, b.s.Count("ZSAMPLE_SRV.Samples"))
}

func TestFunctions(t *testing.T) {
	b := open(t, Config{NoDemo: true})
	r := b.get(sampleV2 + "Echo?Text='it''s'&Number=7&Amount=1.50M&Day=" + q("datetime'2026-01-31T00:00:00'")).want(200)
	assert.Equal(t, "it's", r.at("d/Echo/Text"))
	assert.Equal(t, "1.50", r.at("d/Echo/Amount"))
	assert.Equal(t, "/Date(1769817600000)/", r.at("d/Echo/Day"))
	b.get(sampleV2 + "Echo").want(400)
	b.get(sampleV2 + "Echo?Text=7").want(400)
	assert.Equal(t, "5", fmt.Sprint(b.get(sampleV2+"Add?A=2&B=3").at("d/Add")))
	four := b.get(sampleV4 + "Echo(Text='x',Number=1)").want(200)
	assert.Equal(t, "x", four.at("Text"))
	assert.Equal(t, "5", fmt.Sprint(b.get(sampleV4+"Add(A=2,B=3)").at("value")))
	b.send("POST", sampleV4+"Fail", `{"Code":"Z/001","Message":"no","Status":409}`).want(409)
	b.send("POST", sampleV4+"Fail", `{"Code":"Z/001"}`).want(400)
	b.send("POST", sampleV4+"Fail", `{"Code":"Z/001","Message":"no","More":1}`).want(400)
	b.send("POST", sampleV2+"Samples", `{"Name":"x"}`).want(201)
	assert.Equal(t, "y", b.send("POST", sampleV2+"Rename?SampleID='1'&Name='y'", "").want(200).at("d/Name"))
	action := sampleV4 + "Samples('1')/com.sap.gateway.srvd.zsample.v0001.Rename"
	b.send("POST", action, `{"Name":"z"}`).want(428)
	assert.Equal(t, "z", b.send("POST", action, `{"Name":"z"}`, "If-Match", "*").want(200).at("Name"))
	b.get(action).want(405)
}
