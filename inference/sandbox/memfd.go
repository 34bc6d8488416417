package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/vouchbox/vouch/inference/model"
)

// maxBinary bounds the worker's program.
const maxBinary = 256 << 20

// sealedFiles are what a child inherits: copies in memory that nobody can change any
// more, so what was checked is what runs, at each restart, whatever happens to the
// disk.
type sealedFiles struct {
	binary, library, network *os.File
}

func sealFiles(binary string, store *model.Store, library model.Library, network model.File) (files sealedFiles, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, files.close())
			files = sealedFiles{}
		}
	}()
	program, err := os.Open(binary)
	if err != nil {
		return files, fmt.Errorf("worker program: %w", err)
	}
	defer program.Close()
	if files.binary, err = seal("vouchinfer", true, maxBinary, program); err != nil {
		return files, fmt.Errorf("worker program: %w", err)
	}
	if files.library, err = sealBlob("engine", true, store, library.Size, library); err != nil {
		return files, fmt.Errorf("engine library: %w", err)
	}
	if files.network, err = sealBlob("network", false, store, network.Size, model.Library{Digest: network.Digest}); err != nil {
		return files, fmt.Errorf("network: %w", err)
	}
	return files, nil
}

func (f sealedFiles) close() error {
	var errs []error
	for _, file := range []*os.File{f.binary, f.library, f.network} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}

func sealBlob(name string, executable bool, store *model.Store, size int64, l model.Library) (_ *os.File, err error) {
	blob, err := store.Blob(l.Digest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, blob.Close()) }()
	return seal(name, executable, size, blob)
}

// seal copies r, at most max bytes, into a memfd and seals it.
func seal(name string, executable bool, max int64, r io.Reader) (_ *os.File, err error) {
	f, err := memfd(name, executable)
	if err != nil {
		return nil, fmt.Errorf("memfd: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	// One byte more than allowed shows a blob that is too long, and reaching the end
	// of a store's blob is what checks its digest.
	n, err := io.Copy(f, io.LimitReader(r, max+1))
	if err != nil {
		return nil, err
	}
	if n > max {
		return nil, fmt.Errorf("larger than %d bytes", max)
	}
	const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return f, nil
}

func memfd(name string, executable bool) (*os.File, error) {
	const always = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	mode := unix.MFD_NOEXEC_SEAL
	if executable {
		mode = unix.MFD_EXEC
	}
	fd, err := unix.MemfdCreate(name, always|mode)
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.MemfdCreate(name, always) // before Linux 6.3 there is no mode
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// rewind gives a child its own view of a memfd from the beginning: descriptors that
// are inherited share one position.
func rewind(f *os.File) (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}
