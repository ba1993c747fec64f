package text

import (
	"golang.org/x/text/unicode/norm"
	"strings"
	"testing"
)

func em(keyword, text string) Match {
	var s Scorer
	var words Words
	words.Reset(text)
	return s.Keyword(keyword, nil, text, &words)
}

// emRules are keyword, text and whether the keyword stands in it, rule by rule.
var emRules = map[string][]struct {
	keyword, text string
	want          bool
}{
	"marks": {
		{"São Paulo", "in Sao Paulo", true}, {"Sao Paulo", "in Sa\u0303o Paulo", true}, {"Đà Nẵng", "in Da Nang.", true},
		{"Tiếng Việt", "tieng viet", true}, {"Москва", "в Москва\u0301", true}, {"Αθήνα", "Αθηνα", true}, {"Ὀδυσσεύς", "ΟΔΥΣΣΕΥΣ", true},
		{"القرآن", "القُرْآن", true}, {"محمد", "مُحَمَّد", true}, {"محمد", "محـــمد", true}, {"שלום", "שָׁלוֹם", true},
		{"दिल्ली", "भारत की राजधानी दिल्ली है", true}, {"दिल्ली", "दल्ला", false}, {"दल", "दिल", false}, {"क़लम", "क\u093cलम", true},
		{"パリ", "首都はパリです", true}, {"パリ", "首都はﾊﾟﾘです", true}, {"パリ", "ハリ", false}, {"ハ", "パ", false}, {"が", "か\u3099", true},
		{"ก", "ก่", false}, {"น้ำ", "ดื่มน้ำ", true}, {"ก\u0e39\u0e48", "ก\u0e48\u0e39", true},
	},
	"spelling": {
		{"Wałęsa", "Lech Walesa", true}, {"Lodz", "in Łódź", true}, {"Łódź", "in Todz", false}, {"Tromsø", "TROMSO", true}, {"Æsop", "Aesop", true},
		{"phœnix", "phoenix", true}, {"Þingvellir", "Thingvellir", true}, {"Straße", "STRASSE", true}, {"STRAẞE", "strasse", true},
		{"Iğdır", "IGDIR", true}, {"İstanbul", "istanbul", true}, {"ﬁnance", "finance", true}, {"Louis Ⅳ", "Louis IV", true}, {"Ｐａｒｉｓ", "Paris", true},
	},
	"apostrophes": {
		{"Hawai'i", "Hawaiʻi", true}, {"Hawaii", "Hawai‘i", true}, {"ʻIolani", "the 'Iolani Palace", true}, {"O'Brien", "OBrien O`Brien", true},
		{"O'Brien", "by O´Brien", true}, {"O'Brien", "O′Brien", true}, {"Qur'an", "Qurʾan", true}, {"ʿAli", "Ali", true}, {"Прип'ять", "Припʼять", true},
		{"l'eau", "de l’eau", true}, {"rock 'n' roll", "rock ’n‘ roll", true}, {"Paris", "PARIS'S river", true}, {"Paris", "‘Paris’", true}, {"Paris", "`Paris`", true},
		{"1920s", "the 1920's", true}, {"'90s", "in the 90s", true}, {"90s", "in the ’90’s", true}, {"1'000", "1000", true},
		{"510", "5'10", false}, {"510", "5′10″", false}, {"Brien", "O'Brien", false},
	},
	"initials": {
		{"U.S.", "in the US", true}, {"US", "in the U. S. of old", true}, {"US", "a U. S. senator", true}, {"U. S.", "the U.S. and", true}, {"USA", "U. S. A.", true},
		{"U.S.A.", "the U.S.A's", true}, {"J.R.R. Tolkien", "J. R. R. Tolkien", true}, {"J. R. R. Tolkien", "JRR Tolkien", true}, {"J R R Tolkien", "by J.R.R. Tolkien", true},
		{"JRR Tolkien", "J R R Tolkien", true}, {"A. A. Milne", "A A Milne", true}, {"A A Milne", "A.A. Milne", true}, {"e.g.", "eg", true}, {"10 p.m.", "at 10pm", true}, {"10 pm", "at 10p.m.", true},
		{"А. С. Пушкин", "А.С. Пушкин", true}, {"ए. पी. जे. कलाम", "ए.पी.जे. कलाम", true},
		{"vitamin C", "It is vitamin C. A good source", true}, {"vitamin C", "vitamin C, I think", true}, {"vitamin C", "vitamin C I think", true},
		{"в Москве", "я и в Москве", true}, {"FBI", "the U.S. F.B.I. agent", true}, {"E. coli", "by E coli", true},
		{"S", "the U. S. Senate", false}, {"S", "the U.S. Senate", false}, {"R", "J. R. R. Tolkien", false}, {"AT", "AT&T", true}, {"ATT", "AT&T", false},
		{"A. Milne", "Milne", false}, {"The A", "A", true},
	},
	"numbers": {
		{"-40", "It is 40", false}, {"40", "It is -40", false}, {"40", "It is (−40)", false}, {"−40", "at -40 °C", true}, {"-40", "at –40", true}, {"-40", "at －４０", true},
		{"1914-1918", "1914–1918", true}, {"1918", "1914–1918", true}, {"1918", "1914-1918", true}, {"COVID-19", "COVID 19", true}, {"19", "COVID-19", true},
		{"20", "10%-20%", true}, {"20", "10°-20°", true}, {"7", "it is --7", true}, {"16", "F-16", true}, {"-.5", "-0.5", true},
		{"1,000", "1000 1 000", true}, {"1000", "1 000", true}, {"1000000", "1 000 000", true}, {"1,000,000", "1\u2009000\u2009000", true}, {"1000000", "1\u00a0000\u202f000", false},
		{"1", "1 000 000", false}, {"000", "1 000 000", false}, {"100", "in 2010 100 people", true}, {"2010", "in 2010 100 people", true}, {"1000", "1,00,0", false},
		{"3", "Pi is 3,14", false}, {"14", "Pi is 3.14", false}, {"3.14", "Pi is 3.14.", true}, {"3.14", "Pi is 3,14", true}, {"5", "1,5 hours", false}, {"0.5", "by .5", true}, {".5", "by 0.5", true}, {"5", "by .5", false},
		{"5", "the page.5", true}, {"1.5", "v1.5", false}, {"1234.5", "1 234,5", true}, {"1234.5", "1,234.5", true}, {"0.123", "0,123", true},
		{"102", "10²", false}, {"10²", "102", false}, {"10²", "10^2", true}, {"10^-3", "10⁻³", true}, {"m²", "5 m^2", true}, {"m", "5 m²", false}, {"5 m²", "5㎡", true}, {"E=mc²", "e = mc^2", true},
		{"Paris", "Paris¹", true}, {"H₂O", "H2O", true}, {"CO2", "CO₂", true},
		{"½", "1/2", true}, {"1/2", "½", true}, {"2½", "2 1/2 hours", true}, {"2", "2½", false}, {"2", "2 1/2", false}, {"21/2", "2½", false}, {"1½", "11/2", false}, {"1", "½", false},
		{"2020", "12/25/2020", true}, {"1⁄3", "⅓", true},
		{"5 kg", "5kg", true}, {"5kg", "5 kg", true}, {"100 km/h", "100km/h", true}, {"8848 m", "8,848m", true}, {"5 км", "5км", true}, {"20 °C", "20℃", true}, {"5 m2", "5m2", true},
		{"5", "5kg", true}, {"21st", "the 21ˢᵗ", true}, {"5", "the 5th", false}, {"1", "1er", false}, {"1", "1º", false}, {"5 stone", "5st", false}, {"11 st", "11st", true},
		{"1920", "the 1920s", false}, {"90", "the 90s", false}, {"90 s", "it took 90s", true}, {"747", "747s", true}, {"7", "B737", false}, {"4", "4x4", false},
	},
	"signs": {
		{"C++", "in c++.", true}, {"C", "in C++", false}, {"C#", "in C#", true}, {"C", "C#", false}, {"F#", "f#-based", true}, {".NET", "NET", true}, {"A+", "an A+", true},
		{"5", "2+5", true}, {"C", "C/C++", true},
	},
	"borders": {
		{"Paris", "首都是Paris。", true}, {"Paris", "東京Paris混在", true}, {"Париж", "ПарижParis", true}, {"Paris", "Pаris", false}, // the second with a Cyrillic а
		{"1964", "1964年", true}, {"5", "第5章", true},
	},
	"without spaces": {
		{"巴黎", "法国的首都是巴黎。", true}, {"東京", "日本の首都は東京です", true}, {"大阪", "日本の首都は東京です", false}, {"東京", "山東。京都", false}, {"東京", "東\u200b京", true},
		{"กรุงเทพมหานคร", "คือกรุงเทพมหานครครับ", true}, {"မန္တလေး", "ဒါကမန္တလေးပါ", true}, {"တ", "န္တ", false}, {"ភ្នំពេញ", "គឺភ្នំពេញ។", true}, {"ວຽງຈັນ", "ນະຄອນຫຼວງວຽງຈັນ", true},
		{"서울", "수도는 서울은 서울이다", true}, {"서우", "서울", false}, {norm.NFD.String("서울"), "서울", true}, {"서울", norm.NFD.String("서울이다"), true},
		{"食べる", "食、べる", false}, {"コンピュータ", "コンピューター", true},
	},
	"everything else": {
		{"New York", "new-york", true}, {"New York", "New\nYork", true}, {"Paris", "**Paris**", true}, {"Paris", "_Paris_", true}, {"Paris", "Parisian", false}, {"The Who", "Who", true},
		{"Paris", "Pa\u00adris", true}, {"Paris", "\u200fParis\u200e", true}, {"Windows", "Windows™", true}, {"می\u200cخواهم", "میخواهم", true},
	},
}

