"""Task plans on disk: decided once, read by whichever process writes the questions.

A plan of a large task holds a true answer for every question. In a file of arrays it is small, is
sent to no worker, and is looked up without becoming Python objects.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from robotmcqa.coordinates import Millimetres
from robotmcqa.distractors import Pool
from robotmcqa.files import write_bytes
from robotmcqa.pools import SetKey, TaskPlan

__all__ = ["load_plan", "save_plan"]

Array = NDArray[Any]


def save_plan(path: Path, plan: TaskPlan) -> None:
    """Write a plan; it appears under its name when it is whole."""
    owners = {owner for pool in (*plan.pools.values(), *plan.sets.values()) for owner, _ in pool}
    names = sorted({*owners, *(episode for _, episode, _ in plan.sets)})
    number = {name: place for place, name in enumerate(names)}
    arrays: dict[str, Array] = {"names": np.array(names, dtype=np.str_)}
    for place, pool in enumerate(plan.pools.values()):
        arrays[f"pool{place}_owner"], arrays[f"pool{place}_at"] = _columns(pool, number)
    families = sorted({family for family, _, _ in plan.sets})
    for family in families:
        mine = sorted(
            (_code(number[episode], frame), pool)
            for (of, episode, frame), pool in plan.sets.items()
            if of == family
        )
        flat = [answer for _, pool in mine for answer in pool]
        arrays[f"sets_{family}_code"] = np.array([code for code, _ in mine], dtype=np.int64)
        owner, at = _columns(flat, number)
        arrays[f"sets_{family}_owner"] = owner.reshape(len(mine), -1)
        arrays[f"sets_{family}_at"] = at.reshape(len(mine), -1, 3)
    header = {
        "laws": dict(plan.laws),
        "references": plan.references,
        "pools": [list(key) for key in plan.pools],
        "families": families,
    }
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    data = io.BytesIO()
    np.savez(data, **arrays)  # type: ignore[arg-type]  # the stub takes them for allow_pickle
    write_bytes(path, data.getvalue())


def _columns(pool: Pool, number: Mapping[str, int]) -> tuple[Array, Array]:
    """Owners' numbers (n,), and positions (n, 3) in mm."""
    owner = np.array([number[name] for name, _ in pool], dtype=np.int32)
    return owner, np.array([at for _, at in pool], dtype=np.int32).reshape(-1, 3)


def _code(episode: int, frame: int) -> int:
    """One number for a moment; in the order of both."""
    return episode << 32 | frame


@lru_cache(maxsize=4)
def load_plan(path: Path) -> TaskPlan:
    """A plan that :func:`save_plan` wrote; kept for the next shard of the task."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        header = json.loads(arrays["header"].tobytes())
        names = arrays["names"].tolist()
        pools: dict[tuple[str, Any], Pool] = {
            (family, key): _Answers(names, arrays[f"pool{at}_owner"], arrays[f"pool{at}_at"])
            for at, (family, key) in enumerate(header["pools"])
        }
        sets = {
            family: _FamilySets(
                arrays[f"sets_{family}_code"],
                arrays[f"sets_{family}_owner"],
                arrays[f"sets_{family}_at"],
            )
            for family in header["families"]
        }
    return TaskPlan(header["laws"], pools, header["references"], _Sets(names, sets))


class _Answers(Sequence[tuple[str, Millimetres]]):
    """A pool held as arrays."""

    def __init__(self, names: Sequence[str], owner: Array, at: Array) -> None:
        self._names, self._owner, self._at = names, owner, at

    def __len__(self) -> int:
        return len(self._owner)

    @overload
    def __getitem__(self, place: int) -> tuple[str, Millimetres]: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[tuple[str, Millimetres]]: ...
    def __getitem__(
        self, place: int | slice
    ) -> tuple[str, Millimetres] | Sequence[tuple[str, Millimetres]]:
        if isinstance(place, slice):
            return _Answers(self._names, self._owner[place], self._at[place])
        x, y, z = self._at[place].tolist()
        return self._names[self._owner[place]], (x, y, z)


@dataclass(frozen=True, slots=True)
class _FamilySets:
    """Of one family: codes of n moments, ascending; owners (n, k - 1) and places (n, k - 1, 3)."""

    codes: Array
    owner: Array
    at: Array


class _Sets(Mapping[SetKey, Pool]):
    """The sets of ``swapped`` held as arrays."""

    def __init__(self, names: Sequence[str], families: Mapping[str, _FamilySets]) -> None:
        self._names, self._families = names, families
        self._number = {name: place for place, name in enumerate(names)} if families else {}

    def __getitem__(self, key: SetKey) -> Pool:
        family, episode, frame = key
        found, code = self._families[family], _code(self._number[episode], frame)
        place = int(np.searchsorted(found.codes, code))
        if place == len(found.codes) or found.codes[place] != code:
            raise KeyError(key)
        return tuple(_Answers(self._names, found.owner[place], found.at[place]))

    def __iter__(self) -> Iterator[SetKey]:
        for family, found in self._families.items():
            for code in found.codes.tolist():
                yield family, self._names[code >> 32], code & 0xFFFFFFFF

    def __len__(self) -> int:
        return sum(len(found.codes) for found in self._families.values())
