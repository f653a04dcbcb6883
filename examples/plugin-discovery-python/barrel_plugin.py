"""What is the same in every Barrel plugin: the greeting, the contracts, settings, log and end.

Written by `barrel plugin new`; not to be edited. A plugin is a subclass of Plugin and one call
of serve. Nothing is printed to stdout before the greeting; print() afterwards ends up in the log
of the node, as do the lines of self.log.
"""

import base64
import datetime
import difflib
import json
import os
import signal
import sys
import threading
import traceback
import types
from concurrent import futures

try:
    import grpc
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from google.protobuf import duration_pb2, timestamp_pb2  # noqa: F401  (the contracts import them)
except ImportError as error:  # tests of a plugin itself do without
    MISSING = error
else:
    MISSING = None

# The contracts, as a serialized google.protobuf.FileDescriptorSet.
DESCRIPTORS = """
CrYSChVwbHVnaW52MS9wbHVnaW4ucHJvdG8SEGJhcnJlbC5wbHVnaW4udjEitAMKBUVycm9yEjAKBGtpbmQYASABKA4yHC5iYXJyZWwucGx1Z2
luLnYxLkVycm9yLktpbmRSBGtpbmQSEgoEdGV4dBgCIAEoCVIEdGV4dCLkAgoES2luZBIPCgtVTlNQRUNJRklFRBAAEgkKBU9USEVSEAESCAoE
R09ORRACEg8KC1VOU1VQUE9SVEVEEAMSDQoJQ0FOQ0VMTEVEEAQSCwoHVElNRU9VVBAFEg0KCU5PVF9GT1VORBAUEg0KCVVOVFJVU1RFRBAoEh
AKDEtFWV9NSVNNQVRDSBApEgsKB05PX0xJTksQUBIICgRCVVNZEFESDQoJVE9PX0xBUkdFEFISCAoETEVGVBBTEhUKEVNFUlZJQ0VfTk9UX0ZP
VU5EEGQSDQoJTk9UX09XTkVSEGUSDwoLTk9UX0FMTE9XRUQQZhIICgRGVUxMEGcSEgoOTUVUQV9UT09fTEFSR0UQaBIPCgtVTlJFQUNIQUJMRR
B4EhQKEFRSQU5TUE9SVF9DTE9TRUQQeRIKCgZTSUxFTlQQehIWChJEQVRBR1JBTV9UT09fTEFSR0UQexIJCgVGSVhFRBB8IkMKD0Rlc2NyaWJl
UmVxdWVzdBISCgRob3N0GAEgASgJUgRob3N0EhwKCWNvbnRyYWN0cxgCIAMoCVIJY29udHJhY3RzIqoBChBEZXNjcmliZVJlc3BvbnNlEhIKBG
tpbmQYASABKAlSBGtpbmQSEgoEbmFtZRgCIAEoCVIEbmFtZRIYCgd2ZXJzaW9uGAMgASgJUgd2ZXJzaW9uEhwKCWNvbnRyYWN0cxgEIAMoCVIJ
Y29udHJhY3RzEhwKCWFiaWxpdGllcxgFIAMoCVIJYWJpbGl0aWVzEhgKB3N1bW1hcnkYBiABKAlSB3N1bW1hcnkikAEKC0Vudmlyb25tZW50Eh
IKBG5vZGUYASABKAlSBG5vZGUSGAoHY2x1c3RlchgCIAEoCVIHY2x1c3RlchIgCgtpbmNhcm5hdGlvbhgDIAEoBFILaW5jYXJuYXRpb24SGQoI
ZGF0YV9kaXIYBCABKAlSB2RhdGFEaXISFgoGbGF1bmNoGAUgASgEUgZsYXVuY2giRQoHUHJvYmxlbRISCgRwYXRoGAEgASgJUgRwYXRoEhIKBH
RleHQYAiABKAlSBHRleHQSEgoEaGludBgDIAEoCVIEaGludCItCg9WYWxpZGF0ZVJlcXVlc3QSGgoIc2V0dGluZ3MYASABKAxSCHNldHRpbmdz
IkkKEFZhbGlkYXRlUmVzcG9uc2USNQoIcHJvYmxlbXMYASADKAsyGS5iYXJyZWwucGx1Z2luLnYxLlByb2JsZW1SCHByb2JsZW1zIosBChBDb2
5maWd1cmVSZXF1ZXN0Ej8KC2Vudmlyb25tZW50GAEgASgLMh0uYmFycmVsLnBsdWdpbi52MS5FbnZpcm9ubWVudFILZW52aXJvbm1lbnQSGgoI
c2V0dGluZ3MYAiABKAxSCHNldHRpbmdzEhoKCGNvbnRyYWN0GAMgASgJUghjb250cmFjdCJ5ChFDb25maWd1cmVSZXNwb25zZRI1Cghwcm9ibG
VtcxgBIAMoCzIZLmJhcnJlbC5wbHVnaW4udjEuUHJvYmxlbVIIcHJvYmxlbXMSLQoFZXJyb3IYAiABKAsyFy5iYXJyZWwucGx1Z2luLnYxLkVy
cm9yUgVlcnJvciIOCgxTdGFydFJlcXVlc3QiPgoNU3RhcnRSZXNwb25zZRItCgVlcnJvchgBIAEoCzIXLmJhcnJlbC5wbHVnaW4udjEuRXJyb3
JSBWVycm9yIg0KC1N0b3BSZXF1ZXN0Ij0KDFN0b3BSZXNwb25zZRItCgVlcnJvchgBIAEoCzIXLmJhcnJlbC5wbHVnaW4udjEuRXJyb3JSBWVy
cm9yIisKDVJlbG9hZFJlcXVlc3QSGgoIc2V0dGluZ3MYASABKAxSCHNldHRpbmdzInYKDlJlbG9hZFJlc3BvbnNlEjUKCHByb2JsZW1zGAEgAy
gLMhkuYmFycmVsLnBsdWdpbi52MS5Qcm9ibGVtUghwcm9ibGVtcxItCgVlcnJvchgCIAEoCzIXLmJhcnJlbC5wbHVnaW4udjEuRXJyb3JSBWVy
cm9yIg8KDUhlYWx0aFJlcXVlc3QiPgoOSGVhbHRoUmVzcG9uc2USFAoFc3RhdGUYASABKAlSBXN0YXRlEhYKBmRldGFpbBgCIAEoCVIGZGV0YW
lsMq8ECgZQbHVnaW4SUQoIRGVzY3JpYmUSIS5iYXJyZWwucGx1Z2luLnYxLkRlc2NyaWJlUmVxdWVzdBoiLmJhcnJlbC5wbHVnaW4udjEuRGVz
Y3JpYmVSZXNwb25zZRJRCghWYWxpZGF0ZRIhLmJhcnJlbC5wbHVnaW4udjEuVmFsaWRhdGVSZXF1ZXN0GiIuYmFycmVsLnBsdWdpbi52MS5WYW
xpZGF0ZVJlc3BvbnNlElQKCUNvbmZpZ3VyZRIiLmJhcnJlbC5wbHVnaW4udjEuQ29uZmlndXJlUmVxdWVzdBojLmJhcnJlbC5wbHVnaW4udjEu
Q29uZmlndXJlUmVzcG9uc2USSAoFU3RhcnQSHi5iYXJyZWwucGx1Z2luLnYxLlN0YXJ0UmVxdWVzdBofLmJhcnJlbC5wbHVnaW4udjEuU3Rhcn
RSZXNwb25zZRJFCgRTdG9wEh0uYmFycmVsLnBsdWdpbi52MS5TdG9wUmVxdWVzdBoeLmJhcnJlbC5wbHVnaW4udjEuU3RvcFJlc3BvbnNlEksK
BlJlbG9hZBIfLmJhcnJlbC5wbHVnaW4udjEuUmVsb2FkUmVxdWVzdBogLmJhcnJlbC5wbHVnaW4udjEuUmVsb2FkUmVzcG9uc2USSwoGSGVhbH
RoEh8uYmFycmVsLnBsdWdpbi52MS5IZWFsdGhSZXF1ZXN0GiAuYmFycmVsLnBsdWdpbi52MS5IZWFsdGhSZXNwb25zZUI3WjVnaXRodWIuY29t
L2JhcnJlbHAycC9iYXJyZWwvaW50ZXJmYWNlcy9wcm90by9wbHVnaW52MWIGcHJvdG8zCvwMChtkaXNjb3Zlcnl2MS9kaXNjb3ZlcnkucHJvdG
8SGmJhcnJlbC5wbHVnaW4uZGlzY292ZXJ5LnYxGh5nb29nbGUvcHJvdG9idWYvZHVyYXRpb24ucHJvdG8aH2dvb2dsZS9wcm90b2J1Zi90aW1l
c3RhbXAucHJvdG8aFXBsdWdpbnYxL3BsdWdpbi5wcm90byIjCg1Mb29rdXBSZXF1ZXN0EhIKBG5vZGUYASABKAlSBG5vZGUiuwEKDkxvb2t1cF
Jlc3BvbnNlEi0KBWVycm9yGAEgASgLMhcuYmFycmVsLnBsdWdpbi52MS5FcnJvclIFZXJyb3ISHAoJZW5kcG9pbnRzGAIgAygJUgllbmRwb2lu
dHMSKwoDdHRsGAMgASgLMhkuZ29vZ2xlLnByb3RvYnVmLkR1cmF0aW9uUgN0dGwSLwoFYXNfb2YYBCABKAsyGi5nb29nbGUucHJvdG9idWYuVG
ltZXN0YW1wUgRhc09mIpIBCgZSZWNvcmQSEgoEbm9kZRgBIAEoCVIEbm9kZRIcCgllbmRwb2ludHMYAiADKAlSCWVuZHBvaW50cxIgCgtpbmNh
cm5hdGlvbhgDIAEoBFILaW5jYXJuYXRpb24SNAoHd3JpdHRlbhgEIAEoCzIaLmdvb2dsZS5wcm90b2J1Zi5UaW1lc3RhbXBSB3dyaXR0ZW4iTA
oOUHVibGlzaFJlcXVlc3QSOgoGcmVjb3JkGAEgASgLMiIuYmFycmVsLnBsdWdpbi5kaXNjb3ZlcnkudjEuUmVjb3JkUgZyZWNvcmQiQAoPUHVi
bGlzaFJlc3BvbnNlEi0KBWVycm9yGAEgASgLMhcuYmFycmVsLnBsdWdpbi52MS5FcnJvclIFZXJyb3IiJQoPV2l0aGRyYXdSZXF1ZXN0EhIKBG
5vZGUYASABKAlSBG5vZGUiQQoQV2l0aGRyYXdSZXNwb25zZRItCgVlcnJvchgBIAEoCzIXLmJhcnJlbC5wbHVnaW4udjEuRXJyb3JSBWVycm9y
Ig0KC0xpc3RSZXF1ZXN0IsgBCgxMaXN0UmVzcG9uc2USLQoFZXJyb3IYASABKAsyFy5iYXJyZWwucGx1Z2luLnYxLkVycm9yUgVlcnJvchI8Cg
dyZWNvcmRzGAIgAygLMiIuYmFycmVsLnBsdWdpbi5kaXNjb3ZlcnkudjEuUmVjb3JkUgdyZWNvcmRzEhoKCGNvbXBsZXRlGAMgASgIUghjb21w
bGV0ZRIvCgVhc19vZhgEIAEoCzIaLmdvb2dsZS5wcm90b2J1Zi5UaW1lc3RhbXBSBGFzT2YiDgoMV2F0Y2hSZXF1ZXN0IlIKDVdhdGNoUmVzcG
9uc2USLQoFZXJyb3IYASABKAsyFy5iYXJyZWwucGx1Z2luLnYxLkVycm9yUgVlcnJvchISCgRub2RlGAIgASgJUgRub2RlMvQDCglEaXNjb3Zl
cnkSXwoGTG9va3VwEikuYmFycmVsLnBsdWdpbi5kaXNjb3ZlcnkudjEuTG9va3VwUmVxdWVzdBoqLmJhcnJlbC5wbHVnaW4uZGlzY292ZXJ5Ln
YxLkxvb2t1cFJlc3BvbnNlEmIKB1B1Ymxpc2gSKi5iYXJyZWwucGx1Z2luLmRpc2NvdmVyeS52MS5QdWJsaXNoUmVxdWVzdBorLmJhcnJlbC5w
bHVnaW4uZGlzY292ZXJ5LnYxLlB1Ymxpc2hSZXNwb25zZRJlCghXaXRoZHJhdxIrLmJhcnJlbC5wbHVnaW4uZGlzY292ZXJ5LnYxLldpdGhkcm
F3UmVxdWVzdBosLmJhcnJlbC5wbHVnaW4uZGlzY292ZXJ5LnYxLldpdGhkcmF3UmVzcG9uc2USWwoETGlzdBInLmJhcnJlbC5wbHVnaW4uZGlz
Y292ZXJ5LnYxLkxpc3RSZXF1ZXN0GiguYmFycmVsLnBsdWdpbi5kaXNjb3ZlcnkudjEuTGlzdFJlc3BvbnNlMAESXgoFV2F0Y2gSKC5iYXJyZW
wucGx1Z2luLmRpc2NvdmVyeS52MS5XYXRjaFJlcXVlc3QaKS5iYXJyZWwucGx1Z2luLmRpc2NvdmVyeS52MS5XYXRjaFJlc3BvbnNlMAFCOlo4
Z2l0aHViLmNvbS9iYXJyZWxwMnAvYmFycmVsL2ludGVyZmFjZXMvcHJvdG8vZGlzY292ZXJ5djFiBnByb3RvMwrlCgoTdHJ1c3R2MS90cnVzdC
5wcm90bxIWYmFycmVsLnBsdWdpbi50cnVzdC52MRofZ29vZ2xlL3Byb3RvYnVmL3RpbWVzdGFtcC5wcm90bxoVcGx1Z2ludjEvcGx1Z2luLnBy
b3RvIn8KDURlY2lkZVJlcXVlc3QSEgoEbm9kZRgBIAEoCVIEbm9kZRIQCgNrZXkYAiABKAxSA2tleRIYCgdjbHVzdGVyGAMgASgJUgdjbHVzdG
VyEhYKBnJlbW90ZRgEIAEoCVIGcmVtb3RlEhYKBmRpYWxlZBgFIAEoCFIGZGlhbGVkIlsKDkRlY2lkZVJlc3BvbnNlEhoKCGFjY2VwdGVkGAEg
ASgIUghhY2NlcHRlZBItCgVlcnJvchgCIAEoCzIXLmJhcnJlbC5wbHVnaW4udjEuRXJyb3JSBWVycm9yIkwKClZldFJlcXVlc3QSEgoEbm9kZR
gBIAEoCVIEbm9kZRIQCgNrZXkYAiABKAxSA2tleRIYCgdjbHVzdGVyGAMgASgJUgdjbHVzdGVyIlgKC1ZldFJlc3BvbnNlEhoKCGJlbGlldmVk
GAEgASgIUghiZWxpZXZlZBItCgVlcnJvchgCIAEoCzIXLmJhcnJlbC5wbHVnaW4udjEuRXJyb3JSBWVycm9yIrIBCgxQaW5zUmVzcG9uc2USDg
oCaWQYASABKARSAmlkEjsKBmxvb2t1cBgCIAEoCzIhLmJhcnJlbC5wbHVnaW4udHJ1c3QudjEuTG9va3VwUGluSABSBmxvb2t1cBJJCg1waW5f
aWZfYWJzZW50GAMgASgLMiMuYmFycmVsLnBsdWdpbi50cnVzdC52MS5QaW5JZkFic2VudEgAUgtwaW5JZkFic2VudEIKCghxdWVzdGlvbiIfCg
lMb29rdXBQaW4SEgoEbm9kZRgBIAEoCVIEbm9kZSJLCgtQaW5JZkFic2VudBISCgRub2RlGAEgASgJUgRub2RlEhAKA2tleRgCIAEoDFIDa2V5
EhYKBnNvdXJjZRgDIAEoCVIGc291cmNlIpEBCgtQaW5zUmVxdWVzdBIOCgJpZBgBIAEoBFICaWQSLQoFZXJyb3IYAiABKAsyFy5iYXJyZWwucG
x1Z2luLnYxLkVycm9yUgVlcnJvchIUCgVmb3VuZBgDIAEoCFIFZm91bmQSLQoDcGluGAQgASgLMhsuYmFycmVsLnBsdWdpbi50cnVzdC52MS5Q
aW5SA3BpbiJ3CgNQaW4SEgoEbm9kZRgBIAEoCVIEbm9kZRIQCgNrZXkYAiABKAxSA2tleRIyCgZwaW5uZWQYAyABKAsyGi5nb29nbGUucHJvdG
9idWYuVGltZXN0YW1wUgZwaW5uZWQSFgoGc291cmNlGAQgASgJUgZzb3VyY2UyhwIKBVRydXN0ElcKBkRlY2lkZRIlLmJhcnJlbC5wbHVnaW4u
dHJ1c3QudjEuRGVjaWRlUmVxdWVzdBomLmJhcnJlbC5wbHVnaW4udHJ1c3QudjEuRGVjaWRlUmVzcG9uc2USTgoDVmV0EiIuYmFycmVsLnBsdW
dpbi50cnVzdC52MS5WZXRSZXF1ZXN0GiMuYmFycmVsLnBsdWdpbi50cnVzdC52MS5WZXRSZXNwb25zZRJVCgRQaW5zEiMuYmFycmVsLnBsdWdp
bi50cnVzdC52MS5QaW5zUmVxdWVzdBokLmJhcnJlbC5wbHVnaW4udHJ1c3QudjEuUGluc1Jlc3BvbnNlKAEwAUI2WjRnaXRodWIuY29tL2Jhcn
JlbHAycC9iYXJyZWwvaW50ZXJmYWNlcy9wcm90by90cnVzdHYxYgZwcm90bzM=
"""

