// Package r503 drives UART fingerprint modules of the Grow R503 and ZFM-20 family (R30x, R503, R55x, AS608, FPM10): it waits for a
// finger and brings its picture to the host. It is used by the composition root of the box, which hands pictures to sensors/finger.
//
// Matching on the module is left out on purpose. The link has no authentication and no encryption: whoever reaches the two wires
// can say "match". The module is a camera here, and its template store is kept empty (see Dev.Empty and Dev.TemplateCount).
//
// # Sources
//
// Grow R503 user manual V1.1 (packet: chapter 5, instructions: chapter 6) and the ZFM-20 user manual. Byte vectors and field layouts
// were compared with adafruit/Adafruit_CircuitPython_Fingerprint, brianrho/FPM, libdriver/as608 and AbdurrahmanElrayes/esp-idf-r503.
//
// # What modules do differently
//
//	module        picture   parameters (0F)   product (3C)   hand shake   notes
//	R503          192x192   yes               yes            40           bare 55 within 50 ms of power-up
//	R307, R305    256x288   yes               no             53           optical
//	AS608         256x288   yes               no             53
//	R308          256x288   no                no             53           answers 0F with an error
//	R551          192x192   yes               no             40           no high-speed search, ids off by one (not used here)
//	R557          160x160   yes               yes            40           accepts AuraLED and lights nothing
//
// Nobody has to name the module: New asks, and what it refuses or leaves unanswered is taken as not there. The size of a picture is
// learnt from its byte count. After sleep or a brown-out a module asks for its password again (code 21); the driver answers by itself.
//
// # Units
//
// Baud rates are bits per second, packet sizes bytes of payload, pictures 8-bit grey (0 dark ridge, 255 light), row by row.
//
// # Errors
//
// Compare with errors.Is: ErrNoFinger, ErrMessy, ErrPassword, ErrTimeout, ErrChecksum, ErrShortImage, ErrUnplugged, ErrUnsupported,
// ErrSensor. Advice turns any of them into a sentence for the person in front of the box. After ErrUnplugged the Dev is dead: close
// the port, open it and call New again. After any other error the Dev stays usable.
package r503
