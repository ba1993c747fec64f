package builtin

import (
	"errors"
	"io"
	"io/fs"
	"time"
)

// fileSource reads a GGUF file, and refuses one that has changed since it was
// first read.
type fileSource struct {
	open    func() (fs.File, error)
	size    int64 // bytes, when it was first read; 0: not yet
	changed time.Time
}

// randomAccess is what both the files of the system and the embedded ones are.
type randomAccess interface {
	fs.File
	io.ReaderAt
}

func (s *fileSource) read() (f *ggufFile, done func(), err error) {
	file, err := s.open()
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err // the path stands in front already
		}
		return nil, nil, err
	}
	if f, err = s.check(file); err != nil {
		_ = file.Close() // the error at hand says more
		return nil, nil, err
	}
	return f, func() { _ = file.Close() }, nil // it was only read
}

func (s *fileSource) check(file fs.File) (*ggufFile, error) {
	stat, err := file.Stat()
	if err != nil {
		return nil, err
	}
	r, ok := file.(randomAccess)
	if !ok || !stat.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if s.size != 0 && (stat.Size() != s.size || !stat.ModTime().Equal(s.changed)) {
		return nil, errors.New("the file has changed since it was checked; start again")
	}
	s.size, s.changed = stat.Size(), stat.ModTime()
	return readGGUF(r, stat.Size())
}
