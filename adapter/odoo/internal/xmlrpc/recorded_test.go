package xmlrpc

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What real servers sent decodes as encoding/xml decodes it. The recordings
// are kept outside the repository.
func TestTranscodeRecordedAnswers(t *testing.T) {
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		require.NotEqual(t, dir, up, "no go.mod above the test")
		dir = up
	}
	files, err := filepath.Glob(filepath.Join(dir, "..", "shared", "facts", "odoo", "[0-9]*", "wire", "xmlrpc*", "*.http"))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("SKIPPED: no recordings of real servers beside this checkout (../shared/facts/odoo)")
	}
	values, faults, pages := 0, 0, 0
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		_, doc, _ := bytes.Cut(raw, []byte("\n<<<\n"))
		if !bytes.Contains(doc, []byte("<methodResponse>")) {
			pages++
			continue
		}
		got, fault, err := Transcode(nil, bytes.NewReader(doc), Limits{})
		require.NoError(t, err, file)
		if fault != nil {
			faults++
			// The reference reads the fault as if it were a value.
			doc = []byte(strings.NewReplacer("<fault>", "<params><param>", "</fault>", "</param></params>").Replace(string(doc)))
			want, err := reference(doc)
			require.NoError(t, err, file)
			members := want.(map[string]any)
			require.EqualValues(t, members["faultCode"], fault.Code, file)
			require.Equal(t, members["faultString"], fault.String, file)
			continue
		}
		want, err := reference(doc)
		require.NoError(t, err, file)
		require.Equal(t, want, decodeJSON(t, got), file)
		values++
	}
	t.Logf("%d values and %d faults decoded as encoding/xml decodes them; %d answers were no XML-RPC", values, faults, pages)
}