MAX_MESSAGE = 4 << 20
PAGE = 500
CALLS = 256  # of the kind at a time, as many as a node makes
SPARE = 32  # threads for everything else, so that a plugin with slow calls can say how it is


class NotFound(Exception):
    """This backend knows that it does not know the node."""


class Untrusted(Exception):
    """Nothing says that the key belongs to the name."""


class KeyMismatch(Exception):
    """Another key is known for the name."""


class Setting:
    """One key of the settings: its type (str, int, float, bool, list or dict), default and help."""

    def __init__(self, kind, default, help_text):
        self.kind, self.default, self.help = kind, default, help_text


class Environment:
    """What the node lends: node, cluster, incarnation, data_dir."""

    def __init__(self, message):
        self.node, self.cluster = message.node, message.cluster
        self.incarnation, self.data_dir = message.incarnation, message.data_dir


class Log:
    """Lines for the log of the node: self.log.info("what happened", key=value)."""

    def _write(self, level, message, fields):
        line = {"@level": level, "@message": message}
        line.update({key: str(value) for key, value in fields.items()})
        sys.stderr.write(json.dumps(line) + "\n")
        sys.stderr.flush()

    def debug(self, message, **fields):
        self._write("debug", message, fields)

    def info(self, message, **fields):
        self._write("info", message, fields)

    def warning(self, message, **fields):
        self._write("warn", message, fields)

    def error(self, message, **fields):
        self._write("error", message, fields)


