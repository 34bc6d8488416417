// Package nvml reads NVIDIA GPUs through the management library of the driver,
// libnvidia-ml.so.1 (NVML API reference, docs.nvidia.com/deploy/nvml-api). It needs
// cgo and opens device files, so only the worker's program links it; the daemon sees
// gpu.Report.
//
// Errors: ErrNoLibrary, gpu.ErrNone, or the library's own words.
package nvml

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/vouchbox/vouch/inference/gpu"
)

// ErrNoLibrary: the NVIDIA driver's library is not installed.
var ErrNoLibrary = errors.New("no NVIDIA management library on this machine")

// Reader reads the GPUs of this machine.
type Reader struct {
	lib nvml.Interface
}

// Open loads and starts the library. Errors: ErrNoLibrary.
func Open() (*Reader, error) { return open(nvml.New()) }

func open(lib nvml.Interface) (*Reader, error) {
	switch ret := lib.Init(); ret {
	case nvml.SUCCESS:
		return &Reader{lib: lib}, nil
	case nvml.ERROR_LIBRARY_NOT_FOUND:
		return nil, ErrNoLibrary
	default:
		return nil, fmt.Errorf("start NVIDIA management library: %v", ret)
	}
}

// Close stops the library.
func (r *Reader) Close() error {
	if ret := r.lib.Shutdown(); ret != nvml.SUCCESS {
		return fmt.Errorf("stop NVIDIA management library: %v", ret)
	}
	return nil
}

// Read reads all GPUs. NVML calls cannot be interrupted; ctx is looked at between
// devices. Errors: gpu.ErrNone, ctx's, or the library's.
func (r *Reader) Read(ctx context.Context) (gpu.Report, error) {
	count, ret := r.lib.DeviceGetCount()
	if ret != nvml.SUCCESS {
		return gpu.Report{}, fmt.Errorf("count GPUs: %v", ret)
	}
	if count == 0 {
		return gpu.Report{}, fmt.Errorf("%w: the driver is loaded but finds no GPU", gpu.ErrNone)
	}
	report := gpu.Report{Sources: []string{"nvml"}, GPUs: make([]gpu.Sample, 0, count)}
	if v, ret := r.lib.SystemGetDriverVersion(); ret == nvml.SUCCESS {
		report.Driver = v
	}
	missing := map[string]bool{}
	for i := range count {
		if err := ctx.Err(); err != nil {
			return gpu.Report{}, err
		}
		d, ret := r.lib.DeviceGetHandleByIndex(i)
		if ret != nvml.SUCCESS {
			return gpu.Report{}, fmt.Errorf("open GPU %d: %v", i, ret)
		}
		report.GPUs = append(report.GPUs, sample(i, d, missing))
	}
	if len(missing) > 0 {
		report.Note = "NVML does not give: " + strings.Join(ordered(missing), ", ")
	}
	return report, nil
}

// figures in the order in which they are read and named as missing.
const (
	figureLoad        = "load"
	figureTemperature = "temperature"
	figurePower       = "power"
	figureClock       = "clock"
	figureMemory      = "memory"
)

func ordered(missing map[string]bool) []string {
	var names []string
	for _, f := range []string{figureLoad, figureTemperature, figurePower, figureClock, figureMemory} {
		if missing[f] {
			names = append(names, f)
		}
	}
	return names
}

func sample(index int, d nvml.Device, missing map[string]bool) gpu.Sample {
	s := gpu.Sample{Index: index}
	if v, ret := d.GetUUID(); ret == nvml.SUCCESS {
		s.UUID = v
	}
	if v, ret := d.GetName(); ret == nvml.SUCCESS {
		s.Name = v
	}
	if v, ret := d.GetUtilizationRates(); ret == nvml.SUCCESS {
		s.LoadPermille = new(int64(v.Gpu) * 10) // NVML gives percent
	} else {
		missing[figureLoad] = true
	}
	if v, ret := d.GetTemperature(nvml.TEMPERATURE_GPU); ret == nvml.SUCCESS {
		s.TemperatureMilli = new(int64(v) * 1000) // degrees
	} else {
		missing[figureTemperature] = true
	}
	if v, ret := d.GetPowerUsage(); ret == nvml.SUCCESS {
		s.PowerMilliwatt = new(int64(v))
	} else {
		missing[figurePower] = true
	}
	if v, ret := d.GetClockInfo(nvml.CLOCK_SM); ret == nvml.SUCCESS {
		s.ClockHz = new(int64(v) * 1_000_000) // MHz
	} else {
		missing[figureClock] = true
	}
	if v, ret := d.GetMemoryInfo(); ret == nvml.SUCCESS {
		s.MemoryUsed, s.MemoryTotal = new(v.Used), new(v.Total)
	} else {
		missing[figureMemory] = true
	}
	return s
}
