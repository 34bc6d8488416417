// Package gpu is what the box says about its accelerator: plain types, and a reader
// of the figures that Jetson kernels give in sysfs. NVML, which needs cgo, is in
// package nvml and runs in the worker process only.
//
// Units: thousandths of degrees Celsius, milliwatts, millivolts, milliamperes,
// hertz, bytes, and load in permille. A figure that the machine does not give is nil
// and absent from JSON, never zero: NVML on Jetson Orin answers "not supported" to
// most questions, and zero watts would be a lie.
//
// The sandbox, the worker and the panel's health page import it. Errors: ErrNone.
package gpu
