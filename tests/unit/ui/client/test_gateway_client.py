"""Every response, and every failure to respond, becomes a value or a GatewayError."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ui.client.errors import (
    GatewayError,
    RefusedError,
    TimedOutError,
    UnavailableError,
    UnexpectedResponseError,
    UnreachableError,
)
from ui.client.gateway_client import GatewayClient, parse_class_pixels
from ui.client.responses import Label, Model, ModelVersion, Readiness

Handler = Callable[[httpx.Request], httpx.Response]

FACTS = {
    "Content-Type": "image/png",
    "X-Class-Pixels": "0=3,15=1",
    "X-Model": "deeplabv3",
    "X-Model-Version": "1.0",
    "X-Request-ID": "req-1",
}
PROBLEM = {"Content-Type": "application/problem+json"}
REFUSAL = {
    "type": "about:blank",
    "title": "Title",
    "status": 503,
    "detail": "What to do.",
    "code": "model_unavailable",
    "request_id": "req-9",
}
COLOURS = {"seed": "#08f708", "voc": "#400000", "safe": "#a05195"}
READY = {"status": "ready", "model": "deeplabv3", "version": "1.0", "workers": 2}
VERSION = {"version": "1.0", "default": True, "ready": False, "workers": 0, "loaded_at": None}


def client(handler: Handler) -> GatewayClient:
    """Build a client whose gateway is a function."""
    return GatewayClient("http://gateway", 60, httpx.MockTransport(handler))


def responding(status: int, **content: Any) -> GatewayClient:
    """Build a client whose gateway always sends the same response."""
    return client(lambda request: httpx.Response(status, **content))


def problem(status: int, code: str) -> GatewayClient:
    """Build a client whose gateway refuses everything."""
    return responding(status, headers=PROBLEM, json={**REFUSAL, "status": status, "code": code})


def test_a_mask_comes_with_the_values_of_its_headers() -> None:
    """The bytes stay as they are; the headers become values."""
    result = responding(200, headers=FACTS, content=b"png").segment(b"jpeg", None)
    assert (result.mask_png, result.class_pixels) == (b"png", {0: 3, 15: 1})
    assert (result.model, result.version, result.request_id) == ("deeplabv3", "1.0", "req-1")


@pytest.mark.parametrize(("version", "query"), [(None, b""), ("1.1", b"version=1.1")])
def test_the_image_is_sent_as_the_contract_says(version: str | None, query: bytes) -> None:
    """Multipart, field `file`, the bytes untouched, the version as a parameter if one is chosen."""
    seen = []

    def gateway(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.url.path, request.url.query, request.read()))
        return httpx.Response(200, headers=FACTS, content=b"png")

    client(gateway).segment(b"\x00jpeg\xff", version)
    method, path, sent_query, body = seen[0]
    assert (method, path, sent_query) == ("POST", "/segmentation", query)
    assert b'name="file"' in body
    assert b"\r\n\r\n\x00jpeg\xff\r\n" in body


def test_an_image_may_contain_what_ends_forms_elsewhere() -> None:
    """Each request has a random boundary: a fixed one could be part of an image."""
    boundaries = []

    def gateway(request: httpx.Request) -> httpx.Response:
        boundaries.append(request.headers["Content-Type"].partition("boundary=")[2])
        return httpx.Response(200, headers=FACTS, content=b"png")

    asking = client(gateway)
    asking.segment(b"jpeg", None)
    asking.segment(b"\r\n--%s--\r\n" % boundaries[0].encode(), None)
    assert len(boundaries[0]) > 16
    assert boundaries[0] != boundaries[1]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (413, "image_too_large", RefusedError),
        (415, "unsupported_format", RefusedError),
        (422, "unreadable_image", RefusedError),
        (404, "not_found", RefusedError),
        (429, "too_many_requests", UnavailableError),
        (503, "model_unavailable", UnavailableError),
        (504, "deadline_exceeded", UnavailableError),
    ],
)
def test_a_problem_keeps_the_gateways_message(
    status: int, code: str, kind: type[GatewayError]
) -> None:
    """Title, detail and request id are the gateway's."""
    with pytest.raises(kind) as caught:
        problem(status, code).segment(b"jpeg", None)
    error = caught.value
    assert (error.title, error.detail, error.request_id) == ("Title", "What to do.", "req-9")


