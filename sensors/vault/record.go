package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/vouchbox/vouch/sensors"
)

const (
	indexMagic   = "VVI1"
	recordMagic  = "VVR1"
	rowSize      = 16 + 16 + 1 + 2 + keySize
	maxTemplates = 64
	maxTemplate  = 64 << 10
)

// row says which key opens which record, and whose it is.
type row struct {
	id       [16]byte
	person   sensors.PersonID
	modality sensors.Modality
	format   uint16
	key      [keySize]byte
}

func newRow(person sensors.PersonID, templates []sensors.Template) (row, error) {
	if person.IsZero() || len(templates) == 0 || len(templates) > maxTemplates {
		return row{}, fmt.Errorf("%d templates of person %s: %w", len(templates), person, ErrTemplates)
	}
	r := row{person: person, modality: templates[0].Modality, format: templates[0].Format}
	if !r.modality.Valid() {
		return row{}, fmt.Errorf("%v: %w", r.modality, ErrTemplates)
	}
	for _, t := range templates {
		if t.Modality != r.modality || t.Format != r.format || len(t.Data) == 0 || len(t.Data) > maxTemplate {
			return row{}, fmt.Errorf("%v beside %v: %w", t, templates[0], ErrTemplates)
		}
	}
	rand.Read(r.id[:])
	rand.Read(r.key[:])
	return r, nil
}

func (r *row) record() string { return "vault/record/" + hex.EncodeToString(r.id[:]) }

// extra binds a record to its row.
func (r *row) extra() []byte {
	b := append([]byte(recordMagic), r.id[:]...)
	b = append(b, r.person[:]...)
	b = append(b, byte(r.modality))
	return binary.BigEndian.AppendUint16(b, r.format)
}

func (r *row) seal(templates []sensors.Template) []byte {
	size := 0
	for _, t := range templates {
		size += 4 + len(t.Data)
	}
	plain := make([]byte, 0, size)
	defer func() { clear(plain) }()
	for _, t := range templates {
		plain = binary.BigEndian.AppendUint32(plain, uint32(len(t.Data)))
		plain = append(plain, t.Data...)
	}
	return encrypt(newAEAD(r.key), recordMagic, plain, r.extra())
}

// open returns the plaintext, which the caller clears, and the templates that point into it.
func (r *row) open(record []byte) ([]byte, []sensors.Template, error) {
	plain, err := decrypt(newAEAD(r.key), recordMagic, record, r.extra())
	if err != nil {
		return nil, nil, err
	}
	var out []sensors.Template
	for b := plain; len(b) > 0; {
		if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
			clear(plain)
			return nil, nil, ErrCorrupt
		}
		n := 4 + int(binary.BigEndian.Uint32(b))
		out = append(out, sensors.Template{Modality: r.modality, Format: r.format, Data: b[4:n:n]})
		b = b[n:]
	}
	return plain, out, nil
}

func emptyIndex() []byte { return []byte(indexMagic) }

// openIndex reads the rows; the empty index has none.
func (v *Vault) openIndex(b []byte) ([]row, error) {
	if b == nil {
		return nil, ErrRollback
	}
	if bytes.Equal(b, emptyIndex()) {
		return nil, nil
	}
	plain, err := decrypt(v.aead, indexMagic, b, []byte(indexMagic))
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	if len(plain)%rowSize != 0 {
		return nil, ErrCorrupt
	}
	rows := make([]row, len(plain)/rowSize)
	for i := range rows {
		p := plain[i*rowSize:]
		rows[i] = row{id: [16]byte(p), person: sensors.PersonID(p[16:32]), modality: sensors.Modality(p[32]), format: binary.BigEndian.Uint16(p[33:]), key: [keySize]byte(p[35:])}
	}
	return rows, nil
}

// sealIndex writes the rows. Once used, an index without rows is encrypted too: only the first one is bare.
func (v *Vault) sealIndex(rows []row) []byte {
	plain := make([]byte, 0, len(rows)*rowSize)
	defer func() { clear(plain) }()
	for _, r := range rows {
		plain = append(plain, r.id[:]...)
		plain = append(plain, r.person[:]...)
		plain = append(plain, byte(r.modality))
		plain = binary.BigEndian.AppendUint16(plain, r.format)
		plain = append(plain, r.key[:]...)
	}
	return encrypt(v.aead, indexMagic, plain, []byte(indexMagic))
}

func wipe(rows []row) { clear(rows) }

func newAEAD(key [keySize]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // only for a wrong key size, which the array rules out
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // only for a wrong block size
	}
	return aead
}

// encrypt returns magic, nonce and ciphertext.
func encrypt(aead cipher.AEAD, magic string, plain, extra []byte) []byte {
	return aead.Seal([]byte(magic), nil, plain, extra)
}

func decrypt(aead cipher.AEAD, magic string, b, extra []byte) ([]byte, error) {
	if !bytes.HasPrefix(b, []byte(magic)) {
		return nil, ErrCorrupt
	}
	plain, err := aead.Open(nil, nil, b[len(magic):], extra)
	if err != nil {
		return nil, ErrCorrupt
	}
	return plain, nil
}
