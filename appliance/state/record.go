package state

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
)

const (
	// MaxKey is the most bytes of a key.
	MaxKey = 128
	// MaxValue is the most bytes of a value.
	MaxValue = 1 << 20

	magic      = "vouchrec"
	version    = 1
	headerSize = 16
	maxRecord  = headerSize + MaxKey + MaxValue + sha256.Size

	recordSuffix = ".rec"
	tempSuffix   = ".tmp"
)

// checkKey accepts segments of letters, digits, '.', '_' and '-' joined by '/'.
func checkKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return fmt.Errorf("%w: want 1 to %d bytes, got %d", ErrKey, MaxKey, len(key))
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment[0] == '.' {
			return fmt.Errorf("%w: %q has a segment that is empty or starts with a dot", ErrKey, key)
		}
	}
	return checkCharacters(key)
}

func checkCharacters(s string) error {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("._-/", c) >= 0:
		default:
			return fmt.Errorf("%w: %q has the character %q; letters, digits and ._-/ are allowed", ErrKey, s, c)
		}
	}
	return nil
}

// fileName is one to one: '+' is not allowed in keys.
func fileName(key string) string { return strings.ReplaceAll(key, "/", "+") + recordSuffix }

// keyOf is the inverse of fileName; ok is false for a file that is no record.
func keyOf(name string) (key string, ok bool) {
	base, ok := strings.CutSuffix(name, recordSuffix)
	if !ok {
		return "", false
	}
	key = strings.ReplaceAll(base, "+", "/")
	return key, checkKey(key) == nil && fileName(key) == name
}

func encodeRecord(key string, value []byte) []byte {
	b := make([]byte, 0, headerSize+len(key)+len(value)+sha256.Size)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint16(b, version)
	b = binary.BigEndian.AppendUint16(b, uint16(len(key)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	b = append(b, key...)
	b = append(b, value...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// decodeRecord returns the value of a file that holds key, or what is wrong with the file.
func decodeRecord(key string, b []byte) ([]byte, error) {
	if len(b) < headerSize+sha256.Size {
		return nil, fmt.Errorf("%d bytes are too few for a record", len(b))
	}
	if string(b[:8]) != magic {
		return nil, fmt.Errorf("the first bytes are not %q", magic)
	}
	if v := binary.BigEndian.Uint16(b[8:]); v != version {
		return nil, fmt.Errorf("format version %d, this release reads %d", v, version)
	}
	keyLen, valueLen := int(binary.BigEndian.Uint16(b[10:])), int64(binary.BigEndian.Uint32(b[12:]))
	if want := headerSize + int64(keyLen) + valueLen + sha256.Size; int64(len(b)) != want {
		return nil, fmt.Errorf("%d bytes, the header says %d", len(b), want)
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if got := sha256.Sum256(body); string(got[:]) != string(sum) {
		return nil, fmt.Errorf("the checksum does not match")
	}
	if got := string(body[headerSize : headerSize+keyLen]); got != key {
		return nil, fmt.Errorf("the file holds the record of %q", got)
	}
	return body[headerSize+keyLen:], nil
}
