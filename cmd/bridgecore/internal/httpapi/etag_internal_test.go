package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is too large to be held back, comes bit by bit, or is no JSON, goes out
// as it comes.
func TestLongAndSlowAnswersAreNotHeldBack(t *testing.T) {
	hold := func(kind string, write func(w *holder)) *httptest.ResponseRecorder {
		out := httptest.NewRecorder()
		h := &holder{ResponseWriter: out, request: httptest.NewRequest(http.MethodGet, "/", nil)}
		h.Header().Set("Content-Type", kind)
		write(h)
		h.release()
		return out
	}
	put := func(h *holder, n int) {
		_, err := h.Write([]byte(strings.Repeat("x", n)))
		require.NoError(t, err)
	}
	out := hold("application/json; charset=utf-8", func(h *holder) { put(h, 3); put(h, 4) })
	assert.Equal(t, "xxxxxxx", out.Body.String())
	assert.NotEmpty(t, out.Header().Get("ETag"))
	assert.Equal(t, "7", out.Header().Get("Content-Length"))

	out = hold("application/json", func(h *holder) {
		put(h, maxTagged)
		assert.Zero(t, h.ResponseWriter.(*httptest.ResponseRecorder).Body.Len())
		put(h, 1)
		assert.Equal(t, maxTagged+1, h.ResponseWriter.(*httptest.ResponseRecorder).Body.Len())
		put(h, 5)
	})
	assert.Equal(t, maxTagged+6, out.Body.Len())
	assert.Empty(t, out.Header().Get("ETag"))

	out = hold("application/json", func(h *holder) {
		put(h, 3)
		require.NoError(t, http.NewResponseController(h).Flush())
		assert.Equal(t, 3, h.ResponseWriter.(*httptest.ResponseRecorder).Body.Len())
		put(h, 1)
	})
	assert.Equal(t, "xxxx", out.Body.String())
	assert.True(t, out.Flushed)
	assert.Empty(t, out.Header().Get("ETag"))

	for _, kind := range []string{"application/x-ndjson", "application/json-seq", "text/csv", "text/event-stream", ""} {
		out = hold(kind, func(h *holder) {
			put(h, 2)
			assert.Equal(t, 2, h.ResponseWriter.(*httptest.ResponseRecorder).Body.Len(), kind)
		})
		assert.Empty(t, out.Header().Get("ETag"), kind)
	}
}
