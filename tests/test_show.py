"""``show``: one page that needs nothing else, with the items, their maps and the counts."""

from __future__ import annotations

import base64
import dataclasses
import json
import shutil
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from robotmcqa.rlbench_layout import save_demo
from tests.conftest import TASKS, Row, Run, rows_of, tree
from tests.factory import make_demo

VOID = {"meta", "img", "link", "br", "rect", "circle", "line", "input"}
LOADING = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}


@dataclass
class Article:
    """One item as the page shows it."""

    id: str
    images: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    right: list[str] = field(default_factory=list)
    maps: list[Counter[str]] = field(default_factory=list)
    letters: list[list[str]] = field(default_factory=list)
    prompt: str = ""


class Page(HTMLParser):
    """What of a page the tests look at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.loads: list[str] = []
        self.articles: list[Article] = []
        self.counts: dict[str, dict[str, int]] = {}
        self.styles = ""
        self._open: list[tuple[str, str]] = []
        self._title = self._name = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        self.loads += [value for name, value in values.items() if name in LOADING]
        kind = values.get("class", "")
        inside = [name for name, _ in self._open]
        if tag == "article":
            self.articles.append(Article(values["id"]))
        elif "article" in inside:
            article = self.articles[-1]
            if tag == "img":
                article.images.append(values["src"])
            elif tag == "li":
                (article.right if kind == "right" else article.options).append("")
            elif tag == "svg":
                article.maps.append(Counter())
                article.letters.append([])
            elif "svg" in inside:
                article.maps[-1][kind or tag] += 1
        if tag not in VOID:
            self._open.append((tag, kind))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop()[0] == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        tag, kind = self._open[-1] if self._open else ("", "")
        inside = [name for name, _ in self._open]
        if tag == "style":
            self.styles += data
        if "article" not in inside:
            self._count(tag, data.strip())
        elif tag == "li":
            options = self.articles[-1].right if kind == "right" else self.articles[-1].options
            options[-1] += data
        elif tag == "pre":
            self.articles[-1].prompt += data
        elif tag == "text":
            self.articles[-1].letters[-1].append(data)

    def _count(self, tag: str, text: str) -> None:
        if tag == "h3":
            self._title = text
        elif tag == "span" and text:
            self._name = text
        elif tag == "b" and text:
            self.counts.setdefault(self._title, {})[self._name] = int(text)


def shown(robotmcqa: Run, dataset: Path, page: Path, *options: object) -> Page:
    done = robotmcqa("show", dataset, "--out", page, *options)
    assert done.returncode == 0, done.stderr
    assert str(page) in done.stderr
    return Page(page.read_text("utf-8"))


def items_of(dataset: Path) -> dict[str, dict[str, int]]:
    manifest = json.loads((dataset / "meta/manifest.json").read_text("utf-8"))
    items: dict[str, dict[str, int]] = manifest["items"]
    return items


@pytest.fixture(scope="module")
def page(robotmcqa: Run, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of the whole data set, no options given."""
    return shown(robotmcqa, dataset, tmp_path_factory.mktemp("show") / "page.html")


@pytest.fixture(scope="module")
def rows(dataset: Path) -> dict[str, Row]:
    return {row["id"]: row for row in rows_of(dataset)}


def test_the_page_needs_nothing_but_itself(page: Page) -> None:
    """It can be mailed, and opened without a network."""
    assert page.loads
    assert all(url.startswith("data:image/png;base64,") for url in page.loads)
    assert not {"script", "link", "iframe", "object", "base"} & set(page.tags)
    assert page.styles
    assert "url(" not in page.styles
    assert "@import" not in page.styles


def test_items_stand_in_the_order_of_the_data_set(page: Page, rows: dict[str, Row]) -> None:
    ids = [article.id for article in page.articles]
    assert len(ids) == 24
    assert ids == [name for name in rows if name in set(ids)]


