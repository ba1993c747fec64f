package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// image is what the steps of the Dockerfile have made: a folder for each stage,
// and how the last one runs.
type image struct {
	t          *testing.T
	context    string // goreleaser's: the program by platform, and the licences
	libraries  string // of the base: what a program on glibc is linked to
	stages     map[string]string
	root       string // of the stage at hand
	user, dir  string
	env        []string
	entrypoint string
}

// TestImage takes the steps of the Dockerfile by hand, since not every machine
// can build images, and runs what they make: as root of this machine in a
// root of its own, with the base's C library and nothing else.
func TestImage(t *testing.T) {
	dist := release(t)
	i := &image{t: t, context: t.TempDir(), stages: map[string]string{}}
	program := filepath.Join(i.context, "linux/amd64/disteval")
	i.copy(filepath.Join(dist, "disteval_linux_amd64_v1/disteval"), program)
	for _, file := range []string{"LICENSE", "NOTICE"} {
		i.copy(filepath.Join("../..", file), filepath.Join(i.context, file))
	}
	out, err := exec.Command("ldd", program).CombinedOutput()
	if err != nil {
		t.Fatalf("ldd: %v\n%s", err, out)
	}
	i.libraries = string(out)

	for _, step := range regexp.MustCompile(`(?m)^([A-Z]+) +((?:.*\\\n)*.*)$`).FindAllStringSubmatch(readFile(t, "../../Dockerfile"), -1) {
		i.step(step[1], strings.Fields(strings.ReplaceAll(step[2], "\\\n", " ")))
	}
	if uid, _, _ := strings.Cut(i.user, ":"); uid == "" || uid == "0" || uid == "root" || i.entrypoint != `["disteval"]` {
		t.Fatalf("it runs %s as user %q", i.entrypoint, i.user)
	}
	cmd := exec.Command("/usr/local/bin/disteval", "run", "--models", "builtin", "--limit", "2")
	cmd.Dir, cmd.Env = i.dir, append(i.env, "PATH=/usr/local/bin")
	if os.Geteuid() == 0 {
		uid, gid := i.owner(i.user)
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: i.root, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	} else {
		cmd.Path, cmd.Dir, cmd.Env = i.root+cmd.Path, i.root+i.dir, append(i.env, "HOME="+i.root+i.dir)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	onlyRun(t, i.root+i.dir)
}

// step takes one step; those that are not known fail.
func (i *image) step(name string, args []string) {
	i.t.Helper()
	switch name {
	case "FROM":
		i.root = i.base()
		i.stages[args[len(args)-1]] = i.root // the last one's is the name of its base, which no step copies from
	case "RUN": // packages of the base and a folder
		line := strings.Join(args, " ")
		folder := regexp.MustCompile(`mkdir (/\S+)`).FindStringSubmatch(line)
		if folder == nil || !strings.Contains(line, "apt-get install -y --no-install-recommends ca-certificates &&") {
			i.t.Fatalf("RUN %s is not known", line)
		}
		i.check(os.MkdirAll(filepath.Join(i.root, folder[1]), 0o755))
		certificates := filepath.Join(i.root, "etc/ssl/certs/ca-certificates.crt")
		i.check(os.MkdirAll(filepath.Dir(certificates), 0o755))
		i.check(os.WriteFile(certificates, []byte("as the package has them\n"), 0o644))
	case "COPY":
		i.copyStep(args)
	case "USER":
		i.user = args[0]
	case "WORKDIR":
		i.dir = args[0]
	case "ENV":
		i.env = append(i.env, args...)
	case "ENTRYPOINT":
		i.entrypoint = strings.Join(args, " ")
	case "ARG":
	default:
		i.t.Fatalf("step %s is not known", name)
	}
}

func (i *image) copyStep(args []string) {
	from, owner := i.context, ""
	for ; strings.HasPrefix(args[0], "--"); args = args[1:] {
		option, value, _ := strings.Cut(args[0], "=")
		switch option {
		case "--from":
			from = i.stages[value]
		case "--chown":
			owner = value
		default:
			i.t.Fatalf("COPY %s is not known", option)
		}
	}
	to := args[len(args)-1]
	for _, source := range args[:len(args)-1] {
		source = strings.ReplaceAll(source, "$TARGETPLATFORM", "linux/amd64")
		target := filepath.Join(i.root, to)
		if strings.HasSuffix(to, "/") {
			target = filepath.Join(target, filepath.Base(source))
		}
		i.copy(filepath.Join(from, source), target)
		if owner != "" && os.Geteuid() == 0 {
			uid, gid := i.owner(owner)
			i.check(os.Chown(target, uid, gid))
		}
	}
}

// base is the root of a base image: the C library and a folder for temporary
// files.
func (i *image) base() string {
	root := i.t.TempDir()
	i.check(os.Chmod(filepath.Dir(root), 0o755)) // other users go through it
	i.check(os.Chmod(root, 0o755))
	i.check(os.Mkdir(filepath.Join(root, "tmp"), 0o755))
	i.check(os.Chmod(filepath.Join(root, "tmp"), 0o777|os.ModeSticky))
	for _, library := range regexp.MustCompile(`/\S+\.so\S*`).FindAllString(i.libraries, -1) {
		i.copy(library, filepath.Join(root, library))
	}
	return root
}

// copy copies a file, or makes a folder that a step has made.
func (i *image) copy(from, to string) {
	i.t.Helper()
	i.check(os.MkdirAll(filepath.Dir(to), 0o755))
	info, err := os.Stat(from)
	i.check(err)
	if info.IsDir() {
		i.check(os.MkdirAll(to, 0o755))
		return
	}
	data, err := os.ReadFile(from)
	i.check(err)
	i.check(os.WriteFile(to, data, info.Mode().Perm()))
}

func (i *image) owner(s string) (uid, gid int) {
	u, g, _ := strings.Cut(s, ":")
	uid, err := strconv.Atoi(u)
	i.check(err)
	gid, err = strconv.Atoi(g)
	i.check(err)
	return uid, gid
}

func (i *image) check(err error) {
	i.t.Helper()
	if err != nil {
		i.t.Fatal(err)
	}
}
