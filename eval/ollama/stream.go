package ollama

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ollama/ollama/api"

	"github.com/disteval/disteval/eval"
)

// piece is one line of the stream: a part of the answer or an error.
type piece struct {
	Model    string   `json:"model"`
	Response string   `json:"response"`
	Thinking string   `json:"thinking"`
	Message  struct { // of a chat
		Content  string `json:"content"`
		Thinking string `json:"thinking"`
	} `json:"message"`
	Logprobs   []api.Logprob `json:"logprobs"`
	Done       bool          `json:"done"`
	DoneReason string        `json:"done_reason"`
	Error      string        `json:"error"`

	LoadDuration       time.Duration `json:"load_duration"`
	PromptEvalDuration time.Duration `json:"prompt_eval_duration"`
	EvalDuration       time.Duration `json:"eval_duration"`
	PromptTokens       *int          `json:"prompt_eval_count"` // nil: not counted, where the package's type has 0
	CompletionTokens   *int          `json:"eval_count"`
}

func decode(line []byte) (piece, error) {
	if p, ok := plainEnd(line); ok {
		return p, nil
	}
	return parse(line)
}

func parse(line []byte) (piece, error) {
	var p piece
	if err := json.Unmarshal(line, &p); err != nil {
		return p, eval.Malformed("the answer is not Ollama's JSON (%v): %s", err, eval.Excerpt(line))
	}
	if p.Error != "" {
		return p, &eval.Failure{Kind: eval.FailStatus, Message: "the server says: " + eval.Excerpt([]byte(p.Error))}
	}
	return p, nil
}

// plainPiece returns the text of a line that is written as Ollama writes all but
// the last of an answer, with no escape in it. For every other line ok is false:
// decode, which takes most of the time of an answer, reads it.
func plainPiece(line []byte) (text []byte, ok bool) {
	rest, isPiece := bytes.CutPrefix(line, []byte(`{"model":"`))
	model, rest, hasTime := bytes.Cut(rest, []byte(`","created_at":"`))
	created, rest, hasText := bytes.Cut(rest, []byte(`","response":"`))
	text, isOpen := bytes.CutSuffix(rest, []byte(`","done":false}`))
	return text, isPiece && hasTime && hasText && isOpen && plainString(model) && plainString(created) && plainString(text)
}

// plainEnd returns the last line of an answer that is written as Ollama writes
// it for a raw question, with no escape in it: the text and why it ends, and
// then such figures as there are, in order. For every other line ok is false.
func plainEnd(line []byte) (p piece, ok bool) {
	rest, isPiece := bytes.CutPrefix(line, []byte(`{"model":"`))
	model, rest, hasTime := bytes.Cut(rest, []byte(`","created_at":"`))
	created, rest, hasText := bytes.Cut(rest, []byte(`","response":"`))
	text, rest, isEnd := bytes.Cut(rest, []byte(`","done":true,"done_reason":"`))
	reason, rest, hasReason := bytes.Cut(rest, []byte(`"`))
	if !(isPiece && hasTime && hasText && isEnd && hasReason && plainString(model) && plainString(created) && plainString(text) && plainString(reason)) {
		return piece{}, false
	}
	p = piece{Model: string(model), Response: string(text), Done: true, DoneReason: string(reason)}
	_, rest, _ = cutFigure(rest, `,"total_duration":`)
	p.LoadDuration, rest = cutDuration(rest, `,"load_duration":`)
	p.PromptTokens, rest = cutCount(rest, `,"prompt_eval_count":`)
	p.PromptEvalDuration, rest = cutDuration(rest, `,"prompt_eval_duration":`)
	p.CompletionTokens, rest = cutCount(rest, `,"eval_count":`)
	p.EvalDuration, rest = cutDuration(rest, `,"eval_duration":`)
	return p, string(rest) == "}"
}

func cutDuration(line []byte, key string) (time.Duration, []byte) {
	n, rest, _ := cutFigure(line, key)
	return time.Duration(n), rest
}

func cutCount(line []byte, key string) (*int, []byte) {
	n, rest, ok := cutFigure(line, key)
	if !ok || int64(int(n)) != n {
		return nil, line
	}
	count := int(n)
	return &count, rest
}

// cutFigure takes a key and a whole number from the beginning of a line. Where
// they are not there the line stays as it is.
func cutFigure(line []byte, key string) (n int64, rest []byte, ok bool) {
	digits, ok := bytes.CutPrefix(line, []byte(key))
	end := 0
	for end < len(digits) && '0' <= digits[end] && digits[end] <= '9' {
		end++
	}
	if !ok || end > 1 && digits[0] == '0' {
		return 0, line, false
	}
	n, err := strconv.ParseInt(string(digits[:end]), 10, 64)
	if err != nil {
		return 0, line, false
	}
	return n, digits[end:], true
}

// plainString reports whether what stands between two quotes of JSON is the
// string itself.
func plainString(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return utf8.Valid(b)
}

// buffers are used again: one is larger than everything else of an answer.
var buffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 16<<10) }}

// lineReader reads non-empty lines of at most max bytes.
type lineReader struct {
	r    *bufio.Reader
	max  int
	long []byte // reused for lines that do not fit r's buffer

	unfinished bool // whether the last line came without its newline
}

// readLines reads lines of r; close must follow.
func readLines(r io.Reader, most int) *lineReader {
	b := buffers.Get().(*bufio.Reader)
	b.Reset(r)
	return &lineReader{r: b, max: most}
}

func (l *lineReader) close() {
	l.r.Reset(nil)
	buffers.Put(l.r)
}

// next returns the next line, valid until the call after it. A last line
// without newline counts; then comes io.EOF.
func (l *lineReader) next() ([]byte, error) {
	for {
		line, err := l.r.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			line, err = l.rest(line)
		}
		l.unfinished = err != nil
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		line = bytes.TrimSpace(line)
		if len(line) > 0 {
			return line, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (l *lineReader) rest(head []byte) ([]byte, error) {
	l.long = append(l.long[:0], head...)
	for {
		more, err := l.r.ReadSlice('\n')
		if len(l.long)+len(more) > l.max {
			return nil, fmt.Errorf("%w: over %d bytes", eval.ErrLineTooLong, l.max)
		}
		l.long = append(l.long, more...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.long, err
		}
	}
}
