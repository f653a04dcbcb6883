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
from concurrent import futures

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf import duration_pb2, timestamp_pb2  # noqa: F401  (the contracts import them)

# The contracts, as a serialized google.protobuf.FileDescriptorSet.
DESCRIPTORS = """
CsIQChVwbHVnaW52MS9wbHVnaW4ucHJvdG8SEGJhcnJlbC5wbHVnaW4udjEi2QEKBUVycm9yEjAKBGtpbmQYASABKA4yHC5iYXJyZWwucGx1Z2
luLnYxLkVycm9yLktpbmRSBGtpbmQSEgoEdGV4dBgCIAEoCVIEdGV4dCKJAQoES2luZBIPCgtVTlNQRUNJRklFRBAAEgkKBU9USEVSEAESCAoE
R09ORRACEg8KC1VOU1VQUE9SVEVEEAMSDQoJQ0FOQ0VMTEVEEAQSCwoHVElNRU9VVBAFEg0KCU5PVF9GT1VORBAUEg0KCVVOVFJVU1RFRBAoEh
AKDEtFWV9NSVNNQVRDSBApIkMKD0Rlc2NyaWJlUmVxdWVzdBISCgRob3N0GAEgASgJUgRob3N0EhwKCWNvbnRyYWN0cxgCIAMoCVIJY29udHJh
Y3RzIqoBChBEZXNjcmliZVJlc3BvbnNlEhIKBGtpbmQYASABKAlSBGtpbmQSEgoEbmFtZRgCIAEoCVIEbmFtZRIYCgd2ZXJzaW9uGAMgASgJUg
d2ZXJzaW9uEhwKCWNvbnRyYWN0cxgEIAMoCVIJY29udHJhY3RzEhwKCWFiaWxpdGllcxgFIAMoCVIJYWJpbGl0aWVzEhgKB3N1bW1hcnkYBiAB
KAlSB3N1bW1hcnkieAoLRW52aXJvbm1lbnQSEgoEbm9kZRgBIAEoCVIEbm9kZRIYCgdjbHVzdGVyGAIgASgJUgdjbHVzdGVyEiAKC2luY2Fybm
F0aW9uGAMgASgEUgtpbmNhcm5hdGlvbhIZCghkYXRhX2RpchgEIAEoCVIHZGF0YURpciJFCgdQcm9ibGVtEhIKBHBhdGgYASABKAlSBHBhdGgS
EgoEdGV4dBgCIAEoCVIEdGV4dBISCgRoaW50GAMgASgJUgRoaW50Ii0KD1ZhbGlkYXRlUmVxdWVzdBIaCghzZXR0aW5ncxgBIAEoDFIIc2V0dG
luZ3MiSQoQVmFsaWRhdGVSZXNwb25zZRI1Cghwcm9ibGVtcxgBIAMoCzIZLmJhcnJlbC5wbHVnaW4udjEuUHJvYmxlbVIIcHJvYmxlbXMiiwEK
EENvbmZpZ3VyZVJlcXVlc3QSPwoLZW52aXJvbm1lbnQYASABKAsyHS5iYXJyZWwucGx1Z2luLnYxLkVudmlyb25tZW50UgtlbnZpcm9ubWVudB
IaCghzZXR0aW5ncxgCIAEoDFIIc2V0dGluZ3MSGgoIY29udHJhY3QYAyABKAlSCGNvbnRyYWN0InkKEUNvbmZpZ3VyZVJlc3BvbnNlEjUKCHBy
b2JsZW1zGAEgAygLMhkuYmFycmVsLnBsdWdpbi52MS5Qcm9ibGVtUghwcm9ibGVtcxItCgVlcnJvchgCIAEoCzIXLmJhcnJlbC5wbHVnaW4udj
EuRXJyb3JSBWVycm9yIg4KDFN0YXJ0UmVxdWVzdCI+Cg1TdGFydFJlc3BvbnNlEi0KBWVycm9yGAEgASgLMhcuYmFycmVsLnBsdWdpbi52MS5F
cnJvclIFZXJyb3IiDQoLU3RvcFJlcXVlc3QiPQoMU3RvcFJlc3BvbnNlEi0KBWVycm9yGAEgASgLMhcuYmFycmVsLnBsdWdpbi52MS5FcnJvcl
IFZXJyb3IiKwoNUmVsb2FkUmVxdWVzdBIaCghzZXR0aW5ncxgBIAEoDFIIc2V0dGluZ3MidgoOUmVsb2FkUmVzcG9uc2USNQoIcHJvYmxlbXMY
ASADKAsyGS5iYXJyZWwucGx1Z2luLnYxLlByb2JsZW1SCHByb2JsZW1zEi0KBWVycm9yGAIgASgLMhcuYmFycmVsLnBsdWdpbi52MS5FcnJvcl
IFZXJyb3IiDwoNSGVhbHRoUmVxdWVzdCI+Cg5IZWFsdGhSZXNwb25zZRIUCgVzdGF0ZRgBIAEoCVIFc3RhdGUSFgoGZGV0YWlsGAIgASgJUgZk
ZXRhaWwyrwQKBlBsdWdpbhJRCghEZXNjcmliZRIhLmJhcnJlbC5wbHVnaW4udjEuRGVzY3JpYmVSZXF1ZXN0GiIuYmFycmVsLnBsdWdpbi52MS
5EZXNjcmliZVJlc3BvbnNlElEKCFZhbGlkYXRlEiEuYmFycmVsLnBsdWdpbi52MS5WYWxpZGF0ZVJlcXVlc3QaIi5iYXJyZWwucGx1Z2luLnYx
LlZhbGlkYXRlUmVzcG9uc2USVAoJQ29uZmlndXJlEiIuYmFycmVsLnBsdWdpbi52MS5Db25maWd1cmVSZXF1ZXN0GiMuYmFycmVsLnBsdWdpbi
52MS5Db25maWd1cmVSZXNwb25zZRJICgVTdGFydBIeLmJhcnJlbC5wbHVnaW4udjEuU3RhcnRSZXF1ZXN0Gh8uYmFycmVsLnBsdWdpbi52MS5T
dGFydFJlc3BvbnNlEkUKBFN0b3ASHS5iYXJyZWwucGx1Z2luLnYxLlN0b3BSZXF1ZXN0Gh4uYmFycmVsLnBsdWdpbi52MS5TdG9wUmVzcG9uc2
USSwoGUmVsb2FkEh8uYmFycmVsLnBsdWdpbi52MS5SZWxvYWRSZXF1ZXN0GiAuYmFycmVsLnBsdWdpbi52MS5SZWxvYWRSZXNwb25zZRJLCgZI
ZWFsdGgSHy5iYXJyZWwucGx1Z2luLnYxLkhlYWx0aFJlcXVlc3QaIC5iYXJyZWwucGx1Z2luLnYxLkhlYWx0aFJlc3BvbnNlQjdaNWdpdGh1Yi
5jb20vYmFycmVscDJwL2JhcnJlbC9pbnRlcmZhY2VzL3Byb3RvL3BsdWdpbnYxYgZwcm90bzMK/AwKG2Rpc2NvdmVyeXYxL2Rpc2NvdmVyeS5w
cm90bxIaYmFycmVsLnBsdWdpbi5kaXNjb3ZlcnkudjEaHmdvb2dsZS9wcm90b2J1Zi9kdXJhdGlvbi5wcm90bxofZ29vZ2xlL3Byb3RvYnVmL3
RpbWVzdGFtcC5wcm90bxoVcGx1Z2ludjEvcGx1Z2luLnByb3RvIiMKDUxvb2t1cFJlcXVlc3QSEgoEbm9kZRgBIAEoCVIEbm9kZSK7AQoOTG9v
a3VwUmVzcG9uc2USLQoFZXJyb3IYASABKAsyFy5iYXJyZWwucGx1Z2luLnYxLkVycm9yUgVlcnJvchIcCgllbmRwb2ludHMYAiADKAlSCWVuZH
BvaW50cxIrCgN0dGwYAyABKAsyGS5nb29nbGUucHJvdG9idWYuRHVyYXRpb25SA3R0bBIvCgVhc19vZhgEIAEoCzIaLmdvb2dsZS5wcm90b2J1
Zi5UaW1lc3RhbXBSBGFzT2YikgEKBlJlY29yZBISCgRub2RlGAEgASgJUgRub2RlEhwKCWVuZHBvaW50cxgCIAMoCVIJZW5kcG9pbnRzEiAKC2
luY2FybmF0aW9uGAMgASgEUgtpbmNhcm5hdGlvbhI0Cgd3cml0dGVuGAQgASgLMhouZ29vZ2xlLnByb3RvYnVmLlRpbWVzdGFtcFIHd3JpdHRl
biJMCg5QdWJsaXNoUmVxdWVzdBI6CgZyZWNvcmQYASABKAsyIi5iYXJyZWwucGx1Z2luLmRpc2NvdmVyeS52MS5SZWNvcmRSBnJlY29yZCJACg
9QdWJsaXNoUmVzcG9uc2USLQoFZXJyb3IYASABKAsyFy5iYXJyZWwucGx1Z2luLnYxLkVycm9yUgVlcnJvciIlCg9XaXRoZHJhd1JlcXVlc3QS
EgoEbm9kZRgBIAEoCVIEbm9kZSJBChBXaXRoZHJhd1Jlc3BvbnNlEi0KBWVycm9yGAEgASgLMhcuYmFycmVsLnBsdWdpbi52MS5FcnJvclIFZX
Jyb3IiDQoLTGlzdFJlcXVlc3QiyAEKDExpc3RSZXNwb25zZRItCgVlcnJvchgBIAEoCzIXLmJhcnJlbC5wbHVnaW4udjEuRXJyb3JSBWVycm9y
EjwKB3JlY29yZHMYAiADKAsyIi5iYXJyZWwucGx1Z2luLmRpc2NvdmVyeS52MS5SZWNvcmRSB3JlY29yZHMSGgoIY29tcGxldGUYAyABKAhSCG
NvbXBsZXRlEi8KBWFzX29mGAQgASgLMhouZ29vZ2xlLnByb3RvYnVmLlRpbWVzdGFtcFIEYXNPZiIOCgxXYXRjaFJlcXVlc3QiUgoNV2F0Y2hS
ZXNwb25zZRItCgVlcnJvchgBIAEoCzIXLmJhcnJlbC5wbHVnaW4udjEuRXJyb3JSBWVycm9yEhIKBG5vZGUYAiABKAlSBG5vZGUy9AMKCURpc2
NvdmVyeRJfCgZMb29rdXASKS5iYXJyZWwucGx1Z2luLmRpc2NvdmVyeS52MS5Mb29rdXBSZXF1ZXN0GiouYmFycmVsLnBsdWdpbi5kaXNjb3Zl
cnkudjEuTG9va3VwUmVzcG9uc2USYgoHUHVibGlzaBIqLmJhcnJlbC5wbHVnaW4uZGlzY292ZXJ5LnYxLlB1Ymxpc2hSZXF1ZXN0GisuYmFycm
VsLnBsdWdpbi5kaXNjb3ZlcnkudjEuUHVibGlzaFJlc3BvbnNlEmUKCFdpdGhkcmF3EisuYmFycmVsLnBsdWdpbi5kaXNjb3ZlcnkudjEuV2l0
aGRyYXdSZXF1ZXN0GiwuYmFycmVsLnBsdWdpbi5kaXNjb3ZlcnkudjEuV2l0aGRyYXdSZXNwb25zZRJbCgRMaXN0EicuYmFycmVsLnBsdWdpbi
5kaXNjb3ZlcnkudjEuTGlzdFJlcXVlc3QaKC5iYXJyZWwucGx1Z2luLmRpc2NvdmVyeS52MS5MaXN0UmVzcG9uc2UwARJeCgVXYXRjaBIoLmJh
cnJlbC5wbHVnaW4uZGlzY292ZXJ5LnYxLldhdGNoUmVxdWVzdBopLmJhcnJlbC5wbHVnaW4uZGlzY292ZXJ5LnYxLldhdGNoUmVzcG9uc2UwAU
I6WjhnaXRodWIuY29tL2JhcnJlbHAycC9iYXJyZWwvaW50ZXJmYWNlcy9wcm90by9kaXNjb3Zlcnl2MWIGcHJvdG8zCu0IChN0cnVzdHYxL3Ry
dXN0LnByb3RvEhZiYXJyZWwucGx1Z2luLnRydXN0LnYxGh9nb29nbGUvcHJvdG9idWYvdGltZXN0YW1wLnByb3RvGhVwbHVnaW52MS9wbHVnaW
4ucHJvdG8ifwoNRGVjaWRlUmVxdWVzdBISCgRub2RlGAEgASgJUgRub2RlEhAKA2tleRgCIAEoDFIDa2V5EhgKB2NsdXN0ZXIYAyABKAlSB2Ns
dXN0ZXISFgoGcmVtb3RlGAQgASgJUgZyZW1vdGUSFgoGZGlhbGVkGAUgASgIUgZkaWFsZWQiWwoORGVjaWRlUmVzcG9uc2USGgoIYWNjZXB0ZW
QYASABKAhSCGFjY2VwdGVkEi0KBWVycm9yGAIgASgLMhcuYmFycmVsLnBsdWdpbi52MS5FcnJvclIFZXJyb3IisgEKDFBpbnNSZXNwb25zZRIO
CgJpZBgBIAEoBFICaWQSOwoGbG9va3VwGAIgASgLMiEuYmFycmVsLnBsdWdpbi50cnVzdC52MS5Mb29rdXBQaW5IAFIGbG9va3VwEkkKDXBpbl
9pZl9hYnNlbnQYAyABKAsyIy5iYXJyZWwucGx1Z2luLnRydXN0LnYxLlBpbklmQWJzZW50SABSC3BpbklmQWJzZW50QgoKCHF1ZXN0aW9uIh8K
CUxvb2t1cFBpbhISCgRub2RlGAEgASgJUgRub2RlIksKC1BpbklmQWJzZW50EhIKBG5vZGUYASABKAlSBG5vZGUSEAoDa2V5GAIgASgMUgNrZX
kSFgoGc291cmNlGAMgASgJUgZzb3VyY2UikQEKC1BpbnNSZXF1ZXN0Eg4KAmlkGAEgASgEUgJpZBItCgVlcnJvchgCIAEoCzIXLmJhcnJlbC5w
bHVnaW4udjEuRXJyb3JSBWVycm9yEhQKBWZvdW5kGAMgASgIUgVmb3VuZBItCgNwaW4YBCABKAsyGy5iYXJyZWwucGx1Z2luLnRydXN0LnYxLl
BpblIDcGluIncKA1BpbhISCgRub2RlGAEgASgJUgRub2RlEhAKA2tleRgCIAEoDFIDa2V5EjIKBnBpbm5lZBgDIAEoCzIaLmdvb2dsZS5wcm90
b2J1Zi5UaW1lc3RhbXBSBnBpbm5lZBIWCgZzb3VyY2UYBCABKAlSBnNvdXJjZTK3AQoFVHJ1c3QSVwoGRGVjaWRlEiUuYmFycmVsLnBsdWdpbi
50cnVzdC52MS5EZWNpZGVSZXF1ZXN0GiYuYmFycmVsLnBsdWdpbi50cnVzdC52MS5EZWNpZGVSZXNwb25zZRJVCgRQaW5zEiMuYmFycmVsLnBs
dWdpbi50cnVzdC52MS5QaW5zUmVxdWVzdBokLmJhcnJlbC5wbHVnaW4udHJ1c3QudjEuUGluc1Jlc3BvbnNlKAEwAUI2WjRnaXRodWIuY29tL2
JhcnJlbHAycC9iYXJyZWwvaW50ZXJmYWNlcy9wcm90by90cnVzdHYxYgZwcm90bzM=
"""

MAX_MESSAGE = 4 << 20
PAGE = 500


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
        """The settings with their defaults, and what is wrong with them."""
        given, wrong, values = json.loads(encoded or b"{}"), [], {}
        known = self.make.settings
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
            wrong.extend(self.make(values, None).validate(values))
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
        return self.guarded(answer, lambda: answer(endpoints=self.plugin.lookup(request.node)))

    def publish(self, request, context):
        answer = self.own("PublishResponse")
        return self.guarded(answer, lambda: self.plugin.publish(request.record) or answer())

    def withdraw(self, request, context):
        answer = self.own("WithdrawResponse")
        return self.guarded(answer, lambda: self.plugin.withdraw(request.node) or answer())

    def list(self, request, context):
        answer, record = self.own("ListResponse"), self.own("Record")
        try:
            nodes = sorted(self.plugin.list().items())
        except Exception as error:  # pylint: disable=broad-except
            yield answer(error=self.failure(error))
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
        return self.guarded(answer, call)

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
    _hold_lifeline()
    plugin = _Server(kind, name, version, make)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), handlers=plugin.handlers(),
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
