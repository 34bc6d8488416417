// Package finger reads fingerprints: images to minutiae ([Extract]), touches to templates and decisions ([Reader]).
//
// The extractor levels the image, finds the finger, the ridge orientation and the ridge period, filters each pixel along its
// ridge (Hong, Wan, Jain: "Fingerprint image enhancement", PAMI 1998), thins the ridges and reads the minutiae off the
// skeleton. It takes 480 to 520 dpi and 4 or 8 bit grey. sensors/finger/match compares; sensors/finger/minutiae is the
// stored form. A Reader needs a [Scanner], which *r503.Dev is; appliance wires the two.
//
// Matching happens here and not in the sensor: the wire to the sensor is not authenticated, so the sensor's own verdict
// proves nothing.
package finger
