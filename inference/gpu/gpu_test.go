package gpu

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func tree(files map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for name, text := range files {
		fs[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fs
}

// orin is the part of an AGX Orin's sysfs (JetPack 6) that is read.
func orin() map[string]string {
	return map[string]string{
		"class/devfreq/17000000.ga10b/device/of_node/name": "ga10b\x00",
		"class/devfreq/17000000.ga10b/device/load":         "437\n",
		"class/devfreq/17000000.ga10b/cur_freq":            "1300500000\n",
		"class/devfreq/15340000.vic/device/of_node/name":   "vic\x00",
		"class/thermal/thermal_zone0/type":                 "cpu-thermal\n",
		"class/thermal/thermal_zone0/temp":                 "48312\n",
		"class/thermal/thermal_zone1/type":                 "gpu-thermal\n",
		"class/thermal/thermal_zone1/temp":                 "45093\n",
		"class/thermal/thermal_zone2/type":                 "cv0-thermal\n",
		"class/thermal/thermal_zone2/temp":                 "-256000\n",
		"class/hwmon/hwmon3/name":                          "ina3221\n",
		"class/hwmon/hwmon3/in1_label":                     "VDD_GPU_SOC\n",
		"class/hwmon/hwmon3/in1_input":                     "19120\n",
		"class/hwmon/hwmon3/curr1_input":                   "168\n",
		"class/hwmon/hwmon3/in2_label":                     "NC\n",
		"class/hwmon/hwmon3/in2_input":                     "0\n",
		"class/hwmon/hwmon3/curr2_input":                   "0\n",
		"class/hwmon/hwmon4/name":                          "tmp451\n",
		"class/hwmon/hwmon4/in1_label":                     "no rail\n",
	}
}

func TestReadSysfsOfAnOrin(t *testing.T) {
	got, err := ReadSysfs(tree(orin()))
	if err != nil {
		t.Fatal(err)
	}
	want := Report{
		Sources: []string{"sysfs"},
		GPUs: []Sample{{Name: "ga10b", LoadPermille: new(int64(437)), ClockHz: new(int64(1_300_500_000)),
			TemperatureMilli: new(int64(45_093))}},
		Zones: []Zone{{"cpu-thermal", 48_312}, {"gpu-thermal", 45_093}},
		Rails: []Rail{{"VDD_GPU_SOC", 19_120, 168}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if mw := got.Rails[0].Milliwatts(); mw != 3212 {
		t.Errorf("19.120 V at 168 mA is %d mW, want 3212", mw)
	}
}

func TestUnreadableFiguresAreAbsent(t *testing.T) {
	files := orin()
	files["class/devfreq/17000000.ga10b/device/load"] = "not a number"
	delete(files, "class/devfreq/17000000.ga10b/cur_freq")
	delete(files, "class/thermal/thermal_zone1/temp")
	got, err := ReadSysfs(tree(files))
	if err != nil {
		t.Fatal(err)
	}
	if s := got.GPUs[0]; s.LoadPermille != nil || s.ClockHz != nil || s.TemperatureMilli != nil {
		t.Errorf("a figure was made up: %+v", s)
	}
	files["class/devfreq/17000000.ga10b/device/load"] = "1001"
	if got, err = ReadSysfs(tree(files)); err != nil || got.GPUs[0].LoadPermille != nil {
		t.Errorf("a load above 1000 permille was believed: %+v, %v", got, err)
	}
}

func TestAMachineWithoutSensorsSaysSo(t *testing.T) {
	if _, err := ReadSysfs(tree(nil)); !errors.Is(err, ErrNone) {
		t.Errorf("got %v, want ErrNone", err)
	}
	r, err := ReadSysfs(tree(map[string]string{"class/thermal/thermal_zone0/type": "x86", "class/thermal/thermal_zone0/temp": "1"}))
	if err != nil || r.Note == "" || len(r.GPUs) != 0 {
		t.Errorf("got %+v, %v; want a note and no GPU", r, err)
	}
}

func TestMergeFillsOnlyWhatIsMissing(t *testing.T) {
	library := Report{Sources: []string{"nvml"}, Driver: "540.4.0", Note: "NVML does not give: load",
		GPUs: []Sample{{Name: "Orin (nvgpu)", TemperatureMilli: new(int64(1))}}}
	board, err := ReadSysfs(tree(orin()))
	if err != nil {
		t.Fatal(err)
	}
	got := Merge(library, board)
	want := Report{
		Sources: []string{"nvml", "sysfs"}, Driver: "540.4.0", Note: "NVML does not give: load",
		GPUs: []Sample{{Name: "Orin (nvgpu)", TemperatureMilli: new(int64(1)), LoadPermille: new(int64(437)),
			ClockHz: new(int64(1_300_500_000))}},
		Zones: board.Zones, Rails: board.Rails,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if library.GPUs[0].LoadPermille != nil {
		t.Error("merging changed its argument")
	}
	none := Report{Note: "no NVIDIA management library on this machine", GPUs: []Sample{}}
	if got := Merge(none, board); len(got.GPUs) != 1 || got.Note != "" {
		t.Errorf("the board's GPU and no complaint: got %+v", got)
	}
}
