package main_test

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// release is the folder dist of .ci/snapshot, in which goreleaser has left what
// it built.
func release(t *testing.T) string {
	t.Helper()
	dist := os.Getenv("DISTEVAL_TEST_RELEASE")
	if dist == "" {
		if os.Getenv("DISTEVAL_NO_SKIP") != "" {
			t.Fatal("DISTEVAL_TEST_RELEASE is not set: .ci/snapshot makes it")
		}
		t.Skip("DISTEVAL_TEST_RELEASE names no folder of a release: .ci/snapshot makes dist")
	}
	return dist
}

// TestReleaseRunsAlone runs what a user downloads, in an empty folder with
// nothing on PATH.
func TestReleaseRunsAlone(t *testing.T) {
	dist := release(t)
	commit, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, build := range []string{"disteval", "static"} {
		program, err := filepath.Abs(filepath.Join(dist, build+"_linux_amd64_v1", "disteval"))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		run := func(args ...string) string {
			cmd := exec.Command(program, args...)
			cmd.Dir, cmd.Env = dir, []string{"PATH=", "HOME=" + dir}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s %v: %v\n%s", build, args, err, out)
			}
			return string(out)
		}
		version := run("version")
		if !strings.Contains(version, string(commit[:12])) || strings.Contains(version, "(devel)") {
			t.Errorf("%s does not say that it is of commit %s: %s", build, commit, version)
		}
		run("run", "--models", "builtin", "--limit", "3")
		page := readFile(t, filepath.Join(onlyRun(t, dir), "report.html"))
		if outside := regexp.MustCompile(`(?i)<(script|link|img)[^>]+(src|href)="?(https?:)?//`).FindString(page); outside != "" || !strings.Contains(page, "Apache Software Foundation") {
			t.Errorf("%s: the report is not whole by itself: %q, %d bytes", build, outside, len(page))
		}
	}
}

// TestReleaseArchive looks into the archive, where a whole snapshot was made.
func TestReleaseArchive(t *testing.T) {
	dist := release(t)
	sums, err := os.ReadFile(filepath.Join(dist, "checksums.txt"))
	if errors.Is(err, os.ErrNotExist) {
		return // .ci/snapshot --single-target makes programs alone
	}
	if err != nil {
		t.Fatal(err)
	}
	archives := 0
	for line := range strings.Lines(string(sums)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		data := readFile(t, filepath.Join(dist, name))
		if fmt.Sprintf("%x", sha256.Sum256([]byte(data))) != sum {
			t.Errorf("%s is not what checksums.txt says", name)
		}
		if !strings.Contains(name, "_linux_amd64") || !strings.HasSuffix(name, ".tar.gz") {
			continue
		}
		archives++
		files := filesOf(t, data)
		for _, want := range []string{"disteval", "LICENSE", "NOTICE", "man/disteval.1.gz", "man/disteval-run.1.gz", "completions/disteval.bash",
			"completions/_disteval", "completions/disteval.fish", "completions/disteval.ps1", "licenses/go/LICENSE", "licenses/npm/echarts/LICENSE"} {
			if !files[want] {
				t.Errorf("%s lacks %s", name, want)
			}
		}
	}
	if archives != 2 {
		t.Errorf("%d archives for linux/amd64, want 2", archives)
	}
}

func filesOf(t *testing.T, archive string) map[string]bool {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]bool{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = true
	}
}
