"""The HTTP server: listening sockets, the connections that come in by them, and their end."""

import asyncio
import contextlib
import socket
import time
from email.utils import formatdate

from uvicorn.config import Config

from fogbank.gateway.connection import CasePreservingProtocol, ListenerState
from fogbank.gateway.exchange import Application

BACKLOG = 2048


class Listener:
    """One listening socket and the connections that came in by it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._server: asyncio.Server | None = None
        self.state = ListenerState()

    async def open(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._protocol, sock=sock, backlog=BACKLOG)
        self._server = server
        if self.state.is_closed:
            server.close()

    def _protocol(self) -> asyncio.Protocol:
        return CasePreservingProtocol(self._config, self.state)

    @property
    def is_over(self) -> bool:
        return self.state.is_closed and not self.state.connections and not self.state.tasks

    def end_idle(self) -> None:
        now_s = asyncio.get_running_loop().time()
        for connection in list(self.state.connections):
            assert isinstance(connection, CasePreservingProtocol)
            if connection.deadline < now_s:
                connection.timeout_keep_alive_handler()

    def stop_accepting(self) -> None:
        self.state.is_closed = True
        if self._server is not None:
            self._server.close()

    def close(self) -> None:
        """No connection is accepted any more, and those that were are ended."""
        self.stop_accepting()
        for task in list(self.state.tasks):
            task.cancel()
        for connection in list(self.state.connections):
            connection.transport.close()


class HttpServer:
    """Serves one application on any number of listening sockets."""

    def __init__(self, application: Application, tasks: asyncio.TaskGroup) -> None:
        self._config = Config(
            application,
            http=CasePreservingProtocol,
            ws="none",
            lifespan="off",
            loop="none",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._config.load()
        self._tasks = tasks
        self._listeners: set[Listener] = set()
        self._date: list[tuple[bytes, bytes]] = []
        self._stamp()

    @property
    def requests_in_progress(self) -> int:
        return sum(len(listener.state.tasks) for listener in self._listeners)

    async def serve(self, sock: socket.socket) -> Listener:
        """Answer on a bound socket from now on."""
        listener = self._new_listener()
        await listener.open(sock)
        return listener

    def serve_soon(self, sock: socket.socket) -> "Listener":
        """Answer on a socket that listens already: who connects meanwhile waits in its queue."""
        listener = self._new_listener()
        self._tasks.create_task(listener.open(sock))
        return listener

    def _new_listener(self) -> Listener:
        self._listeners = {one for one in self._listeners if not one.is_over}
        listener = Listener(self._config)
        listener.state.default_headers = self._date
        self._listeners.add(listener)
        return listener

    def _stamp(self) -> None:
        # In place of the list, not within it: responses that have begun keep theirs.
        self._date = [(b"Date", formatdate(time.time(), usegmt=True).encode())]
        for listener in self._listeners:
            listener.state.default_headers = self._date

    async def keep_time(self) -> None:
        """Once a second, until cancelled: renew the Date header, end what waits for nobody."""
        while True:
            self._stamp()
            self.end_idle()
            await asyncio.sleep(1.0 - time.time() % 1.0)

    def end_idle(self) -> None:
        """Close connections whose client has said nothing for too long."""
        for listener in self._listeners:
            listener.end_idle()

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, let requests in progress finish, then cut what is left."""
        for listener in self._listeners:
            listener.stop_accepting()
            for connection in list(listener.state.connections):
                connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while running := [task for one in self._listeners for task in one.state.tasks]:
                    await asyncio.wait(running)
        for listener in self._listeners:
            listener.close()


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
