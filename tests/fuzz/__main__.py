"""``python -m tests.fuzz TARGET [--seconds N]``: search for bytes that break a promise.

libFuzzer through atheris. New inputs go to ``.fuzz/TARGET``, what breaks a promise to
``.fuzz/broken-TARGET-*``: put it into ``tests/fuzz/corpus/TARGET`` together with the mend.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["robotmcqa"]):
    from tests.fuzz.targets import CORPUS, TARGETS

LONGEST = {"parser": 2048, "scene": 8192, "mapping": 2048, "manifest": 4096, "pickle": 4096}
"""Bytes of an input."""


def main() -> None:
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asked.add_argument("target", choices=sorted(TARGETS))
    asked.add_argument("--seconds", type=int, default=600)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    found = Path(".fuzz", given.target)
    found.mkdir(parents=True, exist_ok=True)
    words = CORPUS / f"{given.target}.dict"
    arguments = [
        *(sys.argv[0], str(found), str(CORPUS / given.target)),
        *(f"-max_total_time={given.seconds}", f"-seed={given.seed}"),
        *("-timeout=10", "-rss_limit_mb=1024", f"-max_len={LONGEST.get(given.target, 4096)}"),
        *(f"-artifact_prefix=.fuzz/broken-{given.target}-", "-print_final_stats=1"),
        *([f"-dict={words}"] if words.exists() else []),
    ]
    TARGETS[given.target](b"")  # what is made once is made before the clock of an input runs
    atheris.Setup(arguments, TARGETS[given.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