class Plugin:
    """The base of a plugin. self.values are the settings, self.env what the node lends.

    A discovery plugin has lookup(node) and, if it can, publish(record) with withdraw(node),
    list() and watch(stopped), a generator of nodes. A trust plugin has decide(claim). Methods are
    called from several threads at the same time.
    """

    settings = {}

    def __init__(self, values, env):
        self.values, self.env, self.log = values, env, Log()

    def validate(self, values):
        return ()

    def start(self):
        pass

    def stop(self):
        pass

    def health(self):
        """("ok", "degraded" or "failed", and one line for people)"""
        return "ok", ""


def decoded(make, given):
    """The settings with their defaults, and all that is wrong with them as (path, fact, hint)."""
    wrong, values, known = [], {}, make.settings
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, list(known), 1)
            hint = 'did you mean "%s"?' % near[0] if near else "known here: " + ", ".join(known)
            wrong.append(("", 'unknown key "%s"' % key, hint))
    for key, setting in known.items():
        value = given.get(key)
        if value is None:
            values[key] = setting.default
            continue
        values[key] = value
        exact = isinstance(value, setting.kind) and not (isinstance(value, bool) and setting.kind is not bool)
        if not exact and not (setting.kind is float and type(value) is int):
            wrong.append((key, "wants %s, got %s" % (setting.kind.__name__, type(value).__name__), ""))
    if not wrong:
        wrong.extend(make(values, None).validate(values))
    return values, wrong


