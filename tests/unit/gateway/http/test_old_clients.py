"""Requests as clients of the last ten years send them, on a real socket."""

import json
from collections.abc import Iterator

import pytest

from tests.unit.gateway.doubles import FORM_TYPE, TorchServeDouble, application, form, part, serving
from tests.unit.gateway.http.test_server import parsed, talk

pytestmark = pytest.mark.slow

PHOTO = b"\xff\xd8 a photo"
FORM = form(part(PHOTO))
NAMELESS = form(part(PHOTO, 'form-data; name="file"'))
EXTENDED = form(part(PHOTO, "form-data; name=\"file\"; filename*=utf-8''c%C3%A4t.jpg"))
DOTNET = form(part(PHOTO, "form-data; name=file; filename=a.jpg; filename*=utf-8''a.jpg"))
JAVA = FORM.replace(b"image/jpeg", b"image/jpeg\r\nContent-Transfer-Encoding: binary")
OKHTTP = FORM.replace(b"image/jpeg", b"image/jpeg\r\nContent-Length: %d" % len(PHOTO))
QUOTED = FORM_TYPE.replace("=", '="') + '"'


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a gateway."""
    with serving(application(TorchServeDouble())) as bound_port:
        yield bound_port


def request(
    path: str, body: bytes, *headers: str, kind: str = FORM_TYPE, version: str = "1.1"
) -> bytes:
    """A request with a body, framed by its length unless a header says that it is chunked."""
    lines = [f"POST {path} HTTP/{version}", f"Content-Type: {kind}", *headers]
    if any("chunked" in each for each in headers):
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


HOST, CLOSE = "Host: x", "Connection: close"
REQUESTS = {
    "curl": request("/segmentation", FORM, HOST, CLOSE, "Accept: */*", "Expect: 100-continue"),
    "requests with urllib3 1.24": request("/segmentation", EXTENDED, HOST, CLOSE),
    "axios with a Buffer": request("/segmentation", NAMELESS, HOST, CLOSE),
    "fetch of Node": request("/segmentation", FORM, HOST, CLOSE, "Transfer-Encoding: chunked"),
    "Java, Apache": request("/segmentation", JAVA, HOST, CLOSE, "User-Agent: Apache-HttpClient"),
    "Java, HttpClient": request(
        "/segmentation",
        FORM,
        HOST,
        "Connection: close, Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAMAAABk",
    ),
    "OkHttp": request("/segmentation", OKHTTP, HOST, CLOSE, "Accept-Encoding: gzip"),
    "Go": request("/segmentation", NAMELESS, HOST, CLOSE, "Transfer-Encoding: chunked"),
    ".NET": request("/segmentation", DOTNET, HOST, CLOSE, kind=QUOTED),
    "PHP": request("/segmentation", FORM, HOST, version="1.0"),
    "nginx": request("/segmentation", FORM, HOST, CLOSE, version="1.0"),
    "a body, to a proxy": request(
        "http://x/v1/segment", PHOTO, HOST, CLOSE, kind="application/octet-stream"
    ),
    "a body without a type": request("/v1/segment", PHOTO, HOST, CLOSE, kind=""),
    "upper case": request("/segmentation", FORM, "HOST: x", "CONNECTION: Close", kind=FORM_TYPE),
}


@pytest.mark.parametrize("client", REQUESTS)
def test_a_client_gets_its_mask(port: int, client: str) -> None:
    """Each has its own idea of a form, of framing and of the names of files."""
    response = talk(port, REQUESTS[client]).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    status, headers, body = parsed(response)
    assert (status, headers["content-type"], body[:4]) == (200, "image/png", b"\x89PNG")


@pytest.mark.parametrize("path", ["/v1/segment/batch", "/segmentation"])
def test_an_old_client_gets_no_chunks(port: int, path: str) -> None:
    """HTTP/1.0 knows none; the length says where the response ends."""
    _, headers, body = parsed(talk(port, request(path, FORM, version="1.0")))
    assert "transfer-encoding" not in headers
    assert headers["content-length"] == str(len(body))


def test_an_old_client_gets_every_line_of_its_batch(port: int) -> None:
    """The lines are those of a newer client."""
    body = form(part(PHOTO), part(PHOTO), part(b""))
    old = parsed(talk(port, request("/v1/segment/batch", body, version="1.0")))
    assert (old[0], old[1]["content-type"]) == (200, "application/x-ndjson")
    lines = [json.loads(line) for line in old[2].splitlines()]
    assert sorted((line["index"], line["status"]) for line in lines) == [
        (0, 200),
        (1, 200),
        (2, 422),
    ]
