"""Is a row what it says it is? What ``validate`` holds against every one."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from PIL import Image

from robotmcqa.coordinates import coordinate_text, distance_squared, to_millimetres
from robotmcqa.dataset import Dataset
from robotmcqa.episode import Moment
from robotmcqa.motion import all_labels, motion_label, neighbours
from robotmcqa.questions import FAMILIES
from robotmcqa.questions.prompts import LETTERS
from robotmcqa.reasoning import plan_of, reasoning_problems
from robotmcqa.schema import first_problem, is_valid
from robotmcqa.spec import Spec

__all__ = ["RowChecks"]


class RowChecks:
    """What holds for every row; remembers the row before."""

    def __init__(self, dataset: Dataset) -> None:
        document = dataset.manifest["spec"]
        self.document = document
        self.digest = dataset.manifest["spec_digest"]
        self.scene = dataset.scene
        # What recomputing an answer needs of the spec.
        self.spec = Spec(dead_band=document["dead_band_mm"], scene=dataset.scene)
        self.laws = {(law["task"], law["family"], law["law"]) for law in dataset.manifest["laws"]}
        self.labels = {one.text(self.scene.motion_words) for one in all_labels()}
        self.images = 0
        self._pictures: list[bytes] = []
        self._before: tuple[Any, ...] = ()
        self._split = ""
        self._plans: tuple[str, tuple[str, ...] | None] = ("", None)  # of the episode before

    def next_file(self, split: str) -> None:
        """The rows that come next are a file of ``split``; order goes on over a split's files."""
        if split != self._split:
            self._before = ()
        self._split = split

    def schema_problem(self, row: dict[str, Any]) -> str | None:
        """The first way in which a row breaks the item schema; then nothing else can be asked."""
        sizes = [len((image or {}).get("bytes") or b"") for image in row["images"] or ()]
        document = {**row, "images": sizes}
        if not is_valid("item", document):
            return f"schema: {first_problem('item', document)}"
        numbers = (
            *row["state"],
            *row["target"],
            *(one for xyz in row["distractors"] for one in xyz),
        )
        if not all(map(math.isfinite, numbers)):
            return "a position is not a finite number"
        return None

    def problems(self, row: dict[str, Any]) -> list[str]:
        """Everything wrong with what a row that fits the schema says."""
        pictures = [image["bytes"] for image in row["images"]]
        return [
            *self._identity(row),
            *self._meaning(row),
            *self._prompt(row),
            *self._decoded(row, pictures),
            *self._reasoning(row),
        ]

    def _identity(self, row: Mapping[str, Any]) -> Iterator[str]:
        if row["id"] != f"{row['episode']}-{row['frame']:04d}-{row['family']}":
            yield "id does not fit episode, frame and family"
        if row["family"] not in self.document["families"]:
            yield f"family '{row['family']}' is not in the spec"
            return
        if row["keyframe"] <= row["frame"]:
            yield f"keyframe {row['keyframe']} does not come after frame {row['frame']}"
        if row["spec"]["digest"] != self.digest:
            yield "made under another spec than the manifest's"
        if (row["task"], row["family"], row["spec"]["law"]) not in self.laws:
            yield f"law '{row['spec']['law']}' is not the one in the manifest"
        family = self.document["families"].index(row["family"])
        place = (row["task"], row["variation"], row["episode"], row["frame"], family)
        if self._before and place <= self._before:
            yield "out of order, or there twice"
        self._before = place

    def _meaning(self, row: Mapping[str, Any]) -> Iterator[str]:
        if row["family"] not in FAMILIES:
            return
        moment = _moment(row)
        label = motion_label(moment.position, moment.target_position, self.spec.dead_band)
        if row["motion"] != label.text(self.scene.motion_words):
            yield f"motion '{row['motion']}' is not the movement from state to target"
        right = FAMILIES[row["family"]].answer(moment, self.spec)
        if row["spec"]["format"] == "open":
            if row["answer"] != right:
                yield f"the answer is {right}, not {row['answer']}"
            return
        options = row["options"]
        if len(options) != self.document["choices"]:
            yield f"{len(options)} options, the spec says {self.document['choices']}"
        place = LETTERS.index(row["answer"])
        if place >= len(options) or options[place] != right:
            yield f"the answer is {right}, which is not option {row['answer']}"
            return
        wrong = [option for option in options if option != right]
        if row["spec"]["law"] == "neighbours":
            near = {one.text(self.scene.motion_words) for one in neighbours(label)}
            for option in set(wrong) - near:
                yield f"option '{option}' is no neighbour of '{right}'"
        elif row["family"] == "motion":
            for option in set(wrong) - self.labels:
                yield f"option '{option}' is no movement"
        else:
            yield from self._positions(row, wrong, right)

    def _positions(self, row: Mapping[str, Any], wrong: list[str], right: str) -> Iterator[str]:
        points = [to_millimetres(point) for point in row["distractors"]]
        if [coordinate_text(point) for point in points] != wrong:
            yield "the distractors are not the wrong options"
            return
        for point in points:
            if point not in self.scene.valid_box:
                yield f"distractor {coordinate_text(point)} lies outside the valid box"
        answer = row["state"] if row["family"] == "current_state" else row["target"]
        everything = [to_millimetres(answer), *points]
        least = self.document["separation_mm"]
        for index, one in enumerate(everything):
            for other in everything[:index]:
                if distance_squared(one, other) < least**2:
                    yield (
                        f"options {coordinate_text(other)} and {coordinate_text(one)} are closer "
                        f"than {least / 1000:g} m"
                    )

    def _prompt(self, row: Mapping[str, Any]) -> Iterator[str]:
        for option in row["options"]:
            if option not in row["question"]:
                yield f"option '{option}' is not in the prompt"
        if row["family"] in self.document["templates"]:
            return  # a template of the user's own may say what it likes
        lettered = zip(LETTERS, row["options"], strict=False)
        listed = "".join(f"\n[[{letter}]] {option}" for letter, option in lettered)
        if listed not in row["question"]:
            yield "the prompt does not list the options by their letters"
        state = f"now at {coordinate_text(to_millimetres(row['state']))}."
        if (state in row["question"]) != (row["spec"]["state"] == "shown"):
            yield f"the prompt does not treat the current position as '{row['spec']['state']}'"

    def _reasoning(self, row: Mapping[str, Any]) -> Iterator[str]:
        text, family, plan = row["reasoning"], FAMILIES.get(row["family"]), None
        if text is not None and family:
            right = family.answer(_moment(row), self.spec)
            yield from reasoning_problems(text, row["motion"], right)
            plan = plan_of(text)
            if plan is None:
                return
        episode, before = self._plans
        if episode == row["episode"] and plan != before:
            yield "the reasoning's plan is not that of the row before, though the episode is"
        self._plans = (row["episode"], plan)

    def _decoded(self, row: Mapping[str, Any], pictures: list[bytes]) -> Iterator[str]:
        if row["cameras"] != self.document["cameras"] or len(pictures) != len(row["cameras"]):
            yield f"{len(pictures)} pictures for the cameras {row['cameras']}"
        if pictures == self._pictures:
            return  # the same frame as the row before
        self._pictures = pictures
        for camera, png in zip(row["cameras"], pictures, strict=False):
            problem = _decoding_problem(png)
            self.images += 1
            if problem:
                yield f"picture of camera '{camera}': {problem}"


def _moment(row: Mapping[str, Any]) -> Moment:
    return Moment(
        episode=row["episode"],
        frame=row["frame"],
        ordinal=0,
        keyframe=row["keyframe"],
        state=tuple(row["state"]),
        target=tuple(row["target"]),
        position=to_millimetres(row["state"]),
        target_position=to_millimetres(row["target"]),
        images=(),
    )


def _decoding_problem(png: bytes) -> str | None:
    try:
        with Image.open(BytesIO(png), formats=("PNG",)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        return f"does not decode ({error})"
    return None
