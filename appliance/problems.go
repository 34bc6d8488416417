package appliance

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
)

// problems tracks what is wrong now, since when, and what the owner can do.
type problems struct {
	now func() time.Time
	mu  sync.Mutex
	set map[string]api.Problem
}

func newProblems(now func() time.Time) *problems {
	return &problems{now: now, set: make(map[string]api.Problem)}
}

// raise records or rewords a problem; it keeps the time since when.
func (p *problems) raise(code, text, action string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := p.now()
	if old, ok := p.set[code]; ok {
		since = old.Since
	}
	p.set[code] = api.Problem{Code: code, Text: text, Action: action, Since: since}
}

func (p *problems) clear(code string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.set, code)
}

// list is longest-standing first.
func (p *problems) list() []api.Problem {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]api.Problem, 0, len(p.set))
	for _, v := range p.set {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b api.Problem) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return strings.Compare(a.Code, b.Code)
	})
	return out
}
