package httpapi

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v5"

	"github.com/bridgecore/bridgecore/bridge"
)

// An ETag here is weak, because answers of one tag may differ in bytes: whether
// they came from the cache, and how they are compressed. It is a digest of what
// is said, so servers agree on it, and restarts don't change it.

// apiPrefix begins the paths whose answers to GET have a tag.
const apiPrefix = "/api/v1/"

// unchanged describes the answer to a request whose If-None-Match has the tag.
var unchanged = &huma.Response{Description: "What If-None-Match has a tag of is unchanged"}

// notModified answers a request whose If-None-Match has the tag, and reports
// whether it did. RFC 9110 has 304 for GET and HEAD alone. Reads by POST, which
// the documented API has, get it too: a client that sends If-None-Match with
// one asks for just that, and nobody between caches a POST.
func notModified(w http.ResponseWriter, r *http.Request, tag string) bool {
	for _, list := range r.Header["If-None-Match"] {
		for one := range strings.SplitSeq(list, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
				h := w.Header()
				h.Del("Content-Type")
				h.Del("Content-Length")
				w.WriteHeader(http.StatusNotModified)
				return true
			}
		}
	}
	return false
}

func weakTag(sum uint64) string { return `W/"` + strconv.FormatUint(sum, 16) + `"` }

// answerTag is the tag of a read: of its result and what is said beside it. That
// of one record, where it was asked for, has the system's own tag after a point,
// to be sent back as a condition; it is not weak, because conditions are not.
func answerTag(answer *bridge.Answer) string {
	sum := xxhash.Sum64(answer.Result)
	if answer.Truncated || answer.NextCursor != "" || len(answer.Warnings) > 0 {
		var d xxhash.Digest
		d.Reset()
		_, _ = d.Write(answer.Result)
		_, _ = d.Write(appendAside(nil, answer))
		sum = d.Sum64()
	}
	if answer.ETag != "" {
		return `"` + recordTag(sum, answer.ETag) + `"`
	}
	return weakTag(sum)
}

func recordTag(sum uint64, tag string) string {
	return strconv.FormatUint(sum, 16) + "." + base64.RawURLEncoding.EncodeToString([]byte(tag))
}

// conditionOf reads the tag of a record out of If-Match, or of the member
// if_match, which may say the same; "" is no condition.
func conditionOf(r *http.Request, member string) (string, error) {
	field, text := "if_match", member
	if lines := r.Header["If-Match"]; len(lines) > 0 {
		field, text = "If-Match", strings.Join(lines, ", ")
		if member != "" && bare(member) != bare(text) {
			return "", invalid(field, "contradicts if_match; leave one of them out")
		}
	}
	if text == "" || text == bridge.AnyTag {
		return text, nil
	}
	_, own, found := strings.Cut(bare(text), ".")
	tag, err := base64.RawURLEncoding.DecodeString(own)
	if !found || err != nil || len(tag) == 0 {
		return "", invalid(field, `must be the ETag of a read of the record with "etag": true, or *`)
	}
	return string(tag), nil
}

// bare is a tag without its quotes. Proxies that compress answers make tags
// weak, so that counts for nothing.
func bare(tag string) string { return strings.Trim(strings.TrimPrefix(tag, "W/"), `"`) }

// writeRead answers with what was read, or says that the client has it.
func writeRead(c *echo.Context, answer *bridge.Answer, head, tail []byte) {
	tag := answerTag(answer)
	c.Response().Header()["Etag"] = []string{tag}
	if !notModified(c.Response(), c.Request(), tag) {
		writeParts(c.Response(), head, answer.Result, tail)
	}
}

// maxTagged is the largest answer of a GET that is held back to be tagged.
const maxTagged = 1 << 20

// tagged gives the answers of GET a tag, where their handlers did not: those of
// the API and its description, in JSON.
func tagged(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		r := c.Request()
		if r.Method != http.MethodGet || !strings.HasPrefix(c.Path(), apiPrefix) && descriptions[c.Path()].version == "" {
			return next(c)
		}
		plain := c.Response()
		held := &holder{ResponseWriter: plain, request: r}
		c.SetResponse(held)
		defer c.SetResponse(plain)
		if err := next(c); err != nil {
			return err
		}
		held.release()
		return nil
	}
}

// holder holds an answer back until all of it is there, if it is one to tag.
type holder struct {
	http.ResponseWriter

	request *http.Request
	status  int
	body    bytes.Buffer
	gone    bool // the answer is on its way
	known   bool // to the client: what is written goes nowhere
}

// WriteHeader lets go of what is not to be tagged, or has a tag of its own.
func (h *holder) WriteHeader(status int) {
	if h.gone || h.status != 0 {
		return
	}
	h.status = status
	tag := h.Header().Get("Etag")
	switch {
	case status != http.StatusOK || tag == "" && !plainJSON(h.Header().Get("Content-Type")):
		h.goOn()
	case tag != "":
		if h.known = notModified(h.ResponseWriter, h.request, tag); !h.known {
			h.goOn()
		}
	}
}

func plainJSON(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	return kind == "application/json"
}

func (h *holder) goOn() {
	h.gone = true
	h.ResponseWriter.WriteHeader(h.status)
}

// letGo sends what was held back so far, without a tag.
func (h *holder) letGo() error {
	if h.gone {
		return nil
	}
	h.goOn()
	_, err := h.ResponseWriter.Write(h.body.Bytes())
	h.body.Reset()
	return err
}

// Write keeps what is not too large.
func (h *holder) Write(b []byte) (int, error) {
	if h.status == 0 {
		h.WriteHeader(http.StatusOK)
	}
	if h.known {
		return len(b), nil
	}
	if !h.gone && h.body.Len()+len(b) <= maxTagged {
		return h.body.Write(b)
	}
	if err := h.letGo(); err != nil {
		return 0, err
	}
	return h.ResponseWriter.Write(b)
}

// release sends what was held back.
func (h *holder) release() {
	if h.gone || h.known || h.status == 0 {
		return
	}
	tag := weakTag(xxhash.Sum64(h.body.Bytes()))
	h.Header()["Etag"] = []string{tag}
	if notModified(h.ResponseWriter, h.request, tag) {
		return
	}
	h.Header()["Content-Length"] = []string{strconv.Itoa(h.body.Len())}
	h.goOn()
	_, _ = h.ResponseWriter.Write(h.body.Bytes())
}

// FlushError sends what is there: an answer that comes bit by bit has no tag.
func (h *holder) FlushError() error {
	if h.status == 0 {
		h.WriteHeader(http.StatusOK)
	}
	if h.known {
		return nil
	}
	if err := h.letGo(); err != nil {
		return err
	}
	return http.NewResponseController(h.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (h *holder) Unwrap() http.ResponseWriter { return h.ResponseWriter }
