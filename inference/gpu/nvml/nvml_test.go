package nvml

import (
	"errors"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	"github.com/google/go-cmp/cmp"

	"github.com/vouchbox/vouch/inference/gpu"
)

// dgx is NVIDIA's own mock of a DGX A100, with the figures that it leaves open.
func dgx(supported nvml.Return) *dgxa100.Server {
	server := dgxa100.New()
	for i, device := range server.Devices {
		d := device.(*dgxa100.Device)
		d.UUID = "GPU-test"
		d.MemoryInfo = nvml.Memory{Total: 40 << 30, Used: 1 << 30, Free: 39 << 30}
		d.GetUtilizationRatesFunc = func() (nvml.Utilization, nvml.Return) {
			return nvml.Utilization{Gpu: uint32(10 * i)}, supported
		}
		d.GetTemperatureFunc = func(nvml.TemperatureSensors) (uint32, nvml.Return) { return 41, supported }
		d.GetPowerUsageFunc = func() (uint32, nvml.Return) { return 56_789, supported }
		d.GetClockInfoFunc = func(nvml.ClockType) (uint32, nvml.Return) { return 1410, supported }
	}
	return server
}

func TestReadGivesUnitsOfTheReport(t *testing.T) {
	r, err := open(dgx(nvml.SUCCESS))
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.GPUs) != 8 || report.Note != "" || report.Driver == "" {
		t.Fatalf("got %+v", report)
	}
	want := gpu.Sample{
		Index: 3, UUID: "GPU-test", Name: "Mock NVIDIA A100-SXM4-40GB",
		LoadPermille: new(int64(300)), TemperatureMilli: new(int64(41_000)), PowerMilliwatt: new(int64(56_789)),
		ClockHz: new(int64(1_410_000_000)), MemoryUsed: new(uint64(1 << 30)), MemoryTotal: new(uint64(40 << 30)),
	}
	if diff := cmp.Diff(want, report.GPUs[3]); diff != "" {
		t.Error(diff)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestUnsupportedFiguresAreAbsentAndNamed(t *testing.T) {
	r, err := open(dgx(nvml.ERROR_NOT_SUPPORTED))
	if err != nil {
		t.Fatal(err)
	}
	report, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s := report.GPUs[0]; s.LoadPermille != nil || s.TemperatureMilli != nil || s.PowerMilliwatt != nil || s.ClockHz != nil {
		t.Errorf("an unsupported figure has a value: %+v", s)
	}
	if want := "NVML does not give: load, temperature, power, clock"; report.Note != want {
		t.Errorf("note %q, want %q", report.Note, want)
	}
}

func TestNoLibraryAndNoDeviceAreSaidPlainly(t *testing.T) {
	server := dgx(nvml.SUCCESS)
	server.InitFunc = func() nvml.Return { return nvml.ERROR_LIBRARY_NOT_FOUND }
	if _, err := open(server); !errors.Is(err, ErrNoLibrary) {
		t.Errorf("got %v, want ErrNoLibrary", err)
	}
	server = dgx(nvml.SUCCESS)
	server.DeviceGetCountFunc = func() (int, nvml.Return) { return 0, nvml.SUCCESS }
	r, err := open(server)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(t.Context()); !errors.Is(err, gpu.ErrNone) {
		t.Errorf("got %v, want ErrNone", err)
	}
}
