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

	mu      sync.Mutex
	set     map[string]api.Problem
	changed func() // hears of each change; nil before the box runs
}

func newProblems(now func() time.Time) *problems {
	return &problems{now: now, set: make(map[string]api.Problem)}
}

// tell sets who hears of changes.
func (p *problems) tell(changed func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = changed
}

// raise records or rewords a problem; it keeps the time since when. It reports whether that is news.
func (p *problems) raise(code, text, action string) bool {
	return p.update(func() bool {
		old, known := p.set[code]
		next := api.Problem{Code: code, Text: text, Action: action, Since: old.Since}
		if !known {
			next.Since = p.now()
		}
		p.set[code] = next
		return old != next
	})
}

func (p *problems) clear(code string) {
	p.update(func() bool {
		_, known := p.set[code]
		delete(p.set, code)
		return known
	})
}

func (p *problems) update(change func() bool) bool {
	p.mu.Lock()
	news, changed := change(), p.changed
	p.mu.Unlock()
	if news && changed != nil {
		changed() // makes a status, which lists the problems
	}
	return news
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
