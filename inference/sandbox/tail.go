package sandbox

import (
	"fmt"
	"sync"
)

// tail keeps the last words of a process. They are a stranger's, so they are bounded
// and quoted before anybody sees them.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const tailBytes = 1024

// Write implements io.Writer; it never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailBytes; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.text) == 0 {
		return ""
	}
	return fmt.Sprintf(", last words %q", t.text)
}
