"""The predictor that uses the gateway: public API, retries while busy, errors with its message."""

import io
from collections.abc import Callable

import httpx
import numpy as np
import pytest
from PIL import Image

from scripts.evaluation.gateway import TRIES, GatewayPredictor
from scripts.evaluation.predictors import EvaluationError

URL = "http://127.0.0.1:8000"
LABELS = [{"id": 0, "name": "background"}, {"id": 1, "name": "cat"}]
IDS = np.array([[0, 1], [1, 1]], dtype=np.uint8)
Answer = Callable[[httpx.Request], httpx.Response]


def _png() -> bytes:
    mask = Image.fromarray(IDS)
    mask.putpalette([0, 0, 0, 9, 9, 9])
    stream = io.BytesIO()
    mask.save(stream, "PNG")
    return stream.getvalue()


def _mask(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=_png(), headers={"Content-Type": "image/png"})


class Served:
    """The gateway's responses, and the requests it got."""

    def __init__(self, mask: Answer = _mask):
        self.asked: list[httpx.Request] = []
        self._mask = mask

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.path == "/readyz":
            return httpx.Response(200, json={"model": "deeplabv3", "version": "1.0"})
        if request.url.path == "/v1/models/deeplabv3/labels":
            return httpx.Response(200, json={"labels": LABELS})
        return self._mask(request)


def _predictor(served: Answer, version: str | None = None) -> GatewayPredictor:
    return GatewayPredictor(URL, version, httpx.MockTransport(served))


def test_labels_and_masks_come_from_the_public_api() -> None:
    """The mask's palette is ignored."""
    served = Served()
    predictor = _predictor(served)
    assert predictor.labels == {0: "background", 1: "cat"}
    assert np.array_equal(predictor.predict(b"jpeg"), IDS)
    assert b"jpeg" in served.asked[-1].content


@pytest.mark.parametrize(("version", "expected"), [(None, "1.0"), ("2.0", "2.0")])
def test_one_version_answers_all_pictures(version: str | None, expected: str) -> None:
    """The default version of the start is used, even if the default changes meanwhile."""
    served = Served()
    predictor = _predictor(served, version)
    predictor.predict(b"jpeg")
    assert [each.url.params["version"] for each in served.asked[1:]] == [expected] * 2
    assert predictor.source == f"deeplabv3 {expected} at {URL}"


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_gateway_is_asked_again(status: int) -> None:
    """Retry-After is honoured."""
    busy = [httpx.Response(status, headers={"Retry-After": "0"}) for _ in range(TRIES - 1)]
    served = Served(lambda request: busy.pop() if busy else _mask(request))
    assert np.array_equal(_predictor(served).predict(b"jpeg"), IDS)


def test_a_gateway_that_stays_busy_is_an_error() -> None:
    """The error has the gateway's message."""
    problem = {"detail": "Too many requests wait."}
    served = Served(lambda _: httpx.Response(503, json=problem, headers={"Retry-After": "0"}))
    predictor = _predictor(served)
    with pytest.raises(EvaluationError, match="answered 503: Too many requests wait"):
        predictor.predict(b"jpeg")
    assert sum(each.url.path == "/segmentation" for each in served.asked) == TRIES


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(422, json={"detail": "No picture."}), "answered 422: No picture"),
        (httpx.Response(500, text="oops"), "answered 500: oops"),
    ],
)
def test_a_refusal_is_an_error_with_its_reason(answer: httpx.Response, words: str) -> None:
    """The detail of a problem document, or else the body."""
    with pytest.raises(EvaluationError, match=words):
        _predictor(Served(lambda _: answer)).predict(b"jpeg")


def test_no_gateway_is_an_error() -> None:
    """The error says what to do."""

    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(EvaluationError, match=r"connection refused.*segserve serve.*--gateway"):
        _predictor(unreachable)


@pytest.mark.parametrize(("key", "sent"), [(None, None), ("sgs_1_2", "Bearer sgs_1_2")])
def test_a_key_goes_with_every_request(key: str | None, sent: str | None) -> None:
    """A key is sent if one is given."""
    served = Served()
    predictor = GatewayPredictor(URL, None, httpx.MockTransport(served), key)
    predictor.predict(b"jpeg")
    assert [each.headers.get("Authorization") for each in served.asked] == [sent] * 3
