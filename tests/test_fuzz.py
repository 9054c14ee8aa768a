"""What fuzzing has found stays mended: each target takes its seeds, and all that once broke it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, TARGETS

INPUTS = [(name, path) for name in TARGETS for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.parametrize(("target", "path"), INPUTS, ids=[f"{t}-{p.name}" for t, p in INPUTS])
def test_a_target_takes_it(target: str, path: Path) -> None:
    TARGETS[target](path.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("data", [b"", b"\0", b"\xff" * 40])
def test_a_target_takes_next_to_nothing(target: str, data: bytes) -> None:
    TARGETS[target](data)


def test_the_corpus_is_small() -> None:
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 32_000
