package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/session"
)

func newWorkerCmd(a *app) *cobra.Command {
	var o session.WorkerOptions
	var models string
	cmd := &cobra.Command{
		Use:   "worker --nats URL",
		Short: "Answer the questions of runs on other machines",
		Long: `Started beside a model server: takes the questions of runs from NATS, asks them here,
meters the energy here, and sends back what came. It serves the models of --models,
without it all that the Ollama at OLLAMA_HOST has and those inside the program, and
never anything else. disteval run --listen prints the complete command.

Interrupt it once and it answers what it has begun and leaves; the second interrupt
ends it at once. Credentials are those of NATS's own tools: in the URL, or NATS_CREDS,
NATS_NKEY, NATS_TOKEN, NATS_USER and NATS_PASSWORD, NATS_CERT and NATS_KEY, NATS_CA.`,
		Example: `  disteval worker --nats nats://queue.example:4222
  NATS_CREDS=gpu1.creds disteval worker --nats tls://queue.example --models models.yaml`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The first interrupt only drains; see app.drain.
			return a.worker(context.WithoutCancel(cmd.Context()), o, models)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.URL, "nats", "", "`URL` of the NATS server, or several separated by commas (default: NATS_URL)")
	f.StringVar(&o.ServerCert, "server-cert", "", "trust the server whose certificate has this `SHA256`, and no authority")
	f.StringVar(&o.Name, "name", "", "name in reports (default: this machine's)")
	f.IntVar(&o.Concurrency, "concurrency", 1, "questions in flight; above 1 energy is stated per model only")
	f.StringVar(&models, "models", "", "serve the models of this file only, or builtin")
	return cmd
}

func (a *app) worker(ctx context.Context, o session.WorkerOptions, models string) error {
	if o.Concurrency < 1 {
		return eval.BadInput(fmt.Errorf("worker: --concurrency %d: it must be at least 1", o.Concurrency), "")
	}
	o.Plan.Emissions = eval.Emissions{Sysfs: a.settings.Sysfs.Value, Procfs: a.settings.Procfs.Value}
	if models != "" {
		var err error
		if o.Plan, err = a.loadPlan(models); err != nil {
			return err
		}
	}
	err := a.session().Work(ctx, a.drain, o)
	if errors.Is(err, eval.ErrInterrupted) {
		return eval.WithHint(fmt.Errorf("%w; all that was begun is answered", err), "")
	}
	return err
}
