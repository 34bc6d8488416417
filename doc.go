// Package vouch is the root of the module. It holds no code: its tests are the rules that hold for
// the whole repository, the import table first of all. docs/ARCHITECTURE.md is the way in.
package vouch
