package drivertest

import (
	"encoding/binary"
	"image"
	"image/color"
	"image/draw"
	"slices"
	"time"

	"github.com/vouchbox/vouch/drivers/r503"
)

// command answers one command; false ends the module.
func (s *R503) command(payload []byte) bool {
	ins, args := r503.Instruction(payload[0]), payload[1:]
	s.mu.Lock()
	s.seen[ins]++
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()

	f := s.take(ins, false)
	var code r503.Code
	var body []byte
	switch f.Kind {
	case Unplug:
		s.unplug()
		return false
	case AckCode:
		code = f.Code
	case WrongPassword:
		code = r503.CodePassword
	default:
		if f.Kind == Forget {
			s.mu.Lock()
			s.verified = false
			s.mu.Unlock()
		}
		if slices.Contains(s.cfg.Mute, ins) {
			return true
		}
		code, body = s.execute(ins, args)
	}
	if f.Kind == Late {
		s.wait(f.Delay)
	}
	if !s.send(r503.IDAck, append([]byte{byte(code)}, body...), f) {
		return false
	}
	switch {
	case code != r503.CodeOK:
	case ins == r503.InsUploadImage:
		return s.stream()
	case ins == r503.InsSoftReset:
		return s.write([]byte{0x55})
	}
	return true
}

// execute does what the instruction says and returns the reply.
func (s *R503) execute(ins r503.Instruction, args []byte) (r503.Code, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.cfg.Unknown, ins) {
		return r503.CodeUnsupported, nil
	}
	if !s.verified && ins != r503.InsVerifyPassword && ins != r503.InsHandshake {
		return r503.CodeVerify, nil
	}
	if n, known := arguments(ins); !known {
		return r503.CodeUnsupported, nil
	} else if n != len(args) {
		return r503.CodePacket, nil
	}
	switch ins {
	case r503.InsVerifyPassword:
		if binary.BigEndian.Uint32(args) != s.password {
			return r503.CodePassword, nil
		}
		s.verified = true
	case r503.InsSetPassword:
		s.password = binary.BigEndian.Uint32(args)
	case r503.InsCapture:
		return s.capture(), nil
	case r503.InsFeatures:
		return s.features(), nil
	case r503.InsUploadImage:
		if s.buffer == nil {
			return r503.CodeUploadImage, nil
		}
	case r503.InsSetParam:
		return s.set(args[0], args[1]), nil
	case r503.InsReadParams:
		return r503.CodeOK, s.params()
	case r503.InsReadProduct:
		return r503.CodeOK, s.product()
	case r503.InsTemplateCount:
		return r503.CodeOK, binary.BigEndian.AppendUint16(nil, uint16(s.count))
	case r503.InsEmpty:
		s.count = 0
	case r503.InsAura:
		s.led = LED{Mode: r503.Mode(args[0]), Speed: args[1], Colour: r503.Colour(args[2]), Count: args[3]}
	case r503.InsSoftReset:
		s.verified = s.password == 0
		s.buffer = nil
	case r503.InsEcho:
		return 0x55, nil
	}
	return r503.CodeOK, nil
}

// arguments is how many bytes follow an instruction that the module knows.
func arguments(ins r503.Instruction) (int, bool) {
	switch ins {
	case r503.InsVerifyPassword, r503.InsSetPassword, r503.InsAura:
		return 4, true
	case r503.InsSetParam:
		return 2, true
	case r503.InsFeatures:
		return 1, true
	case r503.InsCapture, r503.InsUploadImage, r503.InsEmpty, r503.InsReadParams, r503.InsTemplateCount, r503.InsCancel, r503.InsSleep,
		r503.InsCheckSensor, r503.InsReadProduct, r503.InsSoftReset, r503.InsHandshake, r503.InsEcho:
		return 0, true
	}
	return 0, false
}

func (s *R503) capture() r503.Code {
	if s.finger == nil {
		return r503.CodeNoFinger
	}
	s.buffer = make([]byte, len(s.finger.Pix)/2)
	for i := range s.buffer {
		s.buffer[i] = s.level(s.finger.Pix[2*i])<<4 | s.level(s.finger.Pix[2*i+1])
	}
	return r503.CodeOK
}

