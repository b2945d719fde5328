package odootest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// serveXMLRPC answers /xmlrpc/2/SERVICE and the older /xmlrpc/SERVICE, whose
// fault codes are strings.
func (s *Server) serveXMLRPC(w http.ResponseWriter, r *http.Request, body []byte) {
	path := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/xmlrpc/"), "/")
	service, modern := strings.CutPrefix(path, "2/")
	if strings.Contains(service, "/") || service == "" {
		s.notFound(w, r, nil)
		return
	}
	if r.Method != http.MethodPost && (r.Method != http.MethodOptions || s.major <= 15) {
		w.Header().Set("Allow", "POST")
		errorPage(w, http.StatusMethodNotAllowed, "The method is not allowed for the requested URL.")
		return
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case kind == "application/x-www-form-urlencoded":
		body = nil // werkzeug has eaten it
	case kind == "application/json" && s.major <= 15:
		errorPage(w, http.StatusBadRequest, "Invalid JSON data: "+repr(string(body)))
		return
	}
	name, args, err := decodeXMLCall(body)
	var result any
	if err == nil {
		result, err = s.service(service, name, args, address(r))
	}
	var b []byte
	if err == nil {
		b, err = encodeXMLAnswer(result)
	}
	if err != nil {
		b = s.xmlFault(err, modern)
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b)
}

// The fault codes of /xmlrpc/2.
const (
	faultApplication = 1
	faultWarning     = 2
	faultDenied      = 3
	faultAccess      = 4
)

// xmlFault writes an error as a fault.
func (s *Server) xmlFault(err error, modern bool) []byte {
	var x *exception
	if !errors.As(err, &x) {
		x = raise(plainException, "%s", err.Error())
	}
	code, text := faultApplication, x.traceback(s.major)
	switch x.name {
	case userError, missingError, redirectWarning:
		code = faultWarning
	case validationError:
		// 13.0 does not know its own.
		if s.major >= 14 {
			code = faultWarning
		}
	case accessDenied:
		code = faultDenied
	case accessError:
		code = faultAccess
	}
	short := x.text
	switch {
	case x.name == redirectWarning:
		short = tuple(x.arguments(s.major))
	case s.major == 13 && x.own() && x.name != userError:
		short = tuple(x.arguments(13))
	}
	if modern {
		if code != faultApplication {
			text = short
		}
		return encodeXMLFault(int64(code), text)
	}
	switch code {
	case faultWarning:
		title := "Warning"
		if x.name == validationError || s.major == 14 {
			title = "UserError"
		}
		return encodeXMLFault("warning -- "+title+"\n\n"+short, "")
	case faultDenied:
		return encodeXMLFault("AccessDenied", short)
	case faultAccess:
		return encodeXMLFault("warning -- AccessError\n\n"+short, "")
	}
	return encodeXMLFault(x.message(s.major), text)
}

func encodeXMLFault(code any, text string) []byte {
	b := []byte("<?xml version='1.0'?>\n<methodResponse>\n<fault>\n")
	b, _ = appendXML(b, object{{"faultCode", code}, {"faultString", text}}) // numbers and text always encode
	return append(b, "</fault>\n</methodResponse>\n"...)
}

// encodeXMLAnswer writes a result as Python's xmlrpc.client does, or fails as
// it does on what XML-RPC can't say.
func encodeXMLAnswer(v any) ([]byte, error) {
	b := append(make([]byte, 0, 4096), "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n"...)
	b, err := appendXML(b, v)
	if err != nil {
		return nil, err
	}
	return append(b, "</param>\n</params>\n</methodResponse>\n"...), nil
}

func appendXML(b []byte, v any) ([]byte, error) {
	var err error
	switch v := v.(type) {
	case nil:
		return nil, raise(typeError, "cannot marshal None unless allow_none is enabled")
	case recordset:
		return nil, raise(typeError, "cannot marshal <class 'odoo.api.%s'> objects", v.model)
	case bool:
		if v {
			return append(b, "<value><boolean>1</boolean></value>\n"...), nil
		}
		return append(b, "<value><boolean>0</boolean></value>\n"...), nil
	case int:
		return appendXML(b, int64(v))
	case int64:
		if v > 1<<31-1 || v < -1<<31 {
			return nil, raise(overflowError, "int exceeds XML-RPC limits")
		}
		b = append(b, "<value><int>"...)
		b = strconv.AppendInt(b, v, 10)
		return append(b, "</int></value>\n"...), nil
	case float64:
		b = append(b, "<value><double>"...)
		b = append(b, pyFloat(v)...)
		return append(b, "</double></value>\n"...), nil
	case string:
		b = append(b, "<value><string>"...)
		b = appendEscaped(b, v)
		return append(b, "</string></value>\n"...), nil
	case []int64, []string:
		return appendXML(b, listOf(v))
	case []object:
		b = append(b, "<value><array><data>\n"...)
		for i := range v {
			if b, err = appendXML(b, v[i]); err != nil {
				return nil, err
			}
		}
		return append(b, "</data></array></value>\n"...), nil
	case []any:
		b = append(b, "<value><array><data>\n"...)
		for i := range v {
			if b, err = appendXML(b, v[i]); err != nil {
				return nil, err
			}
		}
		return append(b, "</data></array></value>\n"...), nil
	case map[string]any:
		return appendXML(b, ordered(v))
	case object:
		b = append(b, "<value><struct>\n"...)
		for _, m := range v {
			b = append(b, "<member>\n<name>"...)
			b = appendEscaped(b, m.key)
			b = append(b, "</name>\n"...)
			if b, err = appendXML(b, m.value); err != nil {
				return nil, err
			}
			b = append(b, "</member>\n"...)
		}
		return append(b, "</struct></value>\n"...), nil
	}
	return nil, raise(typeError, "cannot marshal %T objects", v)
}

