package saptest

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Error is how a service refuses. Functions and checks of one's own return it
// to choose the status and the code; any other error of theirs is a 400.
type Error struct {
	Status  int    // of HTTP; 0 is 400
	Code    string // such as "V1/042"
	Message string
	Target  string // the property it is about
	Details []Detail
}

// Detail is one of several messages of an [Error].
type Detail struct {
	Code, Message, Target string
	Severity              string // "error" (also ""), "warning" or "info"
}

func (e *Error) Error() string { return e.Message }

// text is a message in English and in German.
type text [2]string

func (t text) in(language string) string {
	if language == "DE" {
		return t[1]
	}
	return t[0]
}

// fail makes an error in the caller's language.
func (c *call) fail(status int, code string, t text, args ...any) *Error {
	return &Error{Status: status, Code: code, Message: fmt.Sprintf(t.in(c.language), args...)}
}

func (t *tx) fail(status int, code string, m text, args ...any) *Error {
	return t.call.fail(status, code, m, args...)
}

// about says which property an error is about.
func (e *Error) about(target string) *Error {
	e.Target = target
	return e
}

func bad(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "/IWBEP/CM_MGW_RT/021", Message: fmt.Sprintf(format, args...)}
}

// asError makes an Error of any.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		if e.Status == 0 {
			c := *e
			c.Status = http.StatusBadRequest
			return &c
		}
		return e
	}
	return &Error{Status: http.StatusBadRequest, Code: "/IWBEP/CX_MGW_BUSI_EXCEPTION", Message: err.Error()}
}

// refuse answers with an error in the shape of the service's version.
func (c *call) refuse(err error) *response {
	e := asError(err)
	r := &response{status: e.Status, header: http.Header{}}
	switch {
	case c.version() == 4:
		r.header.Set("Content-Type", "application/json;odata.metadata=minimal")
		r.header.Set("OData-Version", "4.0")
		r.body = c.errorV4(e)
	case c.wantsJSON():
		r.header.Set("Content-Type", "application/json")
		r.header.Set("DataServiceVersion", "1.0")
		r.body = c.errorV2(e)
	default:
		r.header.Set("Content-Type", "application/xml")
		r.header.Set("DataServiceVersion", "1.0")
		r.body = c.errorXML(e)
	}
	return r
}

func (c *call) stamp() string { return c.server.config.Now().UTC().Format("20060102150405.0000000") }

func (c *call) serviceName() string {
	if c.service != nil {
		return c.service.name
	}
	return ""
}

func severityOf(d Detail) string {
	if d.Severity == "" {
		return "error"
	}
	return d.Severity
}

func (c *call) errorV2(e *Error) []byte {
	b := append([]byte(nil), `{"error":{"code":`...)
	b = appendString(b, e.Code)
	b = append(b, `,"message":{"lang":`...)
	b = appendString(b, languageTag(c.language))
	b = append(b, `,"value":`...)
	b = appendString(b, e.Message)
	b = append(b, `},"innererror":{"application":{"component_id":"","service_namespace":"/SAP/","service_id":`...)
	b = appendString(b, c.serviceName())
	b = append(b, `,"service_version":"0001"},"transactionid":`...)
	b = appendString(b, c.transaction())
	b = append(b, `,"timestamp":"`...)
	b = append(b, c.stamp()...)
	b = append(b, `","Error_Resolution":{"SAP_Transaction":"","SAP_Note":""},"errordetails":[`...)
	for i, d := range e.detailed() {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"ContentID":"","code":`...)
		b = appendString(b, d.Code)
		b = append(b, `,"message":`...)
		b = appendString(b, d.Message)
		b = append(b, `,"longtext_url":"","propertyref":"","severity":`...)
		b = appendString(b, severityOf(d))
		b = append(b, `,"transition":false,"target":`...)
		b = appendString(b, d.Target)
		b = append(b, '}')
	}
	return append(b, `]}}}`...)
}

// detailed is the list of messages: the error itself where it has no others.
func (e *Error) detailed() []Detail {
	if len(e.Details) > 0 {
		return e.Details
	}
	return []Detail{{Code: e.Code, Message: e.Message, Target: e.Target}}
}

var severityNumbers = map[string]int{"error": 4, "warning": 3, "info": 2}

func (c *call) errorV4(e *Error) []byte {
	b := append([]byte(nil), `{"error":{"code":`...)
	b = appendString(b, e.Code)
	b = append(b, `,"message":`...)
	b = appendString(b, e.Message)
	if e.Target != "" {
		b = append(b, `,"target":`...)
		b = appendString(b, e.Target)
	}
	b = append(b, `,"@SAP__common.numericSeverity":4`...)
	if len(e.Details) > 0 {
		b = append(b, `,"details":[`...)
		for i, d := range e.Details {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"code":`...)
			b = appendString(b, d.Code)
			b = append(b, `,"message":`...)
			b = appendString(b, d.Message)
			if d.Target != "" {
				b = append(b, `,"target":`...)
				b = appendString(b, d.Target)
			}
			b = fmt.Appendf(b, `,"@SAP__common.numericSeverity":%d}`, severityNumbers[severityOf(d)])
		}
		b = append(b, ']')
	}
	b = append(b, `,"innererror":{"ErrorDetails":{"@SAP__common.Application":{"ComponentId":"","ServiceRepository":"SRVD_A2X","ServiceId":`...)
	b = appendString(b, c.serviceName())
	b = append(b, `,"ServiceVersion":"0001"},"@SAP__common.TransactionId":`...)
	b = appendString(b, c.transaction())
	b = append(b, `,"@SAP__common.Timestamp":"`...)
	b = append(b, c.stamp()...)
	return append(b, `"}}}}`...)
}

func (c *call) errorXML(e *Error) []byte {
	b := []byte(`<?xml version="1.0" encoding="utf-8"?><error xmlns="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"><code>`)
	b = append(b, xmlText(e.Code)...)
	b = append(b, `</code><message xml:lang="`+languageTag(c.language)+`">`...)
	b = append(b, xmlText(e.Message)...)
	b = append(b, `</message><innererror><application><component_id/><service_namespace>/SAP/</service_namespace><service_id>`...)
	b = append(b, xmlText(c.serviceName())...)
	b = append(b, `</service_id><service_version>0001</service_version></application><transactionid>`+c.transaction()+`</transactionid><timestamp>`+c.stamp()+`</timestamp><errordetails>`...)
	for _, d := range e.detailed() {
		b = append(b, `<errordetail><code>`+xmlText(d.Code)+`</code><message>`+xmlText(d.Message)+`</message><propertyref/><severity>`+severityOf(d)+`</severity><target>`+xmlText(d.Target)+`</target></errordetail>`...)
	}
	return append(b, `</errordetails></innererror></error>`...)
}

// languageTag is the tag of a two-letter language key of SAP's.
func languageTag(language string) string {
	if language == "DE" {
		return "de"
	}
	return "en"
}

// transaction is the id that SAP's errors carry for its administrators.
func (c *call) transaction() string {
	return fmt.Sprintf("%032X", uint64(c.server.hits.Load())*uint64(time.Millisecond)) //nolint:gosec // a count is not negative
}
