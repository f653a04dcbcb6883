//go:build !race

package external

// slack is how much more time things may take.
const slack = 3