def made(make, node="self@10.0.0.1", **given):
    """A plugin with these settings, as a node makes it: for tests. ValueError says what is wrong
    with them."""
    values, wrong = decoded(make, given)
    if wrong:
        raise ValueError("; ".join(("%s: %s" % (path, fact)).lstrip(": ") for path, fact, _ in wrong))
    return make(values, Environment(types.SimpleNamespace(node=node, cluster="barrel", incarnation=1, data_dir="")))


class _Contracts:
    def __init__(self):
        files = descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(DESCRIPTORS))
        self.pool = descriptor_pool.Default()
        for file in files.file:
            self.pool.Add(file) if hasattr(self.pool, "Add") else self.pool.AddSerializedFile(file.SerializeToString())

    def message(self, name):
        descriptor = self.pool.FindMessageTypeByName(name)
        if hasattr(message_factory, "GetMessageClass"):
            return message_factory.GetMessageClass(descriptor)
        return message_factory.MessageFactory(self.pool).GetPrototype(descriptor)


class _Server:
    """Both services of a plugin."""

    def __init__(self, kind, name, version, make):
        self.kind, self.name, self.version, self.make = kind, name, version, make
        self.contracts = _Contracts()
        self.plugin, self.running = None, False
        self.ended = threading.Event()
        self.calls = threading.BoundedSemaphore(CALLS)

    def word(self, name):
        return self.contracts.message("barrel.plugin.v1." + name)

    def own(self, name):
        return self.contracts.message("barrel.plugin.%s.v1.%s" % (self.kind, name))

    # The errors of a call, in the words of the contract.

    def failure(self, error):
        kinds = {NotFound: 20, Untrusted: 40, KeyMismatch: 41, NotImplementedError: 3, TimeoutError: 5}
        number = next((n for kind, n in kinds.items() if isinstance(error, kind)), 1)
        if number == 1:
            Log().warning("a call failed", error=repr(error), stack=traceback.format_exc())
        return self.word("Error")(kind=number, text=str(error))

    def guarded(self, answer, call):
        try:
            self.working()
            return call()
        except Exception as error:  # pylint: disable=broad-except
            return answer(error=self.failure(error))

    def counted(self, answer, call):
        """A call of the kind. One that the node has given up goes on here and counts until it ends."""
        if not self.calls.acquire(blocking=False):
            return answer(error=self.word("Error")(kind=1, text="%d calls are under way already" % CALLS))
        try:
            return self.guarded(answer, call)
        finally:
            self.calls.release()

    def working(self):
        if self.plugin is None:
            raise RuntimeError("not configured yet")

    # barrel.plugin.v1.Plugin

    def describe(self, request, context):
        able = [word for word, method in (("publish", "publish"), ("list", "list"), ("watch", "watch")) if hasattr(self.make, method)]
        return self.word("DescribeResponse")(
            kind=self.kind, name=self.name, version=self.version, contracts=["barrel.plugin.%s.v1" % self.kind],
            abilities=able, summary=(self.make.__doc__ or "a plugin in Python").strip().splitlines()[0])

    def decode(self, encoded):
        values, wrong = decoded(self.make, json.loads(encoded or b"{}"))
        return values, [self.word("Problem")(path=p, text=t, hint=h) for p, t, h in wrong]

    def validate(self, request, context):
        return self.word("ValidateResponse")(problems=self.decode(request.settings)[1])

    def configure(self, request, context):
        values, problems = self.decode(request.settings)
        if problems:
            return self.word("ConfigureResponse")(problems=problems)
        try:
            self.plugin = self.make(values, Environment(request.environment))
        except Exception as error:  # pylint: disable=broad-except
            return self.word("ConfigureResponse")(error=self.failure(error))
        return self.word("ConfigureResponse")()

    def start(self, request, context):
        def call():
            self.plugin.start()
            self.running = True
            return self.word("StartResponse")()
        return self.guarded(self.word("StartResponse"), call)

    def stop(self, request, context):
        def call():
            self.running = False
            self.plugin.stop()
            return self.word("StopResponse")()
        return self.guarded(self.word("StopResponse"), call)

    def health(self, request, context):
        if self.plugin is None:
            return self.word("HealthResponse")(state="new")
        state, detail = self.plugin.health()
        return self.word("HealthResponse")(state=state, detail=detail)

    # barrel.plugin.discovery.v1.Discovery

    def lookup(self, request, context):
        answer = self.own("LookupResponse")
        return self.counted(answer, lambda: answer(endpoints=self.plugin.lookup(request.node)))

    def publish(self, request, context):
        answer = self.own("PublishResponse")
        return self.counted(answer, lambda: self.plugin.publish(request.record) or answer())

    def withdraw(self, request, context):
        answer = self.own("WithdrawResponse")
        return self.counted(answer, lambda: self.plugin.withdraw(request.node) or answer())

    def list(self, request, context):
        answer, record = self.own("ListResponse"), self.own("Record")
        nodes = self.counted(answer, lambda: sorted(self.plugin.list().items()))
        if isinstance(nodes, answer):
            yield nodes
            return
        for at in range(0, len(nodes), PAGE):
            yield answer(records=[record(node=node, endpoints=where) for node, where in nodes[at:at + PAGE]])
        yield answer(complete=True)

    def watch(self, request, context):
        answer, stopped = self.own("WatchResponse"), threading.Event()
        context.add_callback(stopped.set)
        yield answer()
        for node in self.plugin.watch(stopped):
            yield answer(node=node)

    # barrel.plugin.trust.v1.Trust

    def decide(self, request, context):
        answer = self.own("DecideResponse")

        def call():
            if not self.running:
                raise RuntimeError("not running")
            if not request.node or len(request.key) != 32:
                raise Untrusted("a claim without a name or a key")
            self.plugin.decide(request)
            return answer(accepted=True)
        return self.counted(answer, call)

    def handlers(self):
        def unary(request, function):
            return grpc.unary_unary_rpc_method_handler(
                function, request_deserializer=request.FromString, response_serializer=lambda m: m.SerializeToString())

        def stream(request, function):
            return grpc.unary_stream_rpc_method_handler(
                function, request_deserializer=request.FromString, response_serializer=lambda m: m.SerializeToString())

        plugin = {name.capitalize(): unary(self.word(name.capitalize() + "Request"), getattr(self, name))
                  for name in ("describe", "validate", "configure", "start", "stop", "health")}
        own = {}
        for name in {"discovery": ("lookup", "publish", "withdraw"), "trust": ("decide",)}[self.kind]:
            own[name.capitalize()] = unary(self.own(name.capitalize() + "Request"), getattr(self, name))
        for name in {"discovery": ("list", "watch"), "trust": ()}[self.kind]:
            own[name.capitalize()] = stream(self.own(name.capitalize() + "Request"), getattr(self, name))
        # Its messages are empty, so bytes will do.
        controller = {"Shutdown": grpc.unary_unary_rpc_method_handler(self.shutdown)}
        return (
            grpc.method_handlers_generic_handler("barrel.plugin.v1.Plugin", plugin),
            grpc.method_handlers_generic_handler("barrel.plugin.%s.v1.%s" % (self.kind, self.kind.capitalize()), own),
            grpc.method_handlers_generic_handler("plugin.GRPCController", controller),
        )

    def shutdown(self, request, context):
        self.ended.set()
        return b""


