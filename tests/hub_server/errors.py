"""How the test Hub refuses: a status, a sentence, and the headers that the client reads."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class HubError(Exception):
    """A request that is refused.

    ``code`` goes into ``X-Error-Code``: huggingface_hub makes RepositoryNotFoundError,
    RevisionNotFoundError and EntryNotFoundError of it. The real Hub sends no code with a 401; the
    client then tells a hidden repository by the URL, but only where that begins with https, so this
    Hub, which speaks plain HTTP, sends ``RepoNotFound`` to the same effect.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = {"X-Error-Message": message, **(headers or {})}
        if code is not None:
            self.headers["X-Error-Code"] = code


async def refuse(request: Request, error: Exception) -> Response:
    """The response to a ``HubError`` (Starlette's exception handler)."""
    assert isinstance(error, HubError)
    return JSONResponse({"error": error.message}, error.status, error.headers)


def unauthorised(message: str = "Invalid username or password.") -> HubError:
    """401 to somebody who sent no token, or one that nobody owns."""
    return HubError(401, message)


def hidden(anonymous: bool) -> HubError:
    """What a missing repository and a private one of somebody else have in common."""
    if anonymous:
        return HubError(401, "Invalid username or password.", "RepoNotFound")
    return HubError(404, "Repository not found", "RepoNotFound")
