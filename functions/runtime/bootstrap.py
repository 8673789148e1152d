"""The Python runtime client: imports a handler and serves invocations until the process ends.

It speaks the Lambda Runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html)
and answers as AWS's own client does: the same error types, the same shapes, the same log format.
Standard library only; runs on Python 3.8 and newer.
"""

from __future__ import annotations

import decimal
import importlib
import io
import json
import logging
import math
import os
import re
import socket
import sys
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:  # Python 3.8 cannot evaluate these
    Handler = Callable[[Any, "LambdaContext"], Any]
    ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

FRAME_TYPE = b"\xa5\x5a\x00\x03"  # a log frame: type, length, microseconds, message
NO_BREAK_SPACE = "\u00a0"
# From python3.12 on AWS's client leaves text as it is; older ones escape what is not ASCII.
ESCAPING_RUNTIMES = tuple("AWS_Lambda_python3.%d" % minor for minor in range(6, 12))
DECIMAL_MARK = "\ue000fogbank-decimal:"


class RuntimeFault(Exception):
    """An error that AWS's runtime names itself: `Runtime.` and what went wrong."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace


class _Record:
    """Named attributes, None where the client sent nothing."""

    fields: tuple[str, ...] = ()

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        for name in self.fields:
            setattr(self, name, (values or {}).get(name))

    def __repr__(self) -> str:
        facts = ",".join("%s=%s" % (name, getattr(self, name)) for name in self.fields)
        return "%s([%s])" % (type(self).__name__, facts)


class Client(_Record):
    fields = (
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


class ClientContext(_Record):
    fields = ("custom", "env", "client")

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        client = values.get("client")
        self.client = Client(client) if isinstance(client, dict) else None


class CognitoIdentity(_Record):
    fields = ("cognito_identity_id", "cognito_identity_pool_id")


class LambdaContext:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    def __init__(self, headers: dict[str, str]) -> None:
        environ = os.environ.get
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.log_group_name = environ("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = environ("AWS_LAMBDA_LOG_STREAM_NAME")
        self.function_name = environ("AWS_LAMBDA_FUNCTION_NAME")
        self.memory_limit_in_mb = environ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.function_version = environ("AWS_LAMBDA_FUNCTION_VERSION")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        context = _parsed(headers.get("lambda-runtime-client-context"), "Client Context")
        self.client_context = ClientContext(context) if isinstance(context, dict) else None
        identity = _parsed(headers.get("lambda-runtime-cognito-identity"), "Cognito Identity")
        known = identity if isinstance(identity, dict) else {}
        self.identity = CognitoIdentity(
            {
                "cognito_identity_id": known.get("cognitoIdentityId"),
                "cognito_identity_pool_id": known.get("cognitoIdentityPoolId"),
            }
        )
        self._epoch_deadline_time_in_ms = int(headers.get("lambda-runtime-deadline-ms") or 0)

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._epoch_deadline_time_in_ms - int(time.time() * 1000))

    def log(self, message: Any) -> None:
        sys.stdout.write(str(message))

    def __repr__(self) -> str:
        facts = ",".join(
            "%s=%s" % (name, value) for name, value in vars(self).items() if name[0] != "_"
        )
        return "LambdaContext([%s])" % facts


def _parsed(header: str | None, name: str) -> Any:
    if not header:
        return None
    try:
        return json.loads(header)
    except ValueError as error:
        raise RuntimeFault(
            "Runtime.LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (name, error)
        ) from None


class RuntimeApi:
    """One kept-alive connection to the Runtime API: `end` where there is one, else to `address`."""

    def __init__(self, address: str, end: socket.socket | None = None) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))
        self._host = address.encode()
        self._socket = end
        self._buffer = b""
        self._asked = False
        self._next = self._request("GET", "/2018-06-01/runtime/invocation/next", None, "")

    def next(self) -> tuple[dict[str, str], bytes]:
        if self._asked:
            self._answer()  # to the response before
        else:
            self._send(self._next)
        self._asked = False
        status, headers, body = self._answer()
        if status != 200:
            raise SystemExit("the Runtime API answered %d" % status)
        return headers, body

    def respond(self, request_id: str, body: bytes, content_type: str) -> None:
        path = "/2018-06-01/runtime/invocation/%s/response" % request_id
        request = self._request("POST", path, body, "Content-Type: %s\r\n" % content_type)
        # The next invocation is asked for in the same breath, and both answers are read together:
        # one wake-up less on both sides.
        self._send(request + self._next)
        self._asked = True

    def fail(self, request_id: str, body: bytes, error_type: str) -> None:
        self._post_error("/2018-06-01/runtime/invocation/%s/error" % request_id, body, error_type)

    def fail_init(self, body: bytes, error_type: str) -> None:
        self._post_error("/2018-06-01/runtime/init/error", body, error_type)

    def _post_error(self, path: str, body: bytes, error_type: str) -> None:
        kind = error_type.encode("ascii", "replace").decode().replace("\r", " ").replace("\n", " ")
        extra = (
            "Content-Type: application/vnd.aws.lambda.error+json\r\n"
            "Lambda-Runtime-Function-Error-Type: %s\r\n" % kind
        )
        self._send(self._request("POST", path, body, extra))
        self._answer()

    def _request(self, method: str, path: str, body: bytes | None, extra: str) -> bytes:
        head = "%s %s HTTP/1.1\r\nHost: %s\r\n%s" % (method, path, self._host.decode(), extra)
        if body is None:
            return (head + "\r\n").encode("latin-1")
        return (head + "Content-Length: %d\r\n\r\n" % len(body)).encode("latin-1") + body

    def _send(self, request: bytes) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(self._address)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)

    def _answer(self) -> tuple[int, dict[str, str], bytes]:
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "replace").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        size = int(headers.get("content-length") or 0)
        self._buffer = rest
        if len(rest) < size:
            parts = [rest]
            missing = size - len(rest)
            while missing > 0:
                self._buffer = b""
                self._receive()
                parts.append(self._buffer)
                missing -= len(self._buffer)
            self._buffer = b"".join(parts)
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        return int(lines[0].split(" ", 2)[1]), headers, body

    def _receive(self) -> None:
        assert self._socket is not None
        data = self._socket.recv(262144)
        if not data:
            raise SystemExit("the Runtime API closed the connection")
        self._buffer += data


class _Encoder(json.JSONEncoder):
    """JSON as AWS's client writes it: a Decimal is a number."""

    decimals = False

    def default(self, o: Any) -> Any:
        if isinstance(o, decimal.Decimal):
            if o.is_nan():
                return math.nan
            self.decimals = True
            return DECIMAL_MARK + str(o)
        return super().default(o)


