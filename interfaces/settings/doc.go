// Package settings turns a map that came out of a configuration into a settings
// struct, strictly: an unknown key, a wrong type, a number without its unit are
// problems, each with its key path and the next step, and all are reported at once.
// The same fields, read the other way, describe themselves for samples and schemas.
//
// It does not read files, merge layers or know positions: that is core/config. The
// configuration decodes plugins' sections with it, and a plugin that runs in a
// process of its own decodes with it there, so both say the same.
//
//	type Settings struct {
//		Nodes   map[name.Node][]name.Address `setting:"nodes" help:"where each node is"`
//		Timeout time.Duration                `setting:"timeout" help:"for one question"`
//		Token   string                       `setting:"token" help:"..." secret:"true"`
//	}
//
//	s := Settings{Timeout: 5 * time.Second}     // the defaults
//	problems := settings.Decode(section, &s)    // section is a map[string]any
//
// # What a field may be
//
// A string, a boolean, any integer or float, a time.Duration, anything with
// UnmarshalText, a struct of such fields (a section), a list []T and a map map[K]T
// where K is a string or has UnmarshalText. A field without the tag "setting" is not
// a setting. A settings type must not contain itself.
//
// A string type with a method Choices accepts those words only. A struct that is an
// item of a list or map starts as zero, or as its method Defaults leaves it.
// Validate is called on every struct that has it, after decoding.
//
// # Where nothing is converted
//
// Text is never taken for a number or a boolean, a number never for a duration, a
// scalar never for a list; an absent value (nil) leaves the default. Only a leaf of
// type Text, which is how an environment variable or a flag comes in, is converted,
// by the type of the field it meets.
package settings
