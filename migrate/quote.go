package migrate

import "encoding/json"

// quoted is a text as JSON writes it.
func quoted(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`)
	}
	return b
}
