// Package config is the box's one configuration file: what it may say, what it says when it is
// silent, and what is wrong with it. The file is JSON, read once at start; nothing is read from the
// environment. vouchd and the demo import it; it imports strict alone.
//
// Every field has a comment below with its unit and default. Durations are texts as
// [time.ParseDuration] reads them: "30s", "2h30m". A file is refused as a whole: for an unknown or repeated
// field, a value of the wrong form, or anything after the object, [Parse] names field and line; for values that
// cannot work, [Config.Validate] names all of them at once.
package config
