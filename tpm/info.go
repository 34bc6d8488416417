package tpm

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// Ranges that Handles lists, by their first value: TPM_HT, Part 2, section 7.2. Loaded sessions of each kind are in the one range; sessions whose
// context somebody saved are in another, 0x03000000.
const (
	LoadedSessions   tpm2.TPMHandle = 0x02000000
	TransientObjects tpm2.TPMHandle = 0x80000000
)

// Info is what a TPM says about itself (TPM_PT_FIXED, Part 2, section 6.13). It is not authenticated: attestation proves a TPM, this only names it.
type Info struct {
	Manufacturer string // four letters of the TCG vendor registry, for example "INTC", "IFX", "IBM"
	Vendor       string // the vendor's own text
	Firmware     string // four 16-bit numbers, most significant first
	// Software is true for an emulator (swtpm): keys are then as safe as the files of the machine that runs it.
	Software bool
}

func (i Info) String() string {
	s := fmt.Sprintf("%s %q, firmware %s", i.Manufacturer, i.Vendor, i.Firmware)
	if i.Software {
		s += " (software TPM: no hardware protects its keys)"
	}
	return s
}

func identify(t transport.TPM) (Info, error) {
	values, err := properties(t, tpm2.TPMPTManufacturer, tpm2.TPMPTFirmwareVersion2)
	if err != nil {
		return Info{}, err
	}
	text := func(ids ...tpm2.TPMPT) string {
		var b []byte
		for _, id := range ids {
			b = binary.BigEndian.AppendUint32(b, values[id])
		}
		return strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return -1
			}
			return r
		}, string(b))
	}
	high, low := values[tpm2.TPMPTFirmwareVersion1], values[tpm2.TPMPTFirmwareVersion2]
	info := Info{
		Manufacturer: strings.TrimSpace(text(tpm2.TPMPTManufacturer)),
		Vendor:       strings.TrimSpace(text(tpm2.TPMPTVendorString1, tpm2.TPMPTVendorString2, tpm2.TPMPTVendorString3, tpm2.TPMPTVendorString4)),
		Firmware:     fmt.Sprintf("%d.%d.%d.%d", high>>16, high&0xffff, low>>16, low&0xffff),
	}
	info.Software = info.Manufacturer == "IBM" || strings.Contains(info.Vendor, "SW   TPM")
	return info, nil
}

// demand refuses a TPM that cannot do the box's cryptography.
func demand(t transport.TPM) error {
	curves, err := tpm2.GetCapability{Capability: tpm2.TPMCapECCCurves, Property: uint32(tpm2.TPMECCNistP256), PropertyCount: 1}.Execute(t)
	if err != nil {
		return fmt.Errorf("tpm: ask for elliptic curves: %w", err)
	}
	list, err := curves.CapabilityData.Data.ECCCurves()
	if err != nil {
		return fmt.Errorf("%w: list of curves: %w", ErrResponse, err)
	}
	if len(list.ECCCurves) == 0 || list.ECCCurves[0] != tpm2.TPMECCNistP256 {
		return fmt.Errorf("%w: no curve P-256", ErrUnsupported)
	}
	for _, want := range []struct {
		alg  tpm2.TPMAlgID
		name string
	}{{tpm2.TPMAlgAES, "AES"}, {tpm2.TPMAlgSHA256, "SHA-256"}, {tpm2.TPMAlgECDSA, "ECDSA"}, {tpm2.TPMAlgCFB, "CFB"}} {
		rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapAlgs, Property: uint32(want.alg), PropertyCount: 1}.Execute(t)
		if err != nil {
			return fmt.Errorf("tpm: ask for algorithms: %w", err)
		}
		algs, err := rsp.CapabilityData.Data.Algorithms()
		if err != nil {
			return fmt.Errorf("%w: list of algorithms: %w", ErrResponse, err)
		}
		if len(algs.AlgProperties) == 0 || algs.AlgProperties[0].Alg != want.alg {
			return fmt.Errorf("%w: no %s", ErrUnsupported, want.name)
		}
	}
	return nil
}

// properties reads the TPM properties from first to last inclusive. A TPM may answer in portions.
func properties(t transport.TPM, first, last tpm2.TPMPT) (map[tpm2.TPMPT]uint32, error) {
	values := make(map[tpm2.TPMPT]uint32)
	for next := first; next <= last; {
		rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapTPMProperties, Property: uint32(next), PropertyCount: uint32(last-next) + 1}.Execute(t)
		if err != nil {
			return nil, err
		}
		list, err := rsp.CapabilityData.Data.TPMProperties()
		if err != nil {
			return nil, fmt.Errorf("%w: list of properties: %w", ErrResponse, err)
		}
		reached := next
		for _, p := range list.TPMProperty {
			values[p.Property] = p.Value
			reached = max(reached, p.Property+1)
		}
		if reached == next || !rsp.MoreData {
			break
		}
		next = reached
	}
	return values, nil
}

// Handles lists up to 64 handles in use, from first upwards in its range.
func Handles(t transport.TPM, first tpm2.TPMHandle) ([]tpm2.TPMHandle, error) {
	rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: uint32(first), PropertyCount: 64}.Execute(t)
	if err != nil {
		return nil, fmt.Errorf("tpm: list handles from %#x: %w", uint32(first), err)
	}
	list, err := rsp.CapabilityData.Data.Handles()
	if err != nil {
		return nil, fmt.Errorf("%w: list of handles: %w", ErrResponse, err)
	}
	return list.Handle, nil
}
