//go:build nvml && cgo

package nvml

import (
	"errors"
	"testing"
	"time"
)

func TestDevice(t *testing.T) {
	readings := []struct {
		mJ  uint64
		err error
	}{{1000, nil}, {1500, nil}, {0, errors.New("lost")}, {2500, nil}, {100, nil}, {200, nil}}
	i := 0
	d := &device{source: source{name: "gpu-0", read: func() (uint64, error) {
		r := readings[i]
		i++
		return r.mJ, r.err
	}}}
	start := time.Now()
	for range readings {
		d.take()
		time.Sleep(time.Millisecond)
	}
	c := d.series.Between(start, d.lastAt)
	if c.Amount != 1_600_000 || len(c.Gaps) != 1 || len(c.Spans) < 1 {
		t.Errorf("%+v, want 1.6 J, a gap and a lost span", c)
	}
}
