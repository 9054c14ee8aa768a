"""The data set card: ``README.md``, computed from the manifest, the provenance and the rows.

People write between ``<!-- yours: begin NAME -->`` and ``<!-- end -->``; a new rendering keeps
that. Blocks marked ``release`` are filled in by a push (:mod:`robotmcqa.card.blocks`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template

from robotmcqa.card.blocks import block, blocks, kept, without_markers
from robotmcqa.card.facts import Facts
from robotmcqa.card.front_matter import (
    Entry,
    default_config,
    front_matter,
    front_matter_text,
    licence,
    with_extras,
)
from robotmcqa.generations import sources_of
from robotmcqa.pools import SPLITS
from robotmcqa.spec import FAMILY_NAMES

__all__ = [
    "CANARY",
    "Example",
    "Presentation",
    "laws_in_words",
    "release_texts",
    "render_card",
    "render_collection",
]

CANARY = "robotmcqa canary 1f6f0b52-8c0b-4f0e-9d53-7a6e2c8f4b91"
"""The same in every data set, so that crawled copies of test questions can be found by it."""


@dataclass(frozen=True, slots=True)
class Example:
    """A row to show, and its pictures as (camera, path of the file)."""

    row: Mapping[str, Any]
    pictures: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Presentation:
    """What a card shows of the rows.

    Attributes:
        facts: counts.
        examples: a row of each family.
        plots: (caption, path of the file).
        audit: what the blind audit found, as Markdown; "" where there are no letters to guess.
    """

    facts: Facts
    examples: Sequence[Example]
    plots: Sequence[tuple[str, str]]
    audit: str = ""


def render_card(
    manifest: Mapping[str, Any],
    provenance: Mapping[str, Any],
    shown: Presentation,
    older: str = "",
) -> str:
    """The card of a data set, front matter included.

    Args:
        manifest, provenance: of the data set.
        shown: of its rows.
        older: card; what people have written in it is kept.
    """
    title = _title([manifest])
    text = _template("dataset.md.jinja").render(
        manifest=manifest,
        provenance=provenance,
        title=title,
        rows=_rows(manifest),
        splits=[split for split in SPLITS if split in manifest["splits"]],
        families=manifest["spec"]["families"],
        laws=laws_in_words(manifest),
        law_meanings=LAW_MEANINGS,
        licence=licence(provenance["source"]["licence"], provenance["source"]["scheme"]),
        shown=shown,
        near=_near(shown.facts),
        reproducible=_reproducible(provenance["source"]),
        reproducible_since=all(map(_reproducible, sources_of(provenance)[1:])),
        canary=CANARY,
        yours=_yours,
        release=_release(release_texts({"default": manifest})),
        front_matter=_front_matter([("default", "", manifest, provenance)], title),
    )
    return _kept(text, older)


def render_collection(
    entries: Sequence[Entry], shown: Mapping[str, Presentation], older: str = ""
) -> str:
    """The card of several data sets in one repository, each a config with a card of its own.

    Args:
        entries: the data sets.
        shown: config -> of its rows.
        older: card; what people have written in it is kept.
    """
    manifests = {name: manifest for name, _, manifest, _ in entries}
    families = {name for manifest in manifests.values() for name in manifest["spec"]["families"]}
    first = default_config(manifests)
    title = _title(list(manifests.values()))
    text = _template("collection.md.jinja").render(
        entries=entries,
        title=title,
        first=first,
        shown=shown,
        splits=[split for split in SPLITS if any(split in m["splits"] for m in manifests.values())],
        families=[name for name in FAMILY_NAMES if name in families],
        counts={name: _family_counts(manifest) for name, manifest in manifests.items()},
        rows={name: _rows(manifest) for name, manifest in manifests.items()},
        laws={name: laws_in_words(manifest) for name, manifest in manifests.items()},
        canary=CANARY,
        yours=_yours,
        release=_release(release_texts(manifests, config=first)),
        front_matter=_front_matter(entries, title),
    )
    return _kept(text, older)


def release_texts(
    manifests: Mapping[str, Mapping[str, Any]],
    repo: str | None = None,
    version: str | None = None,
    news: str = "",
    config: str | None = None,
) -> dict[str, str]:
    """Name -> text of the blocks that tell of a release; of a folder where there is none yet.

    Args:
        manifests: config -> manifest, of what the card is about.
        repo: ``org/name``.
        version: ``vX.Y.Z``.
        news: entry of the changelog.
        config: that a reader names; None where there is but one.
    """
    first = next(iter(manifests.values()))
    values = {
        "title": _title(list(manifests.values())),
        "repo": repo,
        "version_name": version,
        "news": news.partition("\n")[2].strip(),
        "config": config,
        "others": [name for name in manifests if name != config] if config else [],
        "split": next(split for split in SPLITS if split in first["splits"]),
        "generator": first["generator"],
    }
    module = _template("release.md.jinja").make_module(values)
    return {name: str(getattr(module, name)()).strip("\n") for name in _RELEASE_BLOCKS}


LAW_MEANINGS: Mapping[str, str] = {
    "uniform": "any position in the valid box.",
    "near": "positions around the right one.",
    "level": "positions around the right one, at its height.",
    "matched": "where the gripper was, or went, in other demonstrations of the task.",
    "swapped": "questions of a task exchange their right answers, so that every option is right as "
    "often as any other.",
    "neighbours": "movements that differ from the right one along one axis.",
    "none": "there are none.",
}
"""Each law of wrong options in a sentence; docs/questions.md has the rest."""

_RELEASE_BLOCKS = ("version", "use", "citation", "changes")


def _kept(text: str, older: str) -> str:
    """A new card with what people have written in an older one."""
    return with_extras(kept(text, blocks(older, "yours")), older)


def _family_counts(manifest: Mapping[str, Any]) -> Counter[str]:
    """Family -> questions."""
    counts: Counter[str] = Counter()
    for of_task in manifest["items"].values():
        counts.update(of_task)
    return counts


def _title(manifests: Sequence[Mapping[str, Any]]) -> str:
    tasks = sorted({task for manifest in manifests for task in manifest["items"]})
    return f"Robot MCQA, {', '.join(tasks) if len(tasks) <= 3 else f'{len(tasks)} tasks'}"


def _rows(manifest: Mapping[str, Any]) -> int:
    return sum(split["rows"] for split in manifest["splits"].values())


def _reproducible(source: Mapping[str, Any]) -> bool:
    return bool(source.get("settings", {}).get("reproducible", True))


def _near(facts: Facts) -> int | None:
    """Percent of waypoint questions whose answer is within 5 cm of where the gripper is."""
    distances = list(facts.statistics.document()["waypoint_distance"].values())
    return round(100 * distances[0] / sum(distances)) if sum(distances) else None


def _front_matter(entries: Sequence[Entry], title: str) -> str:
    return front_matter_text(front_matter(entries, title))


def _yours(name: str) -> str:
    return block("yours", name)


def _release(texts: Mapping[str, str]) -> Any:
    return lambda name: block("release", name, texts[name])


def _template(name: str) -> Template:
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(
            lambda name: files("robotmcqa.cards").joinpath(name).read_text("utf-8")
        ),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown
    )
    environment.filters["quoted"] = _quoted
    return environment


def _quoted(text: str) -> str:
    """A text as a block of code, whatever it holds: prompts and instructions are others' words."""
    fence = "```"
    while fence in text:
        fence += "`"
    safe = without_markers(text.strip("\n"))
    return f"{fence}text\n{safe}\n{fence}"


def laws_in_words(manifest: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """(family, law) -> "all tasks", "all tasks, train", "all tasks but ...", or the tasks."""
    tasks: defaultdict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    everything = set()
    for entry in manifest["laws"]:
        place = (entry["task"], entry["split"])
        tasks[entry["family"], entry["law"]].add(place)
        everything.add(place)
    return {key: _places(places, everything) for key, places in tasks.items()}


def _places(places: set[tuple[str, str]], everything: set[tuple[str, str]]) -> str:
    """(task, split) pairs in words, the shorter way."""
    if places == everything:
        return "all tasks"
    splits = sorted({split for _, split in places})
    if places == {place for place in everything if place[1] in splits}:
        return f"all tasks, {' and '.join(splits)}"
    others = everything - places
    if len(others) < len(places):
        return f"all tasks but {_list(others)}"
    return _list(places)


def _list(places: set[tuple[str, str]]) -> str:
    return ", ".join(f"{split} of {task}" for task, split in sorted(places))