def to_json(value: Any) -> bytes:
    escape = os.environ.get("AWS_EXECUTION_ENV") in ESCAPING_RUNTIMES
    encoder = _Encoder(ensure_ascii=escape)
    text = encoder.encode(value)
    if encoder.decimals:
        mark = json.dumps(DECIMAL_MARK, ensure_ascii=escape)[1:-1]
        text = re.sub('"%s([^"]*)"' % re.escape(mark), r"\1", text)
    return text.encode("utf-8")


def marshal(response: Any) -> tuple[bytes, str]:
    if isinstance(response, bytes):
        return response, "application/unknown"
    try:
        return to_json(response), "application/json"
    except Exception as error:
        raise RuntimeFault(
            "Runtime.MarshalError", "Unable to marshal response: %s" % error
        ) from None


def load_handler(name: str) -> Handler:
    """The function that `name` (module.function, slashes allowed) stands for."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        raise RuntimeFault(
            "Runtime.MalformedHandlerName",
            "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name,
        )
    if module_name.split(".")[0] in sys.builtin_module_names:
        raise RuntimeFault(
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module %s as a handler module" % module_name,
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise RuntimeFault(
            "Runtime.ImportModuleError", "Unable to import module '%s': %s" % (module_name, error)
        ) from None
    except SyntaxError as error:
        place = '  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)
        raise RuntimeFault(
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module '%s': %s" % (module_name, error),
            [place],
        ) from None
    try:
        handler: Handler = getattr(module, function_name)
    except AttributeError:
        raise RuntimeFault(
            "Runtime.HandlerNotFound",
            "Handler '%s' missing on module '%s'" % (function_name, module_name),
        ) from None
    return handler


def describe(info: ExcInfo, request_id: str) -> dict[str, Any]:
    """AWS's error document of an exception; the frames of this file are left out."""
    kind, error, trace = info
    if isinstance(error, RuntimeFault):
        return _document(error.message, error.kind, error.trace or [], request_id)
    frames = traceback.extract_tb(trace)
    while frames and (frames[0].filename == __file__ or "importlib" in frames[0].filename):
        del frames[0]
    plain = [(f.filename, f.lineno, f.name, f.line) for f in frames]
    lines = traceback.format_list(plain)  # type: ignore[arg-type]  # tuples are the old, marker-less form
    return _document(str(error), kind.__name__, lines, request_id)


def _document(message: str, kind: str, trace: list[str], request_id: str) -> dict[str, Any]:
    return {
        "errorMessage": message,
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": trace,
    }


