package tx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secpecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

const maxKeyFile = 4 << 10 // bytes

// KeyFile is a secp256k1 account key kept in a file that only its owner can read.
type KeyFile struct {
	key *secp256k1.PrivateKey
}

var _ Signer = (*KeyFile)(nil)

// keyFile is the file's content. The key is 32 bytes big-endian in standard base64.
type keyFile struct {
	Type       string `json:"type"`
	Address    string `json:"address"`
	PrivateKey []byte `json:"private_key"`
}

// NewKeyFile makes a key and writes it to a file that must not exist. It returns when the file is on
// disk.
func NewKeyFile(path string) (*KeyFile, error) {
	key, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	k := &KeyFile{key: key}
	raw, err := json.MarshalIndent(keyFile{Type: "secp256k1", Address: k.PublicKey().Address().String(), PrivateKey: key.Serialize()}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write the key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	_, err = f.Write(append(raw, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, errors.Join(err, os.Remove(path)))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return k, nil
}

// ReadKeyFile reads a key that [NewKeyFile] wrote. A file that others can read is refused.
func ReadKeyFile(path string) (*KeyFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrKeyFile, path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%w: others can read %s (mode %o); run: chmod 600 %s", ErrKeyFile, path, info.Mode().Perm(), path)
	case info.Size() > maxKeyFile:
		return nil, fmt.Errorf("%w: %s has %d bytes, at most %d are expected", ErrKeyFile, path, info.Size(), maxKeyFile)
	}
	raw := make([]byte, info.Size())
	if _, err := f.ReadAt(raw, 0); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	k, err := parseKeyFile(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrKeyFile, path, err)
	}
	return k, nil
}

// parseKeyFile never puts a part of the input into an error: it may be the key.
func parseKeyFile(raw []byte) (*KeyFile, error) {
	var v keyFile
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil || dec.More() {
		return nil, errors.New("the content is not a key in JSON")
	}
	if v.Type != "secp256k1" || len(v.PrivateKey) != 32 {
		return nil, errors.New("want the type secp256k1 with 32 bytes of key")
	}
	var scalar secp256k1.ModNScalar
	if scalar.SetByteSlice(v.PrivateKey) || scalar.IsZero() {
		return nil, errors.New("the key is out of the curve's range")
	}
	k := &KeyFile{key: secp256k1.NewPrivateKey(&scalar)}
	if k.PublicKey().Address().String() != v.Address {
		return nil, errors.New("the key does not belong to the address in the file")
	}
	return k, nil
}

// PublicKey of the account.
func (k *KeyFile) PublicKey() PublicKey {
	return PublicKey{Curve: Secp256k1, Point: k.Compressed()}
}

// Address of the account.
func (k *KeyFile) Address() Address { return k.PublicKey().Address() }

// Compressed is the public point.
func (k *KeyFile) Compressed() [33]byte { return [33]byte(k.key.PubKey().SerializeCompressed()) }

// SignCompact signs deterministically (RFC 6979).
func (k *KeyFile) SignCompact(_ context.Context, digest [32]byte) ([64]byte, error) {
	sig := secpecdsa.Sign(k.key, digest[:])
	r, s := sig.R(), sig.S()
	var out [64]byte
	r.PutBytesUnchecked(out[:32])
	s.PutBytesUnchecked(out[32:])
	return out, nil
}

// String names the account and hides the key.
func (k *KeyFile) String() string { return k.Address().String() }

// GoString hides the key from %#v.
func (k *KeyFile) GoString() string { return "tx.KeyFile(" + k.String() + ")" }