def test_each_item_has_its_pictures_prompt_and_right_option(
    page: Page, rows: dict[str, Row]
) -> None:
    for article in page.articles:
        row = rows[article.id]
        assert [base64.b64decode(url.partition(",")[2]) for url in article.images] == [
            image["bytes"] for image in row["images"]
        ]
        assert article.prompt == row["question"]
        answer = row["options"]["ABCD".index(row["answer"])]
        assert article.right == [f"[[{row['answer']}]] {answer}"]
        assert len(article.options) == 3


def test_each_item_has_both_maps(page: Page, rows: dict[str, Row]) -> None:
    """Current position, waypoint and every distractor, from above and from the side."""
    for article in page.articles:
        row = rows[article.id]
        expected = {"box": 1, "way": 1, "state": 1, "target": 1}
        letters: list[str] = []
        if row["family"] != "motion":
            expected |= {"distractor": 3, "text": 4, "right-ring": 1}
            letters = list("ABCD")
        assert article.maps == [expected, expected]
        assert [sorted(one) for one in article.letters] == [letters, letters]


def test_the_counts_are_the_manifests(page: Page, dataset: Path, rows: dict[str, Row]) -> None:
    items = items_of(dataset)
    assert page.counts["Questions per task"] == {
        task: sum(counts.values()) for task, counts in items.items()
    }
    families = page.counts["Questions per family"]
    assert families == {
        family: sum(counts[family] for counts in items.values())
        for family in ("waypoint", "current_state", "motion")
    }
    for family in families:
        letters = Counter(row["answer"] for row in rows.values() if row["family"] == family)
        assert page.counts[f"Right letters, {family}"] == dict(letters)
    distances = page.counts["From the current position to the waypoint"]
    assert sum(distances.values()) == families["waypoint"]


