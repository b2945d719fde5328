package wire

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/bridgecore/bridgecore/adapter"
)

// Fault is an error as OData tells it, in whatever form it came.
type Fault struct {
	Status  int
	Code    string // "SY/530", "/IWBEP/CM_MGW_RT/021"
	Message string
	Target  string // the property, or the path to it
	// ContentID is the part of a change set that the error is about.
	ContentID string
	Details   []FaultDetail
	known     bool // the body was an OData error
}

// FaultDetail is one of several causes.
type FaultDetail struct {
	Code, Message, Target, Severity, ContentID string
}

// Error tells operators what came.
func (f *Fault) Error() string {
	s := fmt.Sprintf("HTTP status %d", f.Status)
	if f.Code != "" {
		s += " " + f.Code
	}
	if f.Message != "" {
		s += ": " + f.Message
	}
	for _, d := range f.Details {
		s += "; " + strings.TrimSpace(d.Code+" "+d.Message)
	}
	return s
}

// text is a message that is a string in v4 and an object in v2.
type text string

// UnmarshalJSON reads either form; anything else is empty.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
		return nil
	}
	var o struct {
		Value string `json:"value"`
	}
	if json.Unmarshal(b, &o) == nil {
		*t = text(o.Value)
	}
	return nil
}

// word is a text for which a number may stand.
type word string

// UnmarshalJSON reads a string or a number; anything else is empty.
func (w *word) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*w = word(s)
		return nil
	}
	var n json.Number
	if json.Unmarshal(b, &n) == nil {
		*w = word(n)
	}
	return nil
}

type jsonDetail struct {
	Code        word `json:"code"`
	Message     text `json:"message"`
	Target      word `json:"target"`
	PropertyRef word `json:"propertyref"`
	Severity    word `json:"severity"`
	ContentID   word `json:"ContentID"`
	Numeric     word `json:"@Common.numericSeverity"`
	Content     word `json:"@Core.ContentID"`
}

func (d jsonDetail) detail() FaultDetail {
	out := FaultDetail{Code: string(d.Code), Message: string(d.Message), Target: string(d.Target), Severity: string(d.Severity), ContentID: string(d.ContentID)}
	if out.Target == "" {
		out.Target = string(d.PropertyRef)
	}
	if out.ContentID == "" {
		out.ContentID = string(d.Content)
	}
	if out.Severity == "" && d.Numeric != "" && d.Numeric != "4" {
		out.Severity = "info"
	}
	return out
}

// list is a list of details, which some write as an object with the list in it.
type list []jsonDetail

// UnmarshalJSON reads either form; anything else is empty.
func (l *list) UnmarshalJSON(b []byte) error {
	var plain []jsonDetail
	if json.Unmarshal(b, &plain) == nil {
		*l = plain
		return nil
	}
	var o struct {
		Detail json.RawMessage `json:"errordetail"`
	}
	if json.Unmarshal(b, &o) == nil && json.Unmarshal(o.Detail, &plain) == nil {
		*l = plain
	}
	return nil
}

// ParseFault reads the body of an error: JSON of v2 or v4, or XML. What is
// neither gives a Fault with the status alone.
func ParseFault(status int, body []byte) *Fault {
	f := &Fault{Status: status}
	var envelope struct {
		Error *struct {
			jsonDetail
			Details list `json:"details"`
			Inner   struct {
				Details list `json:"errordetails"`
			} `json:"innererror"`
		} `json:"error"`
	}
	trimmed := strings.TrimSpace(strings.TrimPrefix(string(body), "\ufeff"))
	switch {
	case strings.HasPrefix(trimmed, "{"):
		if json.Unmarshal([]byte(trimmed), &envelope) != nil || envelope.Error == nil {
			return f
		}
		d := envelope.Error.detail()
		f.known, f.Code, f.Message, f.Target, f.ContentID = true, d.Code, d.Message, d.Target, d.ContentID
		for _, one := range append(envelope.Error.Details, envelope.Error.Inner.Details...) {
			f.Details = append(f.Details, one.detail())
		}
	case strings.HasPrefix(trimmed, "<?xml"), strings.HasPrefix(trimmed, "<error"), strings.HasPrefix(trimmed, "<m:error"):
		f.readXML(trimmed)
	}
	return f
}

