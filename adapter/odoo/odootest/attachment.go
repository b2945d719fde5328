package odootest

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"mime"
	"net/http"
	"path"
	"strings"
)

func newAttachment(_ *env, _ *table, values map[string]any) error {
	if raw, ok := values["raw"].(string); ok && values["datas"] == nil {
		values["datas"] = raw
	}
	delete(values, "raw")
	if data, ok := values["datas"].(string); ok {
		if _, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), "")); err != nil {
			return raise(binasciiError, "Incorrect padding")
		}
	}
	return nil
}

// attachmentChanged fills in what follows from an attachment's content.
func (e *env) attachmentChanged(t *table, id int64, values map[string]any) error {
	if _, ok := values["datas"]; !ok {
		return nil
	}
	r := maps.Clone(t.rows[id])
	data, _ := r["datas"].(string)
	content, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
	if err != nil {
		return raise(binasciiError, "Incorrect padding")
	}
	sum := sha1.Sum(content)
	r["checksum"] = hex.EncodeToString(sum[:])
	r["file_size"] = int64(len(content))
	if _, given := values["mimetype"]; !given {
		name, _ := r["name"].(string)
		kind, _, _ := strings.Cut(mime.TypeByExtension(path.Ext(name)), ";")
		if kind == "" {
			kind, _, _ = strings.Cut(http.DetectContentType(content), ";")
		}
		r["mimetype"] = kind
	}
	e.put(t, id, r)
	return nil
}
