package wire

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/barrelp2p/barrel/interfaces/proto/discoveryv1"
	"github.com/barrelp2p/barrel/interfaces/proto/membershipv1"
	"github.com/barrelp2p/barrel/interfaces/proto/pluginv1"
	"github.com/barrelp2p/barrel/interfaces/proto/registryv1"
	"github.com/barrelp2p/barrel/interfaces/proto/transportv1"
	"github.com/barrelp2p/barrel/interfaces/proto/trustv1"
)

// Descriptors is the contracts as a serialized google.protobuf.FileDescriptorSet, for
// languages that make their messages at run time. The files of Google that they import
// are not in it: every runtime has them.
func Descriptors() ([]byte, error) {
	set := &descriptorpb.FileDescriptorSet{}
	for _, file := range []protoreflect.FileDescriptor{
		pluginv1.File_pluginv1_plugin_proto, pluginv1.File_pluginv1_host_proto,
		discoveryv1.File_discoveryv1_discovery_proto, trustv1.File_trustv1_trust_proto,
		membershipv1.File_membershipv1_membership_proto, registryv1.File_registryv1_registry_proto,
		transportv1.File_transportv1_transport_proto,
	} {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(set)
}
