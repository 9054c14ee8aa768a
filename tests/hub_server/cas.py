"""Xet storage over HTTP: short-lived tokens, xorbs and shards up, reconstructions and xorbs down.

hf_xet asks for newer endpoints first (upload grants, version 2 of shards and reconstructions) and
falls back to these where they are missing. Deduplication across machines is missing too: a client
deduplicates against what it uploaded itself from the same ``HF_HOME``.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from tests.hub_server.accounts import Role
from tests.hub_server.api import REPOSITORY
from tests.hub_server.errors import HubError, unauthorised
from tests.hub_server.site import Site
from tests.hub_server.storage import Repository
from tests.hub_server.xet import Chunk, Term, XetFile, chunks_of, files_of, plain

VALID_SECONDS = 3600


@dataclass(frozen=True)
class Grant:
    """What a Xet token allows: one repository, to read or to write."""

    repository: Repository
    role: Role


class Cas:
    """Content-addressed storage; ``names`` holds the Xet hash of every large object it has."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.names: dict[str, str] = {}
        self.files: dict[str, XetFile] = {}
        self.chunks: dict[str, tuple[Chunk, ...]] = {}
        self.grants: dict[str, Grant] = {}

    def routes(self) -> list[Route]:
        """Routes."""
        tokens = REPOSITORY + "/xet-{role:str}-token/{revision:str}"
        return [
            Route(tokens, self.token, methods=["GET"]),
            Route("/cas/v1/xorbs/default/{xorb:str}", self.upload_xorb, methods=["POST"]),
            Route("/cas/v1/shards", self.upload_shard, methods=["POST"]),
            Route("/cas/v1/reconstructions/{file:str}", self.reconstruct, methods=["GET"]),
            Route("/storage/xorbs/{xorb:str}", self.download_xorb, methods=["GET"]),
        ]

    # -------------------------------------------------------------------------------- tokens

    async def token(self, request: Request) -> Response:
        role: Role = "write" if request.path_params["role"] == "write" else "read"
        repository, _ = self.site.repository(request, role)
        repository.at(self.site.revision(request))
        token, expiry = f"xet_{secrets.token_hex(16)}", int(time.time()) + VALID_SECONDS
        self.grants[token] = Grant(repository, role)
        url = f"{self.site.storage_url}/cas"
        headers = {
            "X-Xet-Cas-Url": url,
            "X-Xet-Access-Token": token,
            "X-Xet-Token-Expiration": str(expiry),
        }
        return JSONResponse({"casUrl": url, "accessToken": token, "exp": expiry}, headers=headers)

    def _grant(self, request: Request, role: Role) -> Repository:
        """The repository that the request's Xet token is for."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        grant = self.grants.get(token)
        if grant is None:
            raise unauthorised("Invalid Xet token")
        if role == "write" and grant.role != "write":
            raise HubError(403, "This Xet token only reads")
        return grant.repository

    # --------------------------------------------------------------------------------- upload

    def _path(self, xorb: str) -> Path:
        if re.fullmatch("[0-9a-f]{64}", xorb) is None:
            raise HubError(400, "This is no hash")
        return self.site.storage.folder / "xorbs" / xorb

    async def upload_xorb(self, request: Request) -> Response:
        self._grant(request, "write")
        path = self._path(request.path_params["xorb"])
        content = await request.body()
        chunks = chunks_of(content)
        new = path.name not in self.chunks
        self.site.storage.keep(path, content)
        self.chunks[path.name] = chunks
        return JSONResponse({"was_inserted": new})

    async def upload_shard(self, request: Request) -> Response:
        """Put the files together and check them: from here on they may be committed."""
        repository = self._grant(request, "write")
        for file in files_of(await request.body()):
            await run_in_threadpool(self._put_together, file)
            repository.objects.add(file.sha256)
            self.files[file.name] = file
            self.names[file.sha256] = file.name
        return JSONResponse({"result": 1})

    def _put_together(self, file: XetFile) -> None:
        content = b"".join(self._piece(term) for term in file.terms)
        self.site.storage.add_object(file.sha256, content)

    def _piece(self, term: Term) -> bytes:
        chunks = self.chunks.get(term.xorb, ())
        if not 0 <= term.first < term.last <= len(chunks):
            raise HubError(400, f"The shard names chunks of {term.xorb} that were not uploaded")
        with self._path(term.xorb).open("rb") as xorb:
            content = b"".join(plain(xorb, chunk) for chunk in chunks[term.first : term.last])
        if len(content) != term.length:
            raise HubError(400, f"The shard is wrong about the length of chunks of {term.xorb}")
        return content

    # ------------------------------------------------------------------------------- download

    async def reconstruct(self, request: Request) -> Response:
        """Which chunks make up a range of a file, and the URLs that serve them."""
        repository = self._grant(request, "read")
        file = self.files.get(request.path_params["file"])
        if file is None or file.sha256 not in repository.objects:
            raise HubError(404, "No such file in this repository")
        start, end = _range(request, file.size)
        terms: list[Term] = []
        position = skipped = 0
        for term in file.terms:
            if position < end and position + term.length > start:
                skipped = start - position if not terms else skipped
                terms.append(term)
            position += term.length
        return JSONResponse(
            {
                "offset_into_first_range": skipped,
                "terms": [_described(term) for term in terms],
                "fetch_info": self._fetches(terms),
            }
        )

    def _fetches(self, terms: list[Term]) -> dict[str, list[dict[str, Any]]]:
        """Per xorb, a URL for each range of chunks; both ends of ``url_range`` are included."""
        found: dict[str, list[dict[str, Any]]] = {}
        for term in dict.fromkeys(terms):
            chunks = self.chunks[term.xorb]
            within = {"start": chunks[term.first].start, "end": chunks[term.last - 1].end - 1}
            url = self.site.signed(f"/storage/xorbs/{term.xorb}")
            range_ = _described(term)["range"]
            entry = {"range": range_, "url": url, "url_range": within}
            found.setdefault(term.xorb, []).append(entry)
        return found

    async def download_xorb(self, request: Request) -> Response:
        self.site.check_signature(request)
        path = self._path(request.path_params["xorb"])
        return FileResponse(path, media_type="application/octet-stream")


def _described(term: Term) -> dict[str, Any]:
    """A term as the protocol writes it; the range of chunks excludes its end."""
    chunks = {"start": term.first, "end": term.last}
    return {"hash": term.xorb, "unpacked_length": term.length, "range": chunks}


def _range(request: Request, size: int) -> tuple[int, int]:
    """The range of bytes that is asked for, its end excluded.

    Raises:
        HubError: 416, where it begins behind the end.
    """
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", "bytes=0-"))
    start = int(asked[1]) if asked else size
    if start >= size:
        raise HubError(416, "The range is not in the file")
    end = int(asked[2]) + 1 if asked and asked[2] else size
    return start, min(end, size)
