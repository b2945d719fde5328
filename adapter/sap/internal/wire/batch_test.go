package wire

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const twoSets = "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n" +
	"--c\r\nContent-Type: application/http\r\nContent-ID: 2\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\ntwo\r\n" +
	"--c\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\nHTTP/1.1 204 No Content\r\nODATA-ENTITYID: x\r\n\r\n\r\n--c--\r\n" +
	"\r\n--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\n\r\n{\"error\":{\"code\":\"X\",\"message\":\"no\"}}\r\n--b--\r\n"

func TestReadBatch(t *testing.T) {
	sets := []ChangeSet{{{Method: http.MethodPost}, {Method: http.MethodPost}}, {{Method: http.MethodPost}}}
	outcomes, err := readBatch("multipart/mixed; boundary=b", []byte(twoSets), sets)
	require.NoError(t, err)
	require.Len(t, outcomes, 2)
	assert.Equal(t, "two", string(outcomes[0].Responses[1].Body), "answers tell whose they are")
	assert.Equal(t, "x", outcomes[0].Responses[0].Header.Get("OData-EntityId"))
	assert.Equal(t, "X", outcomes[1].Fault.Code)

	for name, bad := range map[string][2]string{
		"no multipart":  {"application/json", "{}"},
		"no boundary":   {"multipart/mixed", twoSets},
		"cut":           {"multipart/mixed; boundary=b", twoSets[:200]},
		"too few":       {"multipart/mixed; boundary=b", strings.Replace(twoSets, "--c\r\nContent-Type: application/http\r\nContent-ID: 1", "--c\r\nContent-Type: application/http\r\nContent-ID: 2", 1)},
		"no HTTP":       {"multipart/mixed; boundary=b", strings.Replace(twoSets, "HTTP/1.1 201 Created", "hello", 1)},
		"not the order": {"multipart/mixed; boundary=b", strings.Replace(twoSets, "--b--", "--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}\r\n--b--", 1)},
	} {
		_, err := readBatch(bad[0], []byte(bad[1]), sets)
		assert.Error(t, err, name)
	}
}

func FuzzReadBatch(f *testing.F) {
	f.Add("multipart/mixed; boundary=b", twoSets)
	f.Add("multipart/mixed; boundary=b", "--b--")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		sets := []ChangeSet{{{Method: http.MethodPost}, {Method: http.MethodPost}}, {{Method: http.MethodPost}}}
		outcomes, err := readBatch(contentType, []byte(body), sets)
		if err != nil {
			return
		}
		require.Len(t, outcomes, len(sets))
		for i, o := range outcomes {
			if o.Fault == nil && !o.Skipped {
				require.Len(t, o.Responses, len(sets[i]))
				require.NotContains(t, o.Responses, (*Response)(nil))
			}
		}
	})
}

func FuzzFaults(f *testing.F) {
	f.Add(`{"error":{"code":1,"message":"x","innererror":{"errordetails":[{"code":"a"}]}}}`)
	f.Add(`{"error":{"message":{"value":5},"details":{"errordetail":[]}}}`)
	f.Add(`<error><code>x</code><message>at http://10.0.0.1:80/x secret-word</message></error>`)
	conn, err := New(Config{URL: "http://host.example:8000", Password: "secret-word"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, status := range []int{400, 403, 500} {
			e := conn.Refused(ParseFault(status, []byte(body)), "M", true)
			require.NotEmpty(t, e.Message)
			require.NotEmpty(t, e.Code)
			require.NotContains(t, e.Message, "secret-word")
			require.NotContains(t, e.Message, "host.example")
			require.NotContains(t, e.Message, "://")
			require.NotContains(t, e.Message, "\n")
			require.LessOrEqual(t, len(e.Message), maxMessage+3)
		}
	})
}
