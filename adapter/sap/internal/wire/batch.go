package wire

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/bridgecore/bridgecore/adapter"
)

// Part is one request within a batch.
type Part struct {
	Method string
	Path   string // relative to the service, without a slash before it, percent-encoded
	Header http.Header
	Body   []byte
}

// ChangeSet is what is done as a whole or not at all. One of a single GET is a
// plain read, since a change set must not hold any.
type ChangeSet []Part

func (s ChangeSet) reads() bool { return len(s) == 1 && s[0].Method == http.MethodGet }

// Outcome is what became of a change set.
type Outcome struct {
	Responses []*Response // of its parts, in order; nil if it failed
	Fault     *Fault      // why it failed
}

// Batch sends change sets in one request. They are carried out in order, each
// on its own account, and so are the outcomes.
func (c *Conn) Batch(ctx context.Context, req Request, sets []ChangeSet) ([]Outcome, error) {
	boundary := "batch_" + unique()
	var body bytes.Buffer
	req.Token = true
	for i, set := range sets {
		req.Changes = req.Changes || !set.reads()
		writeSet(&body, boundary, fmt.Sprintf("changeset_%d_%s", i, unique()), set)
	}
	body.WriteString("--" + boundary + "--\r\n")
	req.Method, req.Path, req.Body = http.MethodPost, "/$batch", body.Bytes()
	req.Header = req.Header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("Content-Type", "multipart/mixed; boundary="+boundary)
	req.Header.Set("Accept", "multipart/mixed")
	resp, err := c.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	outcomes, err := readBatch(resp.Header.Get("Content-Type"), resp.Body, sets)
	if err != nil {
		code, message := adapter.Internal, "SAP's answer to a batch can't be read"
		if req.Changes {
			code, message = adapter.UnknownOutcome, "the changes were sent, and SAP's answer can't be read: they may have happened"
		}
		return nil, &adapter.Error{Code: code, Model: req.Model, Message: message, Err: err}
	}
	return outcomes, nil
}

func unique() string {
	var b [9]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func writeSet(body *bytes.Buffer, boundary, changes string, set ChangeSet) {
	body.WriteString("--" + boundary + "\r\n")
	if set.reads() {
		writePart(body, set[0], "")
		return
	}
	body.WriteString("Content-Type: multipart/mixed; boundary=" + changes + "\r\n\r\n")
	for i, part := range set {
		body.WriteString("--" + changes + "\r\n")
		writePart(body, part, strconv.Itoa(i+1))
	}
	body.WriteString("--" + changes + "--\r\n\r\n")
}

func writePart(body *bytes.Buffer, part Part, id string) {
	body.WriteString("Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n")
	if id != "" {
		body.WriteString("Content-ID: " + id + "\r\n")
	}
	body.WriteString("\r\n" + part.Method + " " + part.Path + " HTTP/1.1\r\n")
	names := make([]string, 0, len(part.Header))
	for name := range part.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		body.WriteString(name + ": " + part.Header.Get(name) + "\r\n")
	}
	if part.Body != nil {
		body.WriteString("Content-Length: " + strconv.Itoa(len(part.Body)) + "\r\n")
	}
	body.WriteString("\r\n")
	body.Write(part.Body)
	body.WriteString("\r\n")
}

// readBatch reads the answer to a batch.
func readBatch(contentType string, body []byte, sets []ChangeSet) ([]Outcome, error) {
	parts, err := multiparts(contentType, body)
	if err != nil {
		return nil, err
	}
	if len(parts) != len(sets) {
		return nil, fmt.Errorf("batch: %d answers to %d requests", len(parts), len(sets))
	}
	outcomes := make([]Outcome, len(sets))
	for i, p := range parts {
		if outcomes[i], err = readOutcome(p, sets[i]); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

type mimePart struct {
	header textproto.MIMEHeader
	body   []byte
}

func multiparts(contentType string, body []byte) ([]mimePart, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return nil, fmt.Errorf("batch: the answer is %q, not multipart", contentType)
	}
	r := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	var parts []mimePart
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return nil, fmt.Errorf("batch: %w", err)
		}
		content, err := io.ReadAll(p)
		if err != nil {
			return nil, fmt.Errorf("batch: %w", err)
		}
		parts = append(parts, mimePart{p.Header, content})
	}
}

// readOutcome reads the answer to one change set: one answer a part in a
// multipart of its own, or, when it failed, a single error.
func readOutcome(p mimePart, set ChangeSet) (Outcome, error) {
	kind := p.header.Get("Content-Type")
	if !strings.HasPrefix(kind, "multipart/") {
		resp, err := readEmbedded(p.body)
		if err != nil {
			return Outcome{}, err
		}
		if resp.Status >= 300 {
			return Outcome{Fault: ParseFault(resp.Status, resp.Body)}, nil
		}
		if len(set) != 1 {
			return Outcome{}, fmt.Errorf("batch: one answer to a change set of %d", len(set))
		}
		return Outcome{Responses: []*Response{resp}}, nil
	}
	parts, err := multiparts(kind, p.body)
	if err != nil {
		return Outcome{}, err
	}
	out := Outcome{Responses: make([]*Response, len(set))}
	for i, part := range parts {
		resp, err := readEmbedded(part.body)
		if err != nil {
			return Outcome{}, err
		}
		if resp.Status >= 300 {
			fault := ParseFault(resp.Status, resp.Body)
			if fault.ContentID == "" {
				fault.ContentID = contentID(part, resp)
			}
			return Outcome{Fault: fault}, nil
		}
		// The order is free in v4, where each answer tells whose it is.
		if n, err := strconv.Atoi(contentID(part, resp)); err == nil && n >= 1 && n <= len(set) {
			i = n - 1
		}
		if i >= len(set) || out.Responses[i] != nil {
			return Outcome{}, errors.New("batch: answers and requests of a change set don't fit")
		}
		out.Responses[i] = resp
	}
	if slices.Contains(out.Responses, nil) {
		return Outcome{}, fmt.Errorf("batch: %d answers to a change set of %d", len(parts), len(set))
	}
	return out, nil
}

func contentID(p mimePart, resp *Response) string {
	if id := p.header.Get("Content-Id"); id != "" {
		return id
	}
	return resp.Header.Get("Content-Id")
}

// readEmbedded reads an HTTP answer within a part.
func readEmbedded(b []byte) (*Response, error) {
	r := bufio.NewReader(bytes.NewReader(bytes.TrimLeft(b, "\r\n")))
	tp := textproto.NewReader(r)
	line, err := tp.ReadLine()
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	_, rest, _ := strings.Cut(line, " ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if err != nil || !strings.HasPrefix(line, "HTTP/") || status < 100 || status > 599 {
		return nil, errors.New("batch: a part holds no HTTP answer")
	}
	header, err := tp.ReadMIMEHeader()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("batch: %w", err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	if n, err := strconv.Atoi(header.Get("Content-Length")); err == nil && n >= 0 && n <= len(body) {
		body = body[:n]
	}
	return &Response{Status: status, Header: http.Header(header), Body: bytes.TrimSpace(body)}, nil
}
