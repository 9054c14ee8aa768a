"""A pickle from a stranger is never executed.

Every test runs in an empty folder. The attacks would make a file there if they ran, and
``test_the_marks_work`` proves that they can.
"""

from __future__ import annotations

import copyreg
import functools
import importlib
import operator
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robotmcqa.errors import DemoError, ForbiddenPickle
from robotmcqa.rlbench_layout import dump_pickle, save_demo
from robotmcqa.sources.rlbench_pickle import (
    StoredArray,
    StoredDemo,
    StoredObservation,
    StoredType,
    read_pickle,
    stack,
)
from tests.pickles import DEMO, call, demo_to_damage, harmless, load, name, text, whole

pytestmark = pytest.mark.usefixtures("canary", "memory")


# ---------------------------------------------------------------------------------- forbidden names


TOUCH = text("touch canary")
ARGV = b"](" + text("touch") + text("canary") + b"e"
DEMO_CLASS = text("rlbench.demo") + text("Demo") + b"\x93"
PYTHON = text("open('canary', 'w')")
ATTACKS: dict[str, bytes] = {
    "os.system": call(name("os", "system"), TOUCH),
    "posix.system": call(name("posix", "system"), TOUCH),
    "os.popen": call(name("os", "popen"), TOUCH),
    "builtins.eval": call(name("builtins", "eval"), PYTHON),
    "builtins.exec": call(name("builtins", "exec"), PYTHON),
    "builtins.open": call(name("builtins", "open"), text("canary"), text("w")),
    "builtins.__import__": call(name("builtins", "__import__"), text("os")),
    "subprocess.Popen": call(name("subprocess", "Popen"), ARGV),
    "subprocess.check_output": call(name("subprocess", "check_output"), TOUCH),
    "builtins.getattr": call(name("builtins", "getattr"), DEMO_CLASS, text("__init__")),
    "importlib.import_module": call(name("importlib", "import_module"), text("os")),
    "numpy.testing._private.utils.runstring": call(
        name("numpy.testing._private.utils", "runstring"), PYTHON, b"}"
    ),
    "numpy.load": call(name("numpy", "load"), text("canary")),
    "numpy.fromfile": call(name("numpy", "fromfile"), text("canary")),
    "numpy.f2py.crackfortran.myeval": call(name("numpy.f2py.crackfortran", "myeval"), PYTHON),
    "pickle.loads": call(name("pickle", "loads"), b"C\x02N."),
    "_pickle.loads": call(name("_pickle", "loads"), b"C\x02N."),
    "functools.partial": call(name("functools", "partial"), name("rlbench.demo", "Demo")),
    "operator.attrgetter": call(name("operator", "attrgetter"), text("__class__")),
    "operator.methodcaller": call(name("operator", "methodcaller"), text("f")),
    "copyreg._reconstructor": call(name("copyreg", "_reconstructor")),
    "copyreg.add_extension": call(name("copyreg", "add_extension")),
    "_codecs.decode": call(name("_codecs", "decode"), text("a"), text("rot13")),
    "builtins.bytearray": call(name("builtins", "bytearray"), b"J\xff\xff\xff\x7f"),
    "rlbench.demo.Demo.__init__.__globals__": name("rlbench.demo", "Demo.__init__.__globals__"),
    "rlbench.demo.Demo.__class__": name("rlbench.demo", "Demo.__class__"),
    "numpy.ndarray.tofile": name("numpy", "ndarray.tofile"),
    "rlbench.backend.observation.os": name("rlbench.backend.observation", "os"),
    "robotmcqa.sources.rlbench_pickle._ALLOWED": name(
        "robotmcqa.sources.rlbench_pickle", "_ALLOWED"
    ),
    "webbrowser.open": call(name("webbrowser", "open"), text("http://localhost")),
    "pty.spawn": call(name("pty", "spawn"), TOUCH),
    "code.InteractiveInterpreter": call(name("code", "InteractiveInterpreter")),
}
"""Forbidden name -> the opcodes of an attack with it."""


