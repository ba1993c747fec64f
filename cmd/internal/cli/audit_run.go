package cli

import (
	"fmt"
	"io"

	"github.com/disteval/disteval/emissions/audit"
	"github.com/disteval/disteval/emissions/grid"
)

// auditPublished is the name of the embedded table.
const auditPublished = "published"

// runAudit audits the table in, or the embedded one where name is
// "published", and writes what it finds. An error that wraps
// *audit.InputError is the table's: exit code 2.
func runAudit(out io.Writer, in io.Reader, name string) (implausible bool, err error) {
	if name == auditPublished {
		in = audit.Published()
	}
	rows, err := audit.Parse(in, grid.Lookup)
	if err != nil {
		return false, fmt.Errorf("audit %s: %w", name, err)
	}
	report := audit.Analyse(rows, grid.All())
	return report.Implausible(), report.Write(out, name)
}
