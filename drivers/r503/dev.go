package r503

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"time"
)

// slice is how long one read may sleep, so that an ended context is noticed soon.
const slice = 50 * time.Millisecond

// Dev is a module that has answered. Its methods may be called from several goroutines; commands go out one at a time.
type Dev struct {
	port Port
	cfg  Config
	turn chan struct{} // holds one token: whose turn it is on the line
	dec  Decoder
	read [4096]byte

	// dirty: the last command did not end cleanly, so bytes of it may still arrive.
	dirty bool
	// barrier: the module knows 0F, whose long reply cannot be taken for a late one of another command.
	barrier bool

	product    *Product
	packetSize int         // bytes, 0 if the module does not say
	size       image.Point // learnt from product or the last picture
}

// New asks whoever is on the line for its password and parameters and returns a Dev when it has answered. It drains what a module
// says at power-up, looks for it at the usual rates if port is a BaudSetter, and sets packet size and rate as cfg wants. The port
// stays the caller's. Errors: ErrTimeout (nobody answers), ErrPassword, ErrUnplugged, ErrSensor.
func New(ctx context.Context, port Port, cfg Config) (*Dev, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	d := &Dev{port: port, cfg: cfg, turn: make(chan struct{}, 1), dec: Decoder{Address: cfg.Address}}
	d.dirty = true
	if err := d.find(ctx); err != nil {
		return nil, err
	}
	if err := d.learn(ctx); err != nil {
		return nil, err
	}
	// What the module refuses to change it can do without.
	if cfg.PacketSize != 0 && d.packetSize != cfg.PacketSize {
		if err := d.SetPacketSize(ctx, cfg.PacketSize); err != nil && !refused(err) {
			return nil, err
		}
	}
	if line, ok := port.(BaudSetter); ok && cfg.Baud != 0 && line.Baud() != cfg.Baud {
		if err := d.SetBaud(ctx, cfg.Baud); err != nil && !refused(err) {
			return nil, err
		}
	}
	return d, nil
}

// find verifies the password at the rate of the line, then at the others.
func (d *Dev) find(ctx context.Context) error {
	first := d.VerifyPassword(ctx)
	line, ok := d.port.(BaudSetter)
	if !ok || d.cfg.Baud == 0 || !repeatable(first) {
		return first
	}
	before := line.Baud()
	for _, baud := range []int{57600, 115200, 9600, 19200, 38400} {
		if baud == before {
			continue
		}
		if err := line.SetBaud(baud); err != nil {
			return err
		}
		d.dirty = true
		if err := d.VerifyPassword(ctx); !repeatable(err) || ctx.Err() != nil {
			return err
		}
	}
	return errors.Join(first, line.SetBaud(before))
}

// learn reads parameters and product, as far as the module knows these commands.
func (d *Dev) learn(ctx context.Context) error {
	if !d.cfg.Quirks.NoParams {
		p, err := d.Params(ctx)
		if err = d.optional(ctx, err); err != nil {
			return err
		}
		d.packetSize = p.PacketSize
		d.barrier = p != Params{}
	}
	if !d.cfg.Quirks.NoProduct {
		p, err := d.readProduct(ctx)
		if err = d.optional(ctx, err); err != nil {
			return err
		}
		if d.product = p; p != nil {
			d.size = p.Size
		}
	}
	return nil
}

// optional forgives the failure of a command that some modules do not know. They answer with a code, or not at all: then the module
// has to show that it is alive.
func (d *Dev) optional(ctx context.Context, err error) error {
	var code Code
	switch {
	case err == nil, errors.Is(err, ErrPassword):
		return err
	case errors.As(err, &code):
		return nil
	case errors.Is(err, ErrTimeout) && ctx.Err() == nil:
		return d.VerifyPassword(ctx)
	}
	return err
}

// request is one command. want lists the lengths that a good reply may have, its code included; none means any.
type request struct {
	ins     Instruction
	args    []byte
	want    []int
	timeout time.Duration
	once    bool // not safe to repeat, unless the module says that it did not understand
}

