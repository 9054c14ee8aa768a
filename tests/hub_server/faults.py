"""What a test can make go wrong: switches that match requests by method and path."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tests.hub_server.errors import HubError

MESSAGES = {
    401: "Invalid credentials in Authorization header",
    403: "Forbidden",
    404: "Repository not found",
    412: "The branch has moved. Please try again.",
    429: "Too many requests",
}


@dataclass
class Fault:
    """One thing that goes wrong with the requests that match.

    Attributes:
        path: Pattern of the path, as in a shell (``*/commit/*``); ``*`` matches slashes too.
        method: Pattern of the method.
        times: How many requests it hits; None for every one.
        skip: How many matching requests it lets pass first.
        status: Answer with this status once the request's body is read, and do nothing.
        retry_after: Seconds for the header ``Retry-After`` beside ``status``.
        code: ``X-Error-Code`` beside ``status``; with 404 it is ``RepoNotFound`` unless given.
        drop_upload_after: Cut the connection once that many bytes of the request's body came in
            (they come some hundred KiB at a time). Nothing is done.
        drop_download_after: Do what was asked, send that many bytes of the response's body, then
            cut the connection. With 0, not even the status is sent: done, but nobody was told.
        delay: Seconds to wait before anything is read.
        bytes_per_second: Rate of both bodies.
        hold: Wait until this is true, which is asked every 10 ms: until another request came, say.
        before: Called before the request is handled: somebody else's commit, say. It runs in the
            server's thread.
        hits: How many requests it has hit, so far.
    """

    path: str = "*"
    method: str = "*"
    times: int | None = 1
    skip: int = 0
    status: int | None = None
    retry_after: int | None = None
    code: str | None = None
    drop_upload_after: int | None = None
    drop_download_after: int | None = None
    delay: float = 0.0
    bytes_per_second: float | None = None
    hold: Callable[[], bool] | None = None
    before: Callable[[], object] | None = None
    hits: int = 0

    def takes(self, method: str, path: str) -> bool:
        """Whether it hits a request, which is counted."""
        if not (fnmatchcase(method, self.method) and fnmatchcase(path, self.path)):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True

    @property
    def refusal(self) -> HubError | None:
        """The answer that it gives in the Hub's stead."""
        if self.status is None:
            return None
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        code = self.code or ("RepoNotFound" if self.status == 404 else None)
        message = MESSAGES.get(self.status, "The server has a bad day")
        return HubError(self.status, message, code, headers)


@dataclass
class Faults:
    """The switches that are on. A request is hit by the first that matches."""

    active: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> Fault:
        """Switch a fault on; its ``hits`` tell later how often it struck."""
        self.active.append(fault)
        return fault

    def clear(self) -> None:
        """Switch everything off."""
        self.active.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that hits a request."""
        return next((fault for fault in self.active if fault.takes(method, path)), None)
