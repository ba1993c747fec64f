package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/disteval/disteval/reports"
	"github.com/disteval/disteval/reports/text"
)

// judgementFile keeps a run's judgement in the run's folder.
const judgementFile = "judgement.json"

const judgementSchema = "disteval.judgement/1"

// kept is what judgementFile holds: a judgement and what it is of.
type kept struct {
	Schema    string            `json:"schema"`
	PlanHash  string            `json:"plan_hash"`
	Outcomes  string            `json:"outcomes_sha256"` // Report.Outcomes
	Status    reports.Outcome   `json:"status"`
	Judgement reports.Judgement `json:"judgement"`
}

// writeJudgement writes the report's judgement and what it is of.
func writeJudgement(_ context.Context, w io.Writer, r reports.Report) error {
	return text.WriteJSON(w, kept{judgementSchema, r.PlanHash, r.Outcomes, r.Judgement.Status(), *r.Judgement})
}

// withJudgement gives the report the judgement that is kept beside its run,
// unless that is of another plan or of other replies or scores.
func withJudgement(r reports.Report) reports.Report {
	path := filepath.Join(r.Dir, judgementFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r
	}
	var k kept
	if err == nil {
		err = json.Unmarshal(data, &k)
	}
	switch {
	case err != nil:
		r.Warnings = append(r.Warnings, fmt.Sprintf("The judgement kept in %s cannot be read: %v. Judge the run again with disteval gate.", path, err))
	case k.Schema == judgementSchema && k.PlanHash == r.PlanHash && k.Outcomes == r.Outcomes:
		r.Judgement = &k.Judgement
	}
	return r
}
