package gpu

import "errors"

// ErrNone: there is no accelerator that can be read here.
var ErrNone = errors.New("no GPU telemetry on this machine")

// Report is one reading of everything.
type Report struct {
	// Sources are those that answered: "nvml", "sysfs".
	Sources []string `json:"sources"`
	// Note says in words what is missing and why.
	Note   string   `json:"note,omitempty"`
	Driver string   `json:"driver,omitempty"`
	GPUs   []Sample `json:"gpus"`
	Zones  []Zone   `json:"zones,omitempty"`
	Rails  []Rail   `json:"rails,omitempty"`
}

// Sample is one reading of one GPU.
type Sample struct {
	Index            int     `json:"index"`
	UUID             string  `json:"uuid,omitempty"`
	Name             string  `json:"name,omitempty"`
	LoadPermille     *int64  `json:"load_permille,omitempty"`
	TemperatureMilli *int64  `json:"temperature_milli_c,omitempty"`
	PowerMilliwatt   *int64  `json:"power_mw,omitempty"`
	ClockHz          *int64  `json:"clock_hz,omitempty"`
	MemoryUsed       *uint64 `json:"memory_used_bytes,omitempty"`
	MemoryTotal      *uint64 `json:"memory_total_bytes,omitempty"`
}

// Zone is one thermal zone of the board.
type Zone struct {
	Name             string `json:"name"`
	TemperatureMilli int64  `json:"temperature_milli_c"`
}

// Rail is one measured power rail of the board.
type Rail struct {
	Name         string `json:"name"`
	Millivolts   int64  `json:"mv"`
	Milliamperes int64  `json:"ma"`
}

// Milliwatts is the power of the rail.
func (r Rail) Milliwatts() int64 { return r.Millivolts * r.Milliamperes / 1000 }

// Merge fills what first does not know from second. GPUs are matched by index: a
// Jetson has one, and only there both sources speak.
func Merge(first, second Report) Report {
	merged := first
	merged.Sources = append(append([]string{}, first.Sources...), second.Sources...)
	merged.GPUs = append([]Sample{}, first.GPUs...)
	for i, s := range second.GPUs {
		if i >= len(merged.GPUs) {
			merged.GPUs = append(merged.GPUs, s)
			continue
		}
		m := &merged.GPUs[i]
		m.LoadPermille = either(m.LoadPermille, s.LoadPermille)
		m.TemperatureMilli = either(m.TemperatureMilli, s.TemperatureMilli)
		m.PowerMilliwatt = either(m.PowerMilliwatt, s.PowerMilliwatt)
		m.ClockHz = either(m.ClockHz, s.ClockHz)
		m.MemoryUsed = either(m.MemoryUsed, s.MemoryUsed)
		m.MemoryTotal = either(m.MemoryTotal, s.MemoryTotal)
		if m.Name == "" {
			m.Name = s.Name
		}
	}
	if len(merged.Zones) == 0 {
		merged.Zones = second.Zones
	}
	if len(merged.Rails) == 0 {
		merged.Rails = second.Rails
	}
	if len(merged.GPUs) > 0 && len(first.GPUs) == 0 {
		merged.Note = second.Note
	} else if merged.Note == "" {
		merged.Note = second.Note
	}
	return merged
}

func either[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}
