"""Large objects by the LFS protocol: batch, upload (whole or in parts) and verification."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.hub_server.errors import HubError
from tests.hub_server.site import KINDS, Site
from tests.hub_server.storage import Repository

GIT = "/{namespace:str}/{name:str}.git/info/lfs/objects"
UPLOAD = "/storage/uploads/{kinds:kinds}/{namespace:str}/{name:str}/{sha256:str}"


class Lfs:
    """Large objects go up to signed URLs of the storage host."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def routes(self) -> list[Route]:
        """Routes."""
        made = [
            Route(UPLOAD, self.upload, methods=["PUT"]),
            Route(UPLOAD + "/{number:int}", self.upload_part, methods=["PUT"]),
            Route(UPLOAD + "/complete", self.complete, methods=["POST"]),
        ]
        for prefix in ("/{kinds:kinds}", ""):
            made.append(Route(prefix + GIT + "/batch", self.batch, methods=["POST"]))
            made.append(Route(prefix + GIT + "/verify", self.verify, methods=["POST"]))
        return made

    async def batch(self, request: Request) -> Response:
        """Where to upload; no action for an object that this repository has."""
        asked = await request.json()
        repository, _ = self.site.repository(request, "write")
        if asked["operation"] != "upload":
            raise HubError(400, "This Hub serves downloads by resolve")
        chosen = [self._actions(request, repository, item) for item in asked["objects"]]
        return JSONResponse({"transfer": "basic", "objects": chosen})

    def _actions(
        self, request: Request, repository: Repository, item: dict[str, Any]
    ) -> dict[str, Any]:
        sha256, size = item["oid"], item["size"]
        if sha256 in repository.objects:
            return {"oid": sha256, "size": size}
        path = f"/storage/uploads/{repository.kind}s/{repository.id}/{sha256}"
        upload: dict[str, Any] = {"href": self.site.signed(path)}
        part = self.site.part_size
        if part is not None and size > part:
            numbers = range(1, -(-size // part) + 1)
            parts = {f"{number:05d}": self.site.signed(f"{path}/{number}") for number in numbers}
            upload["href"] = self.site.signed(f"{path}/complete")
            upload["header"] = {"chunk_size": str(part), **parts}
        verify = {"href": f"{self.site.url}{request.scope['path'].removesuffix('batch')}verify"}
        actions = {"upload": upload, "verify": verify}
        return {"oid": sha256, "size": size, "authenticated": True, "actions": actions}

    def _target(self, request: Request) -> tuple[Repository, str]:
        """Where an upload belongs, its URL's signature being sound."""
        self.site.check_signature(request)
        key = (KINDS[request.path_params["kinds"]], self.site.repository_id(request))
        repository = self.site.storage.repositories.get(key)
        if repository is None:
            raise HubError(404, "The repository is gone")
        return repository, request.path_params["sha256"]

    async def upload(self, request: Request) -> Response:
        repository, sha256 = self._target(request)
        await run_in_threadpool(self.site.storage.add_object, sha256, await request.body())
        repository.objects.add(sha256)
        return Response(headers={"ETag": f'"{sha256}"'})

    def _part(self, sha256: str, number: int) -> Path:
        return self.site.storage.folder / "parts" / f"{sha256}-{number}"

    async def upload_part(self, request: Request) -> Response:
        _, sha256 = self._target(request)
        content = await request.body()
        self.site.storage.keep(self._part(sha256, request.path_params["number"]), content)
        return Response(headers={"ETag": f'"{hashlib.sha256(content).hexdigest()}"'})

    async def complete(self, request: Request) -> Response:
        """Put the parts together, each being the one that the client believes it sent."""
        repository, sha256 = self._target(request)
        content = b""
        for part in (await request.json())["parts"]:
            piece = self._part(sha256, part["partNumber"]).read_bytes()
            if part["etag"].strip('"') != hashlib.sha256(piece).hexdigest():
                raise HubError(400, f"Part {part['partNumber']} of {sha256} is another")
            content += piece
        await run_in_threadpool(self.site.storage.add_object, sha256, content)
        repository.objects.add(sha256)
        return JSONResponse({})

    async def verify(self, request: Request) -> Response:
        repository, _ = self.site.repository(request, "write")
        asked = await request.json()
        path = self.site.storage.object_path(asked["oid"])
        if asked["oid"] not in repository.objects or path.stat().st_size != asked["size"]:
            raise HubError(404, f"The large object {asked['oid']} was not uploaded")
        return JSONResponse({})
