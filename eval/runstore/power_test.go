package runstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/disteval/disteval/emissions"
	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/eval/runstore"
)

func turnPower(process int, watts ...*float64) eval.TurnPower {
	p := eval.TurnPower{Model: "A", Process: process, Power: emissions.Power{Start: time.Unix(1000, 5).UTC(),
		Zones: []emissions.ZonePower{{Name: "package-0", Kind: emissions.CPU, Counted: true, W: watts}}}}
	for i := range watts {
		p.Ends = append(p.Ends, time.Duration(i+1)*time.Second)
	}
	return p
}

func TestPower(t *testing.T) {
	s, dir := create(t, 1)
	w := 12.5
	ctx, second := t.Context(), turnPower(2, &w)
	must(t, s.PutPower(ctx, second), s.PutPower(ctx, turnPower(1, &w)), s.PutPower(ctx, turnPower(1, &w, nil, &w)), s.Flush(ctx), s.Close())
	s, err := runstore.Read(ctx, dir)
	must(t, err)
	defer s.Close()
	if d := cmp.Diff([]eval.TurnPower{turnPower(1, &w, nil, &w), second}, s.Record().Power); d != "" {
		t.Errorf("the newest of each process (-want +got):\n%s", d)
	}
}

// TestPowerOfOlderRecords: a record of the version before has none, whether it
// is read or gone on with.
func TestPowerOfOlderRecords(t *testing.T) {
	s, dir := create(t, 1)
	must(t, s.Close(), runstore.Damage(dir, `DROP TABLE power; ALTER TABLE probes DROP COLUMN host; PRAGMA user_version = 3`))
	s, err := runstore.Read(t.Context(), dir)
	must(t, err)
	if got := s.Record().Power; len(got) != 0 {
		t.Errorf("%+v", got)
	}
	must(t, s.Close())
	s, err = runstore.Open(t.Context(), dir)
	must(t, err)
	w := 1.0
	must(t, s.PutPower(t.Context(), turnPower(1, &w)), s.Flush(t.Context()), s.Refresh(t.Context()), s.Close())
	if got := s.Record().Power; len(got) != 1 {
		t.Errorf("gone on with: %+v", got)
	}
}

func TestDamagedPower(t *testing.T) {
	for _, damage := range []string{
		`UPDATE power SET power = replace(power, '12.5', '13.5')`,
		`UPDATE power SET model = 9`,
	} {
		s, dir := create(t, 1)
		w := 12.5
		must(t, s.PutPower(t.Context(), turnPower(1, &w)), s.Close(), runstore.Damage(dir, damage))
		if _, err := runstore.Read(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "not what was stored") {
			t.Errorf("%s: %v", damage, err)
		}
	}
}
