"""The command line as such: help, versions, exit codes, streams, and how little it loads."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import robotmcqa as package
from tests.conftest import SCRIPT, TASKS, Run, environment

VERBS = (
    "extract",
    "validate",
    "audit",
    "merge",
    "show",
    "export",
    "eval",
    "push",
    "record",
    "inspect",
    "tasks",
    "doctor",
    "bench",
)
HEAVY = (
    *("numpy", "pyarrow", "scipy", "PIL", "datasets", "jinja2", "yaml", "jsonschema_rs"),
    *("rich.table", "rich.progress", "multiprocessing", "filelock", "pandas", "mujoco"),
    *("huggingface_hub", "sklearn", "inspect_ai", "openai", "torch", "transformers"),
)

command: Any = typer.main.get_command(importlib.import_module("robotmcqa.cli.app").build_app(VERBS))


# ---------------------------------------------------------------------------------------- help


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_lists_every_verb(script: Run, flag: str) -> None:
    done = script(flag)
    assert done.returncode == 0
    assert not done.stderr
    listed = re.findall(r"^  (\w+)  ", done.stdout.partition("Commands:")[2], re.MULTILINE)
    assert listed == list(VERBS) == list(command.commands)


def test_without_a_verb_help_is_shown(script: Run) -> None:
    done = script()
    assert "Commands:" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_shows_examples_and_every_option(script: Run, verb: str) -> None:
    done = script(verb, "--help")
    assert done.returncode == 0
    assert not done.stderr
    assert re.search(r"^ *Examples?:$", done.stdout, re.MULTILINE)
    assert re.search(rf"^ +robotmcqa {verb}", done.stdout, re.MULTILINE)
    for parameter in command.commands[verb].params:
        if parameter.param_type_name == "option":
            assert parameter.opts[0] in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_says_what_it_does(verb: str) -> None:
    for parameter in command.commands[verb].params:
        assert getattr(parameter, "help", None), f"{verb} {parameter.name}"
        assert parameter.help.rstrip()[-1] in ".])", f"{verb} {parameter.name}: no full sentence"


@pytest.mark.slow
def test_examples_in_the_help_are_right(demos: Path, script: Run, tmp_path: Path) -> None:
    """Each ``robotmcqa extract`` example parses: its options exist and fit together."""
    text = " ".join(script("extract", "--help").stdout.partition("Options:")[0].split())
    examples = [line.split() for line in text.split("robotmcqa ")[1:]]
    examples = [words for words in examples if words[0] == "extract" and "--source" in words]
    assert len(examples) >= 3
    for number, words in enumerate(examples):
        own = [word.replace("/data/demos", str(demos)) for word in words]
        own = ["push_button" if word == "open_drawer" else word for word in own]
        own = ["overhead" if word == "wrist" else word for word in own]
        done = script(*own, "--out", tmp_path / str(number))
        assert done.returncode == 0, done.stderr


def test_version(script: Run) -> None:
    done = script("--version")
    assert done.returncode == 0
    assert done.stdout == f"robotmcqa {package.__version__}\n"


def test_completion_can_be_installed(script: Run) -> None:
    text = script("--help").stdout
    assert "--install-completion" in text
    assert "--show-completion" in text
    # It looks for the shell among its parents: started by one, as a user does.
    done = subprocess.run(
        ["bash", "-c", f"{SCRIPT} --show-completion; exit $?"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "complete" in done.stdout


@pytest.mark.parametrize(
    "words", [["distil"], ["--nonsense"], ["show", "one", "two"], ["validate", "--frob"]]
)
def test_wrong_usage_ends_with_2(script: Run, words: list[str]) -> None:
    done = script(*words)
    assert done.returncode == 2
    assert not done.stdout
    assert words[-1] in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["tasks", "--source", "rlbench:{demos}"],
        ["validate", "{dataset}", "--json"],
        ["extract", "--source", "rlbench:{demos}", "--task", "juggle"],
        ["show", "--frob"],
    ],
    ids=" ".join,
)
def test_a_forked_command_does_what_the_installed_one_does(
    script: Run, robotmcqa: Run, demos: Path, dataset: Path, words: list[str]
) -> None:
    """Most tests fork: they are worth no more than this."""
    words = [word.format(demos=demos, dataset=dataset) for word in words]
    one, other = script(*words), robotmcqa(*words)
    assert other.returncode == one.returncode
    assert (other.stdout, other.stderr) == (one.stdout, one.stderr)
    assert one.stdout + one.stderr


# -------------------------------------------------------------------------------- tasks, doctor


def test_tasks_lists_tasks_variations_and_demos(script: Run, demos: Path) -> None:
    done = script("tasks", "--source", f"rlbench:{demos}")
    assert done.returncode == 0
    for task in TASKS:
        (line,) = [line for line in done.stdout.splitlines() if f" {task} " in line]
        assert re.findall(r"\d+", line) == ["0", "1", "4"]


def test_tasks_as_json(script: Run, demos: Path) -> None:
    done = script("tasks", "--source", f"rlbench:{demos}", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout) == {task: {"0": 2, "1": 2} for task in TASKS}


@pytest.mark.parametrize(("source", "code"), [("rlbench:", 2), ("rlbench:/nowhere", 3), ("x:", 2)])
def test_tasks_of_no_source(script: Run, source: str, code: int) -> None:
    done = script("tasks", "--source", source)
    assert done.returncode == code
    assert "remedy:" in done.stderr
    assert not done.stdout


def test_tasks_of_an_empty_folder(script: Run, tmp_path: Path) -> None:
    done = script("tasks", "--source", f"rlbench:{tmp_path}", "--json")
    assert done.returncode == 3
    assert "no demos" in done.stderr
    assert not done.stdout


def test_doctor_finds_this_installation_sound(script: Run) -> None:
    """The suite runs, so nothing that is needed can be missing."""
    done = script("doctor")
    assert done.returncode == 0, done.stdout
    for what in ("Python 3.11 or later", "numpy", "pyarrow", "source rlbench:", "source sim:"):
        assert what in done.stdout


def test_doctor_tells_of_an_extra_in_one_row(script: Run) -> None:
    printed = script("doctor").stdout
    for extra in ("lerobot", "train", "eval", "ray", "s3", "dev"):
        assert printed.count(f"(extra {extra})") in (1, 2)  # in the table, and before a command
    assert "pytest-xdist <4" not in printed


def test_doctor_as_json(script: Run) -> None:
    done = script("doctor", "--json")
    assert done.returncode == 0
    findings = json.loads(done.stdout)
    assert all(set(one) == {"what", "state", "found", "remedy"} for one in findings)
    assert {one["state"] for one in findings} <= {"ok", "optional"}
    assert all(one["remedy"] for one in findings if one["state"] != "ok")


def test_doctor_names_what_is_missing(script: Run, tmp_path: Path) -> None:
    """Another robotmcqa, seen first, that needs a package nobody has."""
    info = tmp_path / "robotmcqa-0.0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: robotmcqa\nVersion: 0.0.1\n"
        "Requires-Dist: no-such-package-anywhere>=3\nRequires-Dist: numpy>=1\n"
    )
    done = script("doctor", "--json", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 3
    (missing,) = [one for one in json.loads(done.stdout) if one["state"] == "missing"]
    assert "no-such-package-anywhere" in missing["what"]
    assert missing["remedy"] == "pip install 'no-such-package-anywhere>=3'"


# -------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["extract", "--help"],
        ["tasks", "--source", "rlbench:{demos}"],
        ["tasks", "--source", "rlbench:{demos}", "--json"],
        ["doctor"],
        ["doctor", "--json"],
        ["validate", "{dataset}"],
        ["show", "{dataset}", "--json"],
        ["record", "--help"],
    ],
    ids=" ".join,
)
def test_a_reader_that_has_gone_is_no_reason_for_a_traceback(
    demos: Path, dataset: Path, words: list[str]
) -> None:
    """As in ``robotmcqa tasks | head -1``: nobody reads the rest."""
    reading, writing = os.pipe()
    os.close(reading)
    words = [word.format(demos=demos, dataset=dataset) for word in words]
    try:
        done = subprocess.run(
            [str(SCRIPT), *words],
            stdout=writing,
            stderr=subprocess.PIPE,
            env=environment(),
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writing)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_output_to_a_pipe_has_no_escape_codes(script: Run, demos: Path, tmp_path: Path) -> None:
    done = script(
        *("extract", "--source", f"rlbench:{demos}", "--no-images", "--out", tmp_path / "out")
    )
    assert done.returncode == 0
    assert "\x1b" not in done.stdout + done.stderr


# ------------------------------------------------------------------------------------ what loads


def loaded(code: str) -> set[str]:
    """Modules in a fresh interpreter after ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"],
        capture_output=True,
        env=environment(),
        text=True,
        timeout=120,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["extract", "--help"], ["distil"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        f"import sys\nsys.argv = {['robotmcqa', *words]}\n"
        "from robotmcqa.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    modules = loaded(code)
    assert "typer" in modules
    assert not modules & set(HEAVY)


def test_importing_the_package_loads_nothing_heavy() -> None:
    modules = loaded("import robotmcqa")
    assert "robotmcqa" in modules
    assert not modules & {*HEAVY, "typer"}
    assert not [name for name in modules if name.startswith("robotmcqa.")]


def test_the_library_never_loads_the_command_line() -> None:
    modules = loaded("import robotmcqa\nfor name in robotmcqa.__all__: getattr(robotmcqa, name)")
    assert "robotmcqa.extraction" in modules
    assert not [name for name in modules if name.startswith("robotmcqa.cli")]
    assert "typer" not in modules


# ------------------------------------------------------------------------------- the public names


def test_all_is_exact() -> None:
    """Every public name of the package, no other; a new one is a decision."""
    assert package.__all__ == [
        "Dataset",
        "Demo",
        "DemoRef",
        "DemoSource",
        "Pushed",
        "Report",
        "RobotMCQAError",
        "SceneMetadata",
        "Selection",
        "Spec",
        "Summary",
        "__version__",
        "extract",
        "find_keyframes",
        "load",
        "load_scene",
        "open_source",
        "preset",
        "push",
        "scene_preset",
        "validate",
    ]


@pytest.mark.parametrize("name", package.__all__)
def test_every_public_name_resolves_to_the_one_in_its_module(name: str) -> None:
    value = getattr(package, name)
    if name == "__version__":
        assert re.fullmatch(r"\d+\.\d+\.\d+.*", value)
        return
    home = importlib.import_module(value.__module__)
    assert home.__name__.startswith("robotmcqa.")
    assert getattr(home, name) is value
    assert name in home.__all__
    assert value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = package.nonsense


def test_every_module_has_the_names_it_promises() -> None:
    modules = [
        importlib.import_module(f"robotmcqa.{path.stem}")
        for path in sorted(Path(package.__file__).parent.glob("[a-z]*.py"))
    ]
    assert len(modules) > 20
    for module in modules:
        assert module.__doc__
        for name in module.__all__:
            assert hasattr(module, name), f"{module.__name__}.{name}"


def test_an_interrupt_that_got_lost_ends_the_run_at_its_next_step() -> None:
    code = (
        "import signal; from robotmcqa.cli import interrupts, progress;"
        "signal.signal(signal.SIGINT, interrupts.interrupted); bars = progress.Bars()\n"
        "bars.advance(1)\n"
        "try:\n    signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt:\n    pass\n"
        "signal.raise_signal(signal.SIGINT)  # no longer heard\n"
        "try:\n    bars.advance(1)\nexcept KeyboardInterrupt:\n    print('ended')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "ended\n", done.stderr
