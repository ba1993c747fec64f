package xlsx

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLibreOfficeOpens converts the workbook with LibreOffice, each sheet to a
// CSV of what its cells hold and the whole to a PDF with its charts.
func TestLibreOfficeOpens(t *testing.T) {
	soffice := needLibreOffice(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "report.xlsx")
	r := replying([]string{"=1+1", "+2+2 <b>", "@SUM(A1)"})
	_, b := written(t, r)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	convert(t, soffice, dir, path, `csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1`)
	for sheet, figures := range map[string][]string{
		"Summary":     {"big,reference,2,1,0,0.715,0.695,0.745,2,", "77.125", "0.000627", "ann,em,3,0.75,0.5,-0.1,0.9"},
		"Comparisons": {"-0.695,-0.75,-0.62,0.00001,0.00002", "18215.61"},
		"Replies":     {",=1+1,", "312.5,18.5,1,2026-03-01 12:30:01", "+2+2 <b>", "@SUM(A1)", "timeout"},
		"Categories":  {"geography,1,0.8,0\n", "science,2,0.63,\n"},
		"Energy":      {"measured,rapl,77.125,1.25", "package-0,yes,1.25"},
		"Provenance":  {r.PlanHash, "501.7"},
		"Review":      {"Run,20260301-123000", "Item,Prompt,Keyword,Reply,Reviewer,Verdict,Comment", ",=1+1,"},
	} {
		got, err := os.ReadFile(filepath.Join(dir, "report-"+sheet+".csv"))
		if err != nil {
			t.Errorf("sheet %s: %v", sheet, err)
			continue
		}
		for _, f := range figures {
			if !strings.Contains(string(got), f) {
				t.Errorf("sheet %s does not hold %q:\n%s", sheet, f, got)
			}
		}
	}
	convert(t, soffice, dir, path, "pdf")
	if pdf, err := os.ReadFile(filepath.Join(dir, "report.pdf")); err != nil || !strings.HasPrefix(string(pdf), "%PDF-") {
		t.Errorf("the PDF begins with %.8q, error %v", pdf, err)
	}
}

// TestReviewsSavedByLibreOffice reads verdicts out of a file that LibreOffice
// has saved.
func TestReviewsSavedByLibreOffice(t *testing.T) {
	soffice := needLibreOffice(t)
	dir := t.TempDir()
	before := reviewed(t, cells("B3", "ann", "F5", "right", "E7", "bob", "F7", "wrong", "G7", "=1+1"))
	path := filepath.Join(dir, "report.xlsx")
	if err := os.WriteFile(path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	convert(t, soffice, filepath.Join(dir, "saved"), path, "xlsx")
	after, err := os.ReadFile(filepath.Join(dir, "saved", "report.xlsx"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := read(t, before)
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(t, after)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want.Rows) != 2 {
		t.Errorf("%d rows; saved by LibreOffice (-before +after):\n%s", len(want.Rows), diff)
	}
}

// needLibreOffice returns the program's path.
func needLibreOffice(t *testing.T) string {
	t.Helper()
	soffice, err := exec.LookPath("soffice")
	if err != nil {
		const why = "LibreOffice (soffice) is not installed: nothing was converted"
		if os.Getenv("DISTEVAL_NO_SKIP") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	return soffice
}

// convert runs LibreOffice with a profile of its own.
func convert(t *testing.T, soffice, dir, path, to string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, soffice, "-env:UserInstallation=file://"+filepath.ToSlash(filepath.Join(dir, "profile")),
		"--headless", "--convert-to", to, "--outdir", dir, path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("convert to %s: %v\n%s", to, err, out)
	}
}