@pytest.mark.parametrize("forbidden", ATTACKS)
def test_refused_by_name(forbidden: str) -> None:
    with pytest.raises(ForbiddenPickle) as caught:
        read_pickle(whole(ATTACKS[forbidden]))
    assert f" {forbidden}," in caught.value.what
    assert "nothing of it was executed" in caught.value.what
    assert caught.value.remedy


def test_the_marks_work(canary: Path) -> None:
    """The same bytes, given to the standard library, do what they threaten."""
    for forbidden in ("os.system", "builtins.eval", "builtins.open"):
        pickle.loads(whole(ATTACKS[forbidden]))
        (canary / "canary").unlink()


GLOBALS: dict[str, bytes] = {
    "GLOBAL": b"cos\nsystem\n(" + TOUCH + b"tR",
    "INST": b"(" + TOUCH + b"ios\nsystem\n",
    "OBJ": b"(" + name("os", "system") + TOUCH + b"o",
    "NEWOBJ": name("os", "system") + b"(" + TOUCH + b"t\x81",
    "NEWOBJ_EX": name("os", "system") + b"(" + TOUCH + b"t}\x92",
    "STACK_GLOBAL of memoised names": text("os") + b"\x94" + text("system") + b"\x94\x93",
    "python 2 names": b"c__builtin__\neval\n(" + PYTHON + b"tR",
}


@pytest.mark.parametrize("opcode", GLOBALS)
@pytest.mark.parametrize("protocol", range(6))
def test_every_way_to_name_a_global(opcode: str, protocol: int) -> None:
    header = b"\x80" + bytes([protocol]) if protocol >= 2 else b""
    with pytest.raises(ForbiddenPickle, match=r"system|eval"):
        read_pickle(header + GLOBALS[opcode] + b".")


class Gadget:
    """Pickles to a call of what it is given."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


# Protocols 0 to 2 use Python 2's names, and _codecs.encode for bytes.
GADGETS: list[tuple[Any, str]] = [
    (Gadget(eval, "open('canary', 'w')"), r"\.eval"),
    (Gadget(subprocess.Popen, ["touch", "canary"]), r"\.Popen"),
    (Gadget(functools.partial, print), r"functools\.partial"),
    (Gadget(operator.attrgetter("x")), r"operator\.attrgetter"),
    (Gadget(importlib.import_module, "os"), r"importlib\.import_module"),
    (Gadget(pickle.loads, b""), r"\.loads|_codecs|\.bytes"),
    (np.array([Gadget(eval, "1")], dtype=object), r"\.eval|_codecs"),
    (np.random.default_rng(0), r"numpy\.random"),
    (Path("canary"), r"pathlib\."),
    (1j, r"\.complex"),
    (range(3), r"range"),
    (Exception("x"), r"\.Exception"),
]


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(("gadget", "forbidden"), GADGETS)
def test_gadgets_as_python_pickles_them(gadget: Any, forbidden: str, protocol: int) -> None:
    with pytest.raises(ForbiddenPickle, match=forbidden):
        read_pickle(pickle.dumps(gadget, protocol))


@pytest.mark.parametrize("value", [{1, 2}, frozenset([3]), bytearray(b"x"), None, 2**70, "ü", 1.5])
def test_plain_data_is_no_attack(value: Any) -> None:
    assert read_pickle(pickle.dumps(value, 5)) == value


def test_hidden_deep_inside_a_valid_demo() -> None:
    stored = demo_to_damage()
    stored._observations[-1].misc = {"a": [{"b": (1, [Gadget(eval, "open('canary', 'w')")])}]}
    with pytest.raises(ForbiddenPickle, match=r"builtins\.eval"):
        read_pickle(dump_pickle(stored))


def test_hidden_after_the_end() -> None:
    """The reader stops at the first STOP: what follows is never looked at."""
    assert read_pickle(dump_pickle(1) + whole(ATTACKS["os.system"])) == 1


@pytest.mark.parametrize("opcode", [b"Pos.system\n", text("os") + b"Q"])
def test_persistent_ids(opcode: bytes) -> None:
    with pytest.raises(ForbiddenPickle, match="persistent id"):
        read_pickle(whole(opcode))


@pytest.mark.parametrize("opcode", [b"\x82\xf0", b"\x83\xf0\x00", b"\x84\xf0\x00\x00\x00"])
@pytest.mark.parametrize("registered", [True, False])
def test_extension_opcodes(opcode: bytes, registered: bool) -> None:
    if registered:
        copyreg.add_extension("os", "system", 0xF0)
    try:
        with pytest.raises(DemoError, match=r"os\.system" if registered else "damaged pickle"):
            read_pickle(whole(opcode + b"(" + TOUCH + b"tR"))
    finally:
        if registered:
            copyreg.remove_extension("os", "system", 0xF0)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of one episode without pictures; its episode's folder."""
    root = tmp_path_factory.mktemp("saved")
    return save_demo(root, DEMO, 0, layout="all_variations", cameras={})


