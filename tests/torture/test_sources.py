"""Demos that change while they are read, that are broken by the thousand, or oddly named."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from robotmcqa.rlbench_layout import save_demo
from tests.conftest import environment, rows_of
from tests.factory import make_demo, write_demos
from tests.torture.tools import ROUNDS, begun, command, ended, finished, litter

pytestmark = pytest.mark.slow

# ------------------------------------------------------------------------- changing underneath

VERSIONS = 3
EPISODES = 10
PLACE = "reach_target/variation0/episodes"


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings for each episode's place."""
    folder = tmp_path_factory.mktemp("versions")
    for version in range(VERSIONS):
        for number in range(EPISODES):
            demo = make_demo(seed=100 * version + number, frames=60, size=48)
            save_demo(folder / str(version), demo, number)
    return folder


def pictures_of(versions: Path) -> dict[str, dict[int, bytes]]:
    """Episode id -> frame -> its picture, of every recording."""
    known = {}
    for version in range(VERSIONS):
        for number in range(EPISODES):
            folder = versions / str(version) / PLACE / f"episode{number}"
            demo = make_demo(seed=100 * version + number, frames=60, size=48)
            known[demo.digest()] = {
                frame: (folder / f"front_rgb/{frame}.png").read_bytes() for frame in range(60)
            }
    return known


def meddle(demos: Path, versions: Path, rng: random.Random) -> None:
    """One change to one episode, as a copying or deleting user makes it."""
    number = rng.randrange(EPISODES)
    episode = demos / PLACE / f"episode{number}"
    other = versions / str(rng.randrange(VERSIONS)) / PLACE / f"episode{number}"
    aside = demos / f"aside{rng.random()}"
    kind = rng.choice(("swap", "swap", "swap", "remove", "truncate", "picture", "add"))
    if kind in ("swap", "remove", "add"):
        if episode.exists():
            episode.rename(aside)
            shutil.rmtree(aside)
        if kind != "remove":
            shutil.copytree(other, aside)
            aside.rename(episode)
    elif episode.exists():
        path = episode / ("low_dim_obs.pkl" if kind == "truncate" else "front_rgb/10.png")
        if path.exists():
            os.truncate(path, rng.randrange(path.stat().st_size + 1))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_source_that_changes_while_it_is_read(
    workers: int, versions: Path, rng: random.Random, tmp_path: Path
) -> None:
    known = pictures_of(versions)
    demos = tmp_path / "demos"
    whole = refused = failed = 0
    for turn in range(6 * ROUNDS):
        shutil.rmtree(demos, ignore_errors=True)
        shutil.copytree(versions / "0", demos)
        out = tmp_path / f"out{turn}"
        process = begun(
            command("extract", "--source", f"rlbench:{demos}", "--out", out, "--workers", workers)
        )
        while process.poll() is None:
            meddle(demos, versions, rng)
        done = ended(process)
        assert done.code in (0, 3), done
        if done.code:
            refused += 1
            assert "remedy: " in done.err
            assert not (out / "meta/manifest.json").exists()
            continue
        whole += 1
        failed += json.loads((out / "meta/manifest.json").read_text())["failures"]
        assert finished(command("validate", out)).code == 0
        for row in rows_of(out):
            assert row["images"][0]["bytes"] == known[row["episode"]][row["frame"]], row["id"]
    print(f"{workers} workers: {whole} whole with {failed} demos failed, {refused} refused")


# ----------------------------------------------------------------------- broken by the thousand


def broken(folder: Path, count: int) -> set[str]:
    """Three good demos, and ``count`` that are not; the names of those."""
    write_demos(folder, {"reach_target": 3}, cameras=(), frames=60)
    names = set()
    for number in range(3, 3 + count):
        episode = folder / PLACE / f"episode{number}"
        episode.mkdir()
        names.add(f"{PLACE}/episode{number}")
        kind = number % 4
        if kind:
            content = (b"", b"garbage" * 9, b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f]")[
                kind - 1
            ]
            (episode / "low_dim_obs.pkl").write_bytes(content)
    return names


def measured(*words: object) -> tuple[float, int]:
    """CPU seconds and peak KiB of a command, its children's included, as a process of its own."""
    code = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
        "use = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(done.returncode, use.ru_utime + use.ru_stime, use.ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command(*words)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert "Traceback" not in done.stderr, done.stderr
    exit_code, seconds, peak = done.stdout.split()
    assert exit_code == "0", done.stderr
    return float(seconds), int(peak)


def test_ten_thousand_broken_demos(tmp_path: Path) -> None:
    cost = {}
    for count in (1_000, 10_000):
        demos, out = tmp_path / f"demos{count}", tmp_path / f"out{count}"
        names = broken(demos, count)
        cost[count] = measured(
            "extract", "--source", f"rlbench:{demos}", "--no-images", "--out", out
        )
        lines = [json.loads(line) for line in (out / "meta/failures.jsonl").open()]
        assert {line["where"] for line in lines if line["kind"] == "demo"} == names
        assert finished(command("validate", out)).code == 0
    print(f"1,000 and 10,000 broken demos: {cost} (CPU seconds, KiB)")
    (_, few), (_, many) = cost.values()
    assert many < few + 64 * 1024, "memory that grows with the failures"


def test_a_hopeless_run_is_stopped_early(tmp_path: Path) -> None:
    broken(tmp_path / "demos", 10_000)
    out = tmp_path / "out"
    words = ("extract", "--source", f"rlbench:{tmp_path / 'demos'}", "--no-images", "--out", out)
    done = finished(command(*words, "--max-failures", 5, "--json"))
    assert done.code == 3
    assert "--max-failures 5 is exceeded" in done.err
    assert len(json.loads(done.out)["failures"]) == 6
    assert len(done.err.splitlines()) < 40


