// Package drivertest stands in for hardware in tests and in the demo: R503 is a fingerprint module that speaks the real protocol on a
// pseudo terminal and fails in every way asked for; Record and Playback keep what a real module said as a text file.
//
// No production package imports it. Units, pictures and codes are those of package r503. The protocol is that of the Grow R503 user
// manual V1.1; the frames that the module sends are checked against vectors published by others (see vectors_test.go).
package drivertest
