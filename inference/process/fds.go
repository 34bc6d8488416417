package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func closeFDs(fds ...int) error {
	for _, fd := range fds {
		if err := unix.Close(fd); err != nil {
			return fmt.Errorf("close descriptor %d: %w", fd, err)
		}
	}
	return nil
}