func TestEMRules(t *testing.T) {
	for rule, cases := range emRules {
		for _, c := range cases {
			if got := em(c.keyword, c.text); got.Found != c.want {
				t.Errorf("%s: %q in %q: %v, want %v (words %q and %q)", rule, c.keyword, c.text, got.Found, c.want, wordsOf(c.keyword), wordsOf(c.text))
			}
		}
	}
}

// TestEMForms wants a text found whichever way Unicode, letter case and what
// stands around it write it.
func TestEMForms(t *testing.T) {
	for rule, cases := range emRules {
		for _, c := range cases {
			for name, form := range map[string]string{
				"itself": c.keyword, "NFC": norm.NFC.String(c.keyword), "NFD": norm.NFD.String(c.keyword),
				"upper": strings.ToUpper(c.keyword), "lower": strings.ToLower(c.keyword),
				"brackets": "(" + c.keyword + ")", "quotes": "“" + c.keyword + "”", "bold": "**" + c.keyword + "**", "inside": "it is " + c.keyword + " , so",
			} {
				if strings.ContainsAny(c.keyword, "ıİ") && (name == "upper" || name == "lower") {
					continue // Go's letter case is not Turkish
				}
				if m := em(c.keyword, form); m.Searchable && !m.Found {
					t.Errorf("%s: %q is not found in its %s, %q (words %q and %q)", rule, c.keyword, name, form, wordsOf(c.keyword), wordsOf(form))
				}
			}
		}
	}
}

