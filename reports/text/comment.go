package text

import (
	"fmt"

	"github.com/disteval/disteval/reports"
)

// Comment is the text of a comment on a pull request, in at most so many bytes:
// the run's summary, and a link to the job. r is nil where there is no run.
// exitCode is what disteval ended with; where that is no verdict, or another
// than the judgement of r, the text says that there is none.
func Comment(r *reports.Report, exitCode int, job string, most int) string {
	foot := ""
	if job != "" {
		foot = "\n[The job](" + job + ") has the whole report.\n"
	}
	head := ""
	if exitCode > 0 && (r == nil || r.Judgement == nil) {
		head = fmt.Sprintf("**There is no verdict: disteval ended with exit code %d, and the job's log says why.**\n\n", exitCode)
	}
	if r == nil {
		return head + foot
	}
	return head + Summary(*r, most-len(head)-len(foot)) + foot
}
