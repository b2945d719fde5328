package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// readDotenv reads NAME=value lines. Values may be quoted; an unquoted one
// ends at " #". A file that does not exist is empty.
func readDotenv(path string) (map[string]string, error) {
	vars := map[string]string{}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || path == "" {
		return vars, nil
	}
	if err != nil {
		return nil, err
	}
	number := 0
	for line := range strings.Lines(string(b)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, found := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		name = strings.TrimSpace(name)
		value, ok := dotenvValue(strings.TrimSpace(value))
		if !found || !ok || name == "" || strings.ContainsAny(name, " \t\"'") {
			// The line may hold a secret: give its number alone.
			return nil, fmt.Errorf("%s: line %d must read NAME=value", path, number)
		}
		vars[name] = value
	}
	return vars, nil
}

func dotenvValue(text string) (string, bool) {
	if text == "" || text[0] == '#' {
		return "", true
	}
	if quote := text[0]; quote == '"' || quote == '\'' {
		var value strings.Builder
		for i := 1; i < len(text); i++ {
			switch c := text[i]; {
			case c == quote:
				rest := strings.TrimSpace(text[i+1:])
				return value.String(), rest == "" || rest[0] == '#'
			case c == '\\' && quote == '"' && i+1 < len(text):
				i++
				if text[i] == 'n' {
					value.WriteByte('\n')
				} else {
					value.WriteByte(text[i])
				}
			default:
				value.WriteByte(c)
			}
		}
		return "", false
	}
	if i := strings.Index(text, " #"); i >= 0 {
		text = text[:i]
	}
	return strings.TrimSpace(text), true
}