@pytest.mark.parametrize(
    "raised",
    [httpx.ReadTimeout("slow"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("slow")],
    ids=lambda error: type(error).__name__,
)
def test_a_timeout_has_a_message(raised: Exception) -> None:
    """The message has the limit, and the id is the one that was sent."""
    sent = []

    def gateway(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["X-Request-ID"])
        raise raised

    with pytest.raises(TimedOutError, match="60 seconds") as caught:
        client(gateway).segment(b"jpeg", None)
    assert sent == [caught.value.request_id]


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (httpx.ConnectError("refused"), "Nothing answers at http://gateway.*make run"),
        (httpx.RemoteProtocolError("closed"), "no complete answer"),
        (httpx.ReadError("reset"), "no complete answer"),
        (httpx.WriteError("broken pipe"), "no complete answer"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_lost_connection_is_unreachable(raised: Exception, message: str) -> None:
    """The message names the gateway's address."""

    def gateway(request: httpx.Request) -> httpx.Response:
        raise raised

    with pytest.raises(UnreachableError, match=message):
        client(gateway).segment(b"jpeg", None)


@pytest.mark.parametrize(
    "gateway",
    [
        responding(500, text="Internal Server Error"),
        responding(422, json={"detail": [{"loc": ["body", "file"]}]}),
        responding(404, headers=PROBLEM, content=b"{"),
        responding(503, headers=PROBLEM, json={"title": "of another"}),
        responding(200, headers={**FACTS, "Content-Type": "text/html"}, content=b"<html>"),
        responding(200, headers={"Content-Type": "image/png"}, content=b"png"),
        responding(200, headers={**FACTS, "X-Class-Pixels": "many"}, content=b"png"),
        responding(302, headers={"Location": "http://elsewhere"}),
    ],
    ids=[
        "500",
        "422 of another",
        "no JSON",
        "problem of another",
        "HTML",
        "no facts",
        "wrong facts",
        "redirect",
    ],
)
def test_a_response_of_something_else_is_never_a_mask(gateway: GatewayClient) -> None:
    """An error body is not shown as an image; the message says what to check."""
    with pytest.raises(UnexpectedResponseError, match="SEGSERVE_UI_GATEWAY_URL"):
        gateway.segment(b"jpeg", None)


def test_readiness_names_what_serves() -> None:
    """A ready gateway says its default model and version."""
    assert Readiness("deeplabv3", "1.0") == responding(200, json=READY).readiness()


def test_readiness_is_unavailable_while_no_version_serves() -> None:
    """A gateway without a worker sends 503, whose message is kept."""
    with pytest.raises(UnavailableError, match="What to do"):
        problem(503, "model_unavailable").readiness()


def test_models_lists_versions() -> None:
    """Fields that the page does not know are ignored."""
    version = {**VERSION, "since": "newer"}
    body = {"models": [{"name": "deeplabv3", "default_version": "1.0", "versions": [version]}]}
    expected = (Model("deeplabv3", (ModelVersion("1.0", default=True, ready=False),)),)
    assert expected == responding(200, json=body).models()


def test_labels_are_those_of_the_requested_version() -> None:
    """Names and colours come per version, because labels belong to the model."""
    requested = []

    def gateway(request: httpx.Request) -> httpx.Response:
        requested.append(str(request.url))
        label = {"id": 8, "name": "cat", "colours": COLOURS}
        return httpx.Response(200, json={"model": "m", "version": "2.0", "labels": [label]})

    assert (Label(8, "cat", COLOURS),) == client(gateway).labels("m", "2.0")
    assert requested == ["http://gateway/v1/models/m/labels?version=2.0"]


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"{}",
        b"null",
        b"nothing",
        b"\xff",
        b"[" * 100_000,
        b'{"models": 1}',
        b'{"models": ["m"]}',
        b'{"models": [{}]}',
    ],
    ids=lambda body: body[:20],
)
def test_a_response_of_another_shape_is_unexpected(body: bytes) -> None:
    """JSON of something else does not reach the page."""
    with pytest.raises(UnexpectedResponseError, match="/v1/models answered 200"):
        responding(200, content=body).models()


@pytest.mark.parametrize("wrong", [None, 1, ["1.0"], {}], ids=json.dumps)
def test_a_value_of_another_type_is_unexpected(wrong: object) -> None:
    """Generated parsers check names only; the page checks types."""
    model = {"name": "deeplabv3", "default_version": "1.0", "versions": [VERSION]}
    with pytest.raises(UnexpectedResponseError):
        responding(200, json={**READY, "version": wrong}).readiness()
    with pytest.raises(UnexpectedResponseError):
        responding(200, json={"models": [{**model, "name": wrong}]}).models()
    with pytest.raises(UnexpectedResponseError):
        responding(503, headers=PROBLEM, json={**REFUSAL, "detail": wrong}).models()


def test_class_pixels_are_read_from_their_header() -> None:
    """Ids and counts are whole numbers."""
    assert parse_class_pixels("0=195000,15=67144") == {0: 195000, 15: 67144}


@pytest.mark.parametrize("header", ["", "0", "0=", "=1", "a=b", "0=1;1=2"])
def test_other_class_pixels_are_refused(header: str) -> None:
    """A header without counts is a ValueError."""
    with pytest.raises(ValueError, match="invalid literal"):
        parse_class_pixels(header)


@pytest.mark.parametrize(("key", "sent"), [(None, None), ("", None), ("sgs_1_2", "Bearer sgs_1_2")])
def test_the_pages_key_goes_with_every_request(key: str | None, sent: str | None) -> None:
    """Where it has one."""
    seen = []

    def gateway(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("Authorization"))
        return httpx.Response(503, json={})

    asking = GatewayClient("http://gateway", 60, httpx.MockTransport(gateway), key)
    for ask in (asking.readiness, asking.models, lambda: asking.segment(b"jpeg", None)):
        with pytest.raises(GatewayError):
            ask()
    assert seen == [sent] * 3


@pytest.mark.parametrize("visitor", [None, "a visitor"])
def test_a_visitor_is_named_to_the_gateway(visitor: str | None) -> None:
    """With segmentations alone: all visitors share the page's address and key."""
    seen = []

    def gateway(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("X-Segserve-Session"))
        return httpx.Response(503, json={})

    with pytest.raises(GatewayError):
        client(gateway).segment(b"jpeg", None, visitor)
    assert seen == [visitor]


def test_a_page_without_a_key_says_how_to_set_one() -> None:
    """The gateway's message is about headers, which visitors do not send."""
    with pytest.raises(RefusedError, match="SEGSERVE_UI_API_KEY") as caught:
        responding(401, headers={"X-Request-ID": "req-9"}).models()
    assert caught.value.request_id == "req-9"
