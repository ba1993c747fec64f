package scoring

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"

	"github.com/disteval/disteval/metrics"
)

// LineError is a line of an input file that is not what it should be.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e LineError) Unwrap() error { return e.Err }

// BadInput marks the error as one of an input file.
func (LineError) BadInput() {}

const (
	longestLine = 16 << 20  // bytes; as long as the longest reply that a server is let give
	largeChunk  = 1 << 20   // bytes; scoring takes up to a hundred times as much, so larger ones go one at a time
	chunkBytes  = 256 << 10 // about what one worker gets at a time
)

// chunk is some lines of the input, and when ready is closed what they became.
type chunk struct {
	first int // number of the first line, from 1
	lines []byte
	out   []byte // of the lines before err
	err   error
	ready chan struct{}
}

// Pairs scores replies from anywhere: JSONL with reference and reply, and
// optionally keyword (by default the reference), aliases and prompt. Each line
// is written back in order, all its fields as they stood, with scores added,
// or put in place of those it had; a byte that is not UTF-8 becomes U+FFFD.
// Blank lines are passed over. A LineError names
// the first bad line, after those before it have been written.
func Pairs(ctx context.Context, in io.Reader, out io.Writer, cfg Config) error {
	workers := runtime.GOMAXPROCS(0)
	if cfg.Embedder != nil {
		workers = 1 // one cache, so that each distinct text is asked for once
	}
	var large sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	ordered := make(chan *chunk, 2*workers)
	work := make(chan *chunk)
	group.Go(func() error {
		defer close(ordered)
		defer close(work)
		return readChunks(in, func(c *chunk) error {
			for _, to := range []chan *chunk{ordered, work} {
				select {
				case to <- c:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	})
	for range workers {
		group.Go(func() error {
			p := pairScorer{cfg: cfg, scorer: New(cfg)}
			for c := range work {
				if len(c.lines) > largeChunk {
					large.Lock()
				}
				c.out, c.err = p.chunk(ctx, c)
				if len(c.lines) > largeChunk {
					large.Unlock()
				}
				c.lines = nil
				close(c.ready)
			}
			return nil
		})
	}
	group.Go(func() error { return writeChunks(ctx, out, ordered) })
	return group.Wait()
}

// writeChunks writes chunks in the order in which they were read.
func writeChunks(ctx context.Context, out io.Writer, ordered <-chan *chunk) error {
	for c := range ordered {
		select {
		case <-c.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		if len(c.out) > 0 {
			if _, err := out.Write(c.out); err != nil {
				return fmt.Errorf("write the scores: %w", err)
			}
		}
		if c.err != nil {
			return c.err
		}
	}
	return nil
}

// readChunks cuts the input into chunks of whole lines. It hands on what it
// has when the input makes it wait, so that a slow pipe is answered line by
// line. A line that is too long goes on as a chunk that is an error already,
// so that those before it are written first.
func readChunks(in io.Reader, emit func(*chunk) error) error {
	r := bufio.NewReaderSize(in, chunkBytes)
	next := &chunk{first: 1, ready: make(chan struct{})}
	for line := 1; ; line++ {
		var err error
		next.lines, err = appendLine(next.lines, r)
		if err != nil && !errors.Is(err, io.EOF) {
			next.err = fmt.Errorf("read the pairs: %w", err)
			if errors.Is(err, errLongLine) {
				next.err = LineError{line, err}
			}
			return emit(next)
		}
		if errors.Is(err, io.EOF) || len(next.lines) >= chunkBytes || r.Buffered() == 0 {
			if emitErr := emit(next); emitErr != nil || errors.Is(err, io.EOF) {
				return emitErr
			}
			next = &chunk{first: line + 1, ready: make(chan struct{})}
		}
	}
}

var errLongLine = errors.New("it is longer than 16 MB; split the reply")

// appendLine appends the next line to lines. On an error that is not the end
// of the input, what there was of the line is left out.
func appendLine(lines []byte, r *bufio.Reader) ([]byte, error) {
	start := len(lines)
	for {
		part, err := r.ReadSlice('\n')
		if len(lines)-start+len(part) > longestLine {
			return lines[:start], errLongLine
		}
		lines = append(lines, part...)
		switch {
		case err == nil || errors.Is(err, io.EOF):
			return lines, err
		case !errors.Is(err, bufio.ErrBufferFull):
			return lines[:start], err
		}
	}
}

// pairScorer turns lines into scored lines.
type pairScorer struct {
	cfg    Config
	scorer *Scorer
}

// chunk scores the lines of c, up to the first bad one.
func (p *pairScorer) chunk(ctx context.Context, c *chunk) ([]byte, error) {
	var kept []pairLine
	var pairs []metrics.Pair
	bad := c.err
	for number, line := c.first, c.lines; len(line) > 0; number++ {
		one, rest, _ := bytes.Cut(line, []byte{'\n'})
		line = rest
		if number == 1 {
			one = bytes.TrimPrefix(one, []byte("\ufeff"))
		}
		one = bytes.TrimSpace(one)
		if len(one) == 0 {
			continue
		}
		if !utf8.Valid(one) {
			one = []byte(string([]rune(string(one)))) // what is written must be JSON again
		}
		parsed, err := parsePairLine(one)
		if err != nil {
			bad = LineError{number, err}
			break
		}
		kept, pairs = append(kept, parsed), append(pairs, parsed.pair(p.cfg))
	}
	out := make([]byte, 0, len(c.lines)+300*len(kept))
	err := p.scorer.ScoreAll(ctx, pairs, func(i int, r Result) error {
		out = kept[i].appendScored(out, r.Scores)
		return nil
	})
	if err != nil {
		return out, err
	}
	return out, bad
}

// pairLine is one line: what is scored, and the rest as it stood.
type pairLine struct {
	reference, reply, keyword *string
	prompt                    string
	aliases                   []string
	fields                    [][]byte // "name": value, without scores
}

func (l pairLine) pair(cfg Config) metrics.Pair {
	p := metrics.Pair{Reference: *l.reference, Keyword: *l.reference, Aliases: l.aliases, Text: cfg.Text(l.prompt, *l.reply)}
	if l.keyword != nil {
		p.Keyword = *l.keyword
	}
	return p
}

func parsePairLine(line []byte) (pairLine, error) {
	var l pairLine
	if !json.Valid(line) {
		var v any
		return l, fmt.Errorf("not JSON: %w", json.Unmarshal(line, &v))
	}
	if line[0] != '{' {
		return l, errors.New(`want an object such as {"reference": "…", "reply": "…"}`)
	}
	seen := map[string]bool{}
	for _, f := range members(line) {
		if seen[f.name] {
			return l, fmt.Errorf("%q appears twice", f.name)
		}
		seen[f.name] = true
		if f.name != "scores" {
			l.fields = append(l.fields, f.raw)
		}
		if err := l.set(f.name, f.value); err != nil {
			return l, err
		}
	}
	switch {
	case l.reference == nil:
		return l, errors.New(`"reference" is missing; want {"reference": "…", "reply": "…"}`)
	case l.reply == nil:
		return l, errors.New(`"reply" is missing; want {"reference": "…", "reply": "…"}`)
	}
	return l, nil
}

// set takes a field that matters. An optional field may be null.
func (l *pairLine) set(name string, value []byte) error {
	var target any
	switch name {
	case "reference":
		target = &l.reference
	case "reply":
		target = &l.reply
	case "keyword":
		target = &l.keyword
	case "prompt":
		target = &l.prompt
	case "aliases":
		return l.setAliases(value)
	default:
		return nil
	}
	if json.Unmarshal(value, target) != nil {
		return fmt.Errorf("%q is not a string", name)
	}
	return nil
}

func (l *pairLine) setAliases(value []byte) error {
	var list []*string
	err := json.Unmarshal(value, &list)
	if err != nil || slices.Contains(list, nil) {
		return errors.New(`"aliases" is not a list of strings`)
	}
	for _, alias := range list {
		l.aliases = append(l.aliases, *alias)
	}
	return nil
}

// appendScored writes the line with its scores.
func (l pairLine) appendScored(out []byte, scores []metrics.Score) []byte {
	out = append(out, '{')
	for _, f := range l.fields {
		out = append(append(out, f...), ", "...)
	}
	out = append(out, `"scores": {`...)
	for i, s := range scores {
		if i > 0 {
			out = append(out, ", "...)
		}
		out = append(append(append(out, '"'), s.Metric...), `": `...)
		if s.Status != metrics.Scored {
			out = append(out, "null"...)
			continue
		}
		number, _ := json.Marshal(s.Value) // scores are finite
		out = append(out, number...)
	}
	return append(out, "}}\n"...)
}

// member is one field of a JSON object: its decoded name, its value, and both
// as they stand.
type member struct {
	name       string
	value, raw []byte
}

// members cuts a valid JSON object into its fields, in order.
func members(object []byte) []member {
	var list []member
	for i := skipSpace(object, 1); object[i] == '"'; {
		start := i
		i = skipValue(object, i)
		var m member
		_ = json.Unmarshal(object[start:i], &m.name) // it is a valid string
		i = skipSpace(object, i)
		i = skipSpace(object, i+1) // the colon
		valueStart := i
		i = skipValue(object, i)
		m.value, m.raw = object[valueStart:i], object[start:i]
		list = append(list, m)
		if i = skipSpace(object, i); object[i] == ',' {
			i = skipSpace(object, i+1)
		}
	}
	return list
}

func skipSpace(b []byte, i int) int {
	for b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n' {
		i++
	}
	return i
}

// skipValue returns the end of the value at i of valid JSON.
func skipValue(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			continue
		case '}', ']':
			depth--
		default:
			if depth == 0 && !endsScalar(b[i+1]) {
				continue
			}
		}
		if depth == 0 {
			return i + 1
		}
	}
	return i
}

func endsScalar(c byte) bool {
	return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\r' || c == '\n'
}
