package httpapi

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The shape decodes what encoding/json does, to the same values.
func FuzzDecodeRequest(f *testing.F) {
	for _, seed := range []string{
		`{"model":"res.partner","domain":[["a","=",1]],"fields":["x","y"],"limit":10,"offset":2,"ids":[1,2],"id":"x","lazy":true}`,
		`{"model":"r\u00e9s","fields":"name","limit":null,"name":"","context":{}}`,
		`{"fields":["a,b","[c]"," d "]}`, `{"fields":["a",1]}`, `{"fields":[]}`, `{"fields":[null]}`, `{"fields":["a" , "b"]}`, `{"fields":[["a"]]}`,
		`{"use_universal_schema":true,"unmapped":"refuse","model":"contact"}`, `{"use_universal_schema":1}`, `{"OperationRequest":{}}`,
		`{"limit":1.5}`, `{"model":5}`, `{"offset":"1"}`, `{"fields":false}`, `{"ids":7}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var got operationRequest
		_, err := operationShape.decode(body, &got)
		if err != nil {
			p := problemOf(err)
			require.Contains(t, []int{400, 422}, p.Status)
			return
		}
		var want operationRequest
		require.NoError(t, json.Unmarshal(body, &want), string(body))
		clean := func(r *operationRequest) {
			// null is the same as left out, in whatever form a decoder keeps it.
			for _, raw := range []*json.RawMessage{&r.Domain, &r.Values, &r.ValsList, &r.Default, &r.Specification, &r.Having, &r.FieldOnChange, &r.ViewID, &r.Views, &r.Options, &r.Args, &r.Kwargs, &r.Context} {
				if string(*raw) == "null" {
					*raw = nil
				}
			}
		}
		clean(&got)
		clean(&want)
		assert.Equal(t, want, got)
	})
}
