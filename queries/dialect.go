package queries

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"golang.org/x/text/encoding/unicode"
)

// dialect is how a spreadsheet has written a CSV file.
type dialect struct {
	in     io.Reader // UTF-8, with LF or CRLF ends of line
	comma  rune      // what separates fields
	before int       // lines in front of what in gives
}

// peeked is how much of a file is looked at to find its dialect.
const peeked = 4 << 10

// newDialect finds the dialect out of the beginning of a file. It is nil where
// that cannot be told for certain; the reason is then reported.
func newDialect(in *bufio.Reader, c *collector) (*dialect, error) {
	in = decodeUTF16(in)
	head, err := in.Peek(peeked)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if at := bytes.IndexByte(head, 0); at >= 0 && at < 4 {
		c.fail(1, "NUL in the first bytes: is it UTF-16 without a byte order mark? Save the file as UTF-8 (in Excel: CSV UTF-8)")
		return nil, nil
	}
	d := &dialect{in: in, comma: ','}
	if at := bytes.IndexAny(head, "\r\n"); at >= 0 && at+1 < len(head) && head[at] == '\r' && head[at+1] != '\n' {
		head = bytes.ReplaceAll(bytes.Clone(head), []byte("\r"), []byte("\n"))
		d.in = &returnReader{in}
	}
	line, _, _ := strings.Cut(string(head), "\n")
	if stated := strings.ToLower(strings.Trim(line, "\"\r ")); strings.HasPrefix(stated, "sep=") {
		if stated = strings.TrimPrefix(stated, "sep="); stated == "" || !strings.ContainsAny(stated[:1], separators) {
			c.fail(1, "%s does not state a comma, a semicolon or a tab", short(strings.TrimSpace(line)))
			return nil, nil
		}
		d.comma, d.before = rune(stated[0]), 1
		_, err := in.Discard(min(len(line)+1, in.Buffered()))
		return d, err
	}
	for _, comma := range separators {
		if names(line, comma) {
			d.comma = comma
			break
		}
	}
	return d, nil
}

// separators are what may stand between fields.
const separators = ",;\t"

// names says whether the fields of a line name the column id.
func names(line string, comma rune) bool {
	for field := range strings.SplitSeq(line, string(comma)) {
		if strings.EqualFold(strings.Trim(field, " \r\""), "id") {
			return true
		}
	}
	return false
}

// decodeUTF16 reads UTF-16 with a byte order mark as UTF-8, and anything else
// as it is.
func decodeUTF16(in *bufio.Reader) *bufio.Reader {
	mark, _ := in.Peek(2)
	if string(mark) != "\xff\xfe" && string(mark) != "\xfe\xff" {
		return in
	}
	return bufio.NewReaderSize(unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Reader(in), peeked)
}

// returnReader ends lines with LF where they end with CR, as old Macs wrote.
type returnReader struct{ r io.Reader }

func (r *returnReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	for i, c := range p[:n] {
		if c == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}
