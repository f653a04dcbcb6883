package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// maxFile is the largest configuration file we read, in bytes.
const maxFile = 1 << 20

// maxDepth is how deep sections and lists may be nested.
const maxDepth = 64

// readFile makes a layer of a file. No name is no file.
func readFile(name string) *layer {
	l := newLayer(Origin{Layer: LayerFile, Name: name})
	if name == "" {
		return l
	}
	text, err := readBounded(name)
	if err != nil {
		text, hint := fileTrouble(err)
		l.add(l.origin, "", text, hint)
		return l
	}
	l.parse(text)
	return l
}

// readBounded reads one byte more than it may, to see that there is more.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.New("is a directory")
	}
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

func fileTrouble(err error) (text, hint string) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such file", "`barrel config defaults` prints one to start from; without a file the defaults apply"
	case errors.Is(err, fs.ErrPermission):
		return "no permission to read it", "see its mode and owner"
	}
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return "cannot be read: " + pathErr.Err.Error(), ""
	}
	return err.Error(), "name a file"
}

// parse reads the text by the extension of the file's name.
func (l *layer) parse(text []byte) {
	if len(text) > maxFile {
		l.add(l.origin, "", fmt.Sprintf("larger than %d bytes", maxFile), "this is no configuration")
		return
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if at := invalidUTF8(text); at >= 0 {
		l.add(l.at(newLines(text).position(at)), "", "not UTF-8 text", "save it as UTF-8")
		return
	}
	switch extension(l.origin.Name) {
	case ".json":
		l.parseJSON(text)
	case ".toml":
		l.parseTOML(text)
	default:
		l.parseYAML(text)
	}
}

func extension(file string) string { return strings.ToLower(filepath.Ext(file)) }

// isYAML is true for all that is not one of the other formats.
func isYAML(file string) bool { return extension(file) != ".json" && extension(file) != ".toml" }

// suspectExtension adds to the problems of a file that made no sense that it may not
// be the YAML for which its extension made us take it.
func (l *layer) suspectExtension() {
	ext := extension(l.origin.Name)
	if ext == ".yaml" || ext == ".yml" || ext == "" || len(l.values) > 0 {
		return
	}
	for i := range l.problems {
		hint := fmt.Sprintf("a file %s is read as YAML; JSON and TOML need the extension .json or .toml", ext)
		if old := l.problems[i].Hint; old != "" {
			hint = old + "; " + hint
		}
		l.problems[i].Hint = hint
	}
}

func invalidUTF8(text []byte) int {
	if utf8.Valid(text) {
		return -1
	}
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// notSections is the problem of a document that is no map at the top.
func (l *layer) notSections(o Origin) {
	l.add(o, "", "the file has no sections", "start with a section, as node: {name: a@10.0.0.1}")
}

// shallow refuses what is nested too deep to be a configuration.
func (l *layer) shallow(v any) bool {
	if fits(v, maxDepth) {
		return true
	}
	l.add(l.origin, "", tooDeep(), "")
	return false
}

func tooDeep() string { return fmt.Sprintf("nested deeper than %d levels", maxDepth) }

func fits(v any, levels int) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, below := range v {
			if levels == 0 || !fits(below, levels-1) {
				return false
			}
		}
	case []any:
		for _, below := range v {
			if levels == 0 || !fits(below, levels-1) {
				return false
			}
		}
	}
	return true
}
