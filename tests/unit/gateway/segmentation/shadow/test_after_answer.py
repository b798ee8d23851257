"""Work after a response: once, whatever the response was, and without harm to it."""

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from gateway.segmentation.shadow.after_answer import AfterAnswer, after_answer

pytestmark = pytest.mark.anyio


class App:
    """An application that notes the order of events."""

    def __init__(self, *, fails: bool) -> None:
        self.events: list[str] = []
        self._fails = fails

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Leave work for later, then respond or fail."""
        after_answer(scope, lambda: self.events.append("first"))
        after_answer(scope, lambda: 1 / 0)
        after_answer(scope, lambda: self.events.append("last"))
        if self._fails:
            raise LookupError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"mask"})
        self.events.append("sent")


def caller(app: App) -> httpx.AsyncClient:
    """A client of the application behind the middleware, as the gateway sets it up."""

    async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {}
        await AfterAnswer(app)(scope, receive, send)

    transport = httpx.ASGITransport(with_state)
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


async def test_work_is_done_after_the_response() -> None:
    """In order; a failure of one does not stop the next."""
    app = App(fails=False)
    async with caller(app) as client:
        assert (await client.get("/")).content == b"mask"
    assert app.events == ["sent", "first", "last"]


async def test_work_is_done_after_a_failure() -> None:
    """It may hold memory."""
    app = App(fails=True)
    async with caller(app) as client:
        with pytest.raises(LookupError):
            await client.get("/")
    assert app.events == ["first", "last"]


async def test_a_scope_without_state_is_passed_on() -> None:
    """Such as the lifespan's."""
    seen = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: object) -> None:
        """Take and give nothing."""

    await AfterAnswer(app)({"type": "lifespan"}, nothing, nothing)  # type: ignore[arg-type]
    assert seen == ["lifespan"]
