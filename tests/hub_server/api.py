"""The endpoints that describe and manage repositories."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.hub_server.card import FRONT_MATTER, validate
from tests.hub_server.errors import HubError
from tests.hub_server.git import Commit, pointer
from tests.hub_server.site import KINDS, Site
from tests.hub_server.storage import Repository

REPOSITORY = "/api/{kinds:kinds}/{namespace:str}/{name:str}"


def timestamp(moment: datetime) -> str:
    """The Hub's form of a time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def describe(commit: Commit, path: str, last: Commit | None) -> dict[str, Any] | None:
    """A file or a folder as lists show it, with its ``last`` commit if given; None for neither."""
    if path in commit.files:
        entry = commit.files[path]
        shown: dict[str, Any] = {"type": "file", "oid": entry.oid, "size": entry.size, "path": path}
        if entry.sha256 is not None:
            size = len(pointer(entry.sha256, entry.size))
            shown["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": size}
    elif path in commit.folders:
        shown = {"type": "directory", "oid": commit.folders[path], "size": 0, "path": path}
    else:
        return None
    if last is not None:
        shown["lastCommit"] = {"id": last.oid, "title": last.title, "date": timestamp(last.date)}
    return shown


class Api:
    """Who am I, repositories, files, commits and references."""

    def __init__(self, site: Site, xet_hashes: dict[str, str]) -> None:
        self.site = site
        self.xet_hashes = xet_hashes

    def routes(self) -> list[Route]:
        """Routes; revisions and paths arrive percent-encoded, each as one segment."""
        get, post, put = ["GET"], ["POST"], ["PUT"]
        return [
            Route("/api/whoami-v2", self.whoami, methods=get),
            Route("/api/validate-yaml", self.validate_yaml, methods=post),
            Route("/api/repos/create", self.create, methods=post),
            Route("/api/repos/delete", self.delete, methods=["DELETE"]),
            Route(REPOSITORY, self.info, methods=get),
            Route(REPOSITORY + "/revision/{revision:str}", self.info, methods=get),
            Route(REPOSITORY + "/tree/{revision:str}", self.tree, methods=get),
            Route(REPOSITORY + "/tree/{revision:str}/{path:path}", self.tree, methods=get),
            Route(REPOSITORY + "/paths-info/{revision:str}", self.paths_info, methods=post),
            Route(REPOSITORY + "/refs", self.refs, methods=get),
            Route(REPOSITORY + "/commits/{revision:str}", self.commits, methods=get),
            Route(REPOSITORY + "/settings", self.settings, methods=put),
            Route(REPOSITORY + "/auth-check", self.auth_check, methods=get),
            Route(REPOSITORY + "/auth-check/write", self.auth_check_write, methods=get),
        ]

    # --------------------------------------------------------------------------- people, cards

    async def whoami(self, request: Request) -> Response:
        accounts = self.site.accounts
        return JSONResponse(accounts.whoami(accounts.signed_in(request)))

    async def validate_yaml(self, request: Request) -> Response:
        asked = await request.json()
        errors, warnings = validate(asked["content"], asked["repoType"])
        answer = {
            "errors": [{"message": message} for message in errors],
            "warnings": [{"message": message} for message in warnings],
        }
        return JSONResponse(answer, 400 if errors else 200)

    # ---------------------------------------------------------------------------- repositories

    async def create(self, request: Request) -> Response:
        asked = await request.json()
        who = self.site.accounts.signed_in(request)
        namespace = asked.get("organization") or who.name
        self.site.accounts.require_write(who, namespace)
        kind, repo_id = asked.get("type") or "model", f"{namespace}/{asked['name']}"
        if kind not in KINDS.values():
            raise HubError(400, f"This Hub has no repositories of type {kind}")
        private = asked.get("visibility") == "private" or asked.get("private") is True
        answer = {"name": repo_id, "id": repo_id}
        try:
            made = self.site.storage.create(kind, repo_id, who.name, private)
        except HubError as error:  # The client wants the URL of what is there already.
            made = self.site.storage.repositories[kind, repo_id]
            answer |= {"error": error.message, "url": f"{self.site.url}/{made.web_path}"}
            return JSONResponse(answer, error.status, error.headers)
        return JSONResponse({**answer, "url": f"{self.site.url}/{made.web_path}"})

    async def delete(self, request: Request) -> Response:
        asked = await request.json()
        who = self.site.accounts.signed_in(request)
        kind, namespace = asked.get("type") or "model", asked.get("organization") or who.name
        key = (kind, f"{namespace}/{asked['name']}")
        found = self.site.storage.repositories.get(key)
        if found is None or self.site.accounts.access(who, namespace, found.private) is None:
            raise HubError(404, "Repository not found", "RepoNotFound")
        self.site.accounts.require_write(who, namespace)
        del self.site.storage.repositories[key]
        return JSONResponse({})

    async def info(self, request: Request) -> Response:
        repository, _ = self.site.repository(request)
        commit = repository.at(self.site.revision(request))
        card = self._card(commit)
        return JSONResponse(
            {
                "_id": repository.id,
                "id": repository.id,
                "author": repository.namespace,
                "sha": commit.oid,
                "createdAt": timestamp(repository.created),
                "lastModified": timestamp(repository.at().date),
                "private": repository.private,
                "gated": False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [tag for tag in card.get("tags", []) if isinstance(tag, str)],
                "cardData": card,
                "siblings": [{"rfilename": path} for path in commit.files],
            }
        )

    def _card(self, commit: Commit) -> dict[str, Any]:
        """The front matter of the card, where there is a sound one."""
        if "README.md" not in commit.files:
            return {}
        text = self.site.storage.path_of(commit.files["README.md"]).read_text(encoding="utf-8")
        found = FRONT_MATTER.match(text)
        fields = yaml.safe_load(found[1]) if found else None
        return fields if isinstance(fields, dict) else {}

    async def settings(self, request: Request) -> Response:
        repository, _ = self.site.repository(request, "write")
        asked = await request.json()
        if asked.get("gated"):
            raise HubError(400, "This Hub has no gated repositories")
        if "visibility" in asked or "private" in asked:
            repository.private = (
                asked.get("visibility") == "private" or asked.get("private") is True
            )
        return JSONResponse({})

    async def auth_check(self, request: Request) -> Response:
        self.site.repository(request)
        return JSONResponse({})

    async def auth_check_write(self, request: Request) -> Response:
        self.site.repository(request, "write")
        return JSONResponse({})

    # ------------------------------------------------------------------------ files and commits

    def _entry(
        self, repository: Repository, commit: Commit, path: str, expand: bool
    ) -> dict[str, Any] | None:
        shown = describe(commit, path, _last_change(repository, commit, path) if expand else None)
        if shown is not None and "lfs" in shown and shown["lfs"]["oid"] in self.xet_hashes:
            shown["xetHash"] = self.xet_hashes[shown["lfs"]["oid"]]
        return shown

    async def tree(self, request: Request) -> Response:
        repository, _ = self.site.repository(request)
        commit = repository.at(self.site.revision(request))
        folder = unquote(request.path_params.get("path", "")).strip("/")
        if folder not in commit.folders:
            headers = {"X-Repo-Commit": commit.oid}
            raise HubError(
                404, f"{folder} does not exist at this revision", "EntryNotFound", headers
            )
        deep, expand = (
            request.query_params.get(name, "false").lower() in ("true", "1")
            for name in ("recursive", "expand")
        )
        inside = folder and folder + "/"
        below = (
            path for path in (*commit.files, *commit.folders) if path.startswith(inside) and path
        )
        chosen = sorted(path for path in below if deep or "/" not in path[len(inside) :])
        found = (self._entry(repository, commit, path, expand) for path in chosen)
        return self.site.page(request, [entry for entry in found if entry is not None])

    async def paths_info(self, request: Request) -> Response:
        repository, _ = self.site.repository(request)
        commit = repository.at(self.site.revision(request))
        form = parse_qs((await request.body()).decode())
        expand = form.get("expand", ["false"])[0].lower() == "true"
        asked = (path.strip("/") for path in form.get("paths", []))
        found = (self._entry(repository, commit, path, expand) for path in asked)
        return JSONResponse([entry for entry in found if entry is not None])

    async def refs(self, request: Request) -> Response:
        repository, _ = self.site.repository(request)

        def listed(prefix: str, names: dict[str, str]) -> list[dict[str, str]]:
            return [
                {"name": name, "ref": f"refs/{prefix}/{name}", "targetCommit": oid}
                for name, oid in names.items()
            ]

        branches, tags = listed("heads", repository.branches), listed("tags", repository.tags)
        return JSONResponse(
            {"branches": branches, "tags": tags, "converts": [], "pullRequests": []}
        )

    async def commits(self, request: Request) -> Response:
        repository, _ = self.site.repository(request)
        history = repository.history(repository.at(self.site.revision(request)))
        return self.site.page(
            request,
            [
                {
                    "id": commit.oid,
                    "title": commit.title,
                    "message": commit.message,
                    "authors": [{"user": commit.author}],
                    "date": timestamp(commit.date),
                }
                for commit in history
            ],
        )


def _last_change(repository: Repository, commit: Commit, path: str) -> Commit:
    """The commit that gave a path its present content."""

    def name(at: Commit) -> str | None:
        return at.files[path].oid if path in at.files else at.folders.get(path)

    latest = commit
    for earlier in repository.history(commit):
        if name(earlier) != name(commit):
            break
        latest = earlier
    return latest
