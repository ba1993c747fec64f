package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
)

func newModelsCmd(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "models",
		Short: "List, check or fetch the models of a models file, or examine a checkpoint",
		Args:  exactArgs("list|check|pull|doctor"),
		RunE: func(_ *cobra.Command, args []string) error {
			return eval.BadInput(fmt.Errorf("models: %q is not list, check, pull or doctor", args[0]), "see disteval models --help")
		},
	}
	cmd.PersistentFlags().StringVar(&file, "models", "models.yaml", "models file, or builtin")
	for _, c := range []struct {
		name, short string
		do          func(context.Context, string) error
	}{
		{"list", "Show what is known of each model", a.listModels},
		{"check", "Fail when a model is missing, has too few positions, or cannot do what the file asks of it", a.checkModels},
		{"pull", "Fetch what is missing into Ollama", a.pullModels},
	} {
		cmd.AddCommand(&cobra.Command{Use: c.name, Short: c.short, Args: exactArgs(),
			RunE: func(cmd *cobra.Command, _ []string) error { return c.do(cmd.Context(), file) }})
	}
	cmd.AddCommand(newModelsDoctorCmd(a))
	return cmd
}

// listModels shows every model, missing ones with the reason.
func (a *app) listModels(ctx context.Context, file string) error {
	rows, err := a.describeModels(ctx, file)
	if err != nil {
		return err
	}
	return writeModels(a.out, rows, false)
}

// checkModels fails with the first thing that would stop a run.
func (a *app) checkModels(ctx context.Context, file string) error {
	rows, err := a.describeModels(ctx, file)
	if err != nil {
		return err
	}
	if err := writeModels(a.out, rows, true); err != nil {
		return err
	}
	for _, r := range rows {
		if err := cmp.Or(r.err, r.lacks); err != nil {
			return err
		}
	}
	return nil
}

// modelRow is a model and whether it is there and loaded.
type modelRow struct {
	model  eval.Model
	loaded string
	lacks  error // what the plan asks of it and it cannot do
	err    error // that it cannot be reached or is not there
}

func (a *app) describeModels(ctx context.Context, file string) ([]modelRow, error) {
	plan, err := a.loadPlan(file)
	if err != nil {
		return nil, err
	}
	ps := a.session().Providers
	var rows []modelRow
	for _, m := range plan.Models {
		row := modelRow{model: m, loaded: "-"}
		described, err := ps.Resolve(ctx, []eval.Model{m})
		if err != nil {
			row.err = err
		} else {
			row.model = described[0]
			row.loaded = ps.Loaded(ctx, row.model)
			checked := plan
			checked.Models = described
			row.lacks = checked.Check()
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// writeModels writes a table, with what servers can do where it is a check's.
func writeModels(w io.Writer, rows []modelRow, check bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tMODEL\tDIGEST\tPARAMETERS\tQUANTIZATION\tCONTEXT\tSIZE\tLOADED"+map[bool]string{true: "\tSERVER\tCAN"}[check])
	for _, r := range rows {
		m := r.model
		if r.err != nil {
			fmt.Fprintf(t, "%s\t%s\t%s\n", inert(m.Name), inert(m.Model), inert(firstLine(r.err)))
			continue
		}
		context, size := "-", "-"
		if m.ContextLength > 0 {
			context = strconv.Itoa(m.ContextLength)
		}
		if m.SizeBytes > 0 {
			size = humanize.Bytes(uint64(m.SizeBytes))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", inert(m.Name), inert(m.Model), inert(orDash(shortDigest(m.Digest))),
			inert(orDash(m.Parameters)), inert(orDash(m.Quantization)), context, size, r.loaded)
		if check {
			fmt.Fprintf(t, "\t%s\t%s", inert(strings.TrimSpace(m.ProviderVersion+" "+m.Host)), m.Capabilities)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil || !check {
		return err
	}
	for _, r := range rows {
		if r.lacks != nil {
			fmt.Fprintf(w, "! %s\n", inert(r.lacks.Error()))
		}
	}
	return nil
}

// shortDigest is as much of a digest as ollama list shows.
func shortDigest(d string) string {
	d = strings.TrimPrefix(d, "sha256:")
	return d[:min(len(d), 12)]
}

// orDash stands for what a provider does not say.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func firstLine(err error) string {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) && len(joined.Unwrap()) > 0 {
		return joined.Unwrap()[0].Error()
	}
	return err.Error()
}
