package text

import (
	"regexp"
	"strings"
	"sync"
)

// Reply is a model's reply, parted into the answer and the reasoning that the
// model put between tags. Only the answer is scored.
type Reply struct {
	Answer    string // all that stands outside the tags; the whole reply where it has none
	Reasoning string // what stands inside, without the tags
	Tagged    bool   // whether there was a tag, closed or not

	pieces []piece // where the answer comes from; nil without a tag
}

// piece is a part of the answer.
type piece struct {
	at   int // in the answer
	from int // in the reply
}

// reasoningTags are those that models write around their reasoning: XML
// (<think>, <thinking>, <reasoning> …), Mistral's [THINK], Kimi's ◁think▷,
// special tokens such as <|START_THINKING|> and Gemma's unused ones, and the channels of the harmony
// format, whose final channel ends the analysis.
var reasoningTags = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)` + strings.Join([]string{
		`<\s*(/?)\s*(?:seed:|ant)?(?:think|thinking|thought|thoughts|thought_process|inner_thoughts|reason|reasoning|reasoning_content|reflection|scratchpad|analysis|inner_monologue|chain_of_thought|cot)(?:\s[^<>]*)?>`,
		`\[\s*(/?)\s*think(?:ing)?\s*\]`,
		`◁\s*(/?)\s*think(?:ing)?\s*▷`,
		`<\|(/?)think(?:ing)?\|>`,
		`<\|(?:begin|start)_(?:of_)?(?:thought|thinking|reasoning)\|>`,
		`<\|(end)_(?:of_)?(?:thought|thinking|reasoning)\|>`,
		`<unused94>(?:thought)?`, `<(unused95)>`,
		`<\|channel\|>\s*(?:analysis|commentary)\s*(?:<\|message\|>)?`,
		`<\|channel\|>\s*(final)\s*(?:<\|message\|>)?`,
	}, `|`))
})

// SplitReasoning parts a reply. A tag that is never closed ends with the
// reply, which a limit of tokens cut; one that is closed without being opened
// began before the reply, as where a prompt template opens it. Tags do not nest:
// the first that closes ends the reasoning.
func SplitReasoning(reply string) Reply {
	if !mayHoldTag(reply) {
		return Reply{Answer: reply}
	}
	tags := reasoningTags().FindAllStringSubmatchIndex(reply, -1)
	if tags == nil {
		return Reply{Answer: reply}
	}
	p := parting{reply: reply}
	for _, tag := range tags {
		p.tag(tag[0], tag[1], closes(tag))
	}
	p.text(len(reply))
	return Reply{Answer: p.answer.String(), Reasoning: p.reasoning.String(), Tagged: true, pieces: p.pieces}
}

// mayHoldTag reports whether a reply holds what a tag begins with; nearly none
// does. One search for each is many times as fast as strings.ContainsAny, which
// looks up every character of the reply.
func mayHoldTag(reply string) bool {
	return strings.IndexByte(reply, '<') >= 0 || strings.IndexByte(reply, '[') >= 0 || strings.Contains(reply, "◁")
}

// closes says whether a match of reasoningTags is a closing tag: one of its
// groups is neither absent nor empty.
func closes(match []int) bool {
	for i := 2; i < len(match); i += 2 {
		if match[i] < match[i+1] {
			return true
		}
	}
	return false
}

// parting is a reply on the way to its parts.
type parting struct {
	reply             string
	at                int  // how far the reply is read
	inside            bool // of reasoning
	answer, reasoning strings.Builder
	pieces            []piece
}

// tag takes the text up to a tag, and the tag.
func (p *parting) tag(from, to int, closing bool) {
	if closing && !p.inside {
		p.inside = true // since the tag before, or the beginning
	}
	p.text(from)
	p.at, p.inside = to, !closing
}

// text takes the text up to end.
func (p *parting) text(end int) {
	part := p.reply[p.at:end]
	if p.inside {
		p.reasoning.WriteString(part)
		return
	}
	p.pieces = append(p.pieces, piece{p.answer.Len(), p.at})
	p.answer.WriteString(part)
}

// Offset returns the byte of the reply at which a byte of the answer stands. A
// range of the answer ends in the reply at Offset(its last byte) + 1.
func (r Reply) Offset(at int) int {
	offset := at
	for _, p := range r.pieces {
		if p.at > at {
			break
		}
		offset = p.from + at - p.at
	}
	return offset
}