// level quantises a pixel to the 16 levels of the wire.
func (s *R503) level(p byte) byte {
	l := int(p >> 4)
	if s.cfg.Noise && s.noise.IntN(8) == 0 {
		l += s.noise.IntN(3) - 1
	}
	return byte(min(max(l, 0), 15))
}

// features is the module's quality gate: a picture with hardly any contrast has none.
func (s *R503) features() r503.Code {
	if s.buffer == nil {
		return r503.CodeNoImage
	}
	var n, sum, squares int
	for _, b := range s.buffer {
		for _, l := range [2]int{int(b >> 4), int(b & 15)} {
			n, sum, squares = n+1, sum+l, squares+l*l
		}
	}
	if n*squares-sum*sum < n*n {
		return r503.CodeMessy
	}
	return r503.CodeOK
}

func (s *R503) set(register, value byte) r503.Code {
	switch {
	case register == 4 && value >= 1 && value <= 12:
		s.baud = int(value) * 9600
	case register == 5 && value >= 1 && value <= 5:
	case register == 6 && value <= 3:
		s.packet = 32 << value
	case register < 4 || register > 6:
		return r503.CodeRegister
	default:
		return r503.CodeSetting
	}
	return r503.CodeOK
}

func (s *R503) params() []byte {
	var code uint16
	for 32<<code < s.packet {
		code++
	}
	b := []byte{0, 0, 0, 0}
	b = binary.BigEndian.AppendUint16(b, 200) // capacity
	b = binary.BigEndian.AppendUint16(b, 3)   // security level
	b = binary.BigEndian.AppendUint32(b, s.cfg.Address)
	b = binary.BigEndian.AppendUint16(b, code)
	return binary.BigEndian.AppendUint16(b, uint16(s.baud/9600))
}

func (s *R503) product() []byte {
	b := make([]byte, 46)
	copy(b[0:16], "R503")
	copy(b[16:20], "SIM")
	copy(b[20:28], s.cfg.Serial)
	b[28], b[29] = 1, 1
	copy(b[30:38], "VIRTUAL")
	binary.BigEndian.PutUint16(b[38:], uint16(s.cfg.Size.X))
	binary.BigEndian.PutUint16(b[40:], uint16(s.cfg.Size.Y))
	binary.BigEndian.PutUint16(b[42:], 1536)
	binary.BigEndian.PutUint16(b[44:], 200)
	return b
}

// stream sends the picture in data packets. A fault strikes the packet in the middle.
func (s *R503) stream() bool {
	s.mu.Lock()
	rest, size := slices.Clone(s.buffer), s.packet
	s.mu.Unlock()
	f := s.take(r503.InsUploadImage, true)
	for half := len(rest) / 2; len(rest) > 0; {
		n := min(size, len(rest))
		id := r503.IDData
		if n == len(rest) {
			id = r503.IDEndData
		}
		var now Fault
		if f.Kind != 0 && len(rest) <= half {
			now, f = f, Fault{}
			switch now.Kind {
			case CutMidImage:
				return true
			case Unplug:
				s.unplug()
				return false
			case Late:
				s.wait(now.Delay)
			}
		}
		if !s.send(id, rest[:n], now) {
			return false
		}
		rest = rest[n:]
	}
	return true
}

func (s *R503) send(id r503.PacketID, payload []byte, f Fault) bool {
	frame, err := r503.Packet{Address: s.cfg.Address, ID: id, Payload: payload}.Append(nil)
	return err == nil && s.write(f.damage(frame))
}

func (s *R503) write(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	if s.cfg.Pace {
		s.mu.Lock()
		baud := s.baud
		s.mu.Unlock()
		s.wait(time.Duration(len(b)) * 10 * time.Second / time.Duration(baud))
	}
	_, err := s.line.Write(b)
	return err == nil
}

// fit centres img on a white picture of the given size.
func fit(img *image.Gray, size image.Point) *image.Gray {
	out := image.NewGray(image.Rectangle{Max: size})
	draw.Draw(out, out.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	offset := size.Sub(img.Rect.Size()).Div(2)
	draw.Draw(out, image.Rectangle{Min: offset, Max: offset.Add(img.Rect.Size())}, img, img.Rect.Min, draw.Src)
	return out
}
