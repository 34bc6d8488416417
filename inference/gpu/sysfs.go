package gpu

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// jetsonNode matches the device tree names of Tegra GPUs: gp10b (TX2), gv11b
// (Xavier), ga10b (Orin), gb10b (Thor), and plain "gpu" of newer device trees.
var jetsonNode = regexp.MustCompile(`^(gp10b|gv11b|ga10b|gb10b|gpu)$`)

// sensorOff is what a Tegra thermal zone reads, in thousandths of a degree, while
// its sensor has no power.
const sensorOff = -256_000

// ReadSysfs reads GPU load and clock, temperatures and power rails from a sysfs
// tree ("/sys" on a machine). The nodes: class/devfreq/*/device/{of_node/name,load}
// and cur_freq; class/thermal/thermal_zone*/{type,temp}; class/hwmon/hwmon*/ of an
// INA3221 with in*_label, in*_input and curr*_input. A node that is missing or does
// not parse is an absent figure. Errors: ErrNone if the tree has none of them.
func ReadSysfs(sys fs.FS) (Report, error) {
	r := Report{Sources: []string{"sysfs"}, GPUs: []Sample{}}
	for _, dir := range glob(sys, "class/devfreq/*") {
		node, ok := text(sys, path.Join(dir, "device/of_node/name"))
		if !ok || !jetsonNode.MatchString(node) {
			continue
		}
		s := Sample{Index: len(r.GPUs), Name: node}
		if load, ok := number(sys, path.Join(dir, "device/load")); ok && load >= 0 && load <= 1000 {
			s.LoadPermille = &load
		}
		if hz, ok := number(sys, path.Join(dir, "cur_freq")); ok && hz >= 0 {
			s.ClockHz = &hz
		}
		r.GPUs = append(r.GPUs, s)
	}
	r.Zones = zones(sys)
	r.Rails = rails(sys)
	if len(r.GPUs) == 0 {
		if len(r.Zones) == 0 && len(r.Rails) == 0 {
			return Report{}, fmt.Errorf("%w: sysfs has no GPU, thermal zone or power rail", ErrNone)
		}
		r.Note = "no Tegra GPU in sysfs"
	}
	for i := range r.GPUs {
		for _, z := range r.Zones {
			if strings.HasPrefix(strings.ToLower(z.Name), "gpu") {
				r.GPUs[i].TemperatureMilli = &z.TemperatureMilli
			}
		}
	}
	return r, nil
}

func zones(sys fs.FS) []Zone {
	var found []Zone
	for _, dir := range glob(sys, "class/thermal/thermal_zone*") {
		name, ok := text(sys, path.Join(dir, "type"))
		if !ok {
			continue
		}
		milli, ok := number(sys, path.Join(dir, "temp"))
		if !ok || milli <= sensorOff {
			continue
		}
		found = append(found, Zone{Name: name, TemperatureMilli: milli})
	}
	return found
}

func rails(sys fs.FS) []Rail {
	var found []Rail
	for _, dir := range glob(sys, "class/hwmon/hwmon*") {
		if chip, ok := text(sys, path.Join(dir, "name")); !ok || chip != "ina3221" {
			continue
		}
		for channel := 1; channel <= 3; channel++ { // the chip has three; in4..in7 are shunt voltages
			label, ok := text(sys, path.Join(dir, fmt.Sprintf("in%d_label", channel)))
			if !ok || label == "NC" {
				continue
			}
			mv, okV := number(sys, path.Join(dir, fmt.Sprintf("in%d_input", channel)))
			ma, okA := number(sys, path.Join(dir, fmt.Sprintf("curr%d_input", channel)))
			if okV && okA {
				found = append(found, Rail{Name: label, Millivolts: mv, Milliamperes: ma})
			}
		}
	}
	return found
}

func glob(sys fs.FS, pattern string) []string {
	// The only error is a bad pattern, and the patterns are constants.
	names, _ := fs.Glob(sys, pattern)
	return names
}

// text reads a small attribute. sysfs attributes are at most a page.
func text(sys fs.FS, name string) (string, bool) {
	f, err := sys.Open(name)
	if err != nil {
		return "", false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", false
	}
	s := strings.Trim(string(b), "\x00\n ") // device tree strings end with NUL
	return s, s != ""
}

func number(sys fs.FS, name string) (int64, bool) {
	s, ok := text(sys, name)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
