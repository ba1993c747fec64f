package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/disteval/disteval/cmd/internal/progress"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/session"
)

// fleetFlags are the flags of run that give the questions to workers.
type fleetFlags struct {
	nats, listen, audit string
	wait                time.Duration
}

func (o *fleetFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.nats, "nats", "", "give the questions to workers, over the NATS server at this `URL`")
	f.StringVar(&o.listen, "listen", "", "give the questions to workers, over a NATS server in this process at `HOST:PORT`; prints the workers' command")
	f.StringVar(&o.audit, "audit", "0%", "ask this `SHARE` of the questions on a second host too, such as 5%")
	f.DurationVar(&o.wait, "wait-workers", 10*time.Minute, "how long to wait for a worker with each model")
}

func (o fleetFlags) wanted() bool { return o.nats != "" || o.listen != "" }

func (o fleetFlags) check() error {
	if _, err := session.ParseShare(o.audit); err != nil {
		return err
	}
	switch {
	case o.nats != "" && o.listen != "":
		return eval.BadInput(errors.New("run: --nats and --listen exclude each other"), "with --listen the server is in this process")
	case !o.wanted() && o.audit != "0%":
		return eval.BadInput(errors.New("run: --audit needs a second host"), "add --nats or --listen, and start workers")
	case o.wait <= 0:
		return eval.BadInput(fmt.Errorf("run: --wait-workers %v: it must be above 0", o.wait), "")
	}
	return nil
}

// gather makes the session ask workers, where the flags say so. The returned
// function lets them go.
func (a *app) gather(s *session.Session, o runOptions) (leave func(complete bool) error, err error) {
	if !o.fleet.wanted() {
		return func(bool) error { return nil }, nil
	}
	audit, err := session.ParseShare(o.fleet.audit)
	if err != nil {
		return nil, err
	}
	s.Fleet, err = s.Gather(session.FleetOptions{URL: o.fleet.nats, Listen: o.fleet.listen, Resume: o.Resume, Wait: o.fleet.wait, Audit: audit})
	if err != nil {
		return nil, err
	}
	if args := s.Fleet.WorkerArgs(); args != nil {
		fmt.Fprintf(a.err, "on every machine that answers, beside its model server:\n\n  disteval %s\n\n", strings.Join(args, " "))
	}
	return s.Fleet.Close, nil
}

// observer shows people how the questions come along.
func (a *app) observer(s *session.Session, plan eval.Plan) interface {
	eval.Observer
	Close()
} {
	if s.Fleet == nil {
		return progress.NewRun(a.err, terminal(a.err), plan, a.log)
	}
	p := progress.NewFleet(a.err, terminal(a.err), a.now)
	s.Fleet.Say(p.Say)
	return p
}

func withoutHostFlag(cmd *cobra.Command, hosts *[]string) {
	cmd.Flags().StringSliceVar(hosts, "without-host", nil, "leave out what the worker of this `NAME` answered")
}
