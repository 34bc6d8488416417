package tpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Wrapped is an object that lives outside the TPM and that only its TPM can load: its private part is encrypted and authenticated under the
// storage root key. It holds no secret in the clear.
type Wrapped struct {
	Parent  Name   // the storage root key it hangs under
	Public  []byte // TPM2B_PUBLIC: 2-byte size, then TPMT_PUBLIC
	Private []byte // TPM2B_PRIVATE: 2-byte size, then the encrypted sensitive area
}

// Object is a Wrapped while a closure has it loaded.
type Object struct {
	Handle tpm2.TPMHandle
	Name   Name
	Public tpm2.TPMTPublic
}

// Auth uses o in a command, authorized by s.
func (o Object) Auth(s tpm2.Session) tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: o.Handle, Name: tpm2.TPM2BName{Buffer: o.Name[:]}, Auth: s}
}

// Create makes an object under p, with the sensitive part (authorization value, data) encrypted on the way in and the public part
// authenticated on the way out.
func Create(t transport.TPM, p Primary, template tpm2.TPMTPublic, sensitive tpm2.TPMSSensitiveCreate) (Wrapped, error) {
	rsp, err := tpm2.Create{
		ParentHandle: p.auth(),
		InSensitive:  tpm2.TPM2BSensitiveCreate{Sensitive: &sensitive},
		InPublic:     tpm2.New2B(template),
	}.Execute(t)
	if err != nil {
		return Wrapped{}, fmt.Errorf("tpm: create an object: %w", err)
	}
	return Wrapped{Parent: p.Name, Public: tpm2.Marshal(rsp.OutPublic), Private: tpm2.Marshal(rsp.OutPrivate)}, nil
}

// WithObject loads w under p, gives it to fn and flushes it. Object.Public is what the loaded object says of itself over an authenticated
// session, not what w claims. An object that the TPM refuses as not its own is ErrCorrupt.
func WithObject(t transport.TPM, p Primary, w Wrapped, fn func(Object) error) (err error) {
	public, err := unwrap2B(w.Public)
	if err != nil {
		return err
	}
	private, err := unwrap2B(w.Private)
	if err != nil {
		return err
	}
	rsp, err := tpm2.Load{
		ParentHandle: p.auth(),
		InPrivate:    tpm2.TPM2BPrivate{Buffer: private},
		InPublic:     tpm2.BytesAs2B[tpm2.TPMTPublic](public),
	}.Execute(t)
	if err != nil {
		var param tpm2.TPMFmt1Error
		if errors.As(err, &param) {
			if ok, _ := param.Parameter(); ok {
				return fmt.Errorf("%w: the TPM refuses to load it: %w", ErrCorrupt, err)
			}
		}
		return fmt.Errorf("tpm: load an object: %w", err)
	}
	defer flush(t, rsp.ObjectHandle, &err)
	// No session covers the handle that Load returned, but this command's HMAC covers the name: another object under that handle fails here.
	read, err := tpm2.ReadPublic{ObjectHandle: tpm2.NamedHandle{Handle: rsp.ObjectHandle, Name: rsp.Name}}.Execute(t, SaltedOut(p))
	if err != nil {
		return fmt.Errorf("tpm: read the public area of an object: %w", err)
	}
	contents, err := read.OutPublic.Contents()
	if err != nil {
		return fmt.Errorf("%w: public area of an object: %w", ErrResponse, err)
	}
	name, err := NameOf(*contents)
	if err != nil {
		return err
	}
	return fn(Object{Handle: rsp.ObjectHandle, Name: name, Public: *contents})
}

// Kind tells stored objects apart: the first four bytes of the file.
type Kind [4]byte

const (
	kindSize     = 4
	checksumSize = 4
	// No object of ours comes near; the limit keeps a parser of foreign bytes small.
	maxWrapped = 4096
)

// Encode gives the stored form of w:
//
//	kind      4 bytes
//	version   1 byte
//	parent   34 bytes  name of the storage root key
//	public    2+n      TPM2B_PUBLIC
//	private   2+n      TPM2B_PRIVATE
//	check     4 bytes  CRC-32C of all before, big-endian
//
// The check finds accidents, so that a worn disk is not reported as another TPM; against intent stands the TPM's own integrity value.
func (w Wrapped) Encode(kind Kind, version byte) []byte {
	out := make([]byte, 0, kindSize+1+len(w.Parent)+len(w.Public)+len(w.Private)+checksumSize)
	out = append(out, kind[:]...)
	out = append(out, version)
	out = append(out, w.Parent[:]...)
	out = append(out, w.Public...)
	out = append(out, w.Private...)
	return binary.BigEndian.AppendUint32(out, crc32.Checksum(out, crc32.MakeTable(crc32.Castagnoli)))
}

// DecodeWrapped is the inverse of Encode. It accepts exactly what Encode writes: ErrCorrupt for anything else, ErrVersion for another version.
func DecodeWrapped(kind Kind, version byte, data []byte) (Wrapped, error) {
	var w Wrapped
	if len(data) > maxWrapped {
		return w, fmt.Errorf("%w: %d bytes, at most %d expected", ErrCorrupt, len(data), maxWrapped)
	}
	if len(data) < kindSize+1 || Kind(data[:kindSize]) != kind {
		return w, fmt.Errorf("%w: it does not start with %q", ErrCorrupt, kind[:])
	}
	if len(data) < kindSize+1+checksumSize {
		return w, fmt.Errorf("%w: only %d bytes", ErrCorrupt, len(data))
	}
	body, sum := data[:len(data)-checksumSize], data[len(data)-checksumSize:]
	if binary.BigEndian.Uint32(sum) != crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) {
		return w, fmt.Errorf("%w: checksum does not match", ErrCorrupt)
	}
	if v := body[kindSize]; v != version {
		return w, fmt.Errorf("%w: version %d, this release reads %d", ErrVersion, v, version)
	}
	rest := body[kindSize+1:]
	if len(rest) < len(w.Parent) {
		return w, fmt.Errorf("%w: cut off in the name of the storage root key", ErrCorrupt)
	}
	copy(w.Parent[:], rest)
	rest = rest[len(w.Parent):]
	for _, part := range []*[]byte{&w.Public, &w.Private} {
		if len(rest) < 2 {
			return Wrapped{}, fmt.Errorf("%w: cut off in a size", ErrCorrupt)
		}
		n := 2 + int(binary.BigEndian.Uint16(rest))
		if n == 2 || n > len(rest) {
			return Wrapped{}, fmt.Errorf("%w: a part claims %d bytes, %d are left", ErrCorrupt, n-2, len(rest)-2)
		}
		*part = append([]byte(nil), rest[:n]...)
		rest = rest[n:]
	}
	if len(rest) != 0 {
		return Wrapped{}, fmt.Errorf("%w: %d bytes too many", ErrCorrupt, len(rest))
	}
	return w, nil
}

// Template parses the public part.
func (w Wrapped) Template() (tpm2.TPMTPublic, error) {
	inner, err := unwrap2B(w.Public)
	if err != nil {
		return tpm2.TPMTPublic{}, err
	}
	public, err := tpm2.Unmarshal[tpm2.TPMTPublic](inner)
	if err != nil {
		return tpm2.TPMTPublic{}, fmt.Errorf("%w: public area: %w", ErrCorrupt, err)
	}
	return *public, nil
}

func unwrap2B(b []byte) ([]byte, error) {
	if len(b) < 2 || int(binary.BigEndian.Uint16(b)) != len(b)-2 {
		return nil, fmt.Errorf("%w: a sized part has another size", ErrCorrupt)
	}
	return b[2:], nil
}
