package r503

import (
	"fmt"
	"time"
)

// Config holds what New needs to know. Start from DefaultConfig and change what differs.
type Config struct {
	Address  uint32 // DefaultAddress unless the module was renumbered
	Password uint32 // 0 as it leaves the factory

	// PacketSize is the payload of data packets that New sets, 32, 64, 128 or 256 bytes; 0 leaves what the module has.
	PacketSize int
	// Baud is the rate that New brings module and line to, a multiple of 9600 up to 115200; 0 leaves both. It needs a BaudSetter.
	Baud int

	CommandTimeout time.Duration // for one command and its reply
	CaptureTimeout time.Duration // for commands that use the optics or write flash
	DataTimeout    time.Duration // longest silence between two packets of a picture
	Quiet          time.Duration // silence after which the line counts as drained
	DrainTimeout   time.Duration // for a module that still sends a picture nobody wants
	Retries        int           // how often a command that is safe to repeat is repeated

	Poll      time.Duration // pause between two looks for a finger
	Touch     TouchLine     // nil: poll only
	TouchPoll time.Duration // with Touch: look at least this often, because the line and the module fail separately
	Gate      bool          // ask the module whether the picture has enough features before it is sent

	Quirks Quirks
}

// Quirks is for modules that New cannot tell apart by asking.
type Quirks struct {
	Handshake Instruction // 0: try InsHandshake, then InsEcho
	NoParams  bool        // never send 0F
	NoProduct bool        // never send 3C
}

// DefaultConfig suits an R503 on a UART: 115200 baud and 256-byte packets bring a picture over in 1.7 s.
func DefaultConfig() Config {
	return Config{
		Address:        DefaultAddress,
		PacketSize:     256,
		Baud:           115200,
		CommandTimeout: time.Second,
		CaptureTimeout: 3 * time.Second,
		DataTimeout:    500 * time.Millisecond,
		Quiet:          50 * time.Millisecond,
		DrainTimeout:   9 * time.Second, // 256x288 at 57600 takes 7 s
		Retries:        2,
		Poll:           40 * time.Millisecond,
		TouchPoll:      2 * time.Second,
		Gate:           true,
	}
}

func (c Config) validate() error {
	if c.PacketSize != 0 {
		if _, err := packetCode(c.PacketSize); err != nil {
			return err
		}
	}
	if c.Baud != 0 {
		if _, err := baudCode(c.Baud); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"CommandTimeout", c.CommandTimeout}, {"CaptureTimeout", c.CaptureTimeout}, {"DataTimeout", c.DataTimeout},
		{"Quiet", c.Quiet}, {"DrainTimeout", c.DrainTimeout}, {"Poll", c.Poll}, {"TouchPoll", c.TouchPoll},
	} {
		if d.d <= 0 {
			return fmt.Errorf("r503: Config.%s is %v; start from DefaultConfig", d.name, d.d)
		}
	}
	if c.Retries < 0 || c.Retries > 10 {
		return fmt.Errorf("r503: Config.Retries is %d; use 0 to 10", c.Retries)
	}
	return nil
}

// packetCode is the register value for a packet size: 0, 1, 2, 3 for 32, 64, 128, 256 bytes.
func packetCode(size int) (byte, error) {
	for code := range byte(4) {
		if size == 32<<code {
			return code, nil
		}
	}
	return 0, fmt.Errorf("r503: a data packet cannot hold %d bytes; use 32, 64, 128 or 256", size)
}

// baudCode is the register value N for a rate of N*9600. The manual allows 12 at most.
func baudCode(baud int) (byte, error) {
	if n := baud / 9600; n >= 1 && n <= 12 && n*9600 == baud {
		return byte(n), nil
	}
	return 0, fmt.Errorf("r503: the module has no rate of %d baud; use a multiple of 9600 up to 115200", baud)
}
