package discoveryfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/barrelp2p/barrel/interfaces/discovery"
	"github.com/barrelp2p/barrel/interfaces/name"
)

const (
	maxFiles = 65536                 // endpoint files that are looked at
	tick     = 50 * time.Millisecond // of a file time with a fraction of a second
	coarse   = 2 * time.Second       // of one without
)

// folder is what was last seen in the directory. Files that have not changed are not
// read again.
type folder struct {
	files map[string]file // by file name; endpoint files only
	whole bool            // nothing was left out
}

type file struct {
	stamp  stamp
	node   name.Node // by the file name; zero: it is no node's name
	record discovery.Record
	err    error // why the file is ignored
	early  bool  // it was read so soon after it was written that it may have changed since, and look the same
}

// stamp is what a directory tells of a file; it is small, since there may be many.
type stamp struct {
	inode   uint64
	size    int64
	written int64 // in nanoseconds since 1970
	mode    fs.FileMode
}

func stampOf(info fs.FileInfo) stamp {
	return stamp{inode: inode(info), size: info.Size(), written: info.ModTime().UnixNano(), mode: info.Mode()}
}

// fresh: a file that was written so recently may change again and look the same, because
// file times are coarse: as a tick of the kernel, or as the seconds of the file system. A file
// that is read then is read again at the next look.
func (s stamp) fresh(now time.Time) bool {
	written := time.Unix(0, s.written)
	if written.Nanosecond() != 0 {
		return now.Sub(written) <= tick
	}
	return now.Sub(written) <= coarse
}

// change is a file that came, went, or says something else than before.
type change struct {
	file     string
	old, now file
}

// look reads the directory again and returns what changed, sorted by file name.
func (f *folder) look(dir string, now time.Time) ([]change, error) {
	entries, whole, err := endpointFiles(dir)
	if err != nil {
		f.whole = false
		return nil, err
	}
	next := make(map[string]file, len(entries))
	for _, entry := range entries {
		info, err := entry.Info()
		if seen, ok := f.lookAt(dir, entry.Name(), info, err, now); ok {
			next[entry.Name()] = seen
		}
	}
	changes := compare(f.files, next)
	f.files, f.whole = next, whole
	return changes, nil
}

// glance looks at some files only, by their names, and returns what changed, sorted. What was
// last seen of the others stands.
func (f *folder) glance(dir string, names map[string]bool, now time.Time) []change {
	old, next := map[string]file{}, map[string]file{}
	for key := range names {
		if before, ok := f.files[key]; ok {
			old[key] = before
		}
		info, err := os.Lstat(filepath.Join(dir, key))
		if seen, ok := f.lookAt(dir, key, info, err, now); ok {
			next[key] = seen
		}
	}
	for key := range names {
		delete(f.files, key)
	}
	maps.Copy(f.files, next)
	return compare(old, next)
}

// lookAt reads one file, of which info or err is known, unless it was read before and is
// unchanged. It reports false for a file that has vanished meanwhile.
func (f *folder) lookAt(dir, key string, info fs.FileInfo, err error, now time.Time) (file, bool) {
	if errors.Is(err, fs.ErrNotExist) {
		return file{}, false
	}
	seen := file{}
	if err == nil {
		seen.stamp = stampOf(info)
		if old, ok := f.files[key]; ok && old.stamp == seen.stamp && !old.early {
			return old, true
		}
		seen.early = seen.stamp.fresh(now)
	}
	if seen.node, seen.err = nodeOf(key); seen.err == nil {
		seen.record, seen.err = readRecord(filepath.Join(dir, key), seen.node)
	}
	return seen, !errors.Is(seen.err, fs.ErrNotExist)
}

func compare(old, next map[string]file) []change {
	var changes []change
	for key, now := range next {
		if before, ok := old[key]; !ok || !before.same(now) {
			changes = append(changes, change{file: key, old: old[key], now: now})
		}
	}
	for key, before := range old {
		if _, ok := next[key]; !ok {
			changes = append(changes, change{file: key, old: before})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.file, b.file) })
	return changes
}

// same reports whether two looks at a file say the same; when it was written does not
// matter.
func (f file) same(other file) bool {
	return errorText(f.err) == errorText(other.err) && f.record.Incarnation == other.record.Incarnation &&
		slices.Equal(f.record.Endpoints, other.record.Endpoints)
}

// records lists the files that can be used, sorted by node, and whether none had to be
// left out.
func (f *folder) records() ([]discovery.Record, bool) {
	records, complete := make([]discovery.Record, 0, len(f.files)), f.whole
	for _, seen := range f.files {
		if seen.err != nil {
			complete = false
			continue
		}
		record := seen.record
		record.Endpoints = slices.Clone(record.Endpoints)
		records = append(records, record)
	}
	slices.SortFunc(records, func(a, b discovery.Record) int { return a.Node.Compare(b.Node) })
	return records, complete
}

// broken says in one line which files are ignored; nil if none is.
func (f *folder) broken() error {
	first, count := "", 0
	for key, seen := range f.files {
		if seen.err == nil {
			continue
		}
		count++
		if first == "" || key < first {
			first = key
		}
	}
	switch {
	case count > 0:
		return fmt.Errorf("%d broken endpoint files ignored, the first is %q", count, first)
	case len(f.files) > 0 && !f.whole:
		return fmt.Errorf("more than %d endpoint files: the others are not listed", maxFiles)
	}
	return nil
}

// endpointFiles lists the endpoint files in dir, and whether these are all.
func endpointFiles(dir string) (found []fs.DirEntry, whole bool, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", dir, reason(err))
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for len(found) <= maxFiles {
		entries, err := d.ReadDir(256)
		for _, entry := range entries {
			if strings.HasSuffix(entry.Name(), suffix) {
				found = append(found, entry)
			}
		}
		if errors.Is(err, io.EOF) {
			return found, true, nil
		}
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", dir, reason(err))
		}
	}
	return found[:maxFiles], false, nil
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
