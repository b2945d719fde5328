package salesforce

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// csvReader reads comma-separated values as the Bulk API writes them.
// encoding/csv would turn line ends within values into its own.
type csvReader struct {
	r     *bufio.Reader
	limit int // bytes of a value
}

func newCSVReader(r io.Reader) *csvReader {
	return &csvReader{r: bufio.NewReaderSize(r, 64<<10), limit: 64 << 20}
}

var errCSV = errors.New("salesforce: malformed CSV")

// read returns the next row, and io.EOF behind the last. An empty line is
// skipped.
func (c *csvReader) read(row []string) ([]string, error) {
	row = row[:0]
	var value []byte
	for {
		value = value[:0]
		end, got, err := c.value(&value)
		if err != nil {
			return nil, err
		}
		if len(row) == 0 && !got {
			switch end {
			case 0:
				return nil, io.EOF
			case '\n':
				continue
			}
		}
		row = append(row, string(value))
		if end != ',' {
			return row, nil
		}
	}
}

// value reads one value into out. It returns what ended it, 0 for the end of
// the text, and whether there was anything, be it quotes.
func (c *csvReader) value(out *[]byte) (end byte, got bool, err error) {
	b, err := c.r.ReadByte()
	if errors.Is(err, io.EOF) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	if b == '"' {
		end, err = c.quoted(out)
		return end, true, err
	}
	for {
		switch b {
		case ',', '\n':
			if n := len(*out); b == '\n' && n > 0 && (*out)[n-1] == '\r' {
				*out = (*out)[:n-1]
			}
			return b, len(*out) > 0, nil
		}
		*out = append(*out, b)
		if len(*out) > c.limit {
			return 0, false, errCSV
		}
		if b, err = c.r.ReadByte(); errors.Is(err, io.EOF) {
			return 0, true, nil
		} else if err != nil {
			return 0, false, err
		}
	}
}

// quoted reads a value behind its first quote.
func (c *csvReader) quoted(out *[]byte) (end byte, err error) {
	for {
		chunk, err := c.r.ReadSlice('"')
		*out = append(*out, chunk...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && len(*out) <= c.limit:
			continue
		case errors.Is(err, io.EOF):
			return 0, errCSV // no quote at the end
		case err != nil:
			return 0, err
		case len(*out) > c.limit:
			return 0, errCSV
		}
		*out = (*out)[:len(*out)-1]
		b, err := c.r.ReadByte()
		if b == '\r' && err == nil {
			b, err = c.r.ReadByte()
		}
		switch {
		case errors.Is(err, io.EOF):
			return 0, nil
		case err != nil:
			return 0, err
		case b == '"':
			*out = append(*out, '"')
		case b == ',' || b == '\n':
			return b, nil
		default:
			return 0, errCSV
		}
	}
}

// appendCSV writes a value between quotes.
func appendCSV(b []byte, s string) []byte {
	b = append(b, '"')
	for {
		before, after, found := strings.Cut(s, `"`)
		b = append(b, before...)
		if !found {
			return append(b, '"')
		}
		b = append(b, '"', '"')
		s = after
	}
}
