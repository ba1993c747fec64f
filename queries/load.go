package queries

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// Format is how a query file is written.
type Format string

// The formats. All are UTF-8, with or without a byte order mark, with LF or
// CRLF ends of line; CSV is also read as spreadsheets save it otherwise.
const (
	YAML  Format = "yaml"  // a list under queries:, beside name, version and explained; at most 8 MiB
	JSONL Format = "jsonl" // one object a line, at most 1 MiB a line; blank lines are skipped
	CSV   Format = "csv"   // a header, its columns in any order, separated by commas, semicolons or tabs, aliases by |; at most 1 MiB a record
)

const (
	maxYAML   = 8 << 20
	maxRecord = 1 << 20
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// Load reads the set in the file at path; the extension (.yaml, .yml, .jsonl
// or .csv) says in which format. Its errors are an *Error for a file of no such
// name or kind, and those of Read.
func Load(path string) (Set, error) {
	format, err := formatOf(path)
	if err != nil {
		return Set{}, err
	}
	f, err := open(path)
	if err != nil {
		return Set{}, err
	}
	defer f.Close()
	return Read(f, path, format)
}

// open makes a file that cannot be opened an *Error like one that cannot be
// understood: the user named the wrong one.
func open(path string) (*os.File, error) {
	f, err := os.Open(path)
	var fault *fs.PathError
	if errors.As(err, &fault) {
		err = fault.Err
	}
	if err != nil {
		return nil, &Error{File: path, Reason: fmt.Sprintf("cannot be opened: %v; name a query file that exists, or builtin for the set inside the program", err)}
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, &Error{File: path, Reason: "is a folder; name the query file in it"}
	}
	return f, nil
}

func formatOf(path string) (Format, error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml":
		return YAML, nil
	case ".jsonl":
		return JSONL, nil
	case ".csv":
		return CSV, nil
	}
	return "", &Error{File: path, Reason: "unknown format; the name of a query file must end in .yaml, .yml, .jsonl or .csv"}
}

// Read reads a set in the given format; name is what errors call the file, and
// its base name is the set's where the file states none.
//
// Whatever is wrong with the content comes back together as Errors, with the
// queries that could be read beside it, so that a lint can go on; such a
// partial set is not to be run.
func Read(r io.Reader, name string, format Format) (Set, error) {
	c := newCollector(name)
	in := bufio.NewReaderSize(r, 64<<10)
	if head, _ := in.Peek(len(byteOrderMark)); bytes.Equal(head, byteOrderMark) {
		_, _ = in.Discard(len(byteOrderMark)) // cannot go wrong after the peek
	}
	var err error
	switch format {
	case YAML:
		err = readYAML(in, c)
	case JSONL:
		err = readJSONL(in, c)
	case CSV:
		err = readCSV(in, c)
	default:
		err = fmt.Errorf("unknown format %q", format)
	}
	c.set.Queries = c.list.all()
	if err != nil {
		return c.set, fmt.Errorf("read queries %s: %w", name, err)
	}
	return c.done()
}

// collector builds a set out of queries as they are read and gathers what is
// wrong with them.
type collector struct {
	set   Set            // without its queries
	list  list           // of these
	first map[string]int // line of an ID's first query
	errs  Errors
	bad   bool // a fault was found in the query being read
}

// list grows in parts, which copies each query once: a large slice that grows by
// a quarter at a time copies each several times.
type list struct {
	full [][]Query
	part []Query
}

// Lengths of parts: each is twice as long as the one before.
const (
	firstPart   = 64
	longestPart = 4096
)

func (l *list) add(q Query) {
	if n := cap(l.part); len(l.part) == n {
		l.full = append(l.full, l.part)
		l.part = make([]Query, 0, min(max(2*n, firstPart), longestPart))
	}
	l.part = append(l.part, q)
}

// all is the whole list; nil where it is empty.
func (l *list) all() []Query { return slices.Concat(append(l.full, l.part)...) }

func newCollector(name string) *collector {
	return &collector{set: Set{Name: filepath.Base(name), file: name}, first: map[string]int{}}
}

func (c *collector) fail(line int, format string, args ...any) {
	c.breaks("", line, format, args...)
}

// breaks is fail for a fault that has a rule of its own.
func (c *collector) breaks(rule string, line int, format string, args ...any) {
	c.bad = true
	if !c.full() {
		c.errs = append(c.errs, &Error{File: c.set.file, Line: line, Reason: fmt.Sprintf(format, args...), Rule: rule})
	}
}

// full says that reading on would report nothing more.
func (c *collector) full() bool { return len(c.errs) == maxErrors }

// add takes a query that began on the given line, unless reading it already
// reported a fault.
func (c *collector) add(line int, q Query) {
	if !c.bad {
		c.check(line, q)
	}
	bad := c.bad
	c.bad = false
	if bad {
		return
	}
	if q.Reference == "" {
		q.Reference = q.Keyword
	}
	c.first[q.ID] = line
	c.list.add(q)
	c.set.lines = append(c.set.lines, line)
}

func (c *collector) check(line int, q Query) {
	for _, f := range [...]struct{ name, value string }{{"id", q.ID}, {"prompt", q.Prompt}, {"keyword", q.Keyword}} {
		if strings.TrimSpace(f.value) == "" {
			c.breaks(RuleEmpty, line, "%s is missing or empty; every query needs id, prompt and keyword", f.name)
		}
	}
	for _, s := range [...]string{q.ID, q.Prompt, q.Keyword, q.Reference, q.Category, q.Difficulty, q.AsOf} {
		c.checkText(line, s)
	}
	for i, a := range q.Aliases {
		if strings.TrimSpace(a) == "" {
			c.breaks(RuleEmpty, line, "alias %d is empty; leave it out", i+1)
		}
		c.checkText(line, a)
	}
	if at, known := c.first[q.ID]; known {
		c.breaks(RuleID, line, "id %q is already that of the query on line %d; ids are unique", q.ID, at)
	}
}

// checkText refuses what no author means: U+FFFD is what is left of an
// unpaired surrogate, or of an earlier wrong conversion.
func (c *collector) checkText(line int, s string) {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && !strings.ContainsRune(s, utf8.RuneError) {
		return
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r == 0 || r == utf8.RuneError }); i >= 0 {
		c.fail(line, "%s in %q", encodingFault([]byte(s[i:])), short(s))
	}
}

func (c *collector) done() (Set, error) {
	if len(c.errs) == 0 && len(c.set.Queries) == 0 {
		c.fail(0, "holds no query")
	}
	if len(c.errs) > 0 {
		slices.SortStableFunc(c.errs, func(a, b *Error) int { return cmp.Compare(a.Line, b.Line) })
		c.errs = c.errs[:min(len(c.errs), maxErrors)]
		return c.set, c.errs
	}
	return c.set, nil
}

// faultAt finds the first byte that is NUL or not UTF-8; -1 where there is none.
func faultAt(b []byte) int {
	nul := bytes.IndexByte(b, 0)
	if utf8.Valid(b) {
		return nul
	}
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return nul
}

// encodingFault names what is wrong with the character that b begins with.
func encodingFault(b []byte) string {
	r, size := utf8.DecodeRune(b)
	switch {
	case r == 0:
		return "NUL character"
	case size == 1:
		return fmt.Sprintf("byte 0x%02x is not UTF-8 (save the file as UTF-8; in Excel: CSV UTF-8)", b[0])
	default:
		return "U+FFFD, which stands for a character that was lost,"
	}
}

// short cuts a text to what a message can show.
func short(s string) string {
	const limit = 60
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit]) + "…"
}
