package eval

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/disteval/disteval/metrics/text"
	"github.com/disteval/disteval/queries"
)

// Slot is where a template has the query's prompt.
const Slot = "{{prompt}}"

// Prompting says how a query becomes the text that is sent: worked examples,
// then the template around the prompt, parted by blank lines.
type Prompting struct {
	Template    string          `json:"template,omitempty"` // holds Slot once; empty: the prompt alone
	Shots       int             `json:"shots,omitempty"`    // worked examples in front
	System      string          `json:"system,omitempty"`   // message before the prompt; chat only
	ExamplesSrc string          `json:"examples_src,omitempty"`
	Examples    []queries.Query `json:"examples,omitempty"` // to choose from; nil: the other queries of the plan
}

// IsZero reports whether the prompt is sent as it stands.
func (p Prompting) IsZero() bool {
	return p.Template == "" && p.Shots == 0 && p.System == "" && len(p.Examples) == 0
}

// around puts a prompt into the template.
func (p Prompting) around(prompt string) string {
	if p.Template == "" {
		return prompt
	}
	return strings.Replace(p.Template, Slot, prompt, 1)
}

// facts are what the plan's hash covers of it.
func (p Prompting) facts() []Fact {
	var list []Fact
	add := func(name, value string) {
		if value != "" {
			list = append(list, Fact{name, value})
		}
	}
	if p.Template != "" {
		add("prompt.template", fmt.Sprintf("%q", p.Template))
	}
	if p.System != "" {
		add("prompt.system", fmt.Sprintf("%q", p.System))
	}
	if p.Shots > 0 {
		from := "the other queries"
		if p.Examples != nil {
			from = fmt.Sprintf("%d, sha256 %s", len(p.Examples), queries.Set{Queries: p.Examples}.SHA256())
		}
		add("prompt.shots", fmt.Sprintf("%d of %s, chosen by seed and query", p.Shots, from))
	}
	return list
}

// Prompt is the text that m is sent for q.
func (p Plan) Prompt(m Model, q queries.Query) string {
	if m.Prompting.Shots == 0 {
		return m.Prompting.around(q.Prompt)
	}
	var b strings.Builder
	for _, example := range p.Shots(m, q) {
		asked := m.Prompting.around(example.Prompt)
		b.WriteString(asked)
		b.WriteString(Continuation(asked, example.Keyword))
		b.WriteString("\n\n")
	}
	b.WriteString(m.Prompting.around(q.Prompt))
	return b.String()
}

// Shots are the worked examples before q, drawn by the model's seed and the
// query: never the query itself, nor one of the same answer, nor one in whose
// text an answer of the query stands.
func (p Plan) Shots(m Model, q queries.Query) []queries.Query {
	k := m.Prompting.Shots
	if k == 0 {
		return nil
	}
	pool := m.Prompting.Examples
	if pool == nil {
		pool = p.Queries.Queries
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "shots %d %q", m.Generation.Seed, q.ID))
	draw := rand.New(rand.NewPCG(binary.BigEndian.Uint64(sum[:]), binary.BigEndian.Uint64(sum[8:])))
	var leaks leakFinder
	var out []queries.Query
	moved := make(map[int]int) // a shuffle of the pool, as far as it has come
	at := func(i int) int {
		if j, ok := moved[i]; ok {
			return j
		}
		return i
	}
	for i := 0; i < len(pool) && len(out) < k; i++ {
		j := i + draw.IntN(len(pool)-i)
		chosen := at(j)
		moved[j] = at(i)
		if e := pool[chosen]; e.ID != q.ID && e.Prompt != q.Prompt && !leaks.in(e, q) {
			out = append(out, e)
		}
	}
	return out
}

// leakFinder looks for a query's answer in examples.
type leakFinder struct {
	scorer text.Scorer
	words  text.Words
}

// in reports whether an example holds an answer of q.
func (f *leakFinder) in(example, q queries.Query) bool {
	if slices.ContainsFunc(q.Answers(), func(a string) bool { return strings.EqualFold(a, example.Keyword) }) {
		return true
	}
	shown := example.Prompt + " " + example.Keyword
	f.words.Reset(shown)
	return f.scorer.Keyword(q.Keyword, q.Aliases, shown, &f.words).Found
}

// Leak is an example that holds the answer of a query.
type Leak struct{ Example, Query queries.Query }

// Leaks lists the examples that hold an answer of a query of the set. They are
// never put before that query; before another they may still tell.
func Leaks(examples, set []queries.Query) []Leak {
	var f leakFinder
	var out []Leak
	for _, e := range examples {
		for _, q := range set {
			if e.Prompt == q.Prompt || f.in(e, q) {
				out = append(out, Leak{e, q})
			}
		}
	}
	return out
}

// mostLeaks is how many leaks of a model are named.
const mostLeaks = 10

// LeakWarnings tell of what stands before the prompts of m and holds answers: an
// example, which is left out before the query that it tells, and the template and
// the system message, which stand before every query.
func (p Plan) LeakWarnings(m Model) []string {
	var f leakFinder
	var out []string
	for _, around := range []struct{ name, text string }{{"template", m.Prompting.around("")}, {"system", m.Prompting.System}} {
		for _, q := range p.Queries.Queries {
			f.words.Reset(around.text)
			if around.text != "" && f.scorer.Keyword(q.Keyword, q.Aliases, around.text, &f.words).Found {
				out = append(out, fmt.Sprintf("%s: prompt.%s holds %q, the answer of %s", m.Name, around.name, q.Keyword, q.ID))
			}
		}
	}
	if m.Prompting.Shots > 0 && m.Prompting.Examples != nil {
		for _, l := range Leaks(m.Prompting.Examples, p.Queries.Queries) {
			out = append(out, fmt.Sprintf("%s: the example %s (%q) tells the answer of %s, %q: it is never put before that query", m.Name, l.Example.ID, l.Example.Prompt+" "+l.Example.Keyword, l.Query.ID, l.Query.Keyword))
		}
	}
	if more := len(out) - mostLeaks; more > 0 {
		out = append(out[:mostLeaks], fmt.Sprintf("%s: and %d more leaks", m.Name, more))
	}
	return out
}

// checkShots refuses a plan that has not enough examples for some query.
func (p Plan) checkShots(m Model) error {
	if m.Prompting.Shots == 0 {
		return nil
	}
	for _, q := range p.Queries.Queries {
		if n := len(p.Shots(m, q)); n < m.Prompting.Shots {
			return BadInput(fmt.Errorf("check model %s: prompt.shots is %d, but only %d examples are left for query %s, of those without its answer", m.Name, m.Prompting.Shots, n, q.ID),
				"lower prompt.shots, or name a file with more prompt.examples")
		}
	}
	return nil
}
