package name

import (
	"fmt"
	"strings"
)

// MaxService is the longest service name, in bytes.
const MaxService = 255

// Service is the name of a service: one or more parts joined by '/', each of ASCII
// letters, digits, '_', '-' and '.', so that "chat_room/general" lives in the
// namespace "chat_room/".
type Service struct{ text string }

// ParseService reads a service name. The error wraps ErrInvalid.
func ParseService(s string) (Service, error) {
	if len(s) > MaxService {
		return Service{}, invalid("service", clip(s), fmt.Sprintf("%d bytes; at most %d", len(s), MaxService))
	}
	for part := range strings.SplitSeq(s, "/") {
		if why := checkLabel(part); why != "" {
			return Service{}, invalid("service", s, "a part "+why)
		}
	}
	return Service{text: s}, nil
}

// MustService is ParseService for names written in source code; it panics on an error.
func MustService(s string) Service {
	v, err := ParseService(s)
	if err != nil {
		panic(err)
	}
	return v
}

// String is the text, or "" for the zero Service.
func (s Service) String() string { return s.text }

// IsZero reports whether s names no service.
func (s Service) IsZero() bool { return s.text == "" }

// Compare orders services by their text.
func (s Service) Compare(other Service) int { return strings.Compare(s.text, other.text) }

// MarshalText makes Service usable in JSON and YAML.
func (s Service) MarshalText() ([]byte, error) { return []byte(s.text), nil }

// UnmarshalText is ParseService; empty text gives the zero Service.
func (s *Service) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*s = Service{}
		return nil
	}
	*s, err = ParseService(string(text))
	return err
}
