package vault

import "errors"

var (
	// ErrRollback says that a part of the vault is gone that must be there. The box was tampered with or its disk was
	// damaged: restore the missing record, or reset the box and enrol again.
	ErrRollback = errors.New("vault: a part is missing that was there before")
	// ErrCorrupt says that a record does not open or does not read: it was changed, exchanged or damaged.
	ErrCorrupt = errors.New("vault: a record was changed or damaged")
	// ErrNotEnrolled says that there are no references for that person and modality.
	ErrNotEnrolled = errors.New("vault: not enrolled")
	// ErrTemplates says that templates cannot be enrolled together: none, mixed formats, or too many.
	ErrTemplates = errors.New("vault: templates cannot be stored")
)
