package overlay

// Evidence reports whether the end of a link or a dial that failed speaks against the
// life of the peer. What one of both ends did on purpose never does, except to end.
func Evidence(r Reason) bool {
	return r == Lost || r == Silent || r == Stopping || r == Restarted
}
