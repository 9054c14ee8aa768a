"""Frames of a simulated scene: what draws them, what they show, and that they are reproducible."""

from __future__ import annotations

import errno
import gc
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from robotmcqa.errors import RobotMCQAError, UsageError
from robotmcqa.pictures import depth_image, mask_image
from robotmcqa.png import png, png_problem
from robotmcqa.sim import gl
from robotmcqa.sim.render import Renderer, View

ROOT = Path(__file__).parents[1]
RAYS = gl.Backend("rays", "a test asks for them")
T = mujoco.mjtGeom
COLOURS = {"ball": (0.9, 0.1, 0.1), "can": (0.1, 0.7, 0.2), "blob": (0.2, 0.3, 0.9)}


def scene(tint: float = 1.0) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """A textured table on a tiled floor, a ball, a can and a smooth mesh on it."""
    spec = mujoco.MjSpec()
    spec.stat.extent, spec.visual.map.znear, spec.visual.map.zfar = 1, 0.01, 8
    spec.visual.quality.numslices = spec.visual.quality.numstacks = 64  # round to a millimetre
    spec.visual.headlight.ambient = [0.4] * 3
    spec.visual.headlight.diffuse = [0.2] * 3
    world = spec.worldbody
    world.add_light(
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=[0, 0, 3],
        dir=[0.3, 0.2, -1],
        diffuse=[0.6] * 3,
        specular=[0.1] * 3,
        castshadow=True,
    )
    paint(spec, "wood", [1, 2])
    paint(spec, "tiles", [3, 3])
    world.add_geom(type=T.mjGEOM_PLANE, size=[1.5, 1.5, 0.1], material="tiles")
    table = world.add_body(name="table", pos=[0, 0, 0.2])
    table.add_geom(type=T.mjGEOM_BOX, size=[0.5, 0.4, 0.2], material="wood")
    ball = world.add_body(name="ball", pos=[0.2, 0.1, 0.5])
    ball.add_geom(type=T.mjGEOM_SPHERE, size=[0.1, 0, 0], rgba=[*COLOURS["ball"], tint])
    ball.add_geom(type=T.mjGEOM_SPHERE, size=[0.3, 0, 0], rgba=[1, 1, 0, 1], group=3)
    can = world.add_body(name="can", pos=[0.2, -0.2, 0.5])
    can.add_geom(type=T.mjGEOM_CYLINDER, size=[0.08, 0.1, 0], rgba=[*COLOURS["can"], 1])
    points, faces = sphere(6)
    spec.add_mesh(name="blob", uservert=points.ravel(), userface=faces.ravel(), smoothnormal=1)
    blob = world.add_body(name="blob", pos=[-0.15, 0.05, 0.55], quat=[0.9, 0.1, 0.3, 0.2])
    blob.add_geom(type=T.mjGEOM_MESH, meshname="blob", rgba=[*COLOURS["blob"], 1], group=2)
    look(world, "front", (1.4, 0.2, 1.2), (0, 0, 0.4))
    look(world, "above", (0, -0.001, 1.9), (0, 0, 0.4))
    look(world, "close", (-0.4, 0.3, 0.75), (0, -0.05, 0.45))
    look(world, "sky", (0, 0, 1), (0, 0.01, 2))
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


