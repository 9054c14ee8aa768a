"""The endpoints that change a repository: commits, branches and tags."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.hub_server.api import REPOSITORY
from tests.hub_server.card import validate
from tests.hub_server.errors import HubError
from tests.hub_server.git import Entry, large
from tests.hub_server.site import Site
from tests.hub_server.storage import Files, Repository, is_large

Edit = Callable[[Files], None]


class Commits:
    """Preupload, commit, branch and tag."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def routes(self) -> list[Route]:
        """Routes; a revision is one percent-encoded segment."""
        post, delete = ["POST"], ["DELETE"]
        return [
            Route(REPOSITORY + "/preupload/{revision:str}", self.preupload, methods=post),
            Route(REPOSITORY + "/commit/{revision:str}", self.commit, methods=post),
            Route(REPOSITORY + "/branch/{revision:str}", self.add_branch, methods=post),
            Route(REPOSITORY + "/branch/{revision:str}", self.delete_branch, methods=delete),
            Route(REPOSITORY + "/tag/{revision:str}", self.add_tag, methods=post),
            Route(REPOSITORY + "/tag/{revision:str}", self.delete_tag, methods=delete),
        ]

    async def preupload(self, request: Request) -> Response:
        """Which files go to large storage, and what the branch has under their names."""
        repository, _ = self.site.repository(request, "write")
        files = repository.at(self.site.revision(request)).files
        asked = (await request.json())["files"]
        answer = []
        for file in asked:
            path = file["path"]
            mode = "lfs" if is_large(path, file["size"], self.site.large_from) else "regular"
            told = {"path": path, "uploadMode": mode, "shouldIgnore": False}
            if path in files:
                told["oid"] = files[path].etag
            answer.append(told)
        return JSONResponse({"files": answer})

    async def commit(self, request: Request) -> Response:
        """One commit from lines of JSON: a header, then an operation each."""
        repository, who = self.site.repository(request, "write")
        assert who is not None
        if request.query_params.get("create_pr"):
            raise HubError(400, "This Hub has no pull requests")
        lines = [json.loads(line) for line in (await request.body()).splitlines() if line.strip()]
        header = lines[0]["value"]
        edits = [self._edit(repository, line["key"], line["value"]) for line in lines[1:]]

        def edit(files: Files) -> None:
            for change in edits:
                change(files)

        made = self.site.storage.commit(
            repository,
            self.site.revision(request),
            edit,
            author=who.name,
            title=header["summary"],
            message=header.get("description", ""),
            parent=header.get("parentCommit"),
        )
        url = f"{self.site.url}/{repository.web_path}/commit/{made.oid}"
        return JSONResponse({"success": True, "commitOid": made.oid, "commitUrl": url})

    def _edit(self, repository: Repository, key: str, value: dict[str, Any]) -> Edit:
        """What an operation does to the files. Content is checked and kept at once."""
        path = value["path"]
        if key == "deletedFile":
            return lambda files: _delete(files, [path], path)
        if key == "deletedFolder":
            return lambda files: _delete(files, list(_below(files, path)), path)
        if key == "file":
            entry = self._small(repository, path, base64.b64decode(value["content"]))
        elif key == "lfsFile":
            entry = self._large(repository, path, value["oid"])
        else:
            raise HubError(400, f"This Hub knows no operation {key}")

        def put(files: Files) -> None:
            files[path] = entry

        return put

    def _small(self, repository: Repository, path: str, content: bytes) -> Entry:
        if path == "README.md":
            errors, _ = validate(content.decode(), repository.kind)
            if errors:
                raise HubError(400, f"Invalid metadata in README.md: {'; '.join(errors)}")
        return self.site.storage.add_blob(content)

    def _large(self, repository: Repository, path: str, sha256: str) -> Entry:
        if sha256 not in repository.objects:
            raise HubError(400, f"{path}: the large object {sha256} was not uploaded")
        return large(sha256, self.site.storage.object_path(sha256).stat().st_size)

    # -------------------------------------------------------------------------------- references

    async def add_branch(self, request: Request) -> Response:
        repository, _ = self.site.repository(request, "write")
        body = await request.body()
        start = (json.loads(body) if body else {}).get("startingPoint", "main")
        _add(repository.branches, self.site.revision(request), repository.at(unquote(start)).oid)
        return JSONResponse({}, 201)

    async def delete_branch(self, request: Request) -> Response:
        repository, _ = self.site.repository(request, "write")
        name = self.site.revision(request)
        if name == "main":
            raise HubError(403, "The branch main cannot be deleted")
        _remove(repository.branches, name)
        return JSONResponse({})

    async def add_tag(self, request: Request) -> Response:
        repository, _ = self.site.repository(request, "write")
        name = (await request.json())["tag"]
        _add(repository.tags, name, repository.at(self.site.revision(request)).oid)
        return JSONResponse({}, 201)

    async def delete_tag(self, request: Request) -> Response:
        repository, _ = self.site.repository(request, "write")
        _remove(repository.tags, self.site.revision(request))
        return JSONResponse({})


def _below(files: Files, folder: str) -> Iterator[str]:
    prefix = folder.strip("/") + "/"
    return (path for path in files if path.startswith(prefix))


def _delete(files: Files, paths: list[str], asked: str) -> None:
    if not paths or not files.keys() >= set(paths):
        raise HubError(404, f"A file with this name doesn't exist: {asked}", "EntryNotFound")
    for path in paths:
        del files[path]


def _add(references: dict[str, str], name: str, oid: str) -> None:
    """References never move here but by a commit to a branch: a tag is made once."""
    if name in references:
        raise HubError(409, f"Reference {name} already exists")
    references[name] = oid


def _remove(references: dict[str, str], name: str) -> None:
    if name not in references:
        raise HubError(404, f"Reference {name} does not exist", "RevisionNotFound")
    del references[name]
