"""Calls to the Hub: tried again where that can help, explained where it cannot.

The client itself repeats some of its requests and not others (the one that makes a commit, for
one); here every call is repeated within the same bound.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from huggingface_hub import constants, errors, get_session, get_token

from robotmcqa.errors import HubError, RobotMCQAError, UsageError

__all__ = ["ATTEMPTS", "explained", "patiently", "status_of"]

Result = TypeVar("Result")

ATTEMPTS = 5
FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds. Waits double from the first on; a Hub that asks for more than the longest is not
waited for, but named."""

SILENCE = 300.0
"""Seconds without a byte after which a request counts as dropped; the client would wait on."""

_PASSING = frozenset({408, 429, *range(500, 600)} - {501, 505})
"""Statuses of trouble that may be over a moment later, those of the network before the Hub too."""

_TRANSPORT: tuple[type[BaseException], ...] = (
    *(kind for kind in errors.HfHubHTTPError.__bases__ if kind is not OSError),
    ConnectionError,
    TimeoutError,
)
"""What a broken connection raises. The client's HTTP library changes with its version; the base of
the client's own errors is that library's."""


def patiently(doing: str, call: Callable[[], Result], say: Callable[[str], None]) -> Result:
    """The result of ``call``, which is repeated while the Hub's trouble may pass.

    Args:
        doing: what is being done, for messages ("reading the files of org/name").
        call: one request, or several that may be made again.
        say: hears of every wait.

    Raises:
        HubError: the trouble lasts, or the Hub refuses in a way that nothing here expects.
        errors.HfHubHTTPError: refused with 404, 409 or 412, for the caller to judge.
    """
    wait = FIRST_WAIT
    for attempt in range(1, ATTEMPTS + 1):
        get_session().timeout = SILENCE
        try:
            return call()
        except RobotMCQAError:
            raise
        except Exception as error:
            cause = _cause(error)
            if status_of(cause) in (404, 409, 412):
                raise cause from None
            asked = _asked_for(cause)
            pause = wait if asked is None else asked
            if attempt == ATTEMPTS or not _passes(cause) or pause > LONGEST_WAIT:
                raise explained(doing, cause) from None
            say(f"{_short(cause)} while {doing}; trying again in {pause:g} s")
            time.sleep(pause)
            wait *= 2
    raise AssertionError("unreachable")


def _cause(error: BaseException) -> BaseException:
    """The HTTP error at the bottom: uploads wrap theirs."""
    for one in _chain(error):
        if isinstance(one, (errors.HfHubHTTPError, *_TRANSPORT)):
            return one
    return error


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def status_of(error: BaseException) -> int | None:
    """The HTTP status that an error stands for."""
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _passes(error: BaseException) -> bool:
    """Whether the same call may succeed a moment later."""
    status = status_of(error)
    if status is not None:
        return status in _PASSING
    if isinstance(error, errors.OfflineModeIsEnabled):
        return False
    return isinstance(error, _TRANSPORT) or _is_xet(error)


def _is_xet(error: BaseException) -> bool:
    """The Xet client raises bare RuntimeErrors of its own."""
    return type(error) is RuntimeError or type(error).__module__.startswith("hf_xet")


def _asked_for(error: BaseException) -> float | None:
    """Seconds that the Hub asks to be left alone for."""
    headers: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", {})
    after = headers.get("retry-after", "").strip()
    if after.isdecimal():
        return float(after)
    limit = re.search(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)", headers.get("ratelimit", ""))
    return float(limit[1]) if limit else None


def _short(error: BaseException) -> str:
    status = status_of(error)
    if status == 429:
        return "the Hub is being asked too much (429)"
    if status is not None:
        return f"the Hub answers {status}"
    return f"the connection broke ({type(error).__name__})"


def explained(doing: str, error: BaseException) -> RobotMCQAError:
    """What a failed call means, and what to do about it. Never shows a token."""
    status = status_of(error)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return HubError(f"{doing}: HF_HUB_OFFLINE keeps the client from the Hub", "unset it")
    if isinstance(error, errors.HFValidationError):
        return UsageError(f"{doing}: {error}", "a data set's name looks like org/name")
    if status == 401:
        return HubError(f"{doing}: {_not_known()}", _LOG_IN)
    if status == 403:
        return HubError(
            f"{doing}: this token may not do that (403{_said(error)})",
            "take a token with write permission for it (huggingface.co/settings/tokens), or ask "
            "the owner to let you in",
        )
    if status == 404:
        return HubError(
            f"{doing}: there is no such data set, or your token may not see it (404)",
            "check the name (org/name), and that you are logged in as somebody who may see it",
        )
    again = "the same command goes on from where this one stopped"
    if status is not None and status in _PASSING:
        asked = _asked_for(error)
        later = f" in {asked:g} s" if asked else " later"
        return HubError(f"{doing}: {_short(error)}{_said(error)}", f"try again{later}; {again}")
    if status is not None:
        return HubError(f"{doing}: the Hub answers {status}{_said(error)}", again)
    if isinstance(error, _TRANSPORT):
        return HubError(
            f"{doing}: {constants.ENDPOINT} cannot be reached ({_plain(error)})",
            f"check the network and HF_ENDPOINT; {again}",
        )
    return HubError(f"{doing}: {type(error).__name__}: {_plain(error)}", again)


_LOG_IN = (
    "check the name (org/name); hf auth login, or set HF_TOKEN (huggingface.co/settings/tokens "
    "makes one)"
)


def _not_known() -> str:
    if get_token():
        return "the Hub does not accept your token (401): it is wrong or has expired"
    return "there is no such public data set, and you are not logged in to see others (401)"


def _said(error: BaseException) -> str:
    """The Hub's own words."""
    message = getattr(error, "server_message", None)
    return f": {_without_token(str(message).splitlines()[0])}" if message else ""


def _plain(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return _without_token(text[0]) if text else type(error).__name__


def _without_token(text: str) -> str:
    token = get_token()
    return text.replace(token, "(token)") if token else text
