// Package line drives single wires: the touch line of a fingerprint module, a button, a tamper switch, an LED. Pins are those of
// periph.io/x/conn/v3/gpio, opened by name from the kernel's GPIO character devices. The composition root of the box uses it.
//
// A level is never trusted at once: Input waits until it has been the same for the debounce time. All waits end with their context.
// Source for the touch line: Grow R503 manual, pin 5 WAKEUP, idle high (3.3 V), low while a finger touches. The chip behind it has its
// own supply (pin 6), so a working touch line says nothing about the rest of the module.
package line
