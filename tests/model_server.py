"""An OpenAI-compatible server that answers from a script, over real HTTP."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

START_SECONDS = 20


@dataclass(frozen=True)
class Asked:
    """One request, read as a server reads it.

    Attributes:
        number: of the request, from 0.
        text: what the user's message says.
        images: its pictures, decoded.
        order: kinds of its parts.
        body: the whole document.
        key: that came with it.
    """

    number: int
    text: str
    images: tuple[Image.Image, ...]
    order: tuple[str, ...]
    body: Mapping[str, Any]
    key: str


Script = Callable[[Asked], "str | dict[str, Any] | Response"]
"""Request -> completion, assistant message, or any other answer."""


@dataclass
class ModelServer:
    """A running server.

    Attributes:
        script: what it answers.
        asked: every request, in order.
    """

    script: Script
    asked: list[Asked] = field(default_factory=list)
    url: str = ""
    broken: list[BaseException] = field(default_factory=list)

    @property
    def questions(self) -> list[str]:
        """Prompts of all requests."""
        return [one.text for one in self.asked]


def refusal(status: int, message: str, **headers: str) -> JSONResponse:
    """An error as such servers have it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return JSONResponse({"error": {"message": message, "type": "error"}}, status, named)


@contextmanager
def serving(script: Script) -> Iterator[ModelServer]:
    """A server on a free port of 127.0.0.1 while the block lasts; it fails if the script did."""
    server = ModelServer(script)

    async def complete(request: Request) -> Response:
        body = await request.json()
        asked = _read(len(server.asked), body, request.headers.get("authorization", ""))
        server.asked.append(asked)
        try:
            answer = server.script(asked)
        except BaseException as error:
            server.broken.append(error)
            raise
        return answer if isinstance(answer, Response) else JSONResponse(_completion(body, answer))

    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    server.url = f"http://127.0.0.1:{bound.getsockname()[1]}/v1"
    app = Starlette(routes=[Route("/v1/chat/completions", complete, methods=["POST"])])
    settings = uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    running = uvicorn.Server(settings)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [bound]}, daemon=True)
    bound.listen()
    thread.start()
    try:
        yield server
    finally:
        running.should_exit = True
        thread.join(START_SECONDS)
        bound.close()
    assert not server.broken, server.broken


def _read(number: int, body: Mapping[str, Any], authorization: str) -> Asked:
    parts = body["messages"][-1]["content"]
    if isinstance(parts, str):
        parts = [{"type": "text", "text": parts}]
    images = []
    for part in parts:
        if part["type"] == "image_url":
            head, _, data = part["image_url"]["url"].partition(",")
            assert head == "data:image/png;base64"
            picture = Image.open(BytesIO(base64.b64decode(data)))
            picture.load()
            images.append(picture)
    return Asked(
        number=number,
        text="".join(part["text"] for part in parts if part["type"] == "text"),
        images=tuple(images),
        order=tuple(part["type"] for part in parts),
        body=json.loads(json.dumps(body)),
        key=authorization.removeprefix("Bearer "),
    )


def _completion(body: Mapping[str, Any], answer: str | dict[str, Any]) -> dict[str, Any]:
    message = {"content": answer} if isinstance(answer, str) else dict(answer)
    reason = message.pop("finish_reason", "stop")
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [
            {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }
