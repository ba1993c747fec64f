package reports

import (
	"math"
	"strings"
	"testing"

	"github.com/disteval/disteval/emissions"
)

func TestNumbers(t *testing.T) {
	p := func(x float64) *float64 { return &x }
	for _, test := range []struct{ name, got, want string }{
		{"nothing", Fixed(nil, 2), None},
		{"NaN", Fixed(p(math.NaN()), 2), None},
		{"infinity", Significant(p(math.Inf(1)), 3), None},
		{"no negative zero", Fixed(p(-0.0001), 2), "0.00"},
		{"no signed zero", Signed(p(0.0001), 2), "0.00"},
		{"plus", Signed(p(0.02), 3), "+0.020"},
		{"minus", Signed(p(-0.695), 3), "-0.695"},
		{"percent", Percent(p(0.715), 1), "71.5 %"},
		{"percent of nothing", Percent(nil, 1), None},
		{"zero", Significant(p(0), 3), "0"},
		{"small", Significant(p(0.000779), 3), "7.79e-04"},
		{"below one", Significant(p(0.01234), 3), "0.0123"},
		{"no digit before the point is lost", Significant(p(18215.61), 3), "18216"},
		{"large", Significant(p(12345678), 3), "1.23e+07"},
		{"milli", SI(p(0.0123), "Wh"), "12.3 mWh"},
		{"kilo", SI(p(18215.61), "Wh"), "18.2 kWh"},
		{"rounds into the next prefix", SI(p(999.7), "W"), "1.00 kW"},
		{"none", SI(p(0), "J"), "0 J"},
		{"p", PValue(p(0.0342)), "0.034"},
		{"tiny p", PValue(p(1e-9)), "< 0.001"},
		{"no p", PValue(nil), None},
		{"interval", Interval(p(-0.1), p(0.25), 2), "[-0.10, 0.25]"},
		{"half an interval", Interval(p(1), nil, 2), None},
		{"exact", Exact(math.Nextafter(0.3, 1)), "0.30000000000000004"},
		{"rounds to one", Significant(p(0.9997), 3), "1.00"},
		{"unknown metric", Model{}.Metric("em").MeanText(), None},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", test.name, test.got, test.want)
		}
	}
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"Zürich 東京 😀":        "Zürich 東京 😀",
		"a\nb\tc\r":          `a\nb\tc\r`,
		"\x1b[31m\x00\x7f":   `\x1b[31m\x00\x7f`,
		"\u202eabc\u2066":    `\u202eabc\u2066`,
		"\u0085\u2028\ufeff": `\u0085\u2028\ufeff`,
		"\xed\xa0\x80\xff":   `\xed\xa0\x80\xff`, // a lone surrogate, and no UTF-8 at all
		"\U000e0041":         `\U000e0041`,
		"::error::x":         `::error::x`,
	} {
		if got := Visible(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	if got := VisibleText("a\n\tb\r"); got != "a\n\tb\\r" {
		t.Errorf("text became %q", got)
	}
	for in, want := range map[string]string{
		"  ::error::x":       `  \x3a:error::x`,
		"a ##[error]b":       `a #\x23[error]b`,
		"##vso[task.x]":      `#\x23vso[task.x]`,
		"## a heading, a::b": "## a heading, a::b",
		"\n::error::x":       `\n::error::x`,
	} {
		if got := Line(in); got != want {
			t.Errorf("line %q became %q, want %q", in, got, want)
		}
	}
	if got := Clip("äöü", 2); got != "ä…" {
		t.Errorf("clipped to %q", got)
	}
}

func TestSignificantDecimals(t *testing.T) {
	for _, x := range []float64{0, 1, -1, 9.995, 0.0009999, 0.00099949, 0.0179, 123.4, 999_499, 999_500, 1e6, 2.5e-5} {
		decimals, plain := SignificantDecimals(x, 3)
		if got := Significant(&x, 3); plain && got != Fixed(&x, decimals) || plain == strings.Contains(got, "e") {
			t.Errorf("%v is written %s, with %d decimals, plain %t", x, got, decimals, plain)
		}
	}
}

func TestCell(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "Paris": "Paris", " Paris": " Paris", "1-2": "1-2", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x",
		"\t=1": "'\t=1", "\r=1": `'\r=1`, " =1": "' =1", "\n=1": "'\n=1", "＝1": "'＝1", "\u00a0=1": "'\u00a0=1", "\x1b": `\x1b`,
		"\u2003=1": "'\u2003=1", " \n =1": "' \n =1", "\u200b=1": `\u200b=1`,
	} {
		if got := Cell(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("\u00a0::error::x ####[a] ##\x1b[b]")
	f.Fuzz(func(t *testing.T, s string) {
		line := Line(s)
		if strings.ContainsFunc(line, Hidden) {
			t.Errorf("%q became %q", s, line)
		}
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
			t.Errorf("%q stays a command: %q", s, line)
		}
	})
}

func TestUnitsReadWell(t *testing.T) {
	p := func(x float64) *float64 { return &x }
	for _, c := range []struct{ got, want string }{
		{WattHours(p(0.0000123)), "12.3 µWh"}, {WattHours(p(367.0)), "367 Wh"}, {WattHours(nil), None},
		{CO2e(p(7.79e-4)), "779 mg"}, {CO2e(p(184.0)), "184 kg"}, {CO2e(nil), None},
		{Energy{Quality: emissions.Estimated, Method: "estimate"}.How(), "estimated"},
		{Energy{Quality: emissions.Estimated, Method: "codecarbon-2.3"}.How(), "estimated by codecarbon-2.3"},
		{Energy{Quality: emissions.Measured, Method: "rapl"}.How(), "measured by rapl"},
		{Energy{Quality: emissions.Unavailable, Method: "off"}.How(), "unavailable"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
