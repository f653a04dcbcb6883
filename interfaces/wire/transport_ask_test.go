package wire

import (
	"context"
	"testing"

	"google.golang.org/grpc"

	"github.com/barrelp2p/barrel/interfaces/proto/transportv1"
)

// mute is a plugin that answers what it is asked, but for its liveness.
type mute struct {
	transportv1.TransportClient

	asked, over chan struct{}
}

func (m mute) Liveness(context.Context, *transportv1.LivenessRequest, ...grpc.CallOption) (*transportv1.LivenessResponse, error) {
	close(m.asked)
	<-m.over
	return &transportv1.LivenessResponse{}, nil
}

func (mute) Addresses(context.Context, *transportv1.AddressesRequest, ...grpc.CallOption) (*transportv1.AddressesResponse, error) {
	return &transportv1.AddressesResponse{Addresses: []string{"10.0.0.1:1"}}, nil
}

// A question that is not answered holds nothing else up.
func TestAnUnansweredQuestionIsWaitedForAlone(t *testing.T) {
	m := mute{asked: make(chan struct{}), over: make(chan struct{})}
	half := &Transport{client: m, running: true}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if got := half.Liveness(); got != UsualLiveness() {
			t.Errorf("liveness %v", got)
		}
	}()
	<-m.asked
	if got := half.Addresses(); len(got) != 1 {
		t.Errorf("addresses %v", got)
	}
	close(m.over)
	<-answered
}
