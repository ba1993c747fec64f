package fleet

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/disteval/disteval/eval"
)

// roster knows which workers are there and what they serve.
type roster struct {
	now func() time.Time
	say func(string)

	mu      sync.Mutex
	members map[string]*member // by name
	told    map[string]bool    // what was said once
	changed chan struct{}      // holds one sign that something changed
}

// member is a worker as it last said hello.
type member struct {
	hello
	models  []eval.Model
	known   bool // models are those of hello.Digest
	seen    time.Time
	inbox   string // where orders go
	garbage int    // messages of it that were none
}

// mostGarbage is how many messages that are none a worker may send before it
// gets no more questions.
const mostGarbage = 5

func newRoster(now func() time.Time, say func(string)) *roster {
	return &roster{now: now, say: say, members: make(map[string]*member), told: make(map[string]bool), changed: make(chan struct{}, 1)}
}

func (r *roster) signal() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// greet takes a hello in and says what the worker is refused for, or whether
// its models are wanted.
func (r *roster) greet(name, inbox string, data []byte) (m member, refused string, want bool) {
	var h hello
	if err := json.Unmarshal(data, &h); err != nil {
		return m, "the hello cannot be read: " + err.Error(), false
	}
	switch {
	case h.Protocol != protocol:
		return m, fmt.Sprintf("this is disteval with fleet protocol %d, the worker's has %d: use the same version on both machines", protocol, h.Protocol), false
	case h.Name != name || CheckName(name) != nil:
		return m, fmt.Sprintf("a worker that calls itself %q may not speak as %q", h.Name, name), false
	}
	if err := checkHello(h); err != nil {
		return m, fmt.Sprintf("what the worker says of itself is not believed: %v", err), false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	has := r.members[name]
	switch {
	case has == nil && len(r.members) >= mostWorkers:
		return m, fmt.Sprintf("there are %d workers already", mostWorkers), false
	case has != nil && has.Instance != h.Instance && r.now().Sub(has.seen) < absentAfter:
		return m, fmt.Sprintf("another worker is called %s: start this one with --name NAME to work beside it, or wait until it has gone", name), false
	case has == nil || has.Instance != h.Instance:
		has = &member{}
		r.members[name] = has
		r.sayOnce(fmt.Sprintf("worker %s: %s; %s", name, h.Host.Fingerprint(), h.Energy))
		r.skew(h)
	}
	if h.Models != nil {
		has.models, has.known = h.Models, true
	} else if has.Digest != h.Digest {
		has.known = false
	}
	h.Models = nil
	has.hello, has.seen, has.inbox = h, r.now(), inbox
	r.signal()
	return *has, "", !has.known
}

// skew tells of a clock that goes otherwise than this machine's: times of
// several hosts stand side by side in a report.
func (r *roster) skew(h hello) {
	const most = 2 * time.Second
	if d := h.Now.Sub(r.now()); d > most || d < -most {
		r.sayOnce(fmt.Sprintf("the clock of %s differs from this machine's by %v: wall times over several hosts are off by as much; set both by NTP", h.Name, d.Round(time.Second)))
	}
}

func (r *roster) sayOnce(text string) {
	if !r.told[text] && len(r.told) < mostTold {
		r.told[text] = true
		r.say(text)
	}
}

// present lists the workers that are there, by name.
func (r *roster) present() []member {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []member
	for _, name := range slices.Sorted(maps.Keys(r.members)) {
		m := r.members[name]
		if r.now().Sub(m.seen) < absentAfter && m.garbage < mostGarbage {
			out = append(out, *m)
		}
	}
	return out
}

// spoilt counts a message of a worker that was none and says so.
func (r *roster) spoilt(name string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.members[name]
	if m == nil {
		return
	}
	if m.garbage++; m.garbage == 1 || m.garbage == mostGarbage {
		r.say(fmt.Sprintf("worker %s sent what cannot be a reply: %v", name, err))
	}
	if m.garbage == mostGarbage {
		r.say(fmt.Sprintf("worker %s gets no more questions", name))
	}
}

// serves reports whether have, a worker's model, is the resolved model want;
// if it is so by name only, why says what differs.
func serves(want, have eval.Model) (ok bool, why string) {
	if want.Provider != have.Provider {
		return false, ""
	}
	named := nameOf(want) == nameOf(have)
	switch {
	case want.Digest != have.Digest:
		why = fmt.Sprintf("its weights are %s, those of the run %s", short(have.Digest), short(want.Digest))
	case want.ProviderVersion != have.ProviderVersion:
		why, named = fmt.Sprintf("it has %s, the run %s", have.ProviderVersion, want.ProviderVersion), true
	case !want.Generation.Raw && want.Template != have.Template:
		why, named = "its prompt template is another", true
	default:
		return true, ""
	}
	if !named {
		return false, ""
	}
	return false, why
}

// nameOf is what a provider calls a model, in one spelling: Ollama's with its
// tag, of a file the name without the folder.
func nameOf(m eval.Model) string {
	name := strings.ToLower(strings.ReplaceAll(m.Model, `\`, "/"))
	if m.Provider != eval.ProviderOllama {
		return path.Base(name)
	}
	if !strings.Contains(path.Base(name), ":") {
		name += ":latest"
	}
	return name
}

func short(digest string) string { return digest[:min(12, len(digest))] }

// find is the model of m that serves want. Where there is none, why says what
// is wrong with one of that name.
func (m member) find(want eval.Model) (have eval.Model, ok bool, why string) {
	for _, have := range m.models {
		ok, reason := serves(want, have)
		if ok {
			return have, true, ""
		}
		if reason != "" {
			why = fmt.Sprintf("%s has no %s for this run: %s", m.Name, want.Name, reason)
		}
	}
	return eval.Model{}, false, why
}
