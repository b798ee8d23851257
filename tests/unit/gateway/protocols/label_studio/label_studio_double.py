"""A Label Studio server on a real socket: uploads, local files, both kinds of key; it logs."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.unit.gateway.doubles import serving
from tests.unit.gateway.protocols.label_studio.tasks import tasks

LEGACY_KEY = "0123456789abcdef0123456789abcdef01234567"
PREDICT = "/v1/label-studio/predict"
REFRESH_KEY = "eyJhbGciOiJI.eyJ0b2tlbl90eXBl.c2lnbmF0dXJl"


class LabelStudioDouble:
    """Files by path and query, and every request that arrived."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | Response] = {"/data/upload/3/x.jpg": b"a photo"}
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.refreshes = 0
        self.valid_for = 1_000_000  # requests for which an access token is valid
        self.refresh_response: Response | None = None
        self.delay_s = 0.0
        self.running = self.most_running = 0
        self._uses: dict[str, int] = {}

    def application(self) -> Starlette:
        """The server's application: every path and method."""
        return Starlette(
            routes=[Route("/{path:path}", self._respond, methods=["GET", "POST", "PUT"])]
        )

    async def _respond(self, request: Request) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        path = request.scope["raw_path"].decode() + query
        self.requests.append(path)
        self.headers.append(dict(request.headers))
        if path.endswith("/api/token/refresh/"):
            return await self._refresh(request)
        if not self._admits(request.headers.get("Authorization", "")):
            return JSONResponse({"detail": "no"}, 401)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await asyncio.sleep(self.delay_s)
        self.running -= 1
        file = self.files.get(path, Response("a page", 500))  # as Label Studio responds
        headers = {"Set-Cookie": "sessionid=secret; Path=/"}
        return file if isinstance(file, Response) else Response(file, headers=headers)

    async def _refresh(self, request: Request) -> Response:
        if self.refresh_response is not None:
            return self.refresh_response
        if (await request.json())["refresh"] != REFRESH_KEY:
            return JSONResponse({"detail": "Token is invalid"}, 401)
        self.refreshes += 1
        return JSONResponse({"access": f"access.token.{self.refreshes}"})

    def _admits(self, authorization: str) -> bool:
        kind, _, token = authorization.partition(" ")
        if kind == "Token":
            return token == LEGACY_KEY
        self._uses[token] = self._uses.get(token, 0) + 1
        issued = {f"access.token.{number + 1}" for number in range(self.refreshes)}
        return kind == "Bearer" and token in issued and self._uses[token] <= self.valid_for


async def _endless(chunk: bytes, pause_s: float) -> AsyncIterator[bytes]:
    while True:
        yield chunk
        await asyncio.sleep(pause_s)


def endless(chunk: bytes, pause_s: float = 0) -> Response:
    """A response without an end and without a length."""
    return StreamingResponse(_endless(chunk, pause_s))


def redirect(target: str, status: int = 302) -> Response:
    """A redirect."""
    return Response(status_code=status, headers={"Location": target})


@contextmanager
def running(double: LabelStudioDouble) -> Iterator[str]:
    """Serve it; yields its address."""
    with serving(double.application()) as port:
        yield f"http://127.0.0.1:{port}"


def settings_for(url: str, key: str = LEGACY_KEY, **changes: Any) -> dict[str, Any]:
    """The gateway's settings for it."""
    return {"label_studio_url": url, "label_studio_api_key": key, **changes}


async def predict(gateway: httpx.AsyncClient, *images: object) -> list[dict[str, Any]]:
    """The predictions of tasks with these images."""
    response = await gateway.post(PREDICT, json=tasks(*images))
    assert response.status_code == 200, response.text
    results: list[dict[str, Any]] = response.json()["results"]
    return results
