package config

import "errors"

var (
	// ErrSyntax means that a file is not the JSON of a Config. The text names the line and the field.
	ErrSyntax = errors.New("invalid configuration")
	// ErrValue means that a field has a value that cannot work. The text names the field and what to do.
	ErrValue = errors.New("unusable configuration")
)
