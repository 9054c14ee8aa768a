"""Everything in a data set's folder that is for its readers: card, pictures, plots, eval.yaml."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from robotmcqa.audit import COLUMNS, FEW_QUESTIONS, Audit, audit_tables, drawn_of, tables_of
from robotmcqa.card.blocks import blocks
from robotmcqa.card.facts import FACT_COLUMNS, Facts
from robotmcqa.card.plots import plots
from robotmcqa.card.render import CANARY, Example, Presentation, render_card, render_collection
from robotmcqa.collection import entries_of, parts_of
from robotmcqa.errors import DataError
from robotmcqa.files import write_bytes, write_text
from robotmcqa.pools import SPLITS
from robotmcqa.scene import SceneMetadata
from robotmcqa.shards import find_rows, read_rows
from robotmcqa.workplace import CARD, EVAL

__all__ = [
    "ASSETS",
    "Presented",
    "older_card",
    "present",
    "present_collection",
]

ASSETS = "assets"


@dataclass(frozen=True, slots=True)
class Presented:
    """What was written for readers.

    Attributes:
        paths: what belongs into the manifest: everything but the card.
        audit: its quick form; None for open-ended questions.
    """

    paths: Sequence[str]
    audit: Audit | None


def present(
    folder: Path,
    manifest: Mapping[str, Any],
    provenance: Mapping[str, Any],
    scene: SceneMetadata,
    older: str = "",
) -> Presented:
    """Write card, pictures, plots and eval.yaml into a folder that has its rows already.

    Args:
        folder: of the data set.
        manifest: it lists the data files; what is written here is not in it yet.
        provenance, scene: of the data set.
        older: card; what people have written in it is kept.
    """
    written: list[str] = []

    def write(name: str, data: bytes) -> None:
        write_bytes(folder / name, data)
        written.append(name)

    shown, found = _presentation(folder, manifest, scene, write)
    evaluation = _evaluation({"": manifest})
    if evaluation:
        write(EVAL, evaluation.encode())
    write_text(folder / CARD, render_card(manifest, provenance, shown, older))
    return Presented(sorted(written), found)


def present_collection(folder: Path) -> None:
    """Write the common card and eval.yaml of the data sets in subfolders of ``folder``.

    Raises:
        DatasetError: there is none, or one is damaged.
        DataError: nobody can tell what people have written in the card that lies there.
    """
    parts = parts_of(folder, finished=True)
    shown = {
        part.config: _presentation(
            part.dataset.path, part.dataset.manifest, part.dataset.scene, lambda name, data: None
        )[0]
        for part in parts
    }
    card = render_collection(entries_of(parts), shown, older_card(folder))
    write_text(folder / CARD, card)
    evaluation = _evaluation({part.config: part.dataset.manifest for part in parts})
    if evaluation:
        write_text(folder / EVAL, evaluation)
    else:
        (folder / EVAL).unlink(missing_ok=True)


def _presentation(
    folder: Path,
    manifest: Mapping[str, Any],
    scene: SceneMetadata,
    write: Callable[[str, bytes], None],
) -> tuple[Presentation, Audit | None]:
    """What the card shows of the rows; ``write`` hears of each picture and plot."""
    spec = manifest["spec"]
    shards = {
        split: [folder / file["path"] for file in manifest["files"] if file.get("split") == split]
        for split in SPLITS
        if split in manifest["splits"]
    }
    facts, found = _looked_at(shards, manifest, scene)
    examples = []
    for row in _found(next(iter(shards.values())), facts.shown(spec["families"])):
        pictures = []
        for camera, image in zip(row["cameras"], row["images"], strict=True):
            name = f"{ASSETS}/example-{row['family']}-{_plain(camera)}.png"
            write(name, image["bytes"])
            pictures.append((camera, name))
        examples.append(Example(row, pictures))
    drawn = []
    for plot in plots(facts, scene.valid_box, spec["choices"]):
        name = f"{ASSETS}/{plot.name}.svg"
        write(name, plot.svg.encode())
        drawn.append((plot.caption, name))
    return Presentation(facts, examples, drawn, found.markdown() if found else ""), found


def _looked_at(
    shards: Mapping[str, Sequence[Path]], manifest: Mapping[str, Any], scene: SceneMetadata
) -> tuple[Facts, Audit | None]:
    """What one pass over the rows tells, and the quick audit where there are letters to guess.

    Rows to show come from the first split: a card is crawled, and test rows have no place in
    what models are trained on.
    """
    facts = Facts()
    drawn = drawn_of(manifest, FEW_QUESTIONS)

    def counted() -> Iterator[tuple[str, dict[str, Any]]]:
        for number, (split, some) in enumerate(shards.items()):
            for shard in some:
                for row in read_rows(shard, sorted({*FACT_COLUMNS, *COLUMNS})):
                    facts.add(row, showable=number == 0)
                    if drawn.takes(row["episode"]):
                        yield split, row

    if manifest["spec"]["format"] == "choice":
        tables = tables_of(counted(), scene.motion_words)
        return facts, replace(audit_tables(tables, quick=True), share=drawn.share)
    for _ in counted():
        pass
    return facts, None


def _found(shards: Sequence[Path], ids: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of these ids, in their order."""
    found: dict[str, dict[str, Any]] = {}
    for shard in shards:
        found |= {row["id"]: row for row in find_rows(shard, set(ids) - found.keys())}
        if len(found) == len(ids):
            break
    return [found[name] for name in ids]


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


def older_card(folder: Path) -> str:
    """The card that lies in a folder, "" where there is none.

    Raises:
        DataError: the markers of what people have written in it are damaged.
    """
    card = folder / CARD
    if not card.is_file():
        return ""
    try:
        text = card.read_text("utf-8")
        blocks(text, "yours")
    except UnicodeDecodeError as error:
        raise DataError(f"{card}: {error}", "save it as UTF-8, or move it away") from None
    except DataError as error:
        raise DataError(f"{folder}/{error.what}", error.remedy) from None
    return text
