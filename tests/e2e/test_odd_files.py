"""Whatever a client sends, it gets a mask or a clear refusal, soon."""

import io
import time

import httpx
import pytest
from PIL import Image

from tests.e2e.odd_files import OddFile, all_files

FILES = all_files()
LONGEST_S = 5.0
CODES = {
    413: {"too_many_pixels", "image_too_large"},
    415: {"unsupported_format"},
    422: {"unreadable_image"},
}


def test_corpus_is_as_large_as_promised() -> None:
    """At least 60 files."""
    assert len(FILES) >= 60


@pytest.mark.parametrize("odd", FILES, ids=lambda odd: odd.name)
def test_odd_file_gets_the_right_answer_soon(gateway: httpx.Client, odd: OddFile) -> None:
    """The right 2xx or 4xx, never 5xx, within five seconds; refusals say what to do."""
    start = time.monotonic()
    answer = gateway.post("/segmentation", files={"file": (odd.name, odd.data)})
    assert time.monotonic() - start < LONGEST_S
    assert answer.status_code in odd.statuses, answer.text[:300]
    if answer.status_code == 200:
        mask = Image.open(io.BytesIO(answer.content))
        mask.load()
        assert odd.size in (None, mask.size)
    else:
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["code"] in CODES[answer.status_code]
        assert problem["request_id"] == answer.headers["x-request-id"]
        assert len(problem["detail"]) > 20


def test_product_still_serves_after_the_corpus(gateway: httpx.Client) -> None:
    """No file has cost a worker."""
    ready = gateway.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["workers"] >= 2
