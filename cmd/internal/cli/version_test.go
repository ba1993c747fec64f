package cli

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"
)

func TestBuildOf(t *testing.T) {
	const commit, date = "815262f9a0c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5", "2026-11-27T20:15:30Z"
	git := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs.revision", Value: commit}, {Key: "vcs.time", Value: date}, {Key: "vcs.modified", Value: modified}}
	}
	for _, tt := range []struct {
		name, main string
		stated     build
		settings   []debug.BuildSetting
		want       build
	}{
		{"a tag in a checkout", "v1.2.3", build{}, git("false"), build{"v1.2.3", commit, date}},
		{"changed after the tag", "v1.2.3+dirty", build{}, git("true"), build{"v1.2.3+dirty", commit, date}},
		{"a commit in a checkout", "v0.0.0-20261127201530-815262f9a0c1", build{}, git("false"), build{"v0.0.0-20261127201530-815262f9a0c1", commit, date}},
		{"go install of a tag", "v1.2.3", build{}, nil, build{Version: "v1.2.3"}},
		{"go install of a commit", "v0.0.0-20261127201530-815262f9a0c1", build{}, nil, build{"v0.0.0-20261127201530-815262f9a0c1", commit[:12], date}},
		{"go install of a commit after a tag", "v1.2.4-0.20261127201530-815262f9a0c1", build{}, nil, build{"v1.2.4-0.20261127201530-815262f9a0c1", commit[:12], date}},
		{"git knows better than (devel)", "(devel)", build{}, git("false"), build{commit[:12], commit, date}},
		{"and that files were changed", "(devel)", build{}, git("true"), build{commit[:12] + "+dirty", commit, date}},
		{"a source archive that was told", "(devel)", build{Version: "v1.2.3"}, nil, build{Version: "v1.2.3"}},
		{"a linked worktree that was told", "(devel)", build{"v1.2.3", commit, date}, nil, build{"v1.2.3", commit, date}},
		{"git knows better than what was told", "v1.2.4", build{"v1.2.3", "0000", "2025"}, git("false"), build{"v1.2.4", commit, date}},
		{"nothing is known", "(devel)", build{}, nil, build{Version: "unknown"}},
		{"no build information", "", build{}, nil, build{Version: "unknown"}},
	} {
		info := debug.BuildInfo{Main: debug.Module{Version: tt.main}, Settings: tt.settings}
		if got := buildOf(info, tt.stated); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestBuildSaysNothingThatIsUnknown(t *testing.T) {
	for b, want := range map[build]string{
		{"v1.2.3", "815262f9a0c1d2e3f4a5", "2026-11-27T20:15:30Z"}: "disteval v1.2.3 (commit 815262f9a0c1 of 2026-11-27T20:15:30Z) go1.",
		{Version: "v1.2.3"}: "disteval v1.2.3 go1.",
	} {
		if got := b.String(); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s…", got, want)
		}
	}
}

// --version is what people type first.
func TestVersionFlag(t *testing.T) {
	var flag, command, messages bytes.Buffer
	if code := run(t.Context(), []string{"--version"}, nil, &flag, &messages); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &messages)
	}
	run(t.Context(), []string{"version"}, nil, &command, &messages)
	if flag.Len() == 0 || flag.String() != command.String() {
		t.Errorf("--version says %q, version %q", &flag, &command)
	}
}
