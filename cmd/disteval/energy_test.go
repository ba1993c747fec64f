package main_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/disteval/disteval/emissions/emissionstest"
	"github.com/disteval/disteval/eval/evaltest"
)

// energyOf is what summary.json says of one model's energy.
type energyOf struct {
	Duration float64 `json:"duration_s"`
	Energy   struct {
		Quality, Method string
		Wh              *float64
		Gaps            []json.RawMessage
		Warnings        []string
	}
	EmissionsKg *float64 `json:"emissions_kg"`
}

// meteredRun runs one model of 200 answers, 25 ms each, with the counters of a
// fake tree; during is called in the meantime.
func meteredRun(t *testing.T, sysfs, method string, during func(*os.Process)) energyOf {
	t.Helper()
	f := evaltest.NewOllama(t, "teacher:latest")
	f.Set(func(o *evaltest.Ollama) { o.Delay = 25 * time.Millisecond })
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "models.yaml"), "version: 1\nemissions: {method: "+method+", country: AUS, sysfs: "+sysfs+"}\n"+
		"models: [{name: Teacher, provider: ollama, model: teacher}]\n")
	cmd := program(t, dir, []string{"OLLAMA_HOST=" + f.URL}, "run", "--models", "models.yaml")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for f.Asked() < 20 {
		time.Sleep(time.Millisecond)
	}
	during(cmd.Process)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(onlyRun(t, dir), "summary.json"))
	var summary struct{ Models []energyOf }
	if err != nil || json.Unmarshal(data, &summary) != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return summary.Models[0]
}

// TestEnergyOfARun drives counters at a known power through wraps and failed
// reads for the length of a run.
func TestEnergyOfARun(t *testing.T) {
	sysfs := t.TempDir()
	if err := emissionstest.WriteTree(sysfs, "wrapping"); err != nil {
		t.Fatal(err)
	}
	d, err := emissionstest.NewDriver(sysfs, map[string]float64{"intel-rapl:0": 150, "intel-rapl:0:0": 20})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got := meteredRun(t, sysfs, "rapl", func(*os.Process) {
		for range 3 {
			d.Fail("intel-rapl:0")
			time.Sleep(150 * time.Millisecond)
			d.Restore("intel-rapl:0")
			time.Sleep(300 * time.Millisecond)
		}
	})
	if got.Energy.Wh == nil || got.Energy.Quality != "measured" || got.Energy.Method != "rapl" {
		t.Fatalf("energy: %+v", got)
	}
	want := 170 * got.Duration / 3600
	if off := *got.Energy.Wh/want - 1; off < -0.01 || off > 0.01 {
		t.Errorf("%.6f Wh in %.2f s; the truth is %.6f, off by %.2f %%", *got.Energy.Wh, got.Duration, want, 100*off)
	}
	if len(got.Energy.Gaps) == 0 {
		t.Errorf("no gap is listed")
	}
	if kg := *got.Energy.Wh / 1000 * 0.55376; got.EmissionsKg == nil || *got.EmissionsKg < kg*0.999 || *got.EmissionsKg > kg*1.001 {
		t.Errorf("emissions %v kg, want %v", got.EmissionsKg, kg)
	}
}

// TestEnergyThatIsNotThere: rapl by name without counters is unavailable, and
// one package of two is partial; neither is an error, and neither is 0.
func TestEnergyThatIsNotThere(t *testing.T) {
	got := meteredRun(t, t.TempDir(), "rapl", func(*os.Process) {})
	if got.Energy.Quality != "unavailable" || got.Energy.Wh != nil || got.EmissionsKg != nil {
		t.Errorf("without counters: %+v", got)
	}
	sysfs := t.TempDir()
	if err := emissionstest.WriteTree(sysfs, "missing-package"); err != nil {
		t.Fatal(err)
	}
	if got := meteredRun(t, sysfs, "rapl", func(*os.Process) {}); got.Energy.Quality != "partial" || got.Energy.Wh == nil {
		t.Errorf("with a package missing: %+v", got)
	}
}
