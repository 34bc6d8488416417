package node

import "errors"

var (
	// ErrHome means that a directory is not a node's home, or one that may not be overwritten.
	ErrHome = errors.New("unusable home")
	// ErrAddress means that the JSON-RPC address is not on a loopback interface.
	ErrAddress = errors.New("unusable RPC address")
	// ErrHalted means that consensus ended by itself and the node makes no blocks any more.
	ErrHalted = errors.New("consensus halted")
)
