package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Verify reads a whole log and returns its newest entry. ErrBroken names the first entry that does not
// follow from those before; ErrTorn comes with the head of the complete lines.
func Verify(r io.Reader) (Head, error) {
	return walk(r, func(int64) {})
}

// walk calls ended with the offset behind each verified line.
func walk(r io.Reader, ended func(offset int64)) (Head, error) {
	lines := bufio.NewReaderSize(r, maxLine)
	var head Head
	var offset int64
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return head, nil
		case errors.Is(err, io.EOF):
			return head, fmt.Errorf("%w: %d bytes after entry %d", ErrTorn, len(line), head.Seq)
		case errors.Is(err, bufio.ErrBufferFull):
			return head, brokenAt(head.Seq+1, "a line of more than %d bytes", maxLine)
		case err != nil:
			return head, fmt.Errorf("read audit log after entry %d: %w", head.Seq, err)
		}
		e, err := parse(line)
		switch {
		case err != nil:
			return head, brokenAt(head.Seq+1, "%w", err)
		case e.Seq != head.Seq+1:
			return head, brokenAt(head.Seq+1, "the line there is entry %d", e.Seq)
		case e.Prev != head.Hash:
			return head, brokenAt(e.Seq, "it follows another entry than the one before it")
		}
		head = Head{Seq: e.Seq, Hash: e.Hash, At: e.At}
		offset += int64(len(line))
		ended(offset)
	}
}
