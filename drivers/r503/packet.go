package r503

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// PacketID is the kind of a packet (R503 manual 5.2).
type PacketID byte

const (
	IDCommand PacketID = 0x01 // host to module
	IDData    PacketID = 0x02 // more data follows
	IDAck     PacketID = 0x07 // module to host, Payload[0] is a Code
	IDEndData PacketID = 0x08 // last data packet
)

func (id PacketID) valid() bool {
	return id == IDCommand || id == IDData || id == IDAck || id == IDEndData
}

// Sizes of the frame EF01 | address(4) | id(1) | length(2) | payload | sum(2), all big-endian. The length counts payload and sum.
const (
	MaxPayload = 256 // bytes, the largest data packet
	headerSize = 9
	sumSize    = 2
)

// DefaultAddress is the address of a module as it leaves the factory.
const DefaultAddress = 0xFFFFFFFF

// What Parse may say besides ErrChecksum.
var (
	ErrIncomplete = errors.New("r503: the packet is not complete yet")
	ErrFrame      = errors.New("r503: these bytes do not start a packet")
	ErrPayload    = fmt.Errorf("r503: payload is longer than %d bytes", MaxPayload)
)

// Packet is one frame on the wire.
type Packet struct {
	Address uint32
	ID      PacketID
	Payload []byte // at most MaxPayload bytes
}

// Append adds the frame of p to dst. It fails with ErrPayload or, for an unknown ID, with ErrFrame; dst is then returned as it was.
func (p Packet) Append(dst []byte) ([]byte, error) {
	if len(p.Payload) > MaxPayload {
		return dst, ErrPayload
	}
	if !p.ID.valid() {
		return dst, fmt.Errorf("%w: id %02x", ErrFrame, byte(p.ID))
	}
	start := len(dst)
	dst = append(dst, 0xEF, 0x01)
	dst = binary.BigEndian.AppendUint32(dst, p.Address)
	dst = append(dst, byte(p.ID))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(p.Payload)+sumSize))
	dst = append(dst, p.Payload...)
	return binary.BigEndian.AppendUint16(dst, checksum(dst[start+6:])), nil
}

// checksum adds id, length and payload bytes modulo 65536.
func checksum(b []byte) uint16 {
	var s uint16
	for _, c := range b {
		s += uint16(c)
	}
	return s
}

// Parse reads the one packet that b starts with and says how many bytes it took. Payload aliases b. Errors: ErrIncomplete (b is a
// prefix of a packet; call again with more), ErrFrame (no packet starts here) and ErrChecksum (a whole frame whose sum is wrong).
func Parse(b []byte) (Packet, int, error) {
	for i, want := range [2]byte{0xEF, 0x01} {
		if len(b) <= i {
			return Packet{}, 0, ErrIncomplete
		}
		if b[i] != want {
			return Packet{}, 0, ErrFrame
		}
	}
	if len(b) >= 7 && !PacketID(b[6]).valid() {
		return Packet{}, 0, ErrFrame
	}
	if len(b) < headerSize {
		return Packet{}, 0, ErrIncomplete
	}
	n := int(binary.BigEndian.Uint16(b[7:]))
	if n < sumSize || n > MaxPayload+sumSize {
		return Packet{}, 0, ErrFrame
	}
	end := headerSize + n
	if len(b) < end {
		return Packet{}, 0, ErrIncomplete
	}
	if checksum(b[6:end-sumSize]) != binary.BigEndian.Uint16(b[end-sumSize:]) {
		return Packet{}, 0, ErrChecksum
	}
	return Packet{
		Address: binary.BigEndian.Uint32(b[2:]),
		ID:      PacketID(b[6]),
		Payload: b[headerSize : end-sumSize : end-sumSize],
	}, end, nil
}

// Decoder finds packets of one address in a stream that may hold anything between them. The zero value listens to address 0.
type Decoder struct {
	Address uint32
	buf     []byte
	off     int
}

// Write adds bytes of the stream. It never fails. Payloads that Next returned before are no longer valid.
func (d *Decoder) Write(b []byte) (int, error) {
	if d.off > 0 {
		d.buf = d.buf[:copy(d.buf, d.buf[d.off:])]
		d.off = 0
	}
	d.buf = append(d.buf, b...)
	return len(b), nil
}

// Next returns the next packet; its Payload is valid until the next Write. ErrIncomplete asks for more bytes. ErrChecksum reports a
// damaged packet once; the search goes on just behind its first bytes, so that a packet which the damage swallowed is still found.
func (d *Decoder) Next() (Packet, error) {
	for {
		rest := d.buf[d.off:]
		i := bytes.IndexByte(rest, 0xEF)
		if i < 0 {
			d.off = len(d.buf)
			return Packet{}, ErrIncomplete
		}
		d.off += i
		rest = rest[i:]
		p, n, err := Parse(rest)
		if err != ErrFrame && !d.addressed(rest) {
			err = ErrFrame
		}
		switch err {
		case nil:
			d.off += n
			return p, nil
		case ErrIncomplete:
			return Packet{}, err
		case ErrChecksum:
			d.off += 2
			return Packet{}, err
		default:
			d.off++
		}
	}
}

// addressed says whether the address bytes at hand are those of d.Address.
func (d *Decoder) addressed(b []byte) bool {
	var want [4]byte
	binary.BigEndian.PutUint32(want[:], d.Address)
	if len(b) < 2 {
		return true
	}
	have := b[2:min(len(b), 6)]
	return bytes.Equal(have, want[:len(have)])
}

// Skip gives up the frame that Next waits for and reports whether there was one. Call it when the line stays silent: noise that
// looks like the start of a long packet must not hide the real one behind it.
func (d *Decoder) Skip() bool {
	if d.off == len(d.buf) {
		return false
	}
	d.off++
	return true
}

// Reset forgets all bytes.
func (d *Decoder) Reset() { d.buf, d.off = d.buf[:0], 0 }

// takeByte drops everything up to the first c and reports whether there was one.
func (d *Decoder) takeByte(c byte) bool {
	i := bytes.IndexByte(d.buf[d.off:], c)
	if i < 0 {
		return false
	}
	d.off += i + 1
	return true
}
