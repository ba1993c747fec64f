package text

import (
	"strings"
	"testing"
)

func TestComment(t *testing.T) {
	const job = "https://ci.example/5"
	judged, unjudged := sample(), sample()
	j := manyChecks(2000, strings.Repeat("|", 400))
	judged.Judgement, unjudged.Judgement = &j, nil
	none := "There is no verdict: disteval ended with exit code 2"
	for name, tt := range map[string]struct {
		text       string
		has, hasNo string
	}{
		"a verdict":            {Comment(&judged, 4, job, 65_000), "### Gate: inconclusive", none},
		"no verdict":           {Comment(&unjudged, 2, job, 65_000), none, "### Gate"},
		"no run":               {Comment(nil, 2, job, 65_000), none, "##"},
		"nothing was expected": {Comment(&unjudged, 0, job, 65_000), "## disteval", "no verdict"},
	} {
		if !strings.Contains(tt.text, tt.has) || strings.Contains(tt.text, tt.hasNo) || !strings.HasSuffix(tt.text, "[The job]("+job+") has the whole report.\n") || len(tt.text) > 65_000 {
			t.Errorf("%s: %d bytes\n%.300s", name, len(tt.text), tt.text)
		}
	}
}