def test_json_gives_the_same_counts_and_writes_no_page(
    robotmcqa: Run, dataset: Path, tmp_path: Path, page: Page
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    done = robotmcqa("show", copy, "--json")
    assert done.returncode == 0
    counts = json.loads(done.stdout)
    assert counts["tasks"] == page.counts["Questions per task"]
    assert counts["families"] == page.counts["Questions per family"]
    for family, letters in counts["letters"].items():
        assert letters == page.counts[f"Right letters, {family}"]
    assert sum(counts["motions"].values()) == counts["families"]["motion"]
    assert not list(tmp_path.glob("**/*.html"))


def test_the_page_lies_beside_the_data_set_by_default(
    robotmcqa: Run, dataset: Path, tmp_path: Path
) -> None:
    """Not in it: a data set holds nothing but what the manifest lists."""
    copy = tmp_path / "robotmcqa-dataset"
    shutil.copytree(dataset, copy)
    assert robotmcqa("show", cwd=tmp_path).returncode == 0
    assert (tmp_path / "robotmcqa-dataset.html").is_file()
    assert robotmcqa("show", ".", cwd=copy).returncode == 0
    assert tree(copy) == tree(dataset)


def test_the_terminal_shows_the_counts(robotmcqa: Run, dataset: Path, tmp_path: Path) -> None:
    done = robotmcqa("show", dataset, "--out", tmp_path / "page.html")
    for task, counts in items_of(dataset).items():
        (line,) = [line for line in done.stdout.splitlines() if task in line]
        assert str(sum(counts.values())) in line
    assert "Right letters" in done.stdout


def test_filters_choose_items(
    robotmcqa: Run, dataset: Path, tmp_path: Path, rows: dict[str, Row]
) -> None:
    only = ("--family", "motion", "--family", "waypoint", "--task", "push_button")
    chosen = shown(robotmcqa, dataset, tmp_path / "page.html", *only, "--limit", 10)
    wanted = {
        name
        for name, row in rows.items()
        if row["family"] != "current_state" and row["task"] == "push_button"
    }
    assert len(chosen.articles) == 10
    assert {article.id for article in chosen.articles} <= wanted
    assert chosen.counts["Questions per task"] == {"push_button": len(wanted)}


@pytest.mark.parametrize("split", ["train", "test"])
def test_split_shows_that_split_alone(
    robotmcqa: Run, dataset: Path, tmp_path: Path, split: str
) -> None:
    mine = [row["id"] for row in rows_of(dataset, split)]
    every = shown(robotmcqa, dataset, tmp_path / "page.html", "--split", split, "--limit", 9999)
    assert [article.id for article in every.articles] == mine


def test_the_sample_depends_on_the_seed_alone(
    robotmcqa: Run, dataset: Path, tmp_path: Path
) -> None:
    seeds = {"one": 1, "two": 1, "three": 2}
    pages = {
        name: shown(robotmcqa, dataset, tmp_path / f"{name}.html", "--limit", 5, "--seed", seed)
        for name, seed in seeds.items()
    }
    ids = {name: [article.id for article in one.articles] for name, one in pages.items()}
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert len(ids["one"]) == 5
    assert ids["one"] != ids["three"]


@pytest.mark.parametrize("only", [("--task", "juggle"), ("--family", "colour")])
def test_no_such_items_ends_with_3_and_says_what_there_is(
    robotmcqa: Run, dataset: Path, tmp_path: Path, only: tuple[str, str]
) -> None:
    done = robotmcqa("show", dataset, "--out", tmp_path / "page.html", *only)
    assert done.returncode == 3
    for name in (*TASKS, "waypoint", "current_state", "motion"):
        assert name in done.stderr
    assert not (tmp_path / "page.html").exists()


@pytest.mark.parametrize("limit", ["0", "-3", "many"])
def test_a_limit_that_is_none_is_wrong_usage(robotmcqa: Run, dataset: Path, limit: str) -> None:
    assert robotmcqa("show", dataset, "--limit", limit).returncode == 2


def test_texts_are_texts(robotmcqa: Run, tmp_path: Path) -> None:
    """Instructions come from whoever recorded the demos; none may run in the reader's browser."""
    hostile = '<script>alert(1)</script> & <img src=x onerror=alert(2)> "it\'s"'
    for number in range(2):
        demo = make_demo("reach_target", number, frames=60, size=16)
        save_demo(tmp_path / "demos", dataclasses.replace(demo, instructions=(hostile,)), number)
    out = tmp_path / "out"
    done = robotmcqa("extract", "--source", f"rlbench:{tmp_path / 'demos'}", "--out", out)
    assert done.returncode == 0, done.stderr
    seen = shown(robotmcqa, out, tmp_path / "page.html")
    assert seen.tags["script"] == 0
    assert seen.tags["img"] == len(seen.articles)
    assert all(url.startswith("data:") for url in seen.loads)
    assert all(hostile in article.prompt for article in seen.articles)


def test_open_questions_without_pictures_can_be_shown(
    robotmcqa: Run, many_demos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = robotmcqa(
        *("extract", "--source", f"rlbench:{many_demos}", "--no-images"),
        *("--format", "open", "--episodes", 2, "--out", out),
    )
    assert done.returncode == 0, done.stderr
    answers = {row["id"]: row["answer"] for row in rows_of(out)}
    seen = shown(robotmcqa, out, tmp_path / "page.html")
    for article in seen.articles:
        assert article.images == []
        assert article.options == []
        assert article.right == [answers[article.id]]
        assert len(article.maps) == 2


@pytest.mark.parametrize("family", ["waypoint", "current_state", "motion"])
def test_a_page_of_one_family_alone(
    robotmcqa: Run, dataset: Path, tmp_path: Path, family: str
) -> None:
    page = tmp_path / "page.html"
    done = robotmcqa("show", dataset, "--family", family, "--limit", 2, "--out", page)
    assert done.returncode == 0, done.stderr
    assert page.read_text("utf-8").count(f'<span class="family">{family}</span>') == 2
