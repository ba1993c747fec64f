package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/disteval/disteval/eval"
	"github.com/disteval/disteval/queries"
	"github.com/disteval/disteval/reports/text"
)

type setting = text.Setting

// settings are about the program, not the experiment: flag over DISTEVAL_* over
// disteval.yaml in the working folder or the user's configuration folder.
type settings struct {
	Out, Color, LogLevel, Country, Sysfs, Procfs, LockDir, Timeout setting
}

// settingDefs lists every setting with its default and what it is.
var settingDefs = []struct {
	name, value, usage string
	oneOf              []string
}{
	{"out", "runs", "folder for new runs", nil},
	{"color", "auto", "colours: auto, always or never", []string{"auto", "always", "never"}},
	{"log-level", "info", "messages: debug, info, warn or error", []string{"debug", "info", "warn", "error"}},
	{"country", "", "country of the electricity, such as AUS, where models.yaml names none", nil},
	{"sysfs", "/sys", "root of sysfs, for containers that mount the host's", nil},
	{"procfs", "/proc", "root of procfs, for containers that mount the host's", nil},
	{"lock-dir", "", "folder where metered runs on one machine find each other; default: where all its users may write", nil},
	{"timeout", "2m", "longest silence of a model server before a question counts as timed out; five times that while a model loads", nil},
}

// addSettingFlags makes every setting a global flag.
func addSettingFlags(fs *pflag.FlagSet) {
	for _, d := range settingDefs {
		fs.String(d.name, d.value, d.usage)
	}
}

func loadSettings(fs *pflag.FlagSet) (*settings, error) {
	v, file, err := readSettingsFile()
	if err != nil {
		return nil, err
	}
	s := &settings{}
	to := []*setting{&s.Out, &s.Color, &s.LogLevel, &s.Country, &s.Sysfs, &s.Procfs, &s.LockDir, &s.Timeout}
	for i, d := range settingDefs {
		key := strings.ReplaceAll(d.name, "-", "_")
		env := "DISTEVAL_" + strings.ToUpper(key)
		if err := errors.Join(v.BindPFlag(key, fs.Lookup(d.name)), v.BindEnv(key, env)); err != nil {
			return nil, fmt.Errorf("bind setting %s: %w", d.name, err)
		}
		*to[i] = setting{Name: d.name, Value: v.GetString(key), Origin: origin(v, fs, d.name, key, env, file)}
		if d.oneOf != nil && !slices.Contains(d.oneOf, to[i].Value) {
			return nil, eval.BadInput(fmt.Errorf("setting %s from %s: %q is not one of %s", d.name, to[i].Origin, to[i].Value, strings.Join(d.oneOf, ", ")), "")
		}
	}
	if d, err := time.ParseDuration(s.Timeout.Value); err != nil || d <= 0 {
		return nil, eval.BadInput(fmt.Errorf("setting timeout from %s: %q is not a duration above 0, such as 90s", s.Timeout.Origin, s.Timeout.Value), "")
	}
	return s, nil
}

// readSettingsFile reads disteval.yaml of the working folder, else of the
// user's configuration folder, and refuses keys that nothing reads. file is
// empty where there is none.
func readSettingsFile() (v *viper.Viper, file string, err error) {
	v = viper.New()
	places := []string{"disteval.yaml"}
	if dir, err := os.UserConfigDir(); err == nil {
		places = append(places, filepath.Join(dir, "disteval", "disteval.yaml"))
	}
	i := slices.IndexFunc(places, exists)
	if i < 0 {
		return v, "", nil
	}
	file = places[i]
	v.SetConfigFile(file)
	if err := v.ReadInConfig(); err != nil {
		return nil, "", eval.BadInput(fmt.Errorf("read settings from %s: %w", file, err), "correct the file or move it away")
	}
	var known []string
	for _, d := range settingDefs {
		known = append(known, strings.ReplaceAll(d.name, "-", "_"))
	}
	for _, key := range v.AllKeys() {
		if !slices.Contains(known, key) {
			return nil, "", eval.BadInput(fmt.Errorf("%s: %s", file, queries.UnknownKey(key, known)), "")
		}
	}
	return v, file, nil
}

func origin(v *viper.Viper, fs *pflag.FlagSet, flag, key, env, file string) string {
	switch {
	case fs.Changed(flag):
		return "flag"
	case os.Getenv(env) != "":
		return env
	case v.InConfig(key):
		return file
	}
	return "default"
}

// all lists the settings in their order.
func (s *settings) all() []setting {
	return []setting{s.Out, s.Color, s.LogLevel, s.Country, s.Sysfs, s.Procfs, s.LockDir, s.Timeout}
}

// stated reports whether the user gave this setting on the command line or in
// the environment, where it stands above models.yaml.
func stated(s setting) bool {
	return s.Origin == "flag" || strings.HasPrefix(s.Origin, "DISTEVAL_")
}

func (s *settings) timeout() time.Duration {
	d, _ := time.ParseDuration(s.Timeout.Value) // loadSettings has checked it
	return d
}

func (s *settings) logLevel() slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(s.LogLevel.Value)) // loadSettings has checked it
	return l
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
