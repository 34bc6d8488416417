package requestv1

import "encoding/binary"

// StoreKey names the module's store; it is the first part of every proof's key path.
const StoreKey = "request"

// Prefixes of the module's records.
const (
	NextIDPrefix byte = iota
	RequestsPrefix
	PayloadsPrefix
	VotesPrefix
	ReceiptsPrefix
	DeadlinesPrefix
	AnchorsPrefix
)

// NextIDKey holds the id that the next request gets, 8 bytes big-endian. Ids start at 1.
func NextIDKey() []byte { return []byte{NextIDPrefix} }

// RequestKey is the key of a Request.
func RequestKey(id uint64) []byte { return key(RequestsPrefix, id) }

// PayloadKey is the key of the bytes of an inline payload.
func PayloadKey(id uint64) []byte { return key(PayloadsPrefix, id) }

// VoteKey is the key of one human's Vote on a request.
func VoteKey(id uint64, human []byte) []byte { return append(key(VotesPrefix, id), human...) }

// ReceiptKey is the key of a request's Receipt.
func ReceiptKey(id uint64) []byte { return key(ReceiptsPrefix, id) }

func key(prefix byte, id uint64) []byte { return binary.BigEndian.AppendUint64([]byte{prefix}, id) }
