package odoo

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bridgecore/bridgecore/adapter"
	"github.com/bridgecore/bridgecore/adapter/odoo/internal/rpc"
)

// cabinet is a server that keeps one attachment of partner 7.
func cabinet(stored *map[string]any) func(rpc.Call) (any, error) {
	return func(call rpc.Call) (any, error) {
		switch call.Method {
		case "search":
			return []int{7}, nil
		case "create":
			*stored = call.Args[0].(map[string]any)
			return 5, nil
		case "read", "search_read":
			record := map[string]any{"id": 5}
			for k, v := range *stored {
				record[k] = v
			}
			data, _ := (*stored)["datas"].(string)
			record["file_size"] = base64.StdEncoding.DecodedLen(len(data)) - strings.Count(data, "=")
			return []any{record}, nil
		}
		return nil, errors.New("unexpected " + call.Method)
	}
}

func TestAttachments(t *testing.T) {
	client, conn := connect(17)
	stored := map[string]any{}
	conn.answer = cabinet(&stored)
	partner := adapter.IntID(7)

	file, err := client.Attach(t.Context(), adapter.Attachment{Name: "a.txt", MIMEType: "text/plain", Model: "res.partner", RecordID: partner}, strings.NewReader("hello"))
	require.NoError(t, err)
	assert.Equal(t, adapter.Attachment{ID: adapter.IntID(5), Name: "a.txt", MIMEType: "text/plain", Size: 5, Model: "res.partner", RecordID: partner}, file)
	assert.Equal(t, "aGVsbG8=", stored["datas"])

	files, err := client.Attachments(t.Context(), "res.partner", partner)
	require.NoError(t, err)
	assert.Equal(t, []adapter.Attachment{file}, files)
	assert.NotContains(t, conn.last(t).Kwargs["fields"], "datas")

	got, content, err := client.OpenAttachment(t.Context(), file.ID)
	require.NoError(t, err)
	defer content.Close()
	assert.Equal(t, file, got)
	b, err := io.ReadAll(content)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(b))

	stored["type"], stored["datas"] = "url", false
	_, _, err = client.OpenAttachment(t.Context(), file.ID)
	assert.ErrorIs(t, err, adapter.ErrUnsupported)
}

func TestAttachRefuses(t *testing.T) {
	client, conn := connect(17)
	client.config.MaxAttachment = 10
	stored := map[string]any{}
	conn.answer = cabinet(&stored)
	file := adapter.Attachment{Name: "a", Model: "res.partner", RecordID: adapter.IntID(7)}

	_, err := client.Attach(t.Context(), file, strings.NewReader("12345678901"))
	e := fault(t, err)
	assert.Equal(t, adapter.InvalidArgument, e.Code)
	assert.Contains(t, e.Message, "10 bytes")
	_, err = client.Attach(t.Context(), file, strings.NewReader("1234567890"))
	assert.NoError(t, err)

	_, err = client.Attach(t.Context(), file, iotest.ErrReader(errors.New("disk")))
	assert.ErrorIs(t, err, adapter.ErrInvalidArgument)
	_, err = client.Attach(t.Context(), adapter.Attachment{}, strings.NewReader("x"))
	assert.Equal(t, "name", fault(t, err).Field)
	file.RecordID = adapter.IntID(8)
	_, err = client.Attach(t.Context(), file, strings.NewReader("x"))
	assert.ErrorIs(t, err, adapter.ErrNotFound, "Odoo would keep a file of nobody's")

	conn.answer = func(rpc.Call) (any, error) { return json.RawMessage(`[]`), nil }
	_, _, err = client.OpenAttachment(t.Context(), adapter.IntID(9))
	assert.ErrorIs(t, err, adapter.ErrNotFound)
	_, err = client.Attachments(t.Context(), "res.partner", adapter.IntID(-1))
	assert.ErrorIs(t, err, adapter.ErrNotFound)
}
