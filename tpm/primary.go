package tpm

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Name identifies a TPM object with name algorithm SHA-256: the algorithm (0x000b) and the digest of its public area. Part 1, section 16.
type Name [34]byte

func (n Name) String() string { return hex.EncodeToString(n[:]) }

// NameOf computes the name of a public area, whatever a TPM claims it to be.
func NameOf(public tpm2.TPMTPublic) (Name, error) {
	var n Name
	name, err := tpm2.ObjectName(&public)
	if err != nil {
		return n, fmt.Errorf("%w: public area: %w", ErrResponse, err)
	}
	if public.NameAlg != tpm2.TPMAlgSHA256 || len(name.Buffer) != len(n) {
		return n, fmt.Errorf("%w: public area is not named by SHA-256", ErrResponse)
	}
	copy(n[:], name.Buffer)
	return n, nil
}

// Primary is the storage root key (SRK) while a closure holds it: parent of the box's objects, and the key that sessions are salted to.
type Primary struct {
	Handle tpm2.TPMHandle
	Name   Name
	Public tpm2.TPMTPublic
}

// WithPrimary creates the ECC P-256 storage root key of the TCG template (TPM v2.0 Provisioning Guidance, section 7.5.1) in the owner hierarchy,
// gives it to fn and flushes it. The same TPM makes the same key each time, until it is cleared.
//
// Nothing here proves who answered; see WithPinnedPrimary.
func WithPrimary(t transport.TPM, fn func(Primary) error) (err error) {
	rsp, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(t)
	if err != nil {
		return fmt.Errorf("tpm: create the storage root key: %w", err)
	}
	defer flush(t, rsp.ObjectHandle, &err)
	public, err := rsp.OutPublic.Contents()
	if err != nil {
		return fmt.Errorf("%w: public area of the storage root key: %w", ErrResponse, err)
	}
	name, err := NameOf(*public)
	if err != nil {
		return err
	}
	return fn(Primary{Handle: rsp.ObjectHandle, Name: name, Public: *public})
}

// PrimaryName asks d for the name of its storage root key, to be recorded at enrolment and demanded from then on.
func PrimaryName(ctx context.Context, d *Device) (Name, error) {
	var n Name
	err := d.Do(ctx, func(t transport.TPM) error {
		return WithPrimary(t, func(p Primary) error {
			n = p.Name
			return nil
		})
	})
	return n, err
}

// WithPinnedPrimary is WithPrimary for a TPM met before: it refuses with ErrPrimaryChanged unless the SRK has the name recorded then. Whoever
// replays that name without owning the key cannot decrypt the salt, and so fails the first session.
func WithPinnedPrimary(t transport.TPM, want Name, fn func(Primary) error) error {
	return WithPrimary(t, func(p Primary) error {
		if p.Name != want {
			return fmt.Errorf("%w: recorded %v, found %v", ErrPrimaryChanged, want, p.Name)
		}
		return fn(p)
	})
}

// Salted returns a one-command HMAC session, salted to p, that encrypts the first parameter in both directions (AES-128-CFB). Use it for
// commands whose first parameter and first response parameter are both sized buffers: Create, Load.
func Salted(p Primary, opts ...tpm2.AuthOption) tpm2.Session {
	return salted(p, tpm2.AESEncryption(128, tpm2.EncryptInOut), opts)
}

// SaltedIn is Salted for commands whose response has no sized buffer in front: Sign.
func SaltedIn(p Primary, opts ...tpm2.AuthOption) tpm2.Session {
	return salted(p, tpm2.AESEncryption(128, tpm2.EncryptIn), opts)
}

// SaltedOut is Salted for commands that carry nothing to the TPM: Unseal, ReadPublic.
func SaltedOut(p Primary, opts ...tpm2.AuthOption) tpm2.Session {
	return salted(p, tpm2.AESEncryption(128, tpm2.EncryptOut), opts)
}

func salted(p Primary, encryption tpm2.AuthOption, opts []tpm2.AuthOption) tpm2.Session {
	all := append([]tpm2.AuthOption{tpm2.Salted(p.Handle, p.Public), encryption}, opts...)
	return tpm2.HMAC(tpm2.TPMAlgSHA256, 16, all...)
}

// auth uses p as the parent of a command.
func (p Primary) auth() tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: p.Handle, Name: tpm2.TPM2BName{Buffer: p.Name[:]}, Auth: Salted(p)}
}

// flush unloads h and adds its failure to err.
func flush(t transport.TPM, h tpm2.TPMHandle, err *error) {
	if _, ferr := (tpm2.FlushContext{FlushHandle: h}).Execute(t); ferr != nil {
		*err = errors.Join(*err, fmt.Errorf("tpm: flush handle %#x: %w", uint32(h), ferr))
	}
}