func TestUnbounded(t *testing.T) {
	for _, c := range []struct {
		keyword, text string
		want          bool
	}{
		{"東京", "首都は東京です", true}, {"서울", "서울이다", true}, {"Paris", "首都是Paris。", false}, {"1964", "1964年", false}, {"1964年", "1964年", true}, {"대阪", "Paris", false},
	} {
		if m := em(c.keyword, c.text); m.Unbounded != c.want {
			t.Errorf("%q in %q: unbounded %v, want %v", c.keyword, c.text, m.Unbounded, c.want)
		}
	}
}

// TestOffsetsOfJoinedWords wants the whole of what became one word.
func TestOffsetsOfJoinedWords(t *testing.T) {
	for _, c := range []struct{ keyword, text, want string }{
		{"JRR Tolkien", "by J. R. R. Tolkien.", "J. R. R. Tolkien"}, {"1000000", "about 1 000 000 people", "1 000 000"}, {"2½", "2 1/2 hours", "2 1/2"},
		{"東京", "首都は東京です", "東京"}, {"5 kg", "It weighs 5kg.", "5kg"}, {"-40", "at −40 °C", "−40"}, {"90 s", "took 90s.", "90s"}, {"JR", "by J R Ewing", "J R"},
	} {
		if m := em(c.keyword, c.text); c.text[m.Start:m.End] != c.want {
			t.Errorf("%q in %q matched %q, want %q", c.keyword, c.text, c.text[m.Start:m.End], c.want)
		}
	}
}

func TestHugeTexts(t *testing.T) {
	for name, text := range map[string]string{
		"initials": strings.Repeat("a ", 1<<17), "characters": strings.Repeat("東", 1<<16), "digits": strings.Repeat("1", 1<<18), "groups": "1" + strings.Repeat(" 000", 1<<16),
		"signs": strings.Repeat("-+", 1<<17), "fractions": strings.Repeat("1/", 1<<17), "apostrophes": strings.Repeat("a'", 1<<17), "marks": "द" + strings.Repeat("\u094d\u093c", 1<<15), "points": strings.Repeat("1.", 1<<17),
	} {
		if m := em("A A Milne", text); m.Found {
			t.Errorf("%s: found", name)
		}
	}
}
