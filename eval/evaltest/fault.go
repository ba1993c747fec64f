package evaltest

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault is a way to answer wrongly.
type Fault string

const (
	NoFault     Fault = ""
	NoDone      Fault = "no done"      // the stream ends early, in good order
	HalfLine    Fault = "half a line"  // the stream ends inside a line
	Reset       Fault = "reset"        // the connection breaks
	Hang        Fault = "hang"         // nothing comes
	HTML        Fault = "html"         // a page instead of JSON
	Endless     Fault = "endless"      // a line without end
	Babble      Fault = "babble"       // pieces without text, as fast as they go, without end
	EmptyPieces Fault = "empty pieces" // the same, some a second
	Drip        Fault = "drip"         // a byte now and then
	Status400   Fault = "400"
	Status401   Fault = "401" // of a proxy, as a page
	Status404   Fault = "404"
	Status429   Fault = "429"
	Status500   Fault = "500"
	ErrorPiece  Fault = "error piece" // an error in the middle of the stream
	OtherModel  Fault = "other model" // the answer says another model's name
	HugeCount   Fault = "huge count"  // 2^63-1 tokens
	MinusCount  Fault = "minus count" // -5 tokens
	Elsewhere   Fault = "elsewhere"   // a redirect to another host
)

// questions counts what a fake is asked and decides what it does wrong.
type questions struct {
	calling  sync.Mutex // held while fault decides, which may ask for the counts
	mu       sync.Mutex
	fault    func(prompt string, n int) Fault
	byPrompt map[string]int
	asked    int
}

// SetFault decides from now on how each question is answered wrongly; n counts
// the requests for a prompt from 1. fault is called by one goroutine at a time.
func (q *questions) SetFault(fault func(prompt string, n int) Fault) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fault = fault
}

// Asked is the number of questions that came, warm-ups and repeats included,
// loads and unloads not.
func (q *questions) Asked() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.asked
}

// AskedFor is the number of questions that came with this prompt.
func (q *questions) AskedFor(prompt string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.byPrompt[prompt]
}

// ask counts one question and returns its fault.
func (q *questions) ask(prompt string) Fault {
	q.calling.Lock()
	defer q.calling.Unlock()
	fault, n := q.count(prompt)
	if fault == nil {
		return NoFault
	}
	return fault(prompt, n)
}

func (q *questions) count(prompt string) (fault func(string, int) Fault, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byPrompt == nil {
		q.byPrompt = make(map[string]int)
	}
	q.asked++
	q.byPrompt[prompt]++
	return q.fault, q.byPrompt[prompt]
}

// protocol writes the parts of a stream.
type protocol interface {
	piece(text string) string
	failure(message string) string
	end(tokens int) string
	by(model string) protocol // the same, said by another model
}

func misbehave(w http.ResponseWriter, r *http.Request, fault Fault, p protocol) {
	write := func(parts ...string) bool {
		for _, part := range parts {
			if _, err := fmt.Fprint(w, part); err != nil {
				return false
			}
		}
		return http.NewResponseController(w).Flush() == nil
	}
	half := p.piece("half an")
	switch fault {
	case NoDone:
		write(half)
	case HalfLine:
		write(half, half[:len(half)/2])
	case Reset:
		write(half)
		panic(http.ErrAbortHandler)
	case Hang:
		<-r.Context().Done()
	case HTML:
		write("<html><body>502 Bad Gateway</body></html>")
	case Endless:
		chunk := strings.Repeat("a", 1<<16)
		write(half[:len(half)/2])
		for i := 0; i < 1<<14 && write(chunk); i++ { // a gigabyte
		}
	case Babble:
		for pieces := strings.Repeat(p.piece(""), 1<<12); write(pieces); {
		}
	case EmptyPieces:
		for write(p.piece("")) {
			time.Sleep(20 * time.Millisecond)
		}
	case Drip:
		for i := 0; write(half[i%len(half) : i%len(half)+1]); i++ {
			time.Sleep(20 * time.Millisecond * time.Duration(1+i/8))
		}
	case ErrorPiece:
		write(half, p.failure("fake: the runner has stopped"))
	case OtherModel:
		other := p.by("another")
		write(other.piece("half an"), other.end(2))
	case HugeCount:
		write(half, p.end(math.MaxInt64))
	case MinusCount:
		write(half, p.end(-5))
	case Elsewhere:
		http.Redirect(w, r, "http://localhost:9/api", http.StatusTemporaryRedirect)
	case Status401:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, "<html><body>401 Authorization Required</body></html>\n<!-- nginx -->")
	case Status400, Status404, Status429, Status500:
		code, _ := strconv.Atoi(string(fault)) // which is its name
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"error":"fake %d"}`, code)
	}
}
