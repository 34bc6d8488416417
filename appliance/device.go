package appliance

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/vouchbox/vouch/tpm"
	"github.com/vouchbox/vouch/tpm/key"
)

const (
	deviceKey  = "device/key"
	primaryKey = "device/primary"
)

// openPrimary returns the name of the storage root key that this box was set up with. From the first
// start on it is pinned: a chip between the box and its TPM would present another.
func openPrimary(ctx context.Context, st store, dev *tpm.Device) (tpm.Name, error) {
	kept, err := st.Get(ctx, primaryKey)
	if err != nil {
		return tpm.Name{}, fmt.Errorf("read the name of the TPM's root key: %w", err)
	}
	name, err := tpm.PrimaryName(ctx, dev)
	if err != nil {
		return tpm.Name{}, fmt.Errorf("read the TPM's root key: %w", err)
	}
	switch {
	case kept == nil:
		err := st.Update(ctx, primaryKey, func([]byte) ([]byte, error) { return name[:], nil })
		if err != nil {
			return tpm.Name{}, fmt.Errorf("keep the name of the TPM's root key: %w", err)
		}
	case !bytes.Equal(kept, name[:]):
		return tpm.Name{}, fmt.Errorf("this is not the TPM that the box was set up with: %w", tpm.ErrPrimaryChanged)
	}
	return name, nil
}

// openDeviceKey loads the key of the box's account, or makes it at the first start. It is a P-256 key
// in the TPM: it pays fees and signs receipts, and never votes.
func openDeviceKey(ctx context.Context, st store, dev *tpm.Device, parent tpm.Name) (*key.Key, error) {
	kept, err := st.Get(ctx, deviceKey)
	if err != nil {
		return nil, fmt.Errorf("read the device key: %w", err)
	}
	if kept == nil {
		blob, err := key.Create(ctx, dev, key.Options{Parent: &parent})
		if err != nil {
			return nil, fmt.Errorf("make the device key: %w", err)
		}
		if kept, err = blob.MarshalBinary(); err != nil {
			return nil, fmt.Errorf("encode the device key: %w", err)
		}
		err = st.Update(ctx, deviceKey, func(cur []byte) ([]byte, error) {
			if cur != nil {
				return nil, errors.New("another process made one")
			}
			return kept, nil
		})
		if err != nil {
			return nil, fmt.Errorf("keep the device key: %w", err)
		}
	}
	blob, err := key.ParseBlob(kept)
	if err != nil {
		return nil, fmt.Errorf("the device key: %w", err)
	}
	k, err := key.Load(ctx, dev, blob)
	if err != nil {
		return nil, fmt.Errorf("load the device key: %w", err)
	}
	return k, nil
}
