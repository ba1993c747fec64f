//go:build unix

package ollamatest

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the process and its children into a group, so that killGroup
// reaches the model runners too.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills the group. One that is gone already is as good as killed.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
