package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Validate reports every value that cannot work, joined; each wraps ErrValue and starts with the field.
func (c Config) Validate() error {
	var v problems
	if n := utf8.RuneCountInString(c.Box); n < 1 || n > 64 || !printable(c.Box) {
		v.add("box", "want 1 to 64 printable characters, got %q", c.Box)
	}
	v.path("state_dir", c.StateDir)
	v.path("socket", c.Socket)
	// sun_path of unix(7), less its final zero byte.
	if len(c.Socket) > 107 {
		v.add("socket", "%d bytes, a unix socket's path has at most 107", len(c.Socket))
	}
	v.path("tpm", c.TPM)
	v.sensor(c.Sensor)
	v.chain(c.Chain)
	v.inference(c.Inference)
	v.between("ceremony.touch_timeout", time.Duration(c.Ceremony.TouchTimeout), 5*time.Second, 5*time.Minute)
	v.within("ceremony.tries", c.Ceremony.Tries, 1, 10)
	v.between("ceremony.cool_down", time.Duration(c.Ceremony.CoolDown), time.Second, time.Hour)
	v.within("enrolment.views", c.Enrolment.Views, 3, 12)
	v.between("enrolment.timeout", time.Duration(c.Enrolment.Timeout), 30*time.Second, 15*time.Minute)
	return errors.Join(v...)
}

type problems []error

func (v *problems) add(field, format string, args ...any) {
	*v = append(*v, fmt.Errorf("%w: %s: %s", ErrValue, field, fmt.Sprintf(format, args...)))
}

func (v *problems) path(field, path string) {
	if !filepath.IsAbs(path) || !printable(path) {
		v.add(field, "want an absolute path, got %q", path)
	}
}

func (v *problems) within(field string, n, low, high int) {
	if n < low || n > high {
		v.add(field, "want %d to %d, got %d", low, high, n)
	}
}

func (v *problems) between(field string, d, low, high time.Duration) {
	if d < low || d > high {
		v.add(field, "want %v to %v, got %v", low, high, d)
	}
}

func (v *problems) sensor(s Sensor) {
	v.path("sensor.path", s.Path)
	if s.Baud <= 0 || s.Baud%9600 != 0 || s.Baud/9600 > 12 {
		v.add("sensor.baud", "want 9600 times 1 to 12, got %d", s.Baud)
	}
	if !printable(s.TouchLine) {
		v.add("sensor.touch_line", "want the name of a GPIO line, got %q", s.TouchLine)
	}
}

func (v *problems) chain(c Chain) {
	if c.ID == "" || len(c.ID) > 50 || !printable(c.ID) {
		v.add("chain.id", "want the chain's id, 1 to 50 characters, got %q", c.ID)
	}
	v.node("chain.primary", c.Primary)
	if len(c.Witnesses) == 0 && !c.AllowNoWitness {
		v.add("chain.witnesses", "name a second node, run by somebody else than the primary, or set allow_no_witness and read what that costs")
	}
	for i, w := range c.Witnesses {
		field := fmt.Sprintf("chain.witnesses[%d]", i)
		v.node(field, w)
		if w == c.Primary || slices.Contains(c.Witnesses[:i], w) {
			v.add(field, "%q is named before; a witness must be another node", w)
		}
	}
	if c.Trust.Height < 1 {
		v.add("chain.trust.height", "want the height of a block that you trust, from 1, got %d", c.Trust.Height)
	}
	if c.Trust.Hash == (Hash{}) {
		v.add("chain.trust.hash", "want the hash of the block at chain.trust.height, from someone you trust")
	}
	v.between("chain.trust_period", time.Duration(c.TrustPeriod), time.Minute, 365*24*time.Hour)
}

func (v *problems) node(field, address string) {
	u, err := url.Parse(address)
	if strings.Contains(address, "@") {
		v.add(field, "an address must not carry a user or a password")
		return
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		v.add(field, "want an address such as http://127.0.0.1:26657, got %q", address)
	}
}

func (v *problems) inference(c Inference) {
	v.path("inference.binary", c.Binary)
	v.path("inference.models_dir", c.ModelsDir)
	if c.Require != RequireAll && c.Require != RequireAvailable {
		v.add("inference.require", "want %q or %q, got %q", RequireAll, RequireAvailable, c.Require)
	}
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}
