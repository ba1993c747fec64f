package exporter

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	// pace is how often an exporter is asked, and soonest how often a reading
	// may ask it besides.
	pace    = time.Second
	soonest = 200 * time.Millisecond
	// patience is how long an answer may take.
	patience = 5 * time.Second
	// quick is how long an answer may take for a reading to wait for one: a
	// reply's energy is read before the next question is asked.
	quick = 100 * time.Millisecond
)

// LoginVariable names the environment variable with the user:password of
// exporters that want a login. It is sent to them only and never shown.
const LoginVariable = "DISTEVAL_EXPORTER_LOGIN"

// CheckURL says what is wrong with an exporter's address; nil where nothing is.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("%.200q is not an address: expected one such as http://gpu1:9100/metrics", text)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Errorf("%.200q is not an address of an exporter: expected one such as http://gpu1:9100/metrics", u.Redacted())
	case u.User != nil:
		return fmt.Errorf("%.200q holds a login, which would be stored with the run: put user:password into %s instead", u.Redacted(), LoginVariable)
	}
	return nil
}

// endpoint is one exporter and the history of its counters.
type endpoint struct {
	url    *url.URL
	name   string // host:port
	client *http.Client
	asking sync.Mutex // held while it is asked; taken before mu

	mu       sync.Mutex
	counters []*counter
	byKey    map[string]*counter
	asked    time.Time     // when it was asked last
	good     time.Time     // when it answered last
	failed   string        // why it does not answer now
	took     time.Duration // the last answer
	slow     time.Duration // the longest that one took
}

func newEndpoint(text string) (*endpoint, error) {
	if err := CheckURL(text); err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/metrics"
	}
	e := &endpoint{url: u, name: u.Host, byKey: map[string]*counter{}}
	e.client = &http.Client{Timeout: patience, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if req.URL.Host != u.Host || len(via) > 3 {
			return fmt.Errorf("it redirects to %s, which was not named", req.URL.Host)
		}
		return nil
	}}
	return e, nil
}

// fetch asks once.
func (e *endpoint) fetch(ctx context.Context) ([]sample, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	req.Header.Set("User-Agent", "disteval")
	if user, password, ok := strings.Cut(os.Getenv(LoginVariable), ":"); ok {
		req.SetBasicAuth(user, password)
	}
	answer, err := e.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // it has the address, which is said already
		}
		return nil, err
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusUnauthorized, answer.StatusCode == http.StatusForbidden:
		return nil, fmt.Errorf("it wants a login (%s): put user:password into %s", answer.Status, LoginVariable)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answers %s", answer.Status)
	}
	if kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); kind == "text/html" {
		return nil, errors.New("it answers with a web page: name the path of its metrics, mostly /metrics")
	}
	return parse(answer.Body)
}

// scrape asks, and takes what it answers. The counters were read some time
// between the question and the answer: the middle is taken. What is known can
// be read meanwhile.
func (e *endpoint) scrape(ctx context.Context) {
	e.asking.Lock()
	defer e.asking.Unlock()
	e.ask(ctx)
}

// ask is scrape for one who holds asking.
func (e *endpoint) ask(ctx context.Context) {
	asked := time.Now()
	samples, err := e.fetch(ctx)
	took := time.Since(asked)
	if err == nil && len(samples) == 0 {
		err = errors.New("it has no counter of energy: node_exporter's rapl collector (its user must be able to read the counters), DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION and Kepler's node joules are read")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = asked
	if err != nil {
		e.failed = err.Error()
		for _, c := range e.counters {
			c.fail(e.failed)
		}
		return
	}
	e.took, e.slow = took, max(e.slow, took)
	e.good, e.failed = asked.Add(took/2), ""
	e.take(samples)
}

// take takes a good answer; the caller holds mu.
func (e *endpoint) take(samples []sample) {
	listed := map[string]bool{}
	for _, s := range samples {
		listed[s.key] = true
		c := e.byKey[s.key]
		if c == nil && len(e.counters) < maxZones {
			c = &counter{sample: s}
			e.byKey[s.key] = c
			e.counters = append(e.counters, c)
		}
		if c != nil {
			c.secondary = s.secondary
			c.take(e.good, s.joules)
		}
	}
	for _, c := range e.counters {
		if !listed[c.key] {
			c.fail("the exporter does not list it any more")
		}
	}
}

// bracket asks if nothing was heard since t, but not in quick succession, and
// neither an exporter that fails nor one that is slow: their own samplers go on,
// and the power of before stands in until then.
func (e *endpoint) bracket(ctx context.Context, t time.Time) {
	due := func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return e.failed == "" && e.took < quick && e.good.Before(t) && time.Since(e.asked) >= soonest
	}
	if !due() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pace)
	defer cancel()
	e.asking.Lock()
	defer e.asking.Unlock()
	if due() { // its sampler may have asked
		e.ask(ctx)
	}
}
