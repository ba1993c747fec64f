package eval

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Answer is one reply while it streams from a server: one set of rules for
// what is silence, too long, broken off or refused, whatever the protocol.
// It belongs to one goroutine.
type Answer struct {
	limits  Limits
	silence time.Duration
	ctx     context.Context
	cancel  context.CancelCauseFunc
	watch   *time.Timer

	text, reasoning strings.Builder
	bytes, pieces   int // since the last text
}

var errSilence = errors.New("silence")

// NewAnswer begins to wait for an answer. Its request is to be made with
// Context, which ends when no text has come for silence. Close must follow.
func (s *Server) NewAnswer(ctx context.Context, silence time.Duration) *Answer {
	a := &Answer{limits: s.Limits, silence: silence}
	a.ctx, a.cancel = context.WithCancelCause(ctx)
	a.watch = time.AfterFunc(silence, func() { a.cancel(errSilence) })
	return a
}

// Context is the request's.
func (a *Answer) Context() context.Context { return a.ctx }

// Close ends the request.
func (a *Answer) Close() {
	a.watch.Stop()
	a.cancel(nil)
}

// Count watches what is read of body.
func (a *Answer) Count(body io.ReadCloser) io.ReadCloser { return &countedBody{body, a} }

type countedBody struct {
	io.ReadCloser
	answer *Answer
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.answer.bytes += n
	return n, err
}

// Add takes a piece of the answer. Only text, of the answer or of reasoning,
// ends a silence.
func (a *Answer) Add(text, reasoning string) error {
	if text == "" && reasoning == "" {
		a.pieces++
		return nil
	}
	if a.text.Len()+len(text) > a.limits.ReplyBytes || a.reasoning.Len()+len(reasoning) > a.limits.ReplyBytes {
		return &Failure{Kind: FailTooLong, Message: fmt.Sprintf("the reply is longer than %d MB", a.limits.ReplyBytes>>20)}
	}
	a.text.WriteString(text)
	a.reasoning.WriteString(reasoning)
	a.bytes, a.pieces = 0, 0
	a.watch.Reset(a.silence)
	return nil
}

// ending is how long a server may take to end a stream after its last word.
const ending = 20 * time.Millisecond

// Drain reads what follows a complete answer. That is nothing but the end of the
// stream, without which the connection could not be used for the next question.
// A server that does not end it soon loses the connection.
func (a *Answer) Drain(rest *bufio.Reader) {
	a.watch.Reset(ending)
	_, _ = rest.Discard(64 << 10)
}

// Len is the length of the text so far, in bytes.
func (a *Answer) Len() int { return a.text.Len() }

// Reply is what came so far: of a failure too, for people to look at.
func (a *Answer) Reply() Reply { return Reply{Text: a.text.String(), Reasoning: a.reasoning.String()} }

// Malformed is the failure of an answer that is not what the protocol says.
func Malformed(format string, args ...any) *Failure {
	return &Failure{Kind: FailMalformed, Message: fmt.Sprintf(format, args...)}
}

// Truncated is the failure of an answer that ended before it was done.
func (a *Answer) Truncated() *Failure {
	return &Failure{Kind: FailTruncated, Retry: true,
		Message: fmt.Sprintf("the answer ended after %d bytes without done", a.text.Len())}
}

// Failed classes what ended an answer early. The run's own end is no failure
// and comes back as it is.
func (a *Answer) Failed(err error) error {
	var failure *Failure
	switch {
	case errors.As(err, &failure):
		return failure
	case errors.Is(context.Cause(a.ctx), errSilence):
		return &Failure{Kind: FailTimeout, Retry: true, Message: a.stillness()}
	case a.ctx.Err() != nil:
		return a.ctx.Err()
	case errors.Is(err, errBodyTooLong), errors.Is(err, ErrLineTooLong), errors.Is(err, bufio.ErrTooLong):
		return &Failure{Kind: FailTooLong, Message: PlainError(err).Error()}
	case errors.Is(err, io.EOF):
		return a.Truncated()
	}
	return CallFailure(err)
}

// CallFailure classes why a call to a server brought no answer.
func CallFailure(err error) *Failure {
	var status *StatusError
	var redirect *RedirectError
	err = PlainError(err)
	switch {
	case errors.As(err, &status):
		return &Failure{Kind: FailStatus, Message: status.Error(), Retry: status.passes(), After: status.After}
	case errors.As(err, &redirect):
		return &Failure{Kind: FailStatus, Message: redirect.Error()}
	}
	return &Failure{Kind: FailRefused, Message: err.Error(), Retry: !errors.As(err, new(*CertificateError))}
}

// stillness says what the server sent instead of text.
func (a *Answer) stillness() string {
	switch {
	case a.bytes == 0:
		return fmt.Sprintf("no byte from the server for %s", a.silence)
	case a.pieces == 0:
		return fmt.Sprintf("no text from the server for %s: it sends %.2g bytes a second, %d so far, too few for a piece of text",
			a.silence, float64(a.bytes)/a.silence.Seconds(), a.bytes)
	}
	return fmt.Sprintf("no text from the server for %s: it sent %d pieces, all of them empty", a.silence, a.pieces)
}

// ErrLineTooLong means a line that no reply explains.
var ErrLineTooLong = errors.New("the server sent a line without end")
