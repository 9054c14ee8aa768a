"""Everything in a data set's folder that is for its readers: card, pictures, plots, eval.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from robotmcqa.audit import COLUMNS, audit_tables, tables_of
from robotmcqa.card.blocks import blocks
from robotmcqa.card.facts import FACT_COLUMNS, Facts
from robotmcqa.card.plots import plots
from robotmcqa.card.render import CANARY, Example, Presentation, render_card, render_collection
from robotmcqa.collection import entries_of, parts_of
from robotmcqa.files import write_bytes, write_text
from robotmcqa.pools import SPLITS
from robotmcqa.scene import SceneMetadata
from robotmcqa.shards import find_rows, read_rows
from robotmcqa.workplace import CARD, EVAL

__all__ = [
    "ASSETS",
    "older_blocks",
    "present",
    "present_collection",
]

ASSETS = "assets"


def present(
    folder: Path,
    manifest: Mapping[str, Any],
    provenance: Mapping[str, Any],
    scene: SceneMetadata,
    yours: Mapping[str, str] | None = None,
) -> list[str]:
    """Write card, pictures, plots and eval.yaml into a folder that has its rows already.

    Args:
        folder: of the data set.
        manifest: it lists the data files; what is written here is not in it yet.
        provenance, scene: of the data set.
        yours: what people have written in an older card.

    Returns:
        paths of what belongs into the manifest: everything written but the card.
    """
    shards = {
        split: [folder / file["path"] for file in manifest["files"] if file.get("split") == split]
        for split in SPLITS
        if split in manifest["splits"]
    }
    spec = manifest["spec"]
    facts = Facts.of([_rows(some, FACT_COLUMNS) for some in shards.values()], spec["families"])
    written: list[str] = []

    def write(name: str, data: bytes) -> str:
        write_bytes(folder / name, data)
        written.append(name)
        return name

    examples = []
    for row in _shown(next(iter(shards.values())), facts):
        pictures = [
            (
                camera,
                write(f"{ASSETS}/example-{row['family']}-{_plain(camera)}.png", image["bytes"]),
            )
            for camera, image in zip(row["cameras"], row["images"], strict=True)
        ]
        examples.append(Example(row, pictures))
    drawn = [
        (plot.caption, write(f"{ASSETS}/{plot.name}.svg", plot.svg.encode()))
        for plot in plots(facts, scene.valid_box, spec["choices"])
    ]
    evaluation = _evaluation({"": manifest})
    if evaluation:
        write(EVAL, evaluation.encode())
    shown = Presentation(facts, examples, drawn, _audited(manifest, shards, scene))
    write_text(folder / CARD, render_card(manifest, provenance, shown, yours))
    return sorted(written)


def _audited(
    manifest: Mapping[str, Any], shards: Mapping[str, Sequence[Path]], scene: SceneMetadata
) -> str:
    """What the quick form of the blind audit found, as Markdown."""
    if manifest["spec"]["format"] != "choice":
        return ""
    rows = ((split, row) for split, some in shards.items() for row in _rows(some, COLUMNS))
    return audit_tables(tables_of(rows, scene.motion_words), quick=True).markdown()


def _rows(shards: Sequence[Path], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    for shard in shards:
        yield from read_rows(shard, columns)


def _shown(shards: Sequence[Path], facts: Facts) -> list[dict[str, Any]]:
    """The rows to show, in the order of the families."""
    wanted = set(facts.shown.values())
    found: dict[str, dict[str, Any]] = {}
    for shard in shards:
        found |= {row["id"]: row for row in find_rows(shard, wanted - found.keys())}
        if len(found) == len(wanted):
            break
    return [found[name] for name in facts.shown.values()]


def _plain(name: str) -> str:
    """A camera's name as part of a file's."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)


def _evaluation(manifests: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The Hub's benchmark convention; None where there is no letter to be scored, or no test.

    Args:
        manifests: config -> manifest; "" where there is but one.
    """
    scored = [
        config
        for config, manifest in manifests.items()
        if manifest["spec"]["format"] == "choice" and SPLITS[-1] in manifest["splits"]
    ]
    if not scored:
        return None
    document = {
        "name": "Robot MCQA",
        "description": "Multiple-choice questions about robot demonstrations, after Robot-R1: "
        "where the gripper is, where it goes next, and how it moves there.",
        "evaluation_framework": "inspect-ai",
        "tasks": [
            {
                "id": f"robotmcqa-{config}" if config else "robotmcqa",
                "config": config or "default",
                "split": SPLITS[-1],
                "field_spec": {"input": "question", "input_image": "images", "target": "answer"},
                "solvers": [{"name": "generate"}],
                "scorers": [
                    {
                        "name": "pattern",
                        "args": {"pattern": r"<answer>\s*\[\[([A-H])\]\]\s*</answer>"},
                    }
                ],
            }
            for config in scored
        ],
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
    return f"# {CANARY}\n{text}"


def older_blocks(card: Path) -> dict[str, str]:
    """What people have written in a card that lies there already."""
    return blocks(card.read_text("utf-8"), "yours") if card.is_file() else {}


def present_collection(folder: Path) -> None:
    """Write the common card and eval.yaml of the data sets in subfolders of ``folder``.

    Raises:
        DatasetError: there is none, or one is damaged.
    """
    parts = parts_of(folder, finished=True)
    card = folder / CARD
    write_text(card, render_collection(entries_of(parts), older_blocks(card)))
    evaluation = _evaluation({part.config: part.dataset.manifest for part in parts})
    if evaluation:
        write_text(folder / EVAL, evaluation)
    else:
        (folder / EVAL).unlink(missing_ok=True)