class Output:
    """Where log records go: framed on the log pipe, so that a record of many lines stays one."""

    def __init__(self) -> None:
        self.request_id = ""
        self.as_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"

    def write(self, text: str) -> None:
        message = text.encode("utf-8", "backslashreplace")
        now_us = time.time_ns() // 1000
        frame = FRAME_TYPE + len(message).to_bytes(4, "big") + now_us.to_bytes(8, "big") + message
        while frame:
            frame = frame[os.write(1, frame) :]

    def write_error(self, error: dict[str, Any]) -> None:
        if self.as_json:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self.write(to_json({"timestamp": stamp, "level": "ERROR", **error}).decode())
            return
        title = "[ERROR] %s" % error["errorType"]
        if error["errorMessage"]:
            title += ": %s" % error["errorMessage"]
        lines = [title, "Traceback (most recent call last):"]
        for entry in error["stackTrace"]:
            for line in entry.splitlines() or [""]:
                text = line.lstrip(" ")
                lines.append(NO_BREAK_SPACE * (len(line) - len(text)) + text)
        self.write("\n".join(lines))


class _Records(logging.Handler):
    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        record.aws_request_id = self._output.request_id
        self._output.write(self.format(record))


class _JsonRecords(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": getattr(record, "aws_request_id", ""),
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, trace = record.exc_info
            document["errorType"] = kind.__name__
            document["errorMessage"] = str(error)
            document["stackTrace"] = traceback.format_list(traceback.extract_tb(trace))
            document["location"] = "%s:%s:%s" % (record.pathname, record.funcName, record.lineno)
        return to_json(document).decode()


def _set_up_logging(output: Output) -> None:
    text = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s"
    logging.Formatter.converter = time.gmtime
    handler = _Records(output)
    form = _JsonRecords() if output.as_json else logging.Formatter(text, "%Y-%m-%dT%H:%M:%S")
    handler.setFormatter(form)
    root = logging.getLogger()
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(level, level)
    if level in ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL"):
        root.setLevel(level)
    root.addHandler(handler)


def open_streams() -> None:
    """stdout and stderr write each text at once, as AWS's do."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        raw = io.FileIO(descriptor, "w", closefd=False)
        stream = io.TextIOWrapper(
            raw,
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )
        setattr(sys, name, stream)
        setattr(sys, "__%s__" % name, stream)


def run(address: str, handler_name: str, end: socket.socket | None = None) -> NoReturn:
    """Serve invocations of `handler_name`; ends only with the process."""
    open_streams()
    output = Output()
    _set_up_logging(output)
    api = RuntimeApi(address, end)
    try:
        handler = load_handler(handler_name)
    except Exception:
        error = describe(_exc_info(), "")
        output.write_error(error)
        api.fail_init(to_json(error), error["errorType"])
        sys.exit(1)
    while True:
        headers, body = api.next()
        _serve(api, handler, output, headers, body)


def _serve(
    api: RuntimeApi, handler: Handler, output: Output, headers: dict[str, str], body: bytes
) -> None:
    request_id = headers["lambda-runtime-aws-request-id"]
    output.request_id = request_id
    trace = headers.get("lambda-runtime-trace-id")
    if trace:
        os.environ["_X_AMZN_TRACE_ID"] = trace
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)
    try:
        context = LambdaContext(headers)
        payload, content_type = marshal(handler(_event(body), context))
    except Exception:
        error = describe(_exc_info(), request_id)
        output.write_error(error)
        api.fail(request_id, to_json(error), error["errorType"])
    else:
        api.respond(request_id, payload, content_type)


def _event(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        raise RuntimeFault(
            "Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error
        ) from None


def _exc_info() -> ExcInfo:
    kind, error, trace = sys.exc_info()
    assert kind is not None and error is not None
    return kind, error, trace


def set_path(task_root: str, last: list[str]) -> None:
    """Modules come from the function first, then the interpreter, then `last` (the SDK)."""
    layers = ["/opt/python/lib/python%d.%d/site-packages" % sys.version_info[:2], "/opt/python"]
    given = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    own = os.path.dirname(os.path.abspath(__file__))
    front = [task_root, *given, *(path for path in layers if os.path.isdir(path))]
    rest = [path for path in sys.path if path and path not in (own, *front, *last)]
    sys.path[:] = [*front, *rest, *last]


def main(arguments: list[str]) -> NoReturn:
    set_path(os.environ.get("LAMBDA_TASK_ROOT", "/var/task"), arguments)
    run(os.environ["AWS_LAMBDA_RUNTIME_API"], os.environ.get("_HANDLER", ""))


if __name__ == "__main__":
    main(sys.argv[1:])