@pytest.mark.parametrize(
    "file", ["low_dim_obs.pkl", "variation_number.pkl", "variation_descriptions.pkl"]
)
def test_an_attack_in_any_file_is_a_named_failure(file: str, saved: Path, tmp_path: Path) -> None:
    """In the descriptions too, though they could be done without: the whole demo is suspect."""
    folder = tmp_path / "t/all_variations/episodes/episode0"
    shutil.copytree(saved, folder)
    (folder / file).write_bytes(whole(ATTACKS["os.system"]))
    with pytest.raises(ForbiddenPickle, match=r"os\.system") as caught:
        load(folder)
    assert file in caught.value.what


# --------------------------------------------------------------------- changing the stand-ins

STAND_INS = {
    "Demo": name("rlbench.demo", "Demo"),
    "Observation": name("rlbench.backend.observation", "Observation"),
    "ndarray": name("numpy", "ndarray"),
    "dtype": name("numpy", "dtype"),
    "_reconstruct": name("numpy.core.multiarray", "_reconstruct"),
    "scalar": name("numpy._core.multiarray", "scalar"),
    "_frombuffer": name("numpy._core.numeric", "_frombuffer"),
}
ATTRIBUTES = ("__setstate__", "__new__", "__init__", "__class__", "__reduce__", "state", "anything")


@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("stand_in", STAND_INS)
@pytest.mark.parametrize("slots", [True, False])
def test_classes_cannot_be_changed(stand_in: str, attribute: str, slots: bool) -> None:
    change = b"}" + text(attribute) + STAND_INS["Demo"] + b"s"
    state = b"N" + change + b"\x86" if slots else change
    before = {
        cls: dict(vars(cls)) for cls in (StoredDemo, StoredObservation, StoredArray, StoredType)
    }
    with pytest.raises(DemoError):
        read_pickle(whole(STAND_INS[stand_in] + state + b"b"))
    assert before == {cls: dict(vars(cls)) for cls in before}
    assert_demo(read_pickle(dump_pickle(demo_to_damage())))


@pytest.mark.parametrize("stand_in", STAND_INS)
@pytest.mark.parametrize("attribute", ATTRIBUTES)
@pytest.mark.parametrize("slots", [True, False])
def test_instances_can_be_changed_without_harm(stand_in: str, attribute: str, slots: bool) -> None:
    """``BUILD`` may put another stand-in anywhere on an instance: no code of ours runs it."""
    instance = STAND_INS[stand_in] + b")\x81"
    for value in (*STAND_INS.values(), text("os.system"), b"}", b"K\x01"):
        change = b"}" + text(attribute) + value + b"s"
        state = b"N" + change + b"\x86" if slots else change
        again = b"}" + text("a") + b"K\x01sb"  # a second BUILD, which would call a __setstate__
        for body in (instance + state + b"b", instance + state + b"b" + again):
            outcome = harmless(whole(body))
            if outcome is not None:
                assert type(type(outcome)).__name__ in ("_Sealed", "type")
    assert_demo(read_pickle(dump_pickle(demo_to_damage())))


def assert_demo(stored: Any) -> None:
    assert type(stored).__name__ == "StoredDemo"
    assert all(isinstance(frame, StoredObservation) for frame in stored._observations)
    pose = stack([frame.gripper_pose for frame in stored._observations])
    assert np.array_equal(pose, DEMO.gripper_pose)