def paint(spec: mujoco.MjSpec, name: str, repeat: list[float]) -> None:
    """A 2D texture that has no symmetry, and a material of it."""
    row, column = np.mgrid[:64, :64] / 64
    wave = 25 * np.sin(20 * row + 5 * column)
    image = np.stack([190 + wave, 120 + 80 * row, 90 + 60 * column], axis=-1).astype(np.uint8)
    texture = spec.add_texture(
        name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=64, height=64, nchannel=3
    )
    texture.data = image.tobytes()
    roles = [""] * mujoco.mjtTextureRole.mjNTEXROLE
    roles[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    spec.add_material(name=name, textures=roles, texrepeat=repeat, specular=0)


def sphere(rings: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """An egg as a closed mesh: points (n, 3), triangles (m, 3) that face outwards."""
    turn = np.linspace(0, 2 * np.pi, 2 * rings, endpoint=False)
    rise = np.linspace(0, np.pi, rings + 1)[1:-1]
    belt = [[np.sin(r) * np.cos(t), np.sin(r) * np.sin(t), np.cos(r)] for r in rise for t in turn]
    points = np.array([[0, 0, 1], *belt, [0, 0, -1]]) * (0.07, 0.09, 0.13)
    count, last = len(turn), len(points) - 1
    faces = []
    for i in range(count):
        j = (i + 1) % count
        faces += [[0, 1 + i, 1 + j], [last, last - count + j, last - count + i]]
        for ring in range(len(rise) - 1):
            a, b = 1 + ring * count, 1 + (ring + 1) * count
            faces += [[a + i, b + i, b + j], [a + i, b + j, a + j]]
    return points, np.array(faces)


def look(
    world: mujoco.MjsBody, name: str, eye: tuple[float, ...], target: tuple[float, ...]
) -> None:
    """A camera at ``eye`` that looks at ``target``."""
    back = np.subtract(eye, target) / np.linalg.norm(np.subtract(eye, target))
    right = np.cross((0, 0, 1), back)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(back, right), back], axis=1)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, axes.ravel())
    world.add_camera(name=name, pos=eye, quat=quat, fovy=45)


def digest(picture: NDArray[np.generic]) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()


@pytest.fixture(scope="module")
def opengl() -> gl.Backend:
    backend = gl.choose_renderer()
    if backend.kind == "rays":
        pytest.skip(f"no OpenGL here: {backend.reason}")
    return backend


