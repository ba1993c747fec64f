package eval

import (
	"bytes"
	"fmt"
)

// LFSPointerError means that a file is the note of three lines that Git leaves
// in the place of a file kept by Git LFS, as a clone without LFS has it.
type LFSPointerError struct{ Path string }

func (e *LFSPointerError) Error() string {
	return fmt.Sprintf("read %s: it is a Git LFS pointer, not the file itself", e.Path)
}

// Hint says how to get the file.
func (e *LFSPointerError) Hint() string {
	return "install Git LFS and run `git lfs pull` in the repository's folder, or download the file itself"
}

// LFSPointer reports whether a file that begins so is a Git LFS pointer.
func LFSPointer(head []byte) bool {
	return bytes.HasPrefix(head, []byte("version https://git-lfs.github.com/spec/"))
}