def _certificate():
    """A certificate for this process alone, as the host makes one for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.utcnow()
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256()))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem, certificate


def _hold_lifeline():
    """End with the host, however it ends: the pipe is closed then."""
    number = os.environ.get("BARREL_PLUGIN_LIFELINE")
    if not number:
        return

    def wait():
        while os.read(int(number), 1):
            pass
        os.killpg(0, signal.SIGKILL)
    threading.Thread(target=wait, daemon=True).start()


def serve(kind, name, version, make):
    """Serve the plugins that make makes until the host ends it."""
    if os.environ.get("BARREL_PLUGIN") != "barrel.plugin.v1":
        sys.stderr.write(
            "This is a plugin for Barrel: %s/%s. A node starts it when its configuration says so;\n"
            "`barrel plugin test FILE --kind %s` tells whether it keeps its promises.\n" % (kind, name, kind))
        sys.exit(1)
    if "1" not in os.environ.get("PLUGIN_PROTOCOL_VERSIONS", "1").split(","):
        sys.stderr.write("this plugin speaks version 1 of the greeting, and the host another one\n")
        sys.exit(1)
    if MISSING:
        sys.stderr.write("%s: apt-get install python3-grpcio python3-protobuf python3-cryptography\n" % MISSING)
        sys.exit(1)
    _hold_lifeline()
    plugin = _Server(kind, name, version, make)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=CALLS + SPARE), handlers=plugin.handlers(),
                         options=[("grpc.max_receive_message_length", MAX_MESSAGE)])
    key, certificate = _certificate()
    credentials = grpc.ssl_server_credentials(
        [(key, certificate.public_bytes(serialization.Encoding.PEM))],
        root_certificates=os.environ["PLUGIN_CLIENT_CERT"].encode(), require_client_auth=True)
    path = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], "plugin%d" % os.getpid())
    server.add_secure_port("unix:" + path, credentials)
    server.start()
    der = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode().rstrip("=")
    out = sys.stdout
    out.write("1|1|unix|%s|grpc|%s\n" % (path, der))
    out.flush()
    sys.stdout = sys.stderr
    plugin.ended.wait()
    server.stop(0.2).wait()
