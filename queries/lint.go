package queries

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Severities of a Finding.
const (
	SeverityError   = "error"   // the set cannot be trusted: a leak, a duplicate, an empty field
	SeverityWarning = "warning" // somebody should look
)

// Rules of the lint, as findings name them.
const (
	RuleFormat        = "format"                // error: the file is not what its format says
	RuleEmpty         = "empty-field"           // error
	RuleID            = "duplicate-id"          // error
	RulePrompt        = "duplicate-prompt"      // error: the same words, whatever the case and punctuation
	RuleLeak          = "leaked-answer"         // error: the prompt holds the keyword or an alias
	RuleExample       = "answer-in-example"     // the lines above the question hold an answer
	RuleHidden        = "hidden-answer"         // the prompt holds an answer inside a longer word, or joined or parted otherwise
	RuleNear          = "near-duplicate-prompt" // see nearDuplicates
	RuleRedundant     = "redundant-alias"       // the same words as the keyword or an earlier alias
	RuleInside        = "answer-in-answer"      // an answer stands inside an answer of another query
	RuleRepeated      = "repeated-answer"       // one keyword for more than two queries
	RuleUnscorable    = "unscorable-keyword"    // a metric cannot score it or the reference, with the reason
	RuleUnseen        = "unseen-symbol"         // an answer has a symbol that em passes over
	RuleBoundary      = "no-word-boundary"      // of a script without spaces, which em cannot part into words
	RuleCommon        = "common-answer"         // very common words or a single letter
	RuleLong          = "long-answer"           // more than four words
	RuleNoCategory    = "missing-category"      //
	RuleUnbalanced    = "unbalanced-category"   // less than half or more than twice the mean
	RuleDifficulty    = "bad-difficulty"        // neither easy, medium nor hard
	RuleAsOf          = "bad-as-of"             // no date YYYY-MM-DD
	RuleUntidy        = "untidy-text"           // stray white space or control characters
	RuleUnusedExplain = "unused-explanation"    // explained, but there is no such warning
)

// Finding is one thing that the lint says about a set.
type Finding struct {
	File      string
	Line      int    // on which the query begins, counted from 1; 0 where the whole file is meant
	ID        string // of the query; empty where the whole file is meant
	Rule      string
	Severity  string // SeverityError or SeverityWarning
	Message   string
	Explained string // the set's own reason why this warning stands; empty for an error or an unexplained warning
}

// Linter checks sets. Its functions come from outside, because what counts as
// a word and what can be scored is for the metrics to say.
type Linter struct {
	Words      func(text string) []string      // the normalised words that em compares; required
	Unseen     func(answer string) string      // the symbols of an answer that are part of no word; may be nil
	Unscorable func(reference string) []string // why cosine or ROUGE cannot score against a reference, one reason each; may be nil
}

// CheckFile loads the file at path and checks it: what the loader refuses
// becomes findings, beside those of Check on the queries that could be read. A
// copy of the embedded set is explained as that is. The error is for a file
// that could not be read at all.
func (l Linter) CheckFile(path string) (Set, []Finding, error) {
	s, err := Load(path)
	var refused Errors
	if err != nil && !errors.As(err, &refused) {
		return Set{}, nil, err
	}
	var all []Finding
	for _, e := range refused {
		all = append(all, Finding{File: e.File, Line: e.Line, Rule: cmp.Or(e.Rule, RuleFormat), Severity: SeverityError, Message: e.Reason})
	}
	if len(refused) == maxErrors {
		last := refused[maxErrors-1]
		all = append(all, Finding{File: last.File, Line: last.Line, Rule: RuleFormat, Severity: SeverityWarning,
			Message: fmt.Sprintf("reading stopped after %d errors; what follows was not looked at", maxErrors)})
	}
	if b := Builtin(); s.Explained == nil && s.SHA256() == b.SHA256() {
		s.Explained = b.Explained // JSONL and CSV have no place for it
	}
	all = append(all, l.Check(s)...)
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return s, all, nil
}