func (f *Fault) readXML(body string) {
	type detail struct {
		Code      string `xml:"code"`
		Message   string `xml:"message"`
		Target    string `xml:"target"`
		Ref       string `xml:"propertyref"`
		Severity  string `xml:"severity"`
		ContentID string `xml:"ContentID"`
	}
	var e struct {
		XMLName xml.Name
		Code    string `xml:"code"`
		Message string `xml:"message"`
		Inner   struct {
			Details []detail `xml:"errordetails>errordetail"`
		} `xml:"innererror"`
	}
	if xml.Unmarshal([]byte(body), &e) != nil || e.XMLName.Local != "error" {
		return
	}
	f.known, f.Code, f.Message = true, strings.TrimSpace(e.Code), strings.TrimSpace(e.Message)
	for _, d := range e.Inner.Details {
		target := d.Target
		if target == "" {
			target = d.Ref
		}
		f.Details = append(f.Details, FaultDetail{Code: d.Code, Message: d.Message, Target: target, Severity: d.Severity, ContentID: d.ContentID})
	}
}

// refusal is the error for an answer that is one.
func (c *Conn) refusal(resp *Response, req Request) error {
	f := ParseFault(resp.Status, resp.Body)
	e := c.Refused(f, req.Model, req.Changes)
	e.RetryAfter = c.retryAfter(resp.Header)
	switch {
	case resp.Status/100 == 3:
		e.Code, e.Field = adapter.Unavailable, "url"
		e.Message = "SAP redirects, perhaps to a page for people to log in, which is not followed: check the system's URL, and that the service takes this way to log in"
	case tokenRequired(resp):
		e.Message = "SAP refused the CSRF token twice; something between drops its cookies"
	case !f.known && e.Message == "":
		e.Message = statusText(resp.Status)
	}
	return e
}

// statuses are the codes of HTTP's status.
var statuses = map[int]adapter.Code{
	http.StatusBadRequest: adapter.InvalidArgument, http.StatusUnauthorized: adapter.Unauthenticated,
	http.StatusForbidden: adapter.PermissionDenied, http.StatusNotFound: adapter.NotFound,
	http.StatusMethodNotAllowed: adapter.Unsupported, http.StatusNotAcceptable: adapter.Unsupported,
	http.StatusRequestTimeout: adapter.Timeout, http.StatusConflict: adapter.Conflict,
	http.StatusGone: adapter.NotFound, http.StatusPreconditionFailed: adapter.PreconditionFailed,
	http.StatusRequestEntityTooLarge: adapter.InvalidArgument, http.StatusRequestURITooLong: adapter.InvalidArgument,
	http.StatusUnsupportedMediaType: adapter.Unsupported, http.StatusUnprocessableEntity: adapter.InvalidArgument,
	http.StatusLocked: adapter.Conflict, http.StatusFailedDependency: adapter.Conflict,
	http.StatusPreconditionRequired: adapter.PreconditionFailed, http.StatusTooManyRequests: adapter.RateLimited,
	http.StatusNotImplemented: adapter.Unsupported, http.StatusServiceUnavailable: adapter.Unavailable,
}

func statusText(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "SAP refused the credentials"
	case http.StatusForbidden:
		return "the connected user may not do that in SAP"
	case http.StatusNotFound:
		return "there is no such thing in SAP: the service may not be activated, or the record is gone"
	case http.StatusServiceUnavailable:
		return "SAP is not available at the moment"
	case http.StatusTooManyRequests:
		return "SAP asks for fewer calls"
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong:
		return "SAP refuses a request of this size: send less at a time"
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return "the proxy before SAP can't reach it"
	}
	return fmt.Sprintf("SAP failed with the status %d and gave no reason", status)
}

// Refused makes the error for a fault.
func (c *Conn) Refused(f *Fault, model string, changes bool) *adapter.Error {
	e := &adapter.Error{Code: adapter.Internal, Model: model, Native: f.Code, Field: f.field(), Err: f}
	if code, ok := statuses[f.Status]; ok {
		e.Code = code
	}
	e.Message = c.clean(f.best())
	switch f.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		e.Temporary = true
	case http.StatusRequestTimeout:
		e.Temporary = !changes
	case http.StatusLocked:
		e.Temporary = true
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		e.Code, e.Temporary = adapter.Unavailable, true
		if changes && !f.known {
			e.Code, e.Temporary, e.Message = adapter.UnknownOutcome, false, "the proxy before SAP lost the answer to a change: it may have happened"
		}
	}
	if f.known {
		f.refine(e)
	}
	if e.Message == "" {
		e.Message = statusText(f.Status)
	}
	return e
}

