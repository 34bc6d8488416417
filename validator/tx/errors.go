package tx

import "errors"

var (
	// ErrAddress means that a text is no address of this chain.
	ErrAddress = errors.New("not an address of the form human1…")
	// ErrKeyFile means that a key file cannot be used; the text says why. Nothing was signed.
	ErrKeyFile = errors.New("the key file cannot be used")
	// ErrSignature means that a signature does not fit its key and document.
	ErrSignature = errors.New("the signature is not valid")
	// ErrMalformed means that bytes are no transaction in the one form that this package writes.
	ErrMalformed = errors.New("malformed transaction")
	// ErrOptions means that a transaction cannot be built as asked.
	ErrOptions = errors.New("invalid transaction options")
	// ErrNoAccount means that the address is proven to have no account. Send it a coin first; a
	// vote key gets its account when it is registered.
	ErrNoAccount = errors.New("the chain has no account with this address")
	// ErrTimedOut means that the chain passed the transaction's timeout and did not take it: it
	// never will. Build a new one.
	ErrTimedOut = errors.New("the transaction's timeout has passed and no block carries it")
)
