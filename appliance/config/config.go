package config

import (
	"encoding/hex"
	"fmt"
	"time"
)

// Config is the whole file.
type Config struct {
	// Box is the owner's name for the box, shown on its screens: 1 to 64 characters. Default "box".
	Box string `json:"box"`
	// StateDir holds sealed templates, records and the audit log. Default "/perm/vouch".
	StateDir string `json:"state_dir"`
	// Socket is the unix socket of the local API. Default "/run/vouch/vouchd.sock".
	Socket string `json:"socket"`
	// AllowUIDs are the users who may connect to Socket besides the one that vouchd runs as. Default none.
	AllowUIDs []uint32 `json:"allow_uids"`
	// TPM is the device of the TPM's resource manager, or the unix socket of a TPM that is a program.
	// Default "/dev/tpmrm0".
	TPM       string    `json:"tpm"`
	Sensor    Sensor    `json:"sensor"`
	Chain     Chain     `json:"chain"`
	Inference Inference `json:"inference"`
	Ceremony  Ceremony  `json:"ceremony"`
	Enrolment Enrolment `json:"enrolment"`
}

// Sensor is the fingerprint module on its serial line.
type Sensor struct {
	// Path is the serial device. Default "/dev/ttyTHS1", the UART on a Jetson's 40-pin header.
	Path string `json:"path"`
	// Baud is the line's speed, bits per second: 9600 times 1 to 12. Default 57600, the module's own.
	Baud int `json:"baud"`
	// Password is the module's 32-bit handshake password. Default 0, the module's own. It is no secret of
	// weight: whoever holds the module can reset it.
	Password uint32 `json:"password" strict:"secret"`
	// TouchLine is the GPIO line of the module's touch output, by its name. Default empty: the module is asked
	// over the serial line instead.
	TouchLine string `json:"touch_line"`
}

// Chain says which chain to follow and from which block to believe it.
type Chain struct {
	// ID is the chain's id. No default.
	ID string `json:"id"`
	// Primary is the RPC address of the node that is asked: "http://127.0.0.1:26657". It is not believed. No
	// default.
	Primary string `json:"primary"`
	// Witnesses are RPC addresses of other nodes, against which the primary's headers are compared. No default.
	Witnesses []string `json:"witnesses"`
	// AllowNoWitness accepts an empty Witnesses: a primary that colludes with a third of the validators is then
	// not noticed. Default false.
	AllowNoWitness bool `json:"allow_no_witness"`
	// Trust is the block that everything is verified from. No default.
	Trust Trust `json:"trust"`
	// TrustPeriod is how old the newest verified header may be and still be built on. It must be shorter than
	// the chain's unbonding time. Default "336h", two thirds of 21 days.
	TrustPeriod Duration `json:"trust_period"`
}

// Trust is a block that the owner got from someone they trust.
type Trust struct {
	// Height of the block, from 1.
	Height int64 `json:"height"`
	// Hash of its header, 64 hex digits.
	Hash Hash `json:"hash"`
}

// Inference says what runs the models.
type Inference struct {
	// Binary is the vouchinfer program. Default "/usr/bin/vouchinfer".
	Binary string `json:"binary"`
	// ModelsDir is the store of models, by digest. Default "/perm/models".
	ModelsDir string `json:"models_dir"`
	// Require says what to do when the kernel refuses a layer of the sandbox: "all" runs no model then; "available"
	// runs it with what is left, for a development machine only. Default "all".
	Require string `json:"require"`
}

// The values of Inference.Require.
const (
	RequireAll       = "all"
	RequireAvailable = "available"
)

// Ceremony bounds one answer of a human.
type Ceremony struct {
	// TouchTimeout is how long the sensor waits for a finger: 5s to 5m. Default "30s".
	TouchTimeout Duration `json:"touch_timeout"`
	// Tries is how many touches one answer may take: 1 to 10. Default 5.
	Tries int `json:"tries"`
	// CoolDown is how long the sensor stays off after the last try failed: 1s to 1h. Default "1m".
	CoolDown Duration `json:"cool_down"`
}

// Enrolment says how a finger is learnt.
type Enrolment struct {
	// Views is how many touches make an enrolled finger: 3 to 12. Default 8.
	Views int `json:"views"`
	// Timeout is how long the whole enrolment may take: 30s to 15m. Default "5m".
	Timeout Duration `json:"timeout"`
}

// Hash is a SHA-256 hash; its text is 64 hex digits of either case.
type Hash [32]byte

// Form says what a file may write.
func (Hash) Form() string { return "64 hex digits in quotes" }

// MarshalText writes lower-case hex digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

// UnmarshalText reads hex digits.
func (h *Hash) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("want %d hex digits, got %d characters", hex.EncodedLen(len(h)), len(b))
	}
	_, err := hex.Decode(h[:], b)
	return err
}

// Duration is a span of time as text.
type Duration time.Duration

func (d Duration) String() string { return time.Duration(d).String() }

// Form says what a file may write.
func (Duration) Form() string { return `a duration such as "30s"` }

// MarshalText writes it as [time.Duration.String] does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads it as [time.ParseDuration] does.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Default is a Config with every default set. It lacks what only the owner knows: the chain, its nodes and the
// trusted block.
func Default() Config {
	return Config{
		Box:       "box",
		StateDir:  "/perm/vouch",
		Socket:    "/run/vouch/vouchd.sock",
		AllowUIDs: []uint32{},
		TPM:       "/dev/tpmrm0",
		Sensor:    Sensor{Path: "/dev/ttyTHS1", Baud: 57600},
		Chain:     Chain{Witnesses: []string{}, TrustPeriod: Duration(14 * 24 * time.Hour)},
		Inference: Inference{
			Binary:    "/usr/bin/vouchinfer",
			ModelsDir: "/perm/models",
			Require:   RequireAll,
		},
		Ceremony:  Ceremony{TouchTimeout: Duration(30 * time.Second), Tries: 5, CoolDown: Duration(time.Minute)},
		Enrolment: Enrolment{Views: 8, Timeout: Duration(5 * time.Minute)},
	}
}

// Redacted is a copy that may be shown in a log or a report: without the sensor's password.
func (c Config) Redacted() Config {
	c.Sensor.Password = 0
	return c
}
