// Package wav reads the one form of voice clip that the voice network takes: RIFF
// WAVE, PCM, 16 bit, mono (Multimedia Programming Interface and Data Specifications
// 1.0, IBM and Microsoft 1991, "Waveform Audio File Format"). Anything else is
// refused with words that say what to convert, never resampled or mixed in silence:
// the bytes that people approved are the bytes that run.
//
// Pure: no I/O. Samples are signed 16 bit, full scale 32768; rates are Hz. The
// voice pipeline imports it. Errors are ErrNotWAV, ErrFormat, ErrRate, ErrTruncated,
// ErrTooLong, ErrEmpty.
package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNotWAV: the bytes are not a RIFF WAVE file.
	ErrNotWAV = errors.New("not a WAV file")

	// ErrFormat: a WAV file that is not PCM, 16 bit, mono.
	ErrFormat = errors.New("WAV is not 16-bit mono PCM")

	// ErrRate: the sampling rate is not the one that the network was trained for.
	ErrRate = errors.New("WAV has the wrong sampling rate")

	// ErrTruncated: a chunk claims more bytes than the file has.
	ErrTruncated = errors.New("WAV is cut short")

	// ErrTooLong: the clip lasts longer than is allowed.
	ErrTooLong = errors.New("WAV clip is too long")

	// ErrEmpty: there is no sample in it.
	ErrEmpty = errors.New("WAV holds no samples")
)

const (
	formatPCM      = 1
	formatSize     = 16 // the part of "fmt " that PCM defines
	bytesPerSample = 2
)

// Parse returns the samples of a clip at exactly rate Hz that lasts at most longest.
func Parse(b []byte, rate int, longest time.Duration) ([]int16, error) {
	if len(b) < 12 || string(b[0:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return nil, fmt.Errorf("%w: it does not begin with RIFF....WAVE", ErrNotWAV)
	}
	rest, formatSeen := b[12:], false
	for len(rest) >= 8 {
		id, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:8]))
		rest = rest[8:]
		if size > int64(len(rest)) {
			return nil, fmt.Errorf("%w: chunk %q claims %d bytes, %d are left; write it to a file, not through a pipe",
				ErrTruncated, id, size, len(rest))
		}
		chunk := rest[:size]
		switch id {
		case "fmt ":
			if err := checkFormat(chunk, rate); err != nil {
				return nil, err
			}
			formatSeen = true
		case "data":
			if !formatSeen {
				return nil, fmt.Errorf("%w: data before the format", ErrNotWAV)
			}
			return decode(chunk, rate, longest)
		}
		rest = rest[min(size+size%2, int64(len(rest))):] // chunks are padded to even length
	}
	return nil, fmt.Errorf("%w: no data chunk", ErrNotWAV)
}

func checkFormat(chunk []byte, rate int) error {
	if len(chunk) < formatSize {
		return fmt.Errorf("%w: format chunk of %d bytes", ErrNotWAV, len(chunk))
	}
	le := binary.LittleEndian
	format, channels, bits := le.Uint16(chunk[0:]), le.Uint16(chunk[2:]), le.Uint16(chunk[14:])
	if format != formatPCM || channels != 1 || bits != 8*bytesPerSample {
		return fmt.Errorf("%w: format %#x, %d channels, %d bits; convert to 16-bit mono PCM", ErrFormat, format, channels, bits)
	}
	if got := le.Uint32(chunk[4:]); int64(got) != int64(rate) {
		return fmt.Errorf("%w: %d Hz; resample to %d kHz", ErrRate, got, rate/1000)
	}
	return nil
}

func decode(data []byte, rate int, longest time.Duration) ([]int16, error) {
	n := len(data) / bytesPerSample
	switch {
	case len(data)%bytesPerSample != 0:
		return nil, fmt.Errorf("%w: half a sample at the end", ErrTruncated)
	case n == 0:
		return nil, ErrEmpty
	case n > int(longest.Seconds()*float64(rate)):
		return nil, fmt.Errorf("%w: %v, at most %v", ErrTooLong, time.Duration(n)*time.Second/time.Duration(rate), longest)
	}
	samples := make([]int16, n)
	for i := range samples {
		samples[i] = int16(binary.LittleEndian.Uint16(data[bytesPerSample*i:]))
	}
	return samples, nil
}

// Encode makes a clip that Parse reads back.
func Encode(samples []int16, rate int) []byte {
	le := binary.LittleEndian
	size := bytesPerSample * len(samples)
	b := append(make([]byte, 0, 44+size), "RIFF"...)
	b = le.AppendUint32(b, uint32(36+size))
	b = append(b, "WAVEfmt "...)
	b = le.AppendUint32(b, formatSize)
	b = le.AppendUint16(b, formatPCM)
	b = le.AppendUint16(b, 1)
	b = le.AppendUint32(b, uint32(rate))
	b = le.AppendUint32(b, uint32(rate*bytesPerSample))
	b = le.AppendUint16(b, bytesPerSample)
	b = le.AppendUint16(b, 8*bytesPerSample)
	b = append(b, "data"...)
	b = le.AppendUint32(b, uint32(size))
	for _, s := range samples {
		b = le.AppendUint16(b, uint16(s))
	}
	return b
}
