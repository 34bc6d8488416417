package humanv1

// StoreKey names the module's store; it is the first part of every proof's key path.
const StoreKey = "human"

// Prefixes of the module's records.
const (
	ParamsPrefix byte = iota
	HumansPrefix
	// OwnersPrefix indexes humans by owner. Nothing is proved from it.
	OwnersPrefix
)

// HumanKey is the key of the Human with this account address.
func HumanKey(address []byte) []byte { return append([]byte{HumansPrefix}, address...) }