// appendEscaped escapes as xmlrpc.client does, and leaves out what XML can't
// hold, as Odoo does.
func appendEscaped(b []byte, s string) []byte {
	start := 0
	for i := range len(s) {
		var with string
		switch c := s[i]; {
		case c == '&':
			with = "&amp;"
		case c == '<':
			with = "&lt;"
		case c == '>':
			with = "&gt;"
		case c < 0x20 && c != '\t' && c != '\n' && c != '\r':
		default:
			continue
		}
		b = append(b, s[start:i]...)
		b = append(b, with...)
		start = i + 1
	}
	return append(b, s[start:]...)
}

// maxDepth bounds how deep values may nest.
const maxDepth = 200

// decodeXMLCall reads a methodCall document.
func decodeXMLCall(body []byte) (string, []any, error) {
	dec := xml.NewDecoder(bytes.NewReader(body))
	method, isCall := "", false
	args := []any{}
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			if !isCall {
				if len(trimmed(body)) == 0 {
					return "", nil, raise(expatError, "no element found: line 1, column 0")
				}
				return "", nil, raise(responseError, "ResponseError()")
			}
			return method, args, nil
		}
		if err != nil {
			return "", nil, badXML(body, err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "methodName":
			isCall = true
			if method, err = characters(dec); err != nil {
				return "", nil, badXML(body, err)
			}
		case "value":
			v, err := decodeXMLValue(dec, 0)
			if err != nil {
				return "", nil, badXML(body, err)
			}
			args = append(args, v)
		}
	}
}

func badXML(body []byte, err error) error {
	var x *exception
	if errors.As(err, &x) {
		return x
	}
	line := 1 + bytes.Count(body, []byte("\n"))
	return raise(expatError, "unclosed token: line %d, column %d", line, len(body)-1-bytes.LastIndexByte(body, '\n'))
}

// characters reads the text up to the end of the current element.
func characters(dec *xml.Decoder) (string, error) {
	var b strings.Builder
	for {
		token, err := dec.Token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.CharData:
			b.Write(t)
		case xml.EndElement:
			return b.String(), nil
		case xml.StartElement:
			return "", raise(responseError, "ResponseError()")
		}
	}
}

// decodeXMLValue reads what is inside a value element, to its end.
func decodeXMLValue(dec *xml.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, raise("builtins.RecursionError", "maximum recursion depth exceeded")
	}
	var bare strings.Builder
	var value any
	typed := false
	for {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.CharData:
			bare.Write(t)
		case xml.EndElement:
			if typed {
				return value, nil
			}
			return bare.String(), nil
		case xml.StartElement:
			typed = true
			if value, err = decodeXMLTyped(dec, t.Name.Local, depth); err != nil {
				return nil, err
			}
		}
	}
}

func decodeXMLTyped(dec *xml.Decoder, kind string, depth int) (any, error) {
	switch kind {
	case "array":
		return decodeXMLArray(dec, depth)
	case "struct":
		return decodeXMLStruct(dec, depth)
	}
	text, err := characters(dec)
	if err != nil {
		return nil, err
	}
	trim := strings.TrimSpace(text)
	switch kind {
	case "int", "i4", "i8", "i1", "i2", "biginteger":
		n, err := strconv.ParseInt(trim, 10, 64)
		if err != nil {
			return nil, raise(valueError, "invalid literal for int() with base 10: %s", repr(text))
		}
		return n, nil
	case "boolean":
		if trim != "0" && trim != "1" {
			return nil, raise(typeError, "bad boolean value")
		}
		return trim == "1", nil
	case "double", "float":
		f, err := strconv.ParseFloat(trim, 64)
		if err != nil {
			return nil, raise(valueError, "could not convert string to float: %s", repr(text))
		}
		return f, nil
	case "string", "base64", "bigdecimal":
		return text, nil
	case "dateTime.iso8601":
		if len(trim) == 17 && trim[8] == 'T' { // 20250102T03:04:05
			return trim[:4] + "-" + trim[4:6] + "-" + trim[6:8] + " " + trim[9:], nil
		}
		return trim, nil
	case "nil":
		return nil, nil
	}
	return nil, raise(responseError, "unknown type %s", repr(kind))
}

func decodeXMLStruct(dec *xml.Decoder, depth int) (any, error) {
	m := map[string]any{}
	name := ""
	for level := 0; ; {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "member":
				level++
			case "name":
				if name, err = characters(dec); err != nil {
					return nil, err
				}
			case "value":
				v, err := decodeXMLValue(dec, depth+1)
				if err != nil {
					return nil, err
				}
				m[name] = v
			}
		case xml.EndElement:
			if level == 0 {
				return m, nil
			}
			level--
		}
	}
}

func decodeXMLArray(dec *xml.Decoder, depth int) (any, error) {
	list := []any{}
	for level := 0; ; {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local != "value" {
				level++
				continue
			}
			v, err := decodeXMLValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		case xml.EndElement:
			if level == 0 {
				return list, nil
			}
			level--
		}
	}
}
