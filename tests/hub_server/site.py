"""What the groups of endpoints share: the Hub's state, and how a request finds its repository."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import JSONResponse

from tests.hub_server.accounts import Accounts, Principal, Role
from tests.hub_server.errors import HubError, hidden, unauthorised
from tests.hub_server.storage import Repository, Storage

KINDS = {"models": "model", "datasets": "dataset"}


class _Kinds(StringConvertor):
    """``{name:kinds}`` in a route: a kind of repository, in the plural."""

    regex = "|".join(KINDS)


register_url_convertor("kinds", _Kinds())


@dataclass
class Site:
    """The Hub's state and settings.

    Attributes:
        url: Where the Hub is, as clients know it.
        storage_url: Where the content is: the same server by another host name, so that a client
            which forwards its token there is found out.
        page_size: Entries per page of a list.
        large_from: Bytes from which on any file is a large object.
        part_size: Bytes per part of an upload in parts; None asks for whole uploads.
    """

    storage: Storage
    accounts: Accounts
    url: str
    storage_url: str
    page_size: int = 1000
    large_from: int = 10_000_000
    part_size: int | None = None
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def repository(
        self, request: Request, need: Role = "read"
    ) -> tuple[Repository, Principal | None]:
        """The repository that a path names, and who asks.

        Raises:
            HubError: 401 or 404 where it is missing or hidden, 401 or 403 where only reading is
                allowed.
        """
        who = self.accounts.principal(request)
        kind = KINDS[request.path_params.get("kinds", "models")]
        found = self.storage.repositories.get((kind, self.repository_id(request)))
        allowed = found and self.accounts.access(who, found.namespace, found.private)
        if found is None or allowed is None:
            raise hidden(anonymous=who is None)
        if need == "write" and allowed != "write":
            if who is None:
                raise unauthorised()
            raise HubError(403, f"You may not write to {found.id} with this token")
        return found, who

    @staticmethod
    def repository_id(request: Request) -> str:
        """``namespace/name`` as in the path."""
        return f"{request.path_params['namespace']}/{request.path_params['name']}"

    @staticmethod
    def revision(request: Request) -> str:
        """The revision as in the path; ``main`` where the path has none."""
        return unquote(request.path_params.get("revision", "main"))

    def signed(self, path: str, **query: str) -> str:
        """A URL of the storage host that works without a token, for that path only."""
        query["signature"] = self._signature(path)
        return f"{self.storage_url}{path}?{urlencode(query)}"

    def check_signature(self, request: Request) -> None:
        """Refuse a storage URL that this Hub did not hand out.

        Raises:
            HubError: 403.
        """
        given = request.query_params.get("signature", "")
        if not hmac.compare_digest(given, self._signature(request.url.path)):
            raise HubError(403, "The signature of this URL is wrong")

    def _signature(self, path: str) -> str:
        return hmac.new(self.secret, path.encode(), hashlib.sha256).hexdigest()

    def page(self, request: Request, entries: list[dict[str, Any]]) -> JSONResponse:
        """One page of a list, with the address of the next in the header ``Link``."""
        query = dict(request.query_params)
        start = int(query.get("cursor", "0"))
        end = start + min(self.page_size, int(query.get("limit", self.page_size)))
        headers = {}
        if end < len(entries):
            follow = f"{self.url}{request.scope['path']}?{urlencode({**query, 'cursor': end})}"
            headers["Link"] = f'<{follow}>; rel="next"'
        return JSONResponse(entries[start:end], headers=headers)
