package wire

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/barrelp2p/barrel/interfaces/proto/discoveryv1"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
	"github.com/barrelp2p/barrel/interfaces/proto/trustv1"
)

// Descriptors is the contracts of discovery and trust, those that people write in other
// languages, as a serialized google.protobuf.FileDescriptorSet, for
// languages that make their messages at run time. The files of Google that they import
// are not in it: every runtime has them.
func Descriptors() ([]byte, error) {
	set := &descriptorpb.FileDescriptorSet{}
	for _, file := range []protoreflect.FileDescriptor{
		pluginv1.File_pluginv1_plugin_proto,
		discoveryv1.File_discoveryv1_discovery_proto, trustv1.File_trustv1_trust_proto,
	} {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(set)
}
