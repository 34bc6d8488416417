package finger

import "errors"

// ErrSample says that an image cannot be a fingerprint of this sensor: its size or resolution is wrong.
var ErrSample = errors.New("not a usable fingerprint image")
