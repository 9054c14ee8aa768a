"""The layer between the network and the Hub: it logs every request and lets the faults strike."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.hub_server.faults import Fault, Faults


@dataclass
class Exchange:
    """A request and its answer.

    Attributes:
        method: HTTP method.
        host: Name and port that the client called.
        path: The path as sent (percent-encoded), without the query, where signatures are.
        user: Owner of the Hub token that came along, None without one. No token is kept.
        status: None if no answer was begun.
        uploaded: Bytes of the request's body.
        downloaded: Bytes of the response's body.
        cut: Whether a fault cut the connection.
        finished: Whether the Hub is done with it.
    """

    method: str
    host: str
    path: str
    user: str | None
    status: int | None = None
    uploaded: int = 0
    downloaded: int = 0
    cut: bool = False
    finished: bool = False


@dataclass
class Log:
    """Every request in the order of arrival, and what the Hub itself got wrong."""

    exchanges: list[Exchange] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def mark(self) -> int:
        """Now: to be given as ``since``."""
        return len(self.exchanges)

    def select(self, path: str = "*", method: str = "*", since: int = 0) -> list[Exchange]:
        """The requests whose path and method match a pattern, as in a shell."""
        return [
            exchange
            for exchange in self.exchanges[since:]
            if fnmatchcase(exchange.path, path) and fnmatchcase(exchange.method, method)
        ]

    def uploaded(self, path: str = "*", method: str = "*", since: int = 0) -> int:
        """Bytes that clients sent as bodies: large objects and Xet blocks as well as calls."""
        return sum(exchange.uploaded for exchange in self.select(path, method, since))


class Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, which hands the transport on, so that a fault can cut the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class _Cut(Exception):
    """A fault has cut the connection."""


class _Channel:
    """Both directions of one request, metered, slowed and cut."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, exchange: Exchange, fault: Fault
    ) -> None:
        self.transport: asyncio.Transport = scope["state"]["transport"]
        self._receive, self._send = receive, send
        self.exchange, self.fault = exchange, fault

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            arrived = len(message.get("body", b""))
            self.exchange.uploaded += arrived
            await self._pace(arrived)
            limit = self.fault.drop_upload_after
            if limit is not None and self.exchange.uploaded >= limit:
                self._cut(self.transport.abort)
        return message

    async def send(self, message: Message) -> None:
        if self.exchange.cut:
            raise _Cut
        limit = self.fault.drop_download_after
        if message["type"] == "http.response.start":
            if limit == 0:
                self._cut(self.transport.close)
            self.exchange.status = message["status"]
        elif message["type"] == "http.response.body":
            body: bytes = message.get("body", b"")
            if limit is not None and self.exchange.downloaded + len(body) > limit:
                body = body[: limit - self.exchange.downloaded]
                message = {**message, "body": body, "more_body": True}
            await self._pace(len(body))
            self.exchange.downloaded += len(body)
        await self._send(message)
        if limit is not None and self.exchange.downloaded >= limit > 0:
            self._cut(self.transport.close)

    async def _pace(self, size: int) -> None:
        if self.fault.bytes_per_second is not None:
            await asyncio.sleep(size / self.fault.bytes_per_second)

    def _cut(self, how: Callable[[], None]) -> None:
        """``abort`` forgets what was not sent yet, ``close`` sends it first."""
        self.exchange.cut = True
        how()
        raise _Cut

    async def drain(self) -> None:
        """Read the rest of the request."""
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return

    async def gone(self) -> None:
        """Wait until the connection is closed."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


class Wire:
    """Wraps the Hub's application."""

    def __init__(
        self,
        app: ASGIApp,
        log: Log,
        faults: Faults,
        identify: Callable[[HTTPConnection], str | None],
    ) -> None:
        self.app, self.log, self.faults, self.identify = app, log, faults, identify

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Revisions hold encoded slashes: routes must match the path as it was sent.
        scope["path"] = path = scope["raw_path"].decode("ascii")
        connection = HTTPConnection(scope)
        method, host = scope["method"], connection.headers.get("host", "")
        exchange = Exchange(method, host, path, self.identify(connection))
        self.log.exchanges.append(exchange)
        fault = self.faults.take(method, path) or Fault()
        channel = _Channel(scope, receive, send, exchange, fault)
        try:
            await self._answer(scope, channel)
        except _Cut:
            await channel.gone()
        except ClientDisconnect:
            pass  # The client went away, killed perhaps: nothing of its request was kept.
        except Exception:
            self.log.failures.append(traceback.format_exc())
            raise
        finally:
            exchange.finished = True

    async def _answer(self, scope: Scope, channel: _Channel) -> None:
        fault = channel.fault
        await asyncio.sleep(fault.delay)
        while fault.hold is not None and not fault.hold():
            await asyncio.sleep(0.01)
        if fault.before is not None:
            fault.before()
        refusal = fault.refusal
        if refusal is None:
            await self.app(scope, channel.receive, channel.send)
            return
        await channel.drain()
        answer = JSONResponse({"error": refusal.message}, refusal.status, refusal.headers)
        await answer(scope, channel.receive, channel.send)
