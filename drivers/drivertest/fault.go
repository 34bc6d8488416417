package drivertest

import (
	"time"

	"github.com/vouchbox/vouch/drivers/r503"
)

// FaultKind is what goes wrong, once.
type FaultKind int

const (
	BadChecksum   FaultKind = 1 + iota // the sum of one packet is wrong
	LostByte                           // one byte of a packet is missing
	Timeout                            // one reply is swallowed; with Data, one packet of a picture is
	PowerUp55                          // the bare byte of a power-up comes before a packet
	CutMidImage                        // a picture stops half way
	WrongPassword                      // the module refuses the right password
	Unplug                             // the line is gone instead of a packet
	Garbage                            // noise, with half a header in it, comes before a packet
	FalseStart                         // noise that looks like the start of a long packet comes before a packet
	AckCode                            // the module answers with Code and does nothing
	Late                               // a reply comes after Delay
	Forget                             // the module lost power for a moment and wants its password again
)

// Fault is one thing that goes wrong. It waits in the queue until the first packet that it fits.
type Fault struct {
	Kind  FaultKind
	On    r503.Instruction // 0: any command
	Data  bool             // strikes in the middle of a picture instead of the acknowledgement before it
	Code  r503.Code        // for AckCode
	Delay time.Duration    // for Late
}

// Inject queues faults.
func (s *R503) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		f.Data = f.Data || f.Kind == CutMidImage
		s.faults = append(s.faults, f)
	}
}

// Pending returns how many faults have not struck yet.
func (s *R503) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.faults)
}

// take removes the first fault that fits; the zero Fault means that all is well.
func (s *R503) take(ins r503.Instruction, data bool) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.Data == data && (f.On == 0 || f.On == ins) {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			return f
		}
	}
	return Fault{}
}

// damage returns what arrives at the host instead of frame.
func (f Fault) damage(frame []byte) []byte {
	switch f.Kind {
	case BadChecksum:
		frame[len(frame)-1] ^= 0x01
	case LostByte:
		i := len(frame) / 2
		frame = append(frame[:i], frame[i+1:]...)
	case Timeout:
		return nil
	case PowerUp55:
		return append([]byte{0x55}, frame...)
	case Garbage:
		return append([]byte{0x00, 0xEF, 0x01, 0xFF, 0xFF, 0x55, 0xEF}, frame...)
	case FalseStart:
		return append([]byte{0xEF, 0x01, frame[2], frame[3], frame[4], frame[5], 0x07, 0x01, 0x02}, frame...)
	}
	return frame
}
