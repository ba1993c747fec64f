package ci

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/disteval/disteval/eval"
)

// MostSummary is how many bytes of summary GitHub takes of one step; of more it
// shows nothing.
const MostSummary = 1 << 20

// AppendSummary adds to the step's summary, a file that GitHub names, what write
// makes of the bytes that are left; an empty path is no file.
func AppendSummary(path string, write func(room int) string) (err error) {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	room := max(0, MostSummary-int(info.Size()))
	s := write(room)
	if s == "" || len(s) > room {
		return eval.WithHint(fmt.Errorf("write the step's summary: %d bytes of it are left", room), "run this in a step of its own")
	}
	if _, err = f.WriteString(s); err != nil {
		return fmt.Errorf("write the step's summary: %w", err)
	}
	return nil
}

// JobURL is the address of the job that runs; empty where it is not known.
func JobURL(getenv func(string) string) string {
	url := getenv("CI_JOB_URL")
	if id := getenv("GITHUB_RUN_ID"); id != "" {
		url = getenv("GITHUB_SERVER_URL") + "/" + getenv("GITHUB_REPOSITORY") + "/actions/runs/" + id
	}
	if !strings.HasPrefix(url, "http") || strings.ContainsAny(url, " <>()\n") {
		return ""
	}
	return url
}
