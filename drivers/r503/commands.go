package r503

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"strings"
	"time"
)

// Instruction is the first byte of a command (R503 manual chapter 6). Only those that the driver uses are listed.
type Instruction byte

const (
	InsCapture        Instruction = 0x01 // GenImg
	InsFeatures       Instruction = 0x02 // Img2Tz
	InsUploadImage    Instruction = 0x0A // UpImage: module to host
	InsEmpty          Instruction = 0x0D
	InsSetParam       Instruction = 0x0E // SetSysPara
	InsReadParams     Instruction = 0x0F // ReadSysPara
	InsSetPassword    Instruction = 0x12
	InsVerifyPassword Instruction = 0x13
	InsTemplateCount  Instruction = 0x1D
	InsCancel         Instruction = 0x30
	InsSleep          Instruction = 0x33
	InsAura           Instruction = 0x35
	InsCheckSensor    Instruction = 0x36
	InsReadProduct    Instruction = 0x3C
	InsSoftReset      Instruction = 0x3D
	InsHandshake      Instruction = 0x40
	InsEcho           Instruction = 0x53 // hand shake of older modules
)

func (i Instruction) String() string {
	switch i {
	case InsCapture:
		return "capture"
	case InsFeatures:
		return "extract features"
	case InsUploadImage:
		return "send picture"
	case InsEmpty:
		return "empty the store"
	case InsSetParam:
		return "set parameter"
	case InsReadParams:
		return "read parameters"
	case InsSetPassword:
		return "set password"
	case InsVerifyPassword:
		return "verify password"
	case InsTemplateCount:
		return "count templates"
	case InsCancel:
		return "cancel"
	case InsSleep:
		return "sleep"
	case InsAura:
		return "light the ring"
	case InsCheckSensor:
		return "check the sensor"
	case InsReadProduct:
		return "read product"
	case InsSoftReset:
		return "reset"
	case InsHandshake, InsEcho:
		return "shake hands"
	}
	return fmt.Sprintf("instruction %02x", byte(i))
}

const (
	paramsReply = 1 + 16
	echoed      = Code(0x55) // InsEcho answers with this instead of 00
	readyByte   = 0x55       // sent bare, once, after power-up and reset
)

// Params is what the module says about itself (ReadSysPara, 16 bytes).
type Params struct {
	Status     uint16
	SystemID   uint16
	Capacity   int // templates
	Security   int // 1..5
	Address    uint32
	PacketSize int // bytes of payload: 32, 64, 128 or 256
	Baud       int // bits per second
}

// Product is the name plate of the module (ReadProdInfo, 46 bytes). A serial that changes is a reason to suspect tampering.
type Product struct {
	Model    string
	Batch    string
	Serial   string
	Hardware string // major.minor
	Sensor   string
	Size     image.Point // pixels
	Template int         // bytes a template
	Capacity int         // templates
}

// Params reads the parameters. ErrUnsupported on modules without them.
func (d *Dev) Params(ctx context.Context) (Params, error) {
	b, err := d.do(ctx, request{ins: InsReadParams, want: []int{paramsReply}, timeout: d.cfg.CommandTimeout})
	if err != nil {
		return Params{}, err
	}
	p := Params{
		Status:   binary.BigEndian.Uint16(b),
		SystemID: binary.BigEndian.Uint16(b[2:]),
		Capacity: be16(b[4:]),
		Security: be16(b[6:]),
		Address:  binary.BigEndian.Uint32(b[8:]),
		Baud:     be16(b[14:]) * 9600,
	}
	code := be16(b[12:])
	if code > 3 {
		return Params{}, fmt.Errorf("r503: %v: %w: packet size code %d", InsReadParams, ErrReply, code)
	}
	p.PacketSize = 32 << code
	return p, nil
}

// Product returns the name plate as New read it; false if the module has none.
func (d *Dev) Product() (Product, bool) {
	if d.product == nil {
		return Product{}, false
	}
	return *d.product, true
}

func (d *Dev) readProduct(ctx context.Context) (*Product, error) {
	// Some firmware appends four reserved bytes.
	b, err := d.do(ctx, request{ins: InsReadProduct, want: []int{47, 51}, timeout: d.cfg.CommandTimeout})
	if err != nil {
		return nil, err
	}
	text := func(b []byte) string {
		return strings.TrimSpace(strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return -1
			}
			return r
		}, string(b)))
	}
	return &Product{
		Model:    text(b[:16]),
		Batch:    text(b[16:20]),
		Serial:   text(b[20:28]),
		Hardware: fmt.Sprintf("%d.%d", b[28], b[29]),
		Sensor:   text(b[30:38]),
		Size:     image.Pt(be16(b[38:]), be16(b[40:])),
		Template: be16(b[42:]),
		Capacity: be16(b[44:]),
	}, nil
}

func (d *Dev) verifyRequest() request {
	return request{
		ins:     InsVerifyPassword,
		args:    binary.BigEndian.AppendUint32(nil, d.cfg.Password),
		want:    []int{1},
		timeout: d.cfg.CommandTimeout,
	}
}

// VerifyPassword opens the module for further commands. The driver does it by itself when the module asks for it.
func (d *Dev) VerifyPassword(ctx context.Context) error {
	_, err := d.do(ctx, d.verifyRequest())
	return err
}

// SetPassword changes the password of the module for good. Danger: a module whose password is lost cannot be used or reset by any
// means. The box leaves it at zero, because the password crosses the wire in clear and protects nothing.
func (d *Dev) SetPassword(ctx context.Context, password uint32) error {
	r := request{
		ins:     InsSetPassword,
		args:    binary.BigEndian.AppendUint32(nil, password),
		want:    []int{1},
		timeout: d.cfg.CaptureTimeout,
		once:    true,
	}
	return d.alone(ctx, r.ins, func() error {
		_, err := d.locked(ctx, r)
		if err == nil {
			d.cfg.Password = password
		}
		return err
	})
}

