package cli

import (
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// What a build is told by -ldflags "-X github.com/disteval/disteval/cmd/internal/cli.release=v1.2.3"
// and so on, for where the go command knows nothing of git: in a source archive,
// in a linked worktree, with -buildvcs=false. Build information goes before it.
var release, commit, date string

// build says which build of the program this is.
type build struct {
	Version string // v1.2.3, a pseudo-version with time and commit, or "unknown"; "+dirty" at its end: of changed files
	Commit  string // hexadecimal; the first 12 digits where only the pseudo-version tells it; empty: unknown
	Date    string // of the commit, RFC 3339; empty: unknown
}

// thisBuild is the build that runs. It reads what the linker stored and asks
// nobody, so that it costs nothing at the start.
func thisBuild() build {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return buildOf(*info, build{release, commit, date})
}

// pseudoVersion matches the end of the version that the go command makes for a
// commit without a tag: its time, and the first 12 digits of its hash.
var pseudoVersion = regexp.MustCompile(`[-.](\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)-([0-9a-f]{12})(\+.*)?$`)

// buildOf reads build information; what it lacks is as stated.
func buildOf(info debug.BuildInfo, stated build) build {
	b := build{Version: info.Main.Version}
	dirty := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "+dirty"
			}
		}
	}
	if m := pseudoVersion.FindStringSubmatch(b.Version); m != nil && b.Commit == "" { // by go install MODULE@COMMIT
		b.Commit, b.Date = m[7], fmt.Sprintf("%s-%s-%sT%s:%s:%sZ", m[1], m[2], m[3], m[4], m[5], m[6])
	}
	if b.Commit == "" {
		b.Commit, b.Date = stated.Commit, stated.Date
	}
	switch {
	case b.Version != "" && b.Version != "(devel)":
	case stated.Version != "":
		b.Version = stated.Version
	case b.Commit != "":
		b.Version = b.Commit[:min(12, len(b.Commit))] + dirty
	default:
		b.Version = "unknown"
	}
	return b
}

// version is what runs and reports state.
func version() string { return thisBuild().Version }

func (b build) String() string {
	s := "disteval " + b.Version
	if b.Commit != "" && b.Date != "" {
		s += fmt.Sprintf(" (commit %s of %s)", b.Commit[:min(12, len(b.Commit))], b.Date)
	}
	return fmt.Sprintf("%s %s %s/%s", s, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func newVersionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print which build this is: version, commit, date",
		Args:  exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(a.out, thisBuild())
			return err
		},
	}
}
