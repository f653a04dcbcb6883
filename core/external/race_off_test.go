//go:build !race

package external

// slack is how much more time things may take: none, what is promised is measured.
const slack = 1
