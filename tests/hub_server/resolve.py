"""``resolve``: the content of a file at a revision, or where it lies."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from tests.hub_server.errors import HubError
from tests.hub_server.git import Commit, Entry
from tests.hub_server.site import Site
from tests.hub_server.storage import Repository

FILE = "/{namespace:str}/{name:str}/resolve/{revision:str}/{path:path}"
BYTES = "application/octet-stream"


class Resolve:
    """Small files are served here; large ones are redirected to signed URLs of the storage host."""

    def __init__(self, site: Site, xet_hashes: dict[str, str]) -> None:
        self.site = site
        self.xet_hashes = xet_hashes

    def routes(self) -> list[Route]:
        """Routes for HEAD and GET."""
        methods = ["GET", "HEAD"]
        return [
            Route("/{kinds:kinds}" + FILE, self.resolve, methods=methods),
            Route(FILE, self.resolve, methods=methods),
            Route("/storage/objects/{sha256:str}", self.download, methods=methods),
        ]

    async def resolve(self, request: Request) -> Response:
        repository, _ = self.site.repository(request)
        commit = repository.at(self.site.revision(request))
        headers = {"X-Repo-Commit": commit.oid}
        path = unquote(request.path_params["path"])
        if path not in commit.files:
            raise HubError(404, f"{path} does not exist at this revision", "EntryNotFound", headers)
        entry = commit.files[path]
        if entry.sha256 is None:
            headers |= {"ETag": f'"{entry.oid}"', "Accept-Ranges": "bytes"}
            return FileResponse(self.site.storage.path_of(entry), headers=headers, media_type=BYTES)
        return Response(status_code=302, headers=headers | self._linked(repository, commit, entry))

    def _linked(self, repository: Repository, commit: Commit, entry: Entry) -> dict[str, str]:
        """The headers of a redirect: what the content is, where it lies, and its name in Xet."""
        assert entry.sha256 is not None
        headers = {
            "Location": self.site.signed(f"/storage/objects/{entry.sha256}"),
            "ETag": f'"{entry.oid}"',
            "X-Linked-Etag": f'"{entry.sha256}"',
            "X-Linked-Size": str(entry.size),
            "Accept-Ranges": "bytes",
        }
        if entry.sha256 in self.xet_hashes:
            api = f"{self.site.url}/api/{repository.kind}s/{repository.id}"
            token = f"{api}/xet-read-token/{commit.oid}"
            headers["X-Xet-Hash"] = self.xet_hashes[entry.sha256]
            headers["X-Xet-Refresh-Route"] = token
            headers["Link"] = f'<{token}>; rel="xet-auth"'
        return headers

    async def download(self, request: Request) -> Response:
        """A large object, whole or a range of it."""
        self.site.check_signature(request)
        sha256 = request.path_params["sha256"]
        headers = {"ETag": f'"{sha256}"', "Accept-Ranges": "bytes"}
        path = self.site.storage.object_path(sha256)
        return FileResponse(path, headers=headers, media_type=BYTES)