// Check returns every finding in the order of the queries. The time it takes
// grows linearly with the set.
func (l Linter) Check(s Set) []Finding {
	c := &check{Linter: l, set: s, used: map[[2]string]bool{}}
	c.normalise()
	for i := range s.Queries {
		c.fields(i)
		c.answers(i)
	}
	c.duplicateIDs()
	c.duplicatePrompts()
	c.nearDuplicates()
	c.repeatedAnswers()
	c.sharedAnswers()
	c.answersInside()
	c.categories()
	c.unusedExplanations()
	return c.findings()
}

// findings lists what was found in the order of the queries.
func (c *check) findings() []Finding {
	slices.SortStableFunc(c.found, func(a, b located) int { return cmp.Compare(a.query, b.query) })
	findings := make([]Finding, len(c.found))
	for i, f := range c.found {
		findings[i] = f.Finding
	}
	return findings
}

// Leaks returns the finding of every query whose prompt holds its own answer: in
// the question (RuleLeak), or in the lines above it (RuleExample).
func (l Linter) Leaks(s Set) []Finding {
	c := &check{Linter: l, set: s, used: map[[2]string]bool{}}
	c.normalise()
	for i, q := range s.Queries {
		for k, words := range c.answer[i] {
			c.leak(i, q.Answers()[k], words)
		}
	}
	return c.findings()
}

// check is one run of a Linter over one set.
type check struct {
	Linter
	set     Set
	prompts [][]string   // words of each prompt
	asked   [][]string   // words of its question
	shown   [][]string   // words of the lines above the question
	answer  [][][]string // words of each answer of each query, without a leading article
	found   []located
	used    map[[2]string]bool // rule and ID of the explanations that were needed
}

type located struct {
	query int
	Finding
}

func (c *check) normalise() {
	for _, q := range c.set.Queries {
		above, question := splitPrompt(q.Prompt)
		shown, asked := c.Words(above), c.Words(question)
		c.shown, c.asked = append(c.shown, shown), append(c.asked, asked)
		c.prompts = append(c.prompts, slices.Concat(shown, asked))
		var answers [][]string
		for _, a := range q.Answers() {
			answers = append(answers, withoutArticle(c.Words(a)))
		}
		c.answer = append(c.answer, answers)
	}
}

func withoutArticle(words []string) []string {
	if len(words) > 1 && (words[0] == "the" || words[0] == "a" || words[0] == "an") {
		return words[1:]
	}
	return words
}

func (c *check) fault(i int, rule, format string, args ...any) {
	c.add(i, Finding{Rule: rule, Severity: SeverityError, Message: fmt.Sprintf(format, args...)})
}

func (c *check) warn(i int, rule, format string, args ...any) {
	id := c.set.Queries[i].ID
	reason := c.set.Explained[rule][id]
	if reason != "" {
		c.used[[2]string{rule, id}] = true
	}
	c.add(i, Finding{Rule: rule, Severity: SeverityWarning, Message: fmt.Sprintf(format, args...), Explained: reason})
}

func (c *check) add(i int, f Finding) {
	f.File, f.Line, f.ID = c.set.file, c.set.Line(i), c.set.Queries[i].ID
	c.found = append(c.found, located{i, f})
}

// at says where another query stands, for a message.
func (c *check) at(i int) string {
	if line := c.set.Line(i); line > 0 {
		return fmt.Sprintf("%s on line %d", c.set.Queries[i].ID, line)
	}
	return c.set.Queries[i].ID
}

func (c *check) unusedExplanations() {
	for _, rule := range sortedKeys(c.set.Explained) {
		for _, id := range sortedKeys(c.set.Explained[rule]) {
			if !c.used[[2]string{rule, id}] {
				c.found = append(c.found, located{len(c.set.Queries), Finding{
					File: c.set.file, ID: id, Rule: RuleUnusedExplain, Severity: SeverityWarning,
					Message: fmt.Sprintf("an explanation for %s of %s stands in the file, but there is no such warning; remove it", rule, id),
				}})
			}
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
