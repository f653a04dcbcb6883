package plumtree

import "maps"

// leastRoom is what is never worth giving back, in elements.
const leastRoom = 64

// room is for how many elements a map or a slice has grown, which neither gives back by
// itself: a burst would be paid for as long as the node runs.
type room int

func (r *room) grow(n int) { *r = max(*r, room(n)) }

// spare reports whether so much room is empty that n elements should move to a smaller
// place, and takes it that they do. With a quarter left, moving costs less than it cost to
// fill the room.
func (r *room) spare(n int) bool {
	if *r <= leastRoom || n > int(*r)/4 {
		return false
	}
	*r = room(n)
	return true
}

// moved is a map in a place that has its size; maps.Clone would keep the old one.
func moved[K comparable, V any](m map[K]V) map[K]V {
	small := make(map[K]V, len(m))
	maps.Copy(small, m)
	return small
}
