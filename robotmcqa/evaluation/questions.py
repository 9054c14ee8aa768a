"""Which questions are asked: of a data set, a split, families, and so many of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robotmcqa.card.front_matter import content_digest, default_config
from robotmcqa.collection import parts_of
from robotmcqa.dataset import Dataset
from robotmcqa.draws import Draws
from robotmcqa.errors import UsageError
from robotmcqa.hub.pull import address_of, fetch

__all__ = ["ALL", "Questions", "open_part", "questions_of"]

ALL = "all"
"""Names every split."""


@dataclass(frozen=True, slots=True)
class Questions:
    """The questions of one evaluation.

    Attributes:
        dataset: they are taken from; one config of a repository.
        config: its name.
        split: ``test``, ``train`` or ``all``.
        rows: with their pictures' bytes, in the data set's order.
    """

    dataset: Dataset
    config: str
    split: str
    rows: Sequence[Mapping[str, Any]]

    @property
    def families(self) -> list[str]:
        """Those that are asked, in the data set's order."""
        asked = {row["family"] for row in self.rows}
        return [name for name in self.dataset.manifest["spec"]["families"] if name in asked]

    @property
    def open_ended(self) -> bool:
        """No options: a position is to be written."""
        return bool(self.dataset.manifest["spec"]["format"] == "open")

    def digest(self) -> str:
        """Of all questions and pictures of the data set, asked or not."""
        return content_digest(self.dataset.manifest)


def open_part(place: str, config: str | None = None) -> tuple[Dataset, str]:
    """The data set in a folder or release, and the name of its config.

    Args:
        place: a folder, ``org/name@v1.2.0`` or ``hf://org/name@v1.2.0``.
        config: of a repository with several; its default one if None.

    Raises:
        DatasetError: there is none.
        UsageError: it has no such config.
        HubError: it cannot be fetched.
    """
    address = address_of(place)
    parts = {part.config: part for part in parts_of(fetch(address) if address else Path(place))}
    name = config or (default_config(parts) if len(parts) > 1 else next(iter(parts)))
    if name not in parts:
        raise UsageError(f"{place} has no config '{name}'", f"it has {', '.join(parts)}")
    return parts[name].dataset, name


def questions_of(
    place: str,
    *,
    config: str | None = None,
    split: str = "test",
    families: Sequence[str] = (),
    limit: int | None = None,
) -> Questions:
    """Choose questions.

    Args:
        place: as for :func:`open_part`.
        config: likewise.
        split: ``test``, ``train`` or ``all``.
        families: only these; all by default.
        limit: at most so many of each family, the same ones every time. They are drawn from all
            tasks and episodes; more of them include the fewer.

    Raises:
        UsageError: there is no such split, family or config, or no question is left.
        DatasetError, HubError: as for :func:`open_part`.
    """
    dataset, name = open_part(place, config)
    splits = list(dataset.manifest["splits"])
    if split not in (*splits, ALL):
        raise UsageError(f"{place} has no split '{split}'", f"it has {', '.join(splits)}, or {ALL}")
    known = dataset.manifest["spec"]["families"]
    for family in families:
        if family not in known:
            raise UsageError(f"no family '{family}' in {place}", f"it has {', '.join(known)}")
    chosen = _chosen(dataset, splits if split == ALL else [split], families or known, limit)
    rows = [
        row
        for one in (splits if split == ALL else [split])
        for row in dataset.rows(one)
        if row["id"] in chosen
    ]
    if not rows:
        raise UsageError(f"the split '{split}' of {place} has no such question", "take another")
    return Questions(dataset, name, split, rows)


def _chosen(
    dataset: Dataset, splits: Sequence[str], families: Sequence[str], limit: int | None
) -> set[str]:
    """Ids of the questions to ask."""
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for split in splits:
        for row in dataset.rows(split, ("id", "family")):
            if row["family"] in families:
                ids[row["family"]].append(row["id"])
    chosen: set[str] = set()
    for family, members in ids.items():
        order = Draws("evaluation", family).without_replacement(sorted(members))
        chosen.update(one for one, _ in zip(order, range(limit or len(members)), strict=False))
    return chosen
