"""What :mod:`tests.test_supervised` puts into another process; quickly imported there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time


class Subject:
    """Does as it is told."""

    def __init__(self, name: str) -> None:
        if not name:
            raise ValueError("no name")
        self.name = name
        self.child: subprocess.Popen[bytes] | None = None

    def greet(self, greeting: str) -> str:
        print(f"{greeting} was said")
        return f"{greeting}, {self.name}"

    def refuse(self) -> None:
        raise RuntimeError("not today")

    def start_child(self) -> int:
        self.child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
        return self.child.pid

    def hang(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("\n  thinking   hard \n\n lib.so(run+0x28)[0x7f2adecd60b8]\nmore", file=sys.stderr)
        time.sleep(1000)

    def leave(self, code: int) -> None:
        os._exit(code)

    def crash(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def close(self) -> None:
        if self.child:
            self.child.terminate()
            self.child.wait()
