// Package witness holds the key that lets a reader, and nobody outside the sensors folder, make a Decision.
//
// Go keeps packages below an internal folder from being imported elsewhere, so possession of a taken [Key] shows that the
// caller is a reader. Only packages under sensors/ import it.
package witness

// Key authorises the making of a decision. The zero Key authorises nothing: type inference can conjure a zero value
// of a type that cannot be named, so being able to pass a Key must not be enough.
type Key struct{ taken bool }

// Take returns a Key that authorises.
func Take() Key { return Key{taken: true} }

// Valid reports whether the Key came from Take.
func (k Key) Valid() bool { return k.taken }