// meanings are what SAP's messages say beyond the status: it answers 400 for
// nearly everything that an application refuses. The numbers of messages are
// the same in every language; the texts serve services without them.
var meanings = []struct {
	code    adapter.Code
	retry   bool
	numbers *regexp.Regexp
	texts   *regexp.Regexp
}{
	{adapter.AlreadyExists, false,
		regexp.MustCompile(`^(UNIQUE_CONSTRAINT_VIOLATION|ENTITY_ALREADY_EXISTS|CX_SADL_ENTITY_DUPLICATE.*)$`),
		regexp.MustCompile(`(?i)\balready (exists|exist|in use|been created)\b|\bduplicate (key|entry|record)|\bunique constraint`)},
	{adapter.Conflict, true,
		regexp.MustCompile(`^(M3/897|V1/042|CX_SADL_LOCK.*)$`),
		regexp.MustCompile(`(?i)\b(is|are|being|currently|object) (currently )?(locked|blocked|processed|edited|being processed) by\b|\block(ed)? by (user|another)`)},
	{adapter.PermissionDenied, false,
		regexp.MustCompile(`^(CX_SADL_ENTITY_NO_AUTH.*|.*NOT_AUTHORI[SZ]ED)$`),
		regexp.MustCompile(`(?i)\bno authori[sz]ation\b|\bnot authori[sz]ed\b|\bmissing authori[sz]ation`)},
	// "Resource not found for segment ..."
	{adapter.NotFound, false, regexp.MustCompile(`^(/IWBEP/CM_MGW_RT/020|005056A509B11EE1B9A8FEC11C21578E)$`), nil},
}

// refine looks at what a fault says where its status says little.
func (f *Fault) refine(e *adapter.Error) {
	switch f.Status {
	case http.StatusBadRequest, http.StatusConflict, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusInternalServerError:
	default:
		return
	}
	for _, m := range meanings {
		if !f.says(m.numbers, m.texts) {
			continue
		}
		e.Code, e.Temporary = m.code, m.retry
		return
	}
}

func (f *Fault) says(numbers, texts *regexp.Regexp) bool {
	one := func(code, message string) bool {
		return numbers.MatchString(code) || texts != nil && texts.MatchString(message)
	}
	if one(f.Code, f.Message) {
		return true
	}
	for _, d := range f.Details {
		if d.isError() && one(d.Code, d.Message) {
			return true
		}
	}
	return false
}

func (d FaultDetail) isError() bool {
	switch strings.ToLower(d.Severity) {
	case "", "error", "e", "a", "abort":
		return true
	}
	return false
}

// best is the text for people: the message, and the errors among the details
// that say something else.
func (f *Fault) best() string {
	parts := []string{}
	add := func(s string) {
		s = strings.TrimSpace(s)
		if s == "" {
			return
		}
		for _, p := range parts {
			if strings.Contains(p, s) {
				return
			}
		}
		parts = append(parts, s)
	}
	add(f.Message)
	const most = 3
	for _, d := range f.Details {
		if d.isError() && len(parts) < most && !strings.HasPrefix(d.Code, "/IWBEP/CX_") {
			add(d.Message)
		}
	}
	return strings.Join(parts, " ")
}

// field is the property that an error is about.
func (f *Fault) field() string {
	if name := property(f.Target); name != "" {
		return name
	}
	for _, d := range f.Details {
		if name := property(d.Target); name != "" && d.isError() {
			return name
		}
	}
	return ""
}

// property takes the name of a property out of a target: "/A_Product('1')/Name",
// "to_Item(SalesOrder='1')/Material", "in/Name", "Name".
func property(target string) string {
	target = target[strings.LastIndexByte(target, '/')+1:]
	target = strings.Trim(target, `'"`)
	for i, r := range target {
		switch {
		case r == '_', 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9' && i > 0:
		default:
			return ""
		}
	}
	return target
}

var (
	addresses = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s"'<>)]+`)
	tags      = regexp.MustCompile(`<[^<>]*>`)
	spaces    = regexp.MustCompile(`\s+`)
	trace     = regexp.MustCompile(`(?s)(\n\s*at\s|\bTraceback\b|\bstack trace\b|CL_[A-Z0-9_]+=+CP|\bat [\w$.<>]+ ?\([^)]*:\d+).*`)
)

// maxMessage bounds a message for people, in bytes.
const maxMessage = 600

// clean takes out of SAP's text what callers must not see: addresses, our
// secrets, the host, tracebacks.
func (c *Conn) clean(s string) string {
	s = trace.ReplaceAllString(s, "")
	s = addresses.ReplaceAllString(s, "[address]")
	if strings.Contains(s, "<") {
		s = tags.ReplaceAllString(s, " ")
	}
	for _, secret := range []string{c.cfg.Password, c.cfg.ClientSecret, c.cfg.BearerToken, c.tokens.secret()} {
		if len(secret) > 3 {
			s = strings.ReplaceAll(s, secret, "[redacted]")
		}
	}
	for _, host := range []string{c.base.Host, c.base.Hostname()} {
		if host != "" {
			s = strings.ReplaceAll(s, host, "[host]")
		}
	}
	s = strings.TrimSpace(spaces.ReplaceAllString(s, " "))
	if len(s) > maxMessage {
		cut := maxMessage
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "..."
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

func (t *tokens) secret() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == nil {
		return ""
	}
	return t.token.AccessToken
}
