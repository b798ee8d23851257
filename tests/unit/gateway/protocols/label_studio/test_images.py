"""Images from a Label Studio server on a real socket."""

import gzip
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.responses import Response

from tests.unit.gateway.doubles import TorchServeDouble, client
from tests.unit.gateway.protocols.label_studio.label_studio_double import (
    LEGACY_KEY,
    PREDICT,
    REFRESH_KEY,
    LabelStudioDouble,
    endless,
    predict,
    redirect,
    running,
    settings_for,
)
from tests.unit.gateway.protocols.label_studio.tasks import tasks, uri
from tests.unit.gateway.protocols.label_studio.test_addresses import REFUSED

pytestmark = pytest.mark.anyio

FILE = "/data/upload/3/x.jpg"


@pytest.fixture(params=[LEGACY_KEY, REFRESH_KEY])
async def fetching(
    request: pytest.FixtureRequest, torchserve: TorchServeDouble, url: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A gateway that fetches from it, with either kind of key."""
    async with client(torchserve, **settings_for(url, request.param)) as gateway:
        yield gateway


async def test_images_are_fetched_with_the_key(
    fetching: httpx.AsyncClient, torchserve: TorchServeDouble, studio: LabelStudioDouble, url: str
) -> None:
    """Uploads, local files and absolute addresses, in the order of the tasks."""
    studio.files["/data/local-files/?d=set/a%20b.jpg"] = b"another photo"
    images = [FILE, f"{url}{FILE}", "/data/local-files/?d=set/a b.jpg", uri(b"a third")]
    results = await predict(fetching, *images)
    assert [(len(each["result"]), each["error"]) for each in results] == [(1, None)] * 4
    sent = sorted(request.content for request in torchserve.predictions)
    assert sent == [b"a photo", b"a photo", b"a third", b"another photo"]


BAD: list[tuple[Response | bytes, str]] = [
    (Response("a page", 500), "did not send this image (status 500)"),
    (Response(status_code=404), "did not send this image (status 404)"),
    (Response(status_code=403), "may not see it"),
    (Response(status_code=204), "did not send this image (status 204)"),
    (redirect("/user/login/"), "redirects this image elsewhere (status 302)"),
    (redirect("http://127.0.0.1:1/x.jpg", 301), "redirects"),
    (redirect("//127.0.0.1:1/x.jpg", 307), "redirects"),
    (redirect("file:///etc/passwd", 308), "redirects"),
    (redirect("/data/upload/3/y.jpg", 303), "redirects"),
    (b"", "empty"),
    (b"a" * 101, "more than 100 bytes"),
    (endless(b"a" * 50), "more than 100 bytes"),
    (Response(gzip.compress(bytes(10_000)), headers={"Content-Encoding": "gzip"}), "compressed"),
]


@pytest.mark.parametrize(("answer", "detail"), BAD)
async def test_an_image_that_cannot_be_fetched_harms_no_other(
    torchserve: TorchServeDouble,
    studio: LabelStudioDouble,
    url: str,
    answer: Response | bytes,
    detail: str,
) -> None:
    """It has an empty result and the reason; no redirect is followed."""
    studio.files["/data/upload/3/bad.jpg"] = answer
    async with client(torchserve, **settings_for(url, max_image_bytes=100)) as gateway:
        first, bad, last = await predict(gateway, FILE, "/data/upload/3/bad.jpg", FILE)
        metrics = (await gateway.get("/metrics")).text
    assert [len(each["result"]) for each in (first, bad, last)] == [1, 0, 1]
    assert detail in bad["error"]
    assert sorted(studio.requests) == ["/data/upload/3/bad.jpg", FILE, FILE]
    assert "\nsegserve_upload_buffer_bytes 0.0\n" in metrics


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_server_that_is_down_fails_the_request(
    torchserve: TorchServeDouble, studio: LabelStudioDouble, url: str, status: int
) -> None:
    """Label Studio would store empty predictions."""
    studio.files[FILE] = Response(status_code=status)
    async with client(torchserve, **settings_for(url)) as gateway:
        response = await gateway.post(PREDICT, json=tasks(FILE))
    assert (response.status_code, response.json()["code"]) == (503, "source_unavailable")


async def test_a_server_that_is_not_there_fails_the_request(torchserve: TorchServeDouble) -> None:
    """The error names its address and the setting."""
    async with client(torchserve, **settings_for("http://127.0.0.1:1")) as gateway:
        response = await gateway.post(PREDICT, json=tasks(FILE))
    assert (response.status_code, response.json()["code"]) == (503, "source_unavailable")
    assert "http://127.0.0.1:1 does not respond" in response.json()["detail"]


async def test_a_slow_server_ends_by_the_upload_deadline(
    torchserve: TorchServeDouble, studio: LabelStudioDouble, url: str
) -> None:
    """An image that trickles does not hold a request for longer than a slow upload would."""
    studio.files[FILE] = endless(b"a", 0.01)
    async with client(torchserve, **settings_for(url, upload_deadline_s=0.3)) as gateway:
        response = await gateway.post(PREDICT, json=tasks(FILE))
    assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")
    assert "Label Studio took too long" in response.json()["detail"]


async def test_the_server_learns_nothing_but_the_key(
    fetching: httpx.AsyncClient, studio: LabelStudioDouble
) -> None:
    """No cookies, no header of the client; uncompressed bytes are asked for."""
    for _ in "ab":
        response = await fetching.post(
            PREDICT, json=tasks(FILE), headers={"Cookie": "a=b", "X-API-Key": "secret"}
        )
        assert response.status_code == 200
    names = {name for headers in studio.headers for name in headers}
    assert names.isdisjoint({"cookie", "x-api-key", "referer"})
    assert {headers["accept-encoding"] for headers in studio.headers} == {"identity"}


async def test_nothing_else_is_ever_fetched(
    torchserve: TorchServeDouble,
    studio: LabelStudioDouble,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Foreign addresses, and our own in other spellings: no request, no connection, no lookup."""
    own = url.replace("http://127.0.0.1", "localhost")
    with running(trap := LabelStudioDouble()) as elsewhere:
        host = elsewhere.removeprefix("http://")
        port = host.partition(":")[2]
        tries = [each.replace("studio.test:8080", own) for each in REFUSED]
        tries += [each.replace("evil.test", host) for each in tries if "evil.test" in each]
        names = ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "evil")
        tries += [f"http://{name}:{port}{FILE}" for name in names]
        looked_up: list[str] = []
        resolve = socket.getaddrinfo

        def changing(name: str | bytes, service: Any, *arguments: Any, **options: Any) -> Any:
            looked_up.append(name.decode() if isinstance(name, bytes) else name)
            # Any other name leads to the trap, as with a name server that changes its mind.
            to = service if looked_up[-1] == "localhost" else port
            return resolve("127.0.0.1", to, *arguments, **options)

        monkeypatch.setattr(socket, "getaddrinfo", changing)
        async with client(torchserve, **settings_for(f"http://{own}")) as gateway:
            *refused, fetched = await predict(gateway, *tries, FILE)
    assert len(tries) > 100
    assert [each["error"] for each in refused if "Nothing is fetched" not in each["error"]] == []
    assert (len(fetched["result"]), len(torchserve.predictions)) == (1, 1)
    assert (trap.requests, studio.requests, set(looked_up)) == ([], [FILE], {"localhost"})
