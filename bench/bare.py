"""A server that does nothing: reads the request, answers 1 KB. The limit beside our figures."""

import sys
from typing import Any

import uvicorn

ANSWER = b'{"Item":{"text":{"S":"' + b"x" * 1000 + b'"}}}'
START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [
        (b"content-type", b"application/x-amz-json-1.0"),
        (b"content-length", str(len(ANSWER)).encode()),
    ],
}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send(START)
    await send({"type": "http.response.body", "body": ANSWER})


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="error",
        access_log=False,
    )
