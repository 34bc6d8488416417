// Package drivers holds no code: it states the rules that every driver below it follows.
//
//   - A driver borrows its bus. It takes the smallest interface that moves the bytes (io.ReadWriter with a read timeout, a GPIO
//     pin, an I²C bus) and never closes it: whoever opened it closes it.
//   - A device you hold has answered. New talks to the part before it returns, so that wrong wiring is found at start, by name.
//   - Every call that waits takes a context and has a deadline of its own. A part that stops answering is an error, never a hang.
//   - The wire codec is a pure file beside the device, fuzzed, and checked with byte vectors that others published.
//   - Errors are a few sentinels that tell what happened and what a person can do. The cause stays wrapped inside.
//   - Lost sync is normal. A driver flushes, finds the next good packet and repeats what is safe to repeat, a bounded number of
//     times; what one command left on the wire never fails the next one.
//   - Units, LSBs and datasheet pages stand beside the constants. What modules of a family do differently is data in a table.
//   - A driver knows parts, not people: it imports no other package of this project. What a picture means is for package sensors.
//   - Real hardware is recorded and replayed (drivertest.Record, drivertest.Playback); what cannot be recorded is simulated by a
//     part that speaks the real protocol. Neither is reachable from a production program.
package drivers
