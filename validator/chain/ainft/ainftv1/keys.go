package ainftv1

import "encoding/binary"

// StoreKey names the module's store; it is the first part of every proof's key path.
const StoreKey = "ainft"

// Prefixes of the module's records.
const (
	NextIDPrefix byte = iota
	NFTsPrefix
	RulesPrefix
)

// NextIDKey holds the id that the next NFT gets, 8 bytes big-endian. Ids start at 1.
func NextIDKey() []byte { return []byte{NextIDPrefix} }

// NFTKey is the key of an NFT.
func NFTKey(id uint64) []byte { return binary.BigEndian.AppendUint64([]byte{NFTsPrefix}, id) }

// RulesKey is the key of one version of an NFT's Rules.
func RulesKey(id, version uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte{RulesPrefix}, id), version)
}