// alone runs f while no other command is on the line, and names ins in its error.
func (d *Dev) alone(ctx context.Context, ins Instruction, f func() error) error {
	err := ctx.Err()
	if err == nil {
		select {
		case d.turn <- struct{}{}:
			defer func() { <-d.turn }()
			err = f()
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		return fmt.Errorf("r503: %v: %w", ins, err)
	}
	return nil
}

// do runs one command with its retries and returns the reply behind the code.
func (d *Dev) do(ctx context.Context, r request) (reply []byte, err error) {
	err = d.alone(ctx, r.ins, func() error {
		reply, err = d.locked(ctx, r)
		return err
	})
	return reply, err
}

// locked is do for the holder of the line.
func (d *Dev) locked(ctx context.Context, r request) ([]byte, error) {
	verified := false
	for try := 0; ; {
		reply, err := d.exchange(ctx, r)
		switch {
		case err == nil:
			return reply, nil
		case ctx.Err() != nil:
			return nil, err
		case errors.Is(err, CodeVerify) && r.ins != InsVerifyPassword && !verified:
			// A module that slept or lost power for a moment wants its password again.
			verified = true
			if _, err := d.locked(ctx, d.verifyRequest()); err != nil {
				return nil, err
			}
		case try >= d.cfg.Retries || !repeatable(err) || r.once && !errors.Is(err, CodePacket):
			return nil, err
		default:
			try++
		}
	}
}

// refused says whether the module understood a setting and does not have it.
func refused(err error) bool {
	return errors.Is(err, ErrUnsupported) || errors.Is(err, CodeSetting) || errors.Is(err, CodeRegister)
}

// repeatable says whether the line is to blame, not the module or the finger.
func repeatable(err error) bool {
	return errors.Is(err, ErrChecksum) || errors.Is(err, ErrTimeout) || errors.Is(err, ErrReply)
}

// exchange sends one command and reads its acknowledgement, once.
func (d *Dev) exchange(ctx context.Context, r request) ([]byte, error) {
	if d.dirty {
		if err := d.recover(ctx); err != nil {
			return nil, err
		}
	}
	d.dirty = true
	if err := d.send(r); err != nil {
		return nil, err
	}
	payload, err := d.ack(ctx, time.Now().Add(r.timeout))
	if err != nil {
		return nil, err
	}
	if code := Code(payload[0]); code != CodeOK && !(r.ins == InsEcho && code == echoed) {
		d.dirty = code == CodePacket
		return nil, code
	}
	if !wanted(r.want, len(payload)) {
		return nil, fmt.Errorf("%w: %d bytes", ErrReply, len(payload))
	}
	d.dirty = false
	return append([]byte(nil), payload[1:]...), nil
}

func wanted(want []int, n int) bool {
	for _, w := range want {
		if n == w {
			return true
		}
	}
	return len(want) == 0
}

func (d *Dev) send(r request) error {
	frame, err := Packet{Address: d.cfg.Address, ID: IDCommand, Payload: append([]byte{byte(r.ins)}, r.args...)}.Append(nil)
	if err != nil {
		return err
	}
	if _, err := d.port.Write(frame); err != nil {
		return fmt.Errorf("%w: %w", ErrUnplugged, err)
	}
	return nil
}

// ack returns the payload of the next acknowledgement; what is left of an abandoned picture is passed over.
func (d *Dev) ack(ctx context.Context, deadline time.Time) ([]byte, error) {
	for {
		p, err := d.packet(ctx, deadline)
		if err != nil {
			return nil, err
		}
		if p.ID == IDAck && len(p.Payload) > 0 {
			return p.Payload, nil
		}
	}
}

// packet returns the next packet. ErrTimeout, ErrChecksum, ErrUnplugged, or the error of ctx.
func (d *Dev) packet(ctx context.Context, deadline time.Time) (Packet, error) {
	for {
		p, err := d.dec.Next()
		if err != ErrIncomplete {
			return p, err
		}
		left := time.Until(deadline)
		if left <= 0 {
			if d.dec.Skip() {
				continue
			}
			return Packet{}, ErrTimeout
		}
		n, err := d.some(ctx, left)
		if err != nil {
			return Packet{}, err
		}
		d.dec.Write(d.read[:n])
	}
}

// some reads what has come into d.read, waiting a slice of at most limit.
func (d *Dev) some(ctx context.Context, limit time.Duration) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := d.port.SetReadTimeout(min(max(limit, time.Millisecond), slice)); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnplugged, err)
	}
	n, err := d.port.Read(d.read[:])
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnplugged, err)
	}
	return n, nil
}

// recover brings host and module to the same place after a command that ended badly: it waits for silence, then asks for the
// parameters and drops every acknowledgement that is not the answer to that. Without the second step a late "ok" would be taken
// for the reply to the next command, because acknowledgements carry no number.
func (d *Dev) recover(ctx context.Context) error {
	if err := d.drain(ctx); err != nil {
		return err
	}
	if !d.barrier {
		return nil
	}
	if err := d.send(request{ins: InsReadParams}); err != nil {
		return err
	}
	end := time.Now().Add(d.cfg.DrainTimeout)
	for deadline := time.Now().Add(d.cfg.CommandTimeout); ; {
		p, err := d.packet(ctx, deadline)
		switch {
		case err != nil && !errors.Is(err, ErrChecksum):
			return err
		case err != nil || p.ID != IDAck:
			// The rest of a picture, with pauses in it that looked like silence.
			if deadline = time.Now().Add(d.cfg.CommandTimeout); deadline.After(end) {
				deadline = end
			}
		case len(p.Payload) == paramsReply, len(p.Payload) > 0 && Code(p.Payload[0]) == CodeVerify:
			return nil
		}
	}
}

// drain reads until the line is silent.
func (d *Dev) drain(ctx context.Context) error {
	d.dec.Reset()
	if err := d.port.ResetInputBuffer(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnplugged, err)
	}
	end := time.Now().Add(d.cfg.DrainTimeout)
	for last := time.Now(); time.Since(last) < d.cfg.Quiet; {
		n, err := d.some(ctx, d.cfg.Quiet-time.Since(last))
		if err != nil {
			return err
		}
		if n > 0 {
			last = time.Now()
		}
		if last.After(end) {
			return fmt.Errorf("%w: the line is never silent", ErrTimeout)
		}
	}
	return nil
}

func be16(b []byte) int { return int(binary.BigEndian.Uint16(b)) }