# ---------------------------------------------------------------------------------------- names

NAMES = {
    "blanks": " a  b ",
    "composed": unicodedata.normalize("NFC", "Roböter für Ünïcode"),
    "decomposed": unicodedata.normalize("NFD", "Roböter für Ünïcode"),
    "other scripts": "机器人 робот 🤖",
    "line breaks": "two\nlines\r\n",
    "quotes": 'it\'s "so" `$(touch x)` $HOME',
    "leading dash": "-rf",
    "leading dashes": "--out",
    "markup": "[bold]x <b> {{ 7 * 7 }}",
    "wildcards": "*?[a-z]{1,2}",
    "colon and hash": "a:b#c%20d",
    "no UTF-8": os.fsdecode(b"bad\xff\xfe"),
    "255 bytes": "n" * 255,
}


@pytest.mark.parametrize("where", ["source", "task", "out"])
@pytest.mark.parametrize("name", NAMES)
def test_any_name(name: str, where: str, tmp_path: Path) -> None:
    """Of the demos, a task, the output: it works all the way, or is refused in a sentence."""
    odd = NAMES[name]
    demos = tmp_path / (odd if where == "source" else "demos")
    out = tmp_path / (odd if where == "out" else "out")
    write_demos(demos, {"reach_target": 2}, frames=60, size=16)
    if where == "task":
        (demos / "reach_target").rename(demos / odd)
    done = subprocess.run(
        command("extract", f"--source=rlbench:{demos.name}", f"--out={out.name}"),
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=600,
    )
    assert "Traceback" not in done.stderr, done.stderr
    if (name, where) == ("no UTF-8", "out"):
        assert done.returncode == 2
        assert "a name that is no UTF-8" in done.stderr
        assert not out.exists()
        return
    assert done.returncode == 0, done.stderr
    assert finished(command("validate", out)).code == 0
    page = tmp_path / "page.html"
    assert finished(command("show", out, "--out", page)).code == 0
    assert litter(out) == []
    assert not (tmp_path / "x").exists()


def test_a_name_that_is_too_long(saved: Path, tmp_path: Path) -> None:
    """Of 256 bytes: no file system here takes it."""
    long = "n" * 256
    source = ("--source", f"rlbench:{saved}")
    for words in (
        ("extract", *source, "--out", tmp_path / long),
        ("extract", *source, "--out", tmp_path / "out", "--config", long),
        ("extract", "--source", f"rlbench:{tmp_path / long}", "--out", tmp_path / "out"),
        ("record", "--task", "reach_target", "--episodes", 1, "--out", tmp_path / long),
        ("validate", tmp_path / long),
        ("show", tmp_path / long),
        ("audit", tmp_path / long),
        ("export", tmp_path / long, "--to", "trl", "--out", tmp_path / "trl"),
        ("extract", *source, "--out", tmp_path / "out", "--metadata", tmp_path / long),
    ):
        done = finished(command(*words))
        assert done.code in (2, 3), (words, done)
        assert "remedy: " in done.err, (words, done)
    assert os.listdir(tmp_path) in ([], ["out"])


def test_paths_near_the_longest_that_there_are(rng: random.Random, tmp_path: Path) -> None:
    """4,096 bytes for a whole path: short of it all is well; beyond it, one sentence."""
    demos = tmp_path / "demos"
    write_demos(demos, {"reach_target": 2}, cameras=(), frames=60)
    codes = []
    for length in (3_000, 4_090, *(rng.randrange(3_900, 4_096) for _ in range(4 * ROUNDS))):
        folder = str(tmp_path / f"long{length}")
        while len(folder) + 202 < length:
            folder += "/" + "d" * 200
        folder += "/" + "e" * (length - len(folder) - 1)
        done = finished(
            command("extract", "--source", f"rlbench:{demos}", "--no-images", "--out", folder)
        )
        codes.append(done.code)
        if done.code:
            assert done.code in (2, 3), done
            assert "File name too long" in done.err
            assert "remedy: " in done.err
        else:
            assert finished(command("validate", folder)).code == 0
    assert codes[0] == 0
    print(f"exit codes near 4,096 bytes: {codes}")


def test_links_that_lead_nowhere_or_back(saved: Path, tmp_path: Path) -> None:
    """They are no demos, or fail as demos by their name; the others are read."""
    demos = tmp_path / "demos"
    shutil.copytree(saved, demos)
    episodes = demos / PLACE
    (demos / "loop").symlink_to(demos)
    (demos / "reach_target/back").symlink_to("..")
    (demos / "reach_target/variation7").symlink_to("variation7")
    (episodes / "episode70").symlink_to("episode70")
    (episodes / "episode71").symlink_to("episode72")
    (episodes / "episode72").symlink_to("episode71")
    (episodes / "episode73").symlink_to("nowhere")
    (episodes / "episode74").symlink_to("..")
    bent = episodes / "episode0/front_rgb/10.png"
    bent.unlink()
    bent.symlink_to(bent.name)
    done = finished(command("extract", "--source", f"rlbench:{demos}", "--out", tmp_path / "out"))
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in (tmp_path / "out/meta/failures.jsonl").open()]
    assert {line["where"].rpartition("/")[2] for line in lines} == {
        *("episode0", "episode70", "episode71", "episode72", "episode73", "episode74"),
    }
    assert finished(command("validate", tmp_path / "out")).code == 0
