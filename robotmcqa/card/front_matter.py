"""The front matter of a card: what the Hub and ``datasets`` read. Computed, never typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from robotmcqa.bounded_yaml import YAMLProblem, read_yaml
from robotmcqa.licences import HUB_KNOWS
from robotmcqa.pools import SPLITS
from robotmcqa.shards import card_features
from robotmcqa.spec import document_digest

__all__ = [
    "RLBENCH_LICENCE",
    "body_of",
    "content_digest",
    "default_config",
    "front_matter",
    "front_matter_of",
    "front_matter_problems",
    "front_matter_text",
    "licence",
    "with_extras",
]

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)

RLBENCH_LICENCE = "RLBench: for non-commercial research only"
"""What the RLBench sources say of their demonstrations."""

_NAMED: Mapping[str, Mapping[str, str]] = {
    RLBENCH_LICENCE: {
        "license_name": "rlbench",
        "license_link": "https://github.com/stepjam/RLBench/blob/master/LICENSE",
    }
}

Entry = tuple[str, str, Mapping[str, Any], Mapping[str, Any]]
"""Of one config: name, prefix of its paths, manifest, provenance."""


def licence(text: str, scheme: str) -> dict[str, str]:
    """A source's licence as the Hub asks for it: an identifier it knows, or a name for another.

    Nothing but the source decides it: no option relabels demonstrations.
    """
    if text in HUB_KNOWS:
        return {"license": text.lower()}
    return {
        "license": "other",
        **_NAMED.get(text, {"license_name": f"{scheme}-demonstrations"}),
    }


def front_matter(entries: Iterable[Entry], title: str) -> dict[str, Any]:
    """The front matter of a card about one data set, or several as configs."""
    entries = list(entries)
    manifests = [manifest for _, _, manifest, _ in entries]
    rows = sum(split["rows"] for manifest in manifests for split in manifest["splits"].values())
    asked = {manifest["spec"]["format"] for manifest in manifests}
    seen = any(manifest["spec"]["cameras"] for manifest in manifests)
    configs = [_config(*entry) for entry in entries]
    infos = [_info(*entry) for entry in entries]
    if len(entries) > 1:
        names = [name for name, *_ in entries]
        configs[names.index(default_config(names))]["default"] = True
    return {
        "pretty_name": title,
        **_common_licence(provenance["source"] for *_, provenance in entries),
        "language": ["en"],
        "task_categories": [
            "visual-question-answering" if seen else "question-answering",
            *(["multiple-choice"] if "choice" in asked else []),
            "robotics",
        ],
        "size_categories": [next((name for limit, name in _SIZES if rows < limit), "n>10M")],
        "tags": ["robotmcqa", "robotics", "embodied-reasoning", "benchmark"],
        "configs": configs,
        "dataset_info": infos[0] if len(infos) == 1 else infos,
    }


def default_config(names: Iterable[str]) -> str:
    """For readers who name no config: the questions as the paper asks them, or the first."""
    names = list(names)
    return "paper" if "paper" in names else names[0]


def _common_licence(sources: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    found = [licence(source["licence"], source["scheme"]) for source in sources]
    if all(one == found[0] for one in found):
        return found[0]
    return {"license": "other", "license_name": "of-each-config"}


def _config(
    name: str, prefix: str, manifest: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "config_name": name,
        # datasets keys its cache by this block, not by the files: without a digest of
        # them it would go on serving what lay here before.
        "description": f"content {content_digest(manifest)}",
        "data_files": [
            {"split": split, "path": f"{prefix}data/{split}-*.parquet"}
            for split in _splits(manifest)
        ],
    }


def _info(
    name: str, prefix: str, manifest: Mapping[str, Any], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    shards = [file for file in manifest["files"] if "split" in file]
    sizes = {
        split: sum(file["bytes"] for file in shards if file["split"] == split)
        for split in _splits(manifest)
    }
    return {
        "config_name": name,
        "features": card_features(),
        "splits": [
            {
                "name": split,
                "num_bytes": size,
                "num_examples": manifest["splits"][split]["rows"],
            }
            for split, size in sizes.items()
        ],
        "download_size": sum(sizes.values()),
        "dataset_size": sum(sizes.values()),
    }


def _splits(manifest: Mapping[str, Any]) -> list[str]:
    return [split for split in SPLITS if split in manifest["splits"]]


def content_digest(manifest: Mapping[str, Any]) -> str:
    """One number for all questions and pictures: a digest of the data files' SHA-256."""
    return document_digest([file["sha256"] for file in manifest["files"] if "split" in file])


def front_matter_of(card: str) -> dict[str, Any] | None:
    """The front matter that a card has; None where there is none that can be read."""
    parts = card.replace("\r\n", "\n").split("---\n", 2)
    if len(parts) < 3 or parts[0]:
        return None
    try:
        found = read_yaml(parts[1])
    except YAMLProblem:
        return None
    return found if isinstance(found, dict) else None


def body_of(card: str) -> str:
    """What comes after the front matter."""
    return card.replace("\r\n", "\n").split("---\n", 2)[-1] if front_matter_of(card) else card


def with_extras(card: str, older: str) -> str:
    """A card with what people have added to the front matter of an older one.

    Fields that are not computed, and tags. What is computed stays as it is in ``card``.
    """
    found = front_matter_of(older)
    computed = front_matter_of(card) if found else None  # reading it takes a while
    if not (computed and found):
        return card
    extras = {field: value for field, value in found.items() if field not in _COMPUTED}
    tags = computed["tags"] + [tag for tag in _tags(found) if tag not in computed["tags"]]
    whole = {**computed, "tags": tags, **extras}
    if whole == computed:
        return card
    return f"---\n{front_matter_text(whole)}---\n{body_of(card)}"


def front_matter_text(document: Mapping[str, Any]) -> str:
    """As YAML, without the lines around it."""
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=1000)


def _tags(document: Mapping[str, Any]) -> list[str]:
    tags = document.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


_COMPUTED = (
    *("pretty_name", "license", "license_name", "license_link", "language", "task_categories"),
    *("size_categories", "tags", "configs", "dataset_info"),
)
"""Fields that :func:`front_matter` may give."""

_BINDING = ("license", "license_name", "license_link", "configs", "dataset_info")
"""Fields that follow from the data. The others (tags, names) anybody may reword."""


def front_matter_problems(card: str, entries: Iterable[Entry]) -> Iterable[str]:
    """Where a card's front matter says something else than the data."""
    found = front_matter_of(card)
    if found is None:
        yield "no front matter that can be read"
        return
    right = front_matter(entries, "")
    for field in _BINDING:
        if found.get(field) != right.get(field):
            if field.startswith("license"):
                said, due = found.get(field), right.get(field)
                yield f"{field}: {said!r}, but the demonstrations' licence makes it {due!r}"
            else:
                yield f"{field} does not fit the data files: a reader would get an error"
