//go:build unix

package ollamatest

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the process and its children into a group, so that killGroup
// reaches the model runners too.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
