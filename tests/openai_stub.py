"""An OpenAI-compatible server of our own: answers from a script, fails on demand, counts all.

It plays two models: ``answerer`` looks at a picture, ``grader`` judges. Only a request that was
answered counts as paid for.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = "sk-stub-0123456789abcdef"
ANSWERER, GRADER = "openai-api/stub/answerer", "openai-api/stub/grader"

Fault = Callable[[str, int], "tuple[int, dict[str, str]] | None"]
"""From model and number of its call (from 1) to a status and headers; None to answer."""


class Stub:
    """The server.

    Attributes:
        url: for ``STUB_BASE_URL``.
        calls: model -> requests, failed ones included.
        paid: (model, question) -> requests that were answered.
        requests: bodies of the answered ones.
        answer: question -> what the answerer says.
        verdict: (question, number of the verdict from 0) -> what the grader says.
        fault: what goes wrong.
        hold_after: so many answers are given, then requests hang until :meth:`release`.
        quote_key: a refusal quotes the key, as some servers do.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self.calls: Counter[str] = Counter()
        self.paid: Counter[tuple[str, str]] = Counter()
        self.requests: list[dict[str, Any]] = []
        self.answer: Callable[[str], str] = lambda question: f"<answer>{question}</answer>"
        self.verdict: Callable[[str, int], str] = lambda question, number: "Score: 3\nReason: same"
        self.fault: Fault = lambda model, call: None
        self.hold_after: int | None = None
        self.quote_key = False
        self._released = threading.Event()
        self._lock = threading.Lock()
        route = Route("/v1/chat/completions", self._completions, methods=["POST"])
        config = uvicorn.Config(
            Starlette(routes=[route]), lifespan="off", log_config=None, access_log=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    @property
    def environment(self) -> dict[str, str]:
        """Of a client."""
        return {"STUB_BASE_URL": self.url, "STUB_API_KEY": KEY}

    def start(self) -> None:
        self._socket.listen()
        self._thread.start()

    def stop(self) -> None:
        self.release()
        self._server.should_exit = True
        self._thread.join(20)
        self._socket.close()

    def release(self) -> None:
        """Let what hangs go on, and hold nothing any more."""
        self.hold_after = None
        self._released.set()

    async def _completions(self, request: Request) -> Response:
        try:
            body = await request.json()
        except ClientDisconnect:  # a client that was killed
            return Response(status_code=400)
        return await run_in_threadpool(self._reply, body, request.headers.get("authorization", ""))

    def _reply(self, body: dict[str, Any], authorization: str) -> Response:
        model = str(body["model"])
        if authorization != f"Bearer {KEY}":
            return _refusal(401, "no key")
        with self._lock:
            self.calls[model] += 1
            failed = self.fault(model, self.calls[model])
            if failed:
                said = (
                    f"refused {authorization.removeprefix('Bearer ')}" if self.quote_key else "no"
                )
                return _refusal(failed[0], said, failed[1])
            held = self.hold_after is not None and len(self.requests) >= self.hold_after
            if not held:
                return self._answered(model, body)
        self._released.wait(120)
        return _refusal(503, "gone")

    def _answered(self, model: str, body: dict[str, Any]) -> Response:
        if model == "answerer":
            question = asked(body)
            text = self.answer(question)
        else:
            question = judged(body)["question"]
            text = self.verdict(question, self.paid[model, question])
        self.paid[model, question] += 1
        self.requests.append(body)
        return JSONResponse(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": model,
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": text},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
        )


def _refusal(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    error = {"error": {"message": text, "type": "stub", "code": str(status)}}
    return JSONResponse(error, status_code=status, headers=headers)


def asked(body: dict[str, Any]) -> str:
    """The question of a request to the answerer."""
    (user,) = [one for one in body["messages"] if one["role"] == "user"]
    content = user["content"]
    if isinstance(content, str):
        return content
    (text,) = [part["text"] for part in content if part["type"] == "text"]
    return str(text)


def picture(body: dict[str, Any]) -> bytes | None:
    """The PNG bytes of a request to the answerer; None where it has no picture."""
    (user,) = [one for one in body["messages"] if one["role"] == "user"]
    if isinstance(user["content"], str):
        return None
    found = [part for part in user["content"] if part["type"] == "image_url"]
    if not found:
        return None
    (part,) = found
    head, _, data = part["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    png = base64.b64decode(data, validate=True)
    Image.open(BytesIO(png), formats=("PNG",)).load()
    return png


def judged(body: dict[str, Any]) -> dict[str, str]:
    """Question, reference and answer of a request to the grader, as its prompt has them."""
    (message,) = body["messages"]
    content = message["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    found = re.search(
        r"=== question\n(.*?)\n=== reference answer\n(.*?)\n=== answer to grade\n(.*?)\n=== end\n",
        text,
        re.S,
    )
    assert found, text
    return dict(zip(("question", "reference", "answer"), found.groups(), strict=True))


@contextmanager
def stub_server() -> Iterator[Stub]:
    """A server of its own for a test."""
    stub = Stub()
    stub.start()
    try:
        yield stub
    finally:
        stub.stop()


def lines(path: Any) -> list[dict[str, Any]]:
    """Whole lines of a journal."""
    if not path.is_file():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [json.loads(line) for line in whole.split(b"\n") if line]
