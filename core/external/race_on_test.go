//go:build race

package external

// slack is how much more time things may take: the race detector is slow, and so are
// two cores that many tests share.
const slack = 10
