"""Ray clusters of this machine alone, for tests: their nodes can be killed one by one."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import environment
from tests.runs import alive, family_of, wait_until

RAY = Path(sys.executable).with_name("ray")


@dataclass
class Cluster:
    """A head node, and others beside it.

    Attributes:
        folder: of sockets and logs; a short path, for those of sockets are.
        variables: of the nodes' environment, and so of their workers'.
    """

    folder: Path
    variables: dict[str, str]
    port: int
    nodes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def add(self, cores: int = 1) -> subprocess.Popen[bytes]:
        """Start a node, the first one as the head; it is there when this returns."""
        role: tuple[str, ...] = ("--address", self.address)
        if not self.nodes:
            role = ("--head", "--port", str(self.port), "--temp-dir", str(self.folder))
            role += ("--include-dashboard", "false", "--ray-client-server-port", str(_free_port()))
        log = self.folder / f"node{len(self.nodes)}.log"
        options = ("--num-cpus", str(cores), "--num-gpus", "0", "--disable-usage-stats")
        with log.open("wb") as file:
            node = subprocess.Popen(
                [RAY, "start", "--block", *role, *options, "--object-store-memory", "100000000"],
                env=environment(**self.variables),
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.nodes.append(node)
        wait_until(lambda: node.poll() is not None or b"runtime started" in log.read_bytes())
        assert node.poll() is None, log.read_text()
        return node

    def end(self, node: subprocess.Popen[bytes]) -> None:
        """As when the power fails: everything on the node at once."""
        family = {node.pid: ""} | descendants(node.pid)
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        node.wait(10)
        wait_until(lambda: not any(alive(pid, start) for pid, start in family.items()), 20)


@contextmanager
def cluster(**variables: str) -> Iterator[Cluster]:
    """One without nodes, to which they are added; all of them are ended at the end."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    with tempfile.TemporaryDirectory(prefix="rc-", dir="/tmp", ignore_cleanup_errors=True) as place:
        made = Cluster(Path(place), token | variables, _free_port())
        try:
            yield made
        finally:
            for node in reversed(made.nodes):
                if node.poll() is None:
                    made.end(node)


def descendants(pid: int) -> dict[int, str]:
    """Children of a process, their children and so on -> their start time."""
    found = family_of(pid)
    for child in list(found):
        found |= descendants(child)
    return found


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port
