package evaltest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/disteval/disteval/eval"
)

// HostileLimits are short enough for a test that waits for them to end, and
// long enough for a busy machine to answer within.
var HostileLimits = eval.Limits{Silence: time.Second, LoadSilence: 10 * time.Second, LineBytes: 1 << 20, ReplyBytes: 2 << 20}

// hostile lists what every client must make of each fault.
var hostile = []struct {
	fault Fault
	kind  eval.FailureKind
	retry bool
	says  string
}{
	{NoDone, eval.FailTruncated, true, "ended after 7 bytes"},
	{HalfLine, eval.FailTruncated, true, "ended after 7 bytes"},
	{Reset, eval.FailRefused, true, ""},
	{Hang, eval.FailTimeout, true, "no byte from the server for"},
	{EmptyPieces, eval.FailTimeout, true, "all of them empty"},
	{Drip, eval.FailTimeout, true, "bytes a second"},
	{HTML, eval.FailMalformed, false, "502 Bad Gateway"},
	{ErrorPiece, eval.FailStatus, false, "the runner has stopped"},
	{OtherModel, eval.FailMalformed, false, "another"},
	{HugeCount, eval.FailMalformed, false, "9223372036854775807"},
	{MinusCount, eval.FailMalformed, false, "-5"},
	{Elsewhere, eval.FailStatus, false, "redirects to http://localhost:9"},
	{Status400, eval.FailStatus, false, "HTTP 400 Bad Request: fake 400"},
	{Status401, eval.FailStatus, false, "HTTP 401 Unauthorized: <html><body>401 Authorization Required"},
	{Status404, eval.FailStatus, false, "HTTP 404"},
	{Status429, eval.FailStatus, true, "HTTP 429"},
	{Status500, eval.FailStatus, true, "HTTP 500"},
}

// Hostile holds a generator with HostileLimits to the rules for answers: each
// fault of its fake is the failure that it should be, in good time.
func Hostile(t *testing.T, fake interface {
	SetFault(func(string, int) Fault)
}, g eval.Generator) {
	t.Helper()
	for _, tt := range hostile {
		t.Run(string(tt.fault), func(t *testing.T) {
			fake.SetFault(func(string, int) Fault { return tt.fault })
			_, err := g.Generate(t.Context(), eval.Request{Prompt: "p"})
			var failure *eval.Failure
			if !errors.As(err, &failure) || failure.Kind != tt.kind || failure.Retry != tt.retry || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want %s, retry %t, %q", err, tt.kind, tt.retry, tt.says)
			}
		})
	}
	// What a machine can send within the silence decides which comes first.
	for _, fault := range []Fault{Babble, Endless} {
		t.Run(string(fault), func(t *testing.T) {
			fake.SetFault(func(string, int) Fault { return fault })
			_, err := g.Generate(t.Context(), eval.Request{Prompt: "p"})
			var failure *eval.Failure
			if !errors.As(err, &failure) || failure.Kind != eval.FailTooLong && failure.Kind != eval.FailTimeout {
				t.Errorf("got %v, want an end", err)
			}
		})
	}
	fake.SetFault(func(string, int) Fault { return NoFault })
}
