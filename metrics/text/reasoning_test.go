package text

import "testing"

func TestSplitReasoning(t *testing.T) {
	for _, c := range []struct{ name, reply, answer, reasoning string }{
		{"none", "Paris <b>", "Paris <b>", ""},
		{"closed", "<think>Lyon?</think>Paris", "Paris", "Lyon?"},
		{"in the middle", "It is <think>Lyon?</think>Paris", "It is Paris", "Lyon?"},
		{"not closed", "It is <think>Lyon? Pa", "It is ", "Lyon? Pa"},
		{"not opened", "Lyon?</think>\nParis", "\nParis", "Lyon?"},
		{"twice", "<think>a</think>b<think>c</think>d", "bd", "ac"},
		{"empty", "<think>\n\n</think>\n\nParis", "\n\nParis", "\n\n"},
		{"opened inside", "<think>I write <think> now</think>Paris", "Paris", "I write  now"},
		{"nested", "<think>a<think>b</think>c</think>Paris", "Paris", "abc"},
		{"capitals and blanks", "<THINK >Lyon</ think>Paris", "Paris", "Lyon"},
		{"attributes", `<reasoning effort="high">Lyon</reasoning>Paris`, "Paris", "Lyon"},
		{"kin", "<thinking>a</thinking><scratchpad>b</scratchpad>Paris<reflection>c", "Paris", "abc"},
		{"seed", "<seed:think>a</seed:think>Paris", "Paris", "a"},
		{"brackets", "[THINK]a[/THINK]Paris", "Paris", "a"},
		{"triangles", "◁think▷a◁/think▷Paris", "Paris", "a"},
		{"special tokens", "<|begin_of_thought|>a<|end_of_thought|>Paris", "Paris", "a"},
		{"more special tokens", "<|START_THINKING|>a<|END_THINKING|>Paris", "Paris", "a"},
		{"unused tokens", "<unused94>thought\na<unused95>Paris", "Paris", "\na"},
		{"channels", "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>Paris", "Paris", "a<|end|><|start|>assistant"},
		{"another tag", "<thinker>Paris</thinker> [thinks]", "<thinker>Paris</thinker> [thinks]", ""},
		{"cut in a tag", "Paris <thin", "Paris <thin", ""},
	} {
		r := SplitReasoning(c.reply)
		if r.Answer != c.answer || r.Reasoning != c.reasoning || r.Tagged != (c.answer != c.reply) {
			t.Errorf("%s: %q: answer %q, reasoning %q, tagged %v; want %q, %q", c.name, c.reply, r.Answer, r.Reasoning, r.Tagged, c.answer, c.reasoning)
		}
	}
}

func FuzzSplitReasoning(f *testing.F) {
	f.Add("It is <think>Lyon?</think>Paris [THINK]a[/THINK] ◁think▷")
	f.Add("a</think>b<think>\xff")
	f.Fuzz(func(t *testing.T, reply string) {
		r := SplitReasoning(reply)
		if !r.Tagged && (r.Answer != reply || r.Reasoning != "") {
			t.Fatalf("%q without a tag: %+v", reply, r)
		}
		for i := range len(r.Answer) {
			if at := r.Offset(i); at < i || at >= len(reply) || reply[at] != r.Answer[i] {
				t.Fatalf("%q: byte %d of the answer is said to be at %d", reply, i, at)
			}
		}
	})
}