// SetPacketSize sets the payload of data packets: 32, 64, 128 or 256 bytes. The module keeps it.
func (d *Dev) SetPacketSize(ctx context.Context, size int) error {
	code, err := packetCode(size)
	if err != nil {
		return err
	}
	return d.simple(ctx, InsSetParam, d.cfg.CaptureTimeout, 6, code)
}

// SetBaud changes the rate of module and line, which has to be a BaudSetter, and checks that they still understand each other. If
// they do not, the line goes back to where it was and the error is ErrUnsupported. The module keeps the rate.
func (d *Dev) SetBaud(ctx context.Context, baud int) error {
	n, err := baudCode(baud)
	if err != nil {
		return err
	}
	line, ok := d.port.(BaudSetter)
	if !ok {
		return fmt.Errorf("r503: the rate of this port cannot be changed: %w", ErrUnsupported)
	}
	return d.alone(ctx, InsSetParam, func() error {
		before := line.Baud()
		_, asked := d.locked(ctx, request{ins: InsSetParam, args: []byte{4, n}, want: []int{1}, timeout: d.cfg.CaptureTimeout, once: true})
		if asked != nil && (!repeatable(asked) || ctx.Err() != nil) {
			return asked
		}
		// The reply may be lost in the change, so only the next exchange tells.
		if err := line.SetBaud(baud); err != nil {
			return err
		}
		_, err := d.locked(ctx, d.verifyRequest())
		if !repeatable(err) {
			return err
		}
		if err := line.SetBaud(before); err != nil {
			return err
		}
		d.dirty = true
		if _, err := d.locked(ctx, d.verifyRequest()); err != nil {
			return err
		}
		return fmt.Errorf("the module did not follow to %d baud: %w", baud, ErrUnsupported)
	})
}

// simple runs a command whose good reply is one code and which may be repeated.
func (d *Dev) simple(ctx context.Context, ins Instruction, timeout time.Duration, args ...byte) error {
	_, err := d.do(ctx, request{ins: ins, args: args, want: []int{1}, timeout: timeout})
	return err
}

// TemplateCount returns how many templates the module stores. The box wants none.
func (d *Dev) TemplateCount(ctx context.Context) (int, error) {
	b, err := d.do(ctx, request{ins: InsTemplateCount, want: []int{3}, timeout: d.cfg.CommandTimeout})
	if err != nil {
		return 0, err
	}
	return be16(b), nil
}

// Empty deletes every template in the module.
func (d *Dev) Empty(ctx context.Context) error { return d.simple(ctx, InsEmpty, d.cfg.CaptureTimeout) }

// CheckSensor asks whether the optics work. ErrSensor if not, ErrUnsupported on older modules.
func (d *Dev) CheckSensor(ctx context.Context) error {
	return d.simple(ctx, InsCheckSensor, d.cfg.CommandTimeout)
}

// Cancel ends what the module does on its own. ErrUnsupported on older modules.
func (d *Dev) Cancel(ctx context.Context) error {
	return d.simple(ctx, InsCancel, d.cfg.CommandTimeout)
}

// Handshake checks that the module is there, in whichever of the two ways it knows.
func (d *Dev) Handshake(ctx context.Context) error {
	if ins := d.cfg.Quirks.Handshake; ins != 0 {
		return d.simple(ctx, ins, d.cfg.CommandTimeout)
	}
	err := d.simple(ctx, InsHandshake, d.cfg.CommandTimeout)
	var code Code
	if errors.As(err, &code) && code != CodeVerify && code != CodePassword {
		return d.simple(ctx, InsEcho, d.cfg.CommandTimeout)
	}
	return err
}

// Sleep puts modules that can into standby; ErrUnsupported on the R503, which sleeps by losing its supply.
func (d *Dev) Sleep(ctx context.Context) error {
	return d.simple(ctx, InsSleep, d.cfg.CommandTimeout)
}

// Wake makes a module usable that slept or was switched off: it drains the line and verifies the password again.
func (d *Dev) Wake(ctx context.Context) error {
	return d.alone(ctx, InsVerifyPassword, func() error {
		if err := d.drain(ctx); err != nil {
			return err
		}
		d.dirty = false
		_, err := d.locked(ctx, d.verifyRequest())
		return err
	})
}

// SoftReset restarts the module, waits until it says that it is ready and opens it again.
func (d *Dev) SoftReset(ctx context.Context) error {
	return d.alone(ctx, InsSoftReset, func() error {
		if _, err := d.locked(ctx, request{ins: InsSoftReset, want: []int{1}, timeout: d.cfg.CommandTimeout, once: true}); err != nil {
			return err
		}
		if err := d.ready(ctx); err != nil {
			return err
		}
		_, err := d.locked(ctx, d.verifyRequest())
		return err
	})
}

// ready waits for the bare byte after a reset. Modules that do not send it are up after the timeout.
func (d *Dev) ready(ctx context.Context) error {
	if d.dec.takeByte(readyByte) {
		return nil
	}
	for deadline := time.Now().Add(d.cfg.CommandTimeout); time.Now().Before(deadline); {
		n, err := d.some(ctx, time.Until(deadline))
		if err != nil {
			return err
		}
		d.dec.Write(d.read[:n])
		if d.dec.takeByte(readyByte) {
			return nil
		}
	}
	return nil
}