@pytest.fixture(params=["opengl", "rays"])
def backend(request: pytest.FixtureRequest) -> gl.Backend:
    """What draws on this machine, and rays."""
    chosen: gl.Backend = RAYS if request.param == "rays" else request.getfixturevalue("opengl")
    return chosen


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment that asks for nothing, and a choice that has not been made."""
    for name in ("ROBOTMCQA_RENDERER", "MUJOCO_GL"):
        # Set first, so that what the code under test sets is undone too.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    caches = gl.choose_renderer, gl._try_out
    for cache in caches:
        cache.cache_clear()
    yield monkeypatch
    for cache in caches:
        cache.cache_clear()


# What draws ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ROBOTMCQA_RENDERER", "rays"), ("MUJOCO_GL", "disable"), ("MUJOCO_GL", "OFF")],
)
def test_environment_asks_for_rays(fresh: pytest.MonkeyPatch, variable: str, value: str) -> None:
    fresh.setenv(variable, value)
    chosen = gl.choose_renderer()
    assert chosen.kind == "rays"
    assert variable in chosen.reason


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ROBOTMCQA_RENDERER", "vulkan"),
        ("ROBOTMCQA_RENDERER", "egl"),
        ("MUJOCO_GL", "osmesa"),
        ("MUJOCO_GL", "vulkan"),
    ],
)
def test_asking_for_what_is_not_there(fresh: pytest.MonkeyPatch, variable: str, value: str) -> None:
    fresh.setattr(gl, "_LIBRARIES", {"osmesa": ("libnosuch.so",), "egl": ("libnosuch.so",)})
    fresh.setenv(variable, value)
    with pytest.raises(UsageError, match=value) as caught:
        gl.choose_renderer()
    assert caught.value.remedy


def test_our_variable_goes_before_mujocos(fresh: pytest.MonkeyPatch) -> None:
    fresh.setenv("MUJOCO_GL", "nonsense")
    fresh.setenv("ROBOTMCQA_RENDERER", "rays")
    assert gl.choose_renderer().kind == "rays"


@pytest.mark.parametrize("window", ["", "glfw"])
@pytest.mark.parametrize("kind", ["osmesa", "egl"])
def test_first_that_works_is_found_and_handed_on(
    fresh: pytest.MonkeyPatch, kind: str, window: str
) -> None:
    fresh.setattr(gl, "_try_out", lambda tried: (tried == kind, f"{tried} was tried"))
    fresh.setenv("MUJOCO_GL", window)
    assert gl.choose_renderer() == gl.Backend(kind, f"{kind} was tried")  # type: ignore[arg-type]
    assert os.environ["ROBOTMCQA_RENDERER"] == kind
    assert os.environ["MUJOCO_GL"] == window


def test_nothing_found_draws_rays_and_says_why(fresh: pytest.MonkeyPatch) -> None:
    fresh.setattr(gl, "_LIBRARIES", {"osmesa": ("libnone.so",), "egl": ("libneither.so",)})
    chosen = gl.choose_renderer()
    assert chosen.kind == "rays"
    assert "libnone.so" in chosen.reason
    assert "libneither.so" in chosen.reason


@pytest.fixture
def probe(fresh: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """``probe(script)`` tries OSMesa out; the file has a line for each time."""

    def make(script: str) -> Path:
        stand_in, runs = tmp_path / "python", tmp_path / "runs"
        runs.touch()
        stand_in.write_text(f"#!/bin/sh\necho >>{runs}\n{script}\n")
        stand_in.chmod(0o755)
        fresh.setattr(sys, "executable", str(stand_in))
        fresh.setattr(gl, "_LIBRARIES", {"osmesa": ("libc.so.6",), "egl": ("libnone.so",)})
        return runs

    return make


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("kill -SEGV $$", "its driver crashes (signal 11)"),
        ("kill -ABRT $$", "its driver crashes (signal 6)"),
        ("exit 1", "it says nothing"),
    ],
)
def test_driver_that_crashes_is_passed_over(
    probe: Callable[[str], Path], script: str, said: str
) -> None:
    runs = probe(script)
    chosen = gl.choose_renderer()
    assert chosen.kind == "rays"
    assert said in chosen.reason
    assert runs.read_text() == "\n"


@pytest.mark.parametrize("number", ["KILL", "TERM"])
def test_a_killed_probe_is_tried_again(probe: Callable[[str], Path], number: str) -> None:
    """Whoever kills it says nothing of the driver, and rays would make other pictures."""
    runs = probe("")
    stand_in = runs.with_name("python")
    stand_in.write_text(
        f"{stand_in.read_text()}test $(wc -l <{runs}) = 3 && echo a driver || kill -{number} $$\n"
    )
    assert gl.choose_renderer() == gl.Backend("osmesa", "a driver")


@pytest.mark.parametrize("number", ["KILL", "TERM"])
def test_probes_that_are_all_killed_end_the_run(probe: Callable[[str], Path], number: str) -> None:
    runs = probe(f"kill -{number} $$")
    with pytest.raises(RobotMCQAError, match=r"was killed .*, 3 times") as caught:
        gl.choose_renderer()
    assert "ROBOTMCQA_RENDERER=osmesa" in caught.value.remedy
    assert runs.read_text() == 3 * "\n"
    assert "ROBOTMCQA_RENDERER" not in os.environ


def test_a_probe_that_nobody_may_start_is_no_driver(probe: Callable[[str], Path]) -> None:
    probe("").with_name("python").chmod(0)
    assert "PermissionError" in gl.choose_renderer().reason


def test_a_probe_without_memory_to_start_ends_the_run(
    probe: Callable[[str], Path], fresh: pytest.MonkeyPatch
) -> None:
    def run(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    probe("")
    fresh.setattr(subprocess, "run", run)
    with pytest.raises(RobotMCQAError, match=r"cannot be started \(Cannot allocate memory\)"):
        gl.choose_renderer()


# What the frames show -----------------------------------------------------------------------------


def test_segmentation_names_bodies_and_leaves_out_collision_shapes(backend: gl.Backend) -> None:
    model, data = scene()
    with Renderer(model, 64, backend=backend) as renderer:
        seen = renderer.segmentation(data, "above")
        nothing = renderer.segmentation(data, "sky")
    assert seen.shape == (64, 64)
    assert seen.dtype == np.int32
    names = [model.body(number).name for number in np.unique(seen)]
    assert names == ["world", "table", "ball", "can", "blob"]
    # +x is to the right and +y up in this picture, see `look`; the centre shows the table.
    assert model.body(seen[32, 32]).name == "table"
    assert model.body(seen[29, 40]).name == "ball"
    assert model.body(seen[41, 40]).name == "can"
    assert np.all(nothing == -1)


def test_depth_is_metres_along_the_optical_axis(backend: gl.Backend) -> None:
    model, data = scene()
    with Renderer(model, 65, backend=backend) as renderer:
        depth, seen = renderer.depth(data, "above"), renderer.segmentation(data, "above")
        nothing = renderer.depth(data, "sky")
    assert depth.dtype == np.float32
    # From 1.9 m above the floor straight down: constant over a level plane, edges and all.
    assert depth[seen == 0] == pytest.approx(1.9, abs=2e-3)
    assert depth[seen == model.body("table").id] == pytest.approx(1.5, abs=2e-3)
    assert depth[seen == model.body("can").id].min() == pytest.approx(1.3, abs=2e-3)
    assert nothing == pytest.approx(8, abs=1e-4)


def test_edits_of_the_model_show(backend: gl.Backend) -> None:
    model, data = scene()
    ball = model.body("ball").id
    geom = model.body_geomadr[ball]
    with Renderer(model, 64, backend=backend) as renderer:
        before, where = renderer.rgb(data, "above"), renderer.segmentation(data, "above") == ball
        model.geom_rgba[geom] = (0.1, 0.1, 1, 1)
        blue = renderer.rgb(data, "above")
        model.body_pos[ball] = (-0.2, -0.25, 0.5)
        mujoco.mj_forward(model, data)
        moved = renderer.segmentation(data, "above") == ball
        model.geom_size[geom] *= 0.5
        small = renderer.segmentation(data, "above") == ball
        model.geom_rgba[geom, 3] = 0
        gone = renderer.segmentation(data, "above") == ball
    assert before[where][:, 0].mean() > 120 > before[where][:, 2].mean()
    assert blue[where][:, 2].mean() > 120 > blue[where][:, 0].mean()
    assert np.argwhere(moved)[:, 1].mean() < 32 < np.argwhere(where)[:, 1].mean()
    assert 0.15 < small.sum() / moved.sum() < 0.35
    assert not gone.any()


def test_rgb_is_lit_and_black_where_nothing_is(backend: gl.Backend) -> None:
    model, data = scene()
    with Renderer(model, 64, backend=backend) as renderer:
        picture = renderer.rgb(data, "front")
        assert not renderer.rgb(data, "sky").any()
    assert picture.shape == (64, 64, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous


def test_shadows_darken_and_do_not_dot(opengl: gl.Backend) -> None:
    model, data = scene()
    with (
        Renderer(model, 96, backend=opengl) as plain,
        Renderer(model, 96, backend=opengl, shadows=True) as shadowy,
    ):
        bright, dark = plain.rgb(data, "above"), shadowy.rgb(data, "above")
    darker = np.pad((dark.astype(int) - bright).sum(axis=-1) < -60, 1)
    neighbours = sum(np.roll(darker, step, axis).astype(int) for step in (-1, 1) for axis in (0, 1))
    assert 0.005 < darker.mean() < 0.5
    assert (darker & (neighbours == 0)).sum() < 5
    # What was lent while the context was made is given back.
    assert model.vis.quality.shadowsize == 4096
    assert model.vis.map.shadowclip == 1


def test_rays_draw_no_shadows() -> None:
    with pytest.raises(UsageError, match="shadows need OpenGL"):
        Renderer(scene()[0], 32, shadows=True, backend=RAYS)


def test_unknown_camera(backend: gl.Backend) -> None:
    model, data = scene()
    with (
        Renderer(model, 32, backend=backend) as renderer,
        pytest.raises(UsageError, match="wrist") as caught,
    ):
        renderer.rgb(data, "wrist")
    assert "front, above" in caught.value.remedy


# The same bytes -----------------------------------------------------------------------------------


def test_same_bytes_whatever_else_is_drawn(backend: gl.Backend) -> None:
    model, data = scene()
    other, state = scene(tint=0.5)
    other.geom_rgba[:, 0] = 1
    with Renderer(model, 48, backend=backend) as renderer:
        first = [digest(renderer.rgb(data, camera)) for camera in ("front", "close")]
        with Renderer(other, 80, backend=backend) as between:
            assert digest(between.rgb(state, "front")) != first[0]
            renderer.depth(data, "above")
            between.segmentation(state, "above")
            assert digest(renderer.rgb(data, "front")) == first[0]
        assert digest(renderer.rgb(data, "close")) == first[1]
    with Renderer(model, 48, backend=backend) as again:
        assert digest(again.rgb(data, "front")) == first[0]


def test_same_bytes_in_other_processes(opengl: gl.Backend) -> None:
    model, data = scene()
    with (
        Renderer(model, 48, backend=opengl) as drawn,
        Renderer(model, 48, backend=RAYS) as traced,
    ):
        mine = [digest(renderer.rgb(data, "front")) for renderer in (drawn, traced)]
    # Left open: interpreter exit must say nothing.
    code = (
        "from tests.test_sim_render import *; model, data = scene(); "
        "drawn, traced = Renderer(model, 48), Renderer(model, 48, backend=RAYS); "
        "print(digest(drawn.rgb(data, 'front')), digest(traced.rgb(data, 'front')))"
    )
    for kind in ("osmesa", "egl"):
        if gl._try_out(kind)[0]:
            environment = {**os.environ, "ROBOTMCQA_RENDERER": kind, "PYTHONPATH": str(ROOT)}
            child = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, env=environment
            )
            assert child.stderr == ""
            assert child.returncode == 0
            assert child.stdout.split() == mine, kind


def test_same_bytes_in_another_thread(backend: gl.Backend) -> None:
    model, data = scene()
    with Renderer(model, 48, backend=backend) as renderer:
        mine = digest(renderer.rgb(data, "front"))
        theirs: list[str] = []
        thread = threading.Thread(target=lambda: theirs.append(digest(renderer.rgb(data, "front"))))
        thread.start()
        thread.join()
        assert theirs == [mine]


def test_renderer_freed_while_another_draws(opengl: gl.Backend) -> None:
    model, data = scene()
    with Renderer(model, 48, backend=opengl) as renderer:
        before = digest(renderer.rgb(data, "front"))
        forgotten = Renderer(model, 32, backend=opengl)
        forgotten.rgb(data, "front")
        with gl.shared_context(opengl.kind):
            del forgotten
            gc.collect()
            assert digest(renderer.rgb(data, "front")) == before


def test_closed_renderer_says_so(backend: gl.Backend) -> None:
    model, data = scene()
    renderer = Renderer(model, 32, backend=backend)
    renderer.close()
    renderer.close()
    with pytest.raises(UsageError, match="closed"):
        renderer.rgb(data, "front")


# Rays look like OpenGL ----------------------------------------------------------------------------


@pytest.mark.parametrize("camera", ["front", "above", "close"])
def test_rays_agree_with_opengl(opengl: gl.Backend, camera: str) -> None:
    model, data = scene()
    with (
        Renderer(model, 128, backend=opengl) as drawn,
        Renderer(model, 128, backend=RAYS) as traced,
    ):
        seen, met = drawn.segmentation(data, camera), traced.segmentation(data, camera)
        same = seen == met
        apart = np.abs(drawn.depth(data, camera) - traced.depth(data, camera))
        colours, shades = drawn.rgb(data, camera), traced.rgb(data, camera)
    assert same.mean() > 0.97
    assert apart[same].max() < 0.01
    for body in np.unique(seen):
        where = same & (seen == body)
        assert colours[where].mean(axis=0) == pytest.approx(shades[where].mean(axis=0), abs=4)
        # Not only on average: textures lie the same way round, and meshes are smooth.
        assert np.abs(colours[where].astype(int) - shades[where]).mean() < 4.5


def test_rays_blend_like_opengl(opengl: gl.Backend) -> None:
    model, data = scene(tint=0.5)
    ball = model.body("ball").id
    with (
        Renderer(model, 96, backend=opengl) as drawn,
        Renderer(model, 96, backend=RAYS) as traced,
    ):
        where = traced.segmentation(data, "front") == ball
        assert where.sum() > 100
        difference = drawn.rgb(data, "front")[where].astype(int) - traced.rgb(data, "front")[where]
    assert np.abs(difference.mean(axis=0)).max() < 4


def test_camera_inside_a_geom_looks_through_it(backend: gl.Backend) -> None:
    model, data = scene()
    ball = model.body("ball").id
    data.geom_xpos[model.body_geomadr[ball]] = data.cam("front").xpos
    with Renderer(model, 48, backend=backend) as renderer:
        seen = renderer.segmentation(data, "front")
    assert ball not in seen
    assert model.body("table").id in seen


def test_rays_meet_what_single_rays_meet() -> None:
    """Turned bodies with a light part far from a heavy one: mj_multiRay of mujoco 3 misses it."""
    spec = mujoco.MjSpec()
    for turn in range(6):
        body = spec.worldbody.add_body(
            pos=[0.5 * (turn % 3) - 0.5, 0.5 * (turn // 3), 0.5],
            quat=[np.cos(0.6 * turn), 0, 0, np.sin(0.6 * turn)],
        )
        body.add_geom(type=T.mjGEOM_SPHERE, size=[0.05, 0, 0], mass=5)
        body.add_geom(type=T.mjGEOM_SPHERE, size=[0.05, 0, 0], pos=[0.5, 0.1, 0.1], mass=0.01)
    look(spec.worldbody, "near", (0.1, 0.15, 1.5), (0, 0.2, 0.4))
    model = spec.compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    view = View(model)
    with Renderer(model, 48, backend=RAYS) as renderer:
        seen = renderer.segmentation(data, "near").ravel()
    eye = view.update(data, "near").camera[0]
    step = (2 * (np.arange(48) + 0.5) / 48 - 1) * eye.frustum_top / eye.frustum_near
    met, geom = [], np.zeros(1, np.int32)
    axes = data.cam("near").xmat.reshape(3, 3)
    for row in -step:
        for column in step:
            mujoco.mj_ray(
                model, data, data.cam("near").xpos, axes @ (column, row, -1), None, True, -1, geom
            )
            met.append(-1 if geom[0] < 0 else model.geom_bodyid[geom[0]])
    assert len(set(met)) > 3
    assert np.array_equal(seen, met)


# Encoders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 3), (64, 64)])
def test_png_keeps_every_pixel(height: int, width: int) -> None:
    numbers = np.arange(height * width * 3) * 7919 % 256
    picture = numbers.astype(np.uint8).reshape(height, width, 3)
    data = png(picture)
    assert png_problem(data) is None
    with Image.open(BytesIO(data)) as image:
        assert image.mode == "RGB"
        assert image.info == {}
        assert np.array_equal(np.asarray(image), picture)
    assert png(np.asfortranarray(picture)) == data


def test_depth_image_is_read_back_as_rlbench_does() -> None:
    near, far = 0.01, 4.5
    metres = np.array([[0, near, 0.752, 1.5], [2.0001, far, 9, 3]], np.float32)
    image = depth_image(metres, near, far)
    assert image.dtype == np.uint8
    red, green, blue = np.moveaxis(image.astype(float), -1, 0)
    share = (65536 * red + 256 * green + blue) / (2**24 - 1)
    assert near + share * (far - near) == pytest.approx(np.clip(metres, near, far), abs=1e-6)


def test_mask_image_is_read_back_as_rlbench_does() -> None:
    ids = np.array([[-1, 0, 1, 255], [256, 70000, 65535, 2**24 - 1]], np.int32)
    red, green, blue = np.moveaxis(mask_image(ids).astype(int), -1, 0)
    assert np.array_equal(red + 256 * green + 65536 * blue, np.maximum(ids, 0))
