package html

import (
	"strings"
	"testing"

	"github.com/disteval/disteval/eval"
)

func TestCondition(t *testing.T) {
	with := newLibrary("var echarts = {};")
	for _, tt := range []struct {
		lib     library
		browser bool
		want    eval.State
		says    string
	}{
		{with, true, eval.Works, "opens offline"},
		{with, false, eval.Partly, "copy report.html"},
		{library{}, true, eval.Partly, "build with make"},
	} {
		if c := condition(tt.lib, tt.browser); c.State != tt.want || !strings.Contains(c.Found+c.Cure, tt.says) || c.Needed {
			t.Errorf("with a library: %t, browser %t: %+v", tt.lib.inline(), tt.browser, c)
		}
	}
}
