package r503

import "context"

// Mode is what the light ring does (AuraLedConfig control code).
type Mode byte

const (
	Breathe Mode = 1 + iota
	Flash
	On
	Off
	FadeOn
	FadeOff
)

// Colour of the light ring. Newer firmware knows more than the manual, which has the first three.
type Colour byte

const (
	Red Colour = 1 + iota
	Blue
	Purple
	Green
	Yellow
	Cyan
	White
)

// Aura sets the light ring. speed is the length of one cycle, 0 fast to 255 slow (manual: 0xFF about 5 s); count is the number of
// cycles, 0 for ever. ErrUnsupported on modules without a ring.
func (d *Dev) Aura(ctx context.Context, mode Mode, speed uint8, colour Colour, count uint8) error {
	return d.simple(ctx, InsAura, d.cfg.CommandTimeout, byte(mode), speed, byte(colour), count)
}
