"""docs/scale: what is handed to Slurm and to Kubernetes is at least what they take."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement

from tests.conftest import Run, environment, tree
from tests.runs import wait_until

FILES = Path(__file__).parents[1] / "docs/scale"

# KubeRay's own definition of a RayJob is a megabyte of YAML, most of it Kubernetes' pods. Of what
# stands in ours: which fields there are, which are required, and of what kind.
POD = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["containers"],
            "additionalProperties": False,
            "properties": {
                "containers": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["name", "image"],
                        "additionalProperties": False,
                        "properties": {
                            "name": {
                                "type": "string",
                                "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
                            },
                            "image": {"type": "string"},
                            "envFrom": {"type": "array", "items": {"required": ["secretRef"]}},
                            "ports": {
                                "type": "array",
                                "items": {
                                    "required": ["containerPort"],
                                    "properties": {
                                        "containerPort": {"type": "integer"},
                                        "name": {"type": "string", "maxLength": 15},
                                    },
                                },
                            },
                            "resources": {
                                "type": "object",
                                "additionalProperties": False,
                                "properties": {
                                    "requests": {"additionalProperties": {"type": "string"}},
                                    "limits": {"additionalProperties": {"type": "string"}},
                                },
                            },
                        },
                    },
                }
            },
        }
    },
}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
COUNT = {"type": "integer", "minimum": 0}
RAY_JOB = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "additionalProperties": False,
    "properties": {
        "apiVersion": {"const": "ray.io/v1"},
        "kind": {"const": "RayJob"},
        "metadata": {"required": ["name"]},
        "spec": {
            "type": "object",
            "required": ["entrypoint", "rayClusterSpec"],
            "additionalProperties": False,
            "properties": {
                "entrypoint": {"type": "string"},
                "shutdownAfterJobFinishes": {"type": "boolean"},
                "ttlSecondsAfterFinished": COUNT,
                "backoffLimit": COUNT,
                "rayClusterSpec": {
                    "type": "object",
                    "required": ["headGroupSpec"],
                    "additionalProperties": False,
                    "properties": {
                        "rayVersion": {"type": "string"},
                        "headGroupSpec": {
                            "type": "object",
                            "required": ["rayStartParams", "template"],
                            "additionalProperties": False,
                            "properties": {"rayStartParams": TEXTS, "template": POD},
                        },
                        "workerGroupSpecs": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": [
                                    *("groupName", "minReplicas", "maxReplicas"),
                                    *("rayStartParams", "template"),
                                ],
                                "additionalProperties": False,
                                "properties": {
                                    "groupName": {"type": "string"},
                                    "replicas": COUNT,
                                    "minReplicas": COUNT,
                                    "maxReplicas": COUNT,
                                    "rayStartParams": TEXTS,
                                    "template": POD,
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def job() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FILES / "rayjob.yaml").read_text("utf-8"))
    return found


def test_kuberay_would_take_the_job(job: dict[str, Any]) -> None:
    jsonschema.validate(job, RAY_JOB)
    cluster = job["spec"]["rayClusterSpec"]
    groups = cluster["workerGroupSpecs"]
    for group in groups:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    pods = [
        part["template"]["spec"]["containers"][0] for part in (cluster["headGroupSpec"], *groups)
    ]
    assert len({pod["image"] for pod in pods}) == 1
    assert all(pod["envFrom"] for pod in pods)  # each writes to the store


def test_versions_of_ray_agree(job: dict[str, Any]) -> None:
    version = job["spec"]["rayClusterSpec"]["rayVersion"]
    assert f"FROM rayproject/ray:{version}-py3" in (FILES / "Dockerfile").read_text("utf-8")
    text = (FILES.parents[1] / "pyproject.toml").read_text("utf-8")
    (extra,) = re.findall(r'^ray = \[\n\s+"(.*)",\n\]', text, re.M)
    assert Requirement(extra).specifier.contains(version)


def test_the_command_of_the_job_is_one_of_ours(robotmcqa: Run, job: dict[str, Any]) -> None:
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[:2] == ["robotmcqa", "extract"]
    known = robotmcqa("extract", "--help").stdout
    for word in words[2:]:
        assert not word.startswith("--") or word in known


def test_bash_reads_the_slurm_script() -> None:
    subprocess.run(["bash", "-n", FILES / "slurm.sh"], check=True)


SRUN = """#!/bin/bash
echo "$*" >> "$SRUN_LOG"
while [[ $1 == --* ]]; do shift; done
exec "$@"
"""
SCONTROL = """#!/bin/bash
[[ $* == "show hostnames two-of-them" ]] && printf 'localhost\\nlocalhost\\n'
"""


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment in which this machine is both nodes of a job."""
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (stubs / name).write_text(text)
        (stubs / name).chmod(0o755)
    place = tempfile.mkdtemp(prefix="rc-", dir="/tmp")
    yield {
        "PATH": os.pathsep.join([str(stubs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "SRUN_LOG": str(tmp_path / "srun.log"),
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NODELIST": "two-of-them",
        "SLURM_CPUS_PER_TASK": "1",
        "RAY_TEMP_DIR": place,
    }
    shutil.rmtree(place, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_the_slurm_script_makes_a_data_set_on_two_nodes(
    demos: Path, dataset: Path, slurm: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    script = subprocess.Popen(
        ["bash", FILES / "slurm.sh", "--source", f"rlbench:{demos}", "--out", out],
        cwd=tmp_path,
        env=environment(**slurm),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        told, _ = script.communicate(timeout=200)
        assert script.returncode == 0, told
        assert tree(out) == tree(dataset)
        assert "Wrote" in told
        started = Path(slurm["SRUN_LOG"]).read_text().splitlines()
        assert len(started) == 2
        assert "--head" in started[0]
        assert "--address=localhost:" in started[1]
        wait_until(lambda: not of_this_job(slurm["RAY_TEMP_DIR"]), 30)
    finally:
        for pid in of_this_job(slurm["RAY_TEMP_DIR"]):
            os.kill(pid, signal.SIGKILL)


def of_this_job(place: str) -> list[int]:
    """Processes that have a folder in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and place.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
