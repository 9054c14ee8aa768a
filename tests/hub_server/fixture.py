"""The test Hub itself, and the pytest fixture that starts and stops it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from tests.hub_server.accounts import Accounts
from tests.hub_server.api import Api
from tests.hub_server.cas import Cas
from tests.hub_server.commits import Commits
from tests.hub_server.errors import HubError, refuse
from tests.hub_server.faults import Faults
from tests.hub_server.git import Commit, Entry
from tests.hub_server.lfs import Lfs
from tests.hub_server.resolve import Resolve
from tests.hub_server.site import Site
from tests.hub_server.storage import Files, Repository, Storage
from tests.hub_server.wire import Log, Protocol, Wire

START_SECONDS = 20


class Hub:
    """A running Hub on a free port of 127.0.0.1; its storage is the same port of ``localhost``.

    Attributes:
        url: The endpoint for clients (``HF_ENDPOINT``).
        site: Settings, such as ``site.page_size`` and ``site.part_size``.
        accounts: Users, organisations and tokens.
        faults: What is to go wrong (``faults.add(Fault(...))``).
        log: Every request with its bytes.
    """

    def __init__(self, folder: Path) -> None:
        # Only where TCP is named does asyncio switch off Nagle's delay of 40 ms per answer.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.accounts, self.faults, self.log = Accounts(), Faults(), Log()
        storage_url = f"http://localhost:{port}"
        self.site = Site(Storage(folder), self.accounts, self.url, storage_url)
        config = uvicorn.Config(
            Wire(self._application(), self.log, self.faults, self._user),
            http=Protocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    def _application(self) -> Starlette:
        cas = Cas(self.site)
        groups = (
            Api(self.site, cas.names),
            Commits(self.site),
            cas,
            Lfs(self.site),
            Resolve(self.site, cas.names),
        )
        routes = [route for group in groups for route in group.routes()]
        return Starlette(routes=routes, exception_handlers={HubError: refuse})

    def _user(self, connection: HTTPConnection) -> str | None:
        """Whose Hub token came with a request; for the log, so that a bad one does not matter."""
        token = connection.headers.get("authorization", "").removeprefix("Bearer ")
        known = self.accounts.tokens.get(token)
        return None if known is None else known.name

    def start(self) -> None:
        """Serve, from a thread of its own."""
        self._socket.listen()
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and drop every connection."""
        self._server.should_exit = True
        self._thread.join(START_SECONDS)
        self._socket.close()

    # ------------------------------------------------------------------------------- for tests

    def environment(
        self, token: str | None = None, *, home: Path, xet: bool = True, **changes: str
    ) -> dict[str, str]:
        """Environment of a client process: this Hub, one principal, nothing of the tester's own.

        Args:
            token: Whose client it is; None for nobody.
            home: ``HF_HOME``. One folder per principal: the client's caches know no permissions.
            xet: Whether large files go by Xet, the client's default, or by LFS.
            changes: Further variables.
        """
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HF_", "HUGGING")) and not name.lower().endswith("_proxy")
        }
        kept |= {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
        kept |= {} if token is None else {"HF_TOKEN": token}
        kept |= {} if xet else {"HF_HUB_DISABLE_XET": "1"}
        return kept | changes

    def repository(self, repo_id: str, kind: str = "dataset") -> Repository:
        """What the Hub holds of a repository: ``branches``, ``tags``, ``commits``.

        Raises:
            KeyError: where there is none.
        """
        return self.site.storage.repositories[kind, repo_id]

    def read(self, repo_id: str, path: str, revision: str = "main", kind: str = "dataset") -> bytes:
        """The content of a file at a revision, straight from storage.

        Raises:
            KeyError: where there is none.
        """
        entry = self.repository(repo_id, kind).at(revision).files[path]
        return self.site.storage.path_of(entry).read_bytes()

    def commit(
        self,
        repo_id: str,
        files: Mapping[str, bytes],
        *,
        kind: str = "dataset",
        author: str = "another",
    ) -> Commit:
        """Somebody else's commit of small files to main, past all HTTP: for races."""
        storage = self.site.storage
        added: dict[str, Entry] = {
            path: storage.add_blob(content) for path, content in files.items()
        }

        def edit(tree: Files) -> None:
            tree.update(added)

        repository = self.repository(repo_id, kind)
        return storage.commit(repository, "main", edit, author=author, title="Another commit")


@contextmanager
def running(folder: Path) -> Iterator[Hub]:
    """A Hub that keeps its storage in a folder, while the ``with`` block lasts.

    Raises:
        AssertionError: at the end, if the Hub itself broke.
    """
    hub = Hub(folder)
    hub.start()
    try:
        yield hub
    finally:
        hub.stop()
    assert not hub.log.failures, "\n".join(hub.log.failures)


@pytest.fixture
def test_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A Hub of its own for a test, which fails if the Hub itself broke."""
    with running(tmp_path_factory.mktemp("hub")) as hub:
        yield hub
