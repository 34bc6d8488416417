package appliance

import "context"

// store keeps records through power cuts. *state.Store satisfies it.
type store interface {
	// Get returns nil when there is no such record; a damaged one is an error, never absent.
	Get(ctx context.Context, key string) ([]byte, error)
	// Update replaces the record by what fn returns, or deletes it when fn returns nil, and is on
	// disk when it returns.
	Update(ctx context.Context, key string, fn func(cur []byte) (next []byte, err error)) error
	Keys(ctx context.Context, prefix string) ([]string, error)
}
