"""The drop-in endpoint on real TorchServe: the contract of the prototype that it replaces."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import memory_use
from tests.e2e.golden_masks import GOLDEN, NAMES
from tests.stack import ROOT, Stack

EXAMPLES = ROOT / "ui" / "examples"
PERSON, CAT = 15, 8
# The golden masks are fp32; an engine in bf16 may give other classes along the edges.
GOLDEN_AGREEMENT = 0.99
MB = 1_000_000
# The gateway gives freed memory back every ten seconds.
TRIMMED_WITHIN_S = 15.0


def post(gateway: httpx.Client, path: Path, content_type: str = "image/jpeg") -> httpx.Response:
    """Send a file as the prototype's page did."""
    return gateway.post(
        "/segmentation", files={"file": (path.name, path.read_bytes(), content_type)}
    )


def mask_of(answer: httpx.Response) -> Image.Image:
    """The PNG of a response."""
    return Image.open(io.BytesIO(answer.content))


def largest_class(mask: Image.Image) -> int:
    """The class with most pixels besides background."""
    return int(np.argmax(np.bincount(np.asarray(mask).ravel(), minlength=21)[1:])) + 1


@pytest.mark.parametrize(("name", "expected"), [("astronaut", PERSON), ("cat", CAT)])
def test_photograph_gives_its_subject_as_largest_class(
    gateway: httpx.Client, name: str, expected: int
) -> None:
    """The largest class is the photograph's subject."""
    assert largest_class(mask_of(post(gateway, EXAMPLES / f"{name}.jpg"))) == expected


@pytest.mark.parametrize("name", NAMES)
def test_mask_agrees_with_the_golden_mask(gateway: httpx.Client, name: str) -> None:
    """The product's mask agrees with the eager model's."""
    golden = np.asarray(Image.open(GOLDEN / f"{name}.png"))
    mask = np.asarray(mask_of(post(gateway, EXAMPLES / f"{name}.jpg")))
    assert mask.shape == golden.shape
    assert np.mean(mask == golden) >= GOLDEN_AGREEMENT


def test_torchserve_writes_nothing_for_a_request(gateway: httpx.Client, stack: Stack) -> None:
    """Only the gateway logs requests; TorchServe's log would grow without limit."""
    log = stack.run_dir / "logs" / "latest" / "torchserve.log"
    before = log.read_text()
    assert "Model server started" in before
    assert post(gateway, EXAMPLES / "cat.jpg").status_code == 200
    assert log.read_text() == before


def test_answer_is_an_indexed_png_of_the_input_size(gateway: httpx.Client) -> None:
    """Mode P, same width and height, pixel index = class id."""
    answer = post(gateway, EXAMPLES / "cat.jpg")
    mask = mask_of(answer)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert mask.mode == "P"
    assert mask.size == Image.open(EXAMPLES / "cat.jpg").size
    assert int(np.asarray(mask).max()) <= 20


def test_palette_follows_the_prototypes_formula(gateway: httpx.Client) -> None:
    """Class i has the colour i * (2^25-1, 2^15-1, 2^21-1) % 255."""
    palette = mask_of(post(gateway, EXAMPLES / "cat.jpg")).getpalette()
    assert palette is not None
    factors = (2**25 - 1, 2**15 - 1, 2**21 - 1)
    expected = [index * factor % 255 for index in range(21) for factor in factors]
    assert palette[: 21 * 3] == expected


def test_mask_holds_only_classes_that_the_network_predicted(gateway: httpx.Client) -> None:
    """Resizing a small image's mask by NEAREST adds no class."""
    photograph = Image.open(EXAMPLES / "astronaut.jpg")
    small, large = io.BytesIO(), io.BytesIO()
    photograph.resize((513, 513)).save(small, "PNG")
    Image.open(io.BytesIO(small.getvalue())).resize((1539, 1539), Image.Resampling.NEAREST).save(
        large, "PNG"
    )
    found = []
    for picture in (small, large):
        answer = gateway.post("/segmentation", files={"file": ("a.png", picture.getvalue())})
        found.append(set(np.unique(np.asarray(mask_of(answer))).tolist()))
    assert found[1] <= found[0] | {0}


def test_declared_content_type_is_not_trusted(gateway: httpx.Client) -> None:
    """The prototype's page declared every file as image/jpeg."""
    buffer = io.BytesIO()
    Image.open(EXAMPLES / "cat.jpg").save(buffer, "PNG")
    answer = gateway.post(
        "/segmentation", files={"file": ("cat.png", buffer.getvalue(), "image/jpeg")}
    )
    assert largest_class(mask_of(answer)) == CAT


def test_exif_orientation_is_applied(gateway: httpx.Client) -> None:
    """A photograph stored sideways gives an upright mask."""
    photograph = Image.open(EXAMPLES / "cat.jpg")
    sideways, exif = photograph.transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    sideways.save(buffer, "JPEG", quality=95, exif=exif)
    answer = gateway.post("/segmentation", files={"file": ("cat.jpg", buffer.getvalue())})
    upright = np.asarray(mask_of(post(gateway, EXAMPLES / "cat.jpg")))
    turned = np.asarray(mask_of(answer))
    assert turned.shape == upright.shape
    assert np.mean(turned == upright) > 0.97


def test_answer_names_the_model_that_made_it(gateway: httpx.Client) -> None:
    """Every response names its version and request id."""
    answer = gateway.post(
        "/segmentation",
        files={"file": (EXAMPLES / "cat.jpg").read_bytes()},
        headers={"X-Request-ID": "my-request-1"},
    )
    assert answer.headers["x-model"] == "deeplabv3"
    assert answer.headers["x-model-version"] == "1.0"
    assert answer.headers["x-request-id"] == "my-request-1"


def test_class_pixels_header_counts_the_mask(gateway: httpx.Client) -> None:
    """A legend's shares need no decoding of the mask."""
    answer = post(gateway, EXAMPLES / "astronaut.jpg")
    counts = np.bincount(np.asarray(mask_of(answer)).ravel())
    expected = ",".join(f"{index}={count}" for index, count in enumerate(counts) if count)
    assert answer.headers["x-class-pixels"] == expected


def test_concurrent_pictures_of_many_sizes_each_get_their_own_mask(stack: Stack) -> None:
    """Responses are never mixed up, whatever the sizes."""
    photograph = Image.open(EXAMPLES / "cat.jpg").convert("RGB")  # decoded, for all threads
    sizes = [(80 + 37 * step, 60 + 23 * step) for step in range(16)]

    def ask(size: tuple[int, int]) -> tuple[int, int]:
        buffer = io.BytesIO()
        photograph.resize(size).save(buffer, "JPEG")
        files = {"file": ("cat.jpg", buffer.getvalue())}
        answer = httpx.post(f"{stack.gateway_url}/segmentation", files=files, timeout=60)
        return mask_of(answer).size

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, sizes)) == sizes


def test_model_is_ready_and_listed_with_its_labels(gateway: httpx.Client) -> None:
    """Readiness, versions and labels agree."""
    ready = gateway.get("/readyz").json()
    models = gateway.get("/v1/models").json()["models"]
    labels = gateway.get("/v1/models/deeplabv3/labels").json()["labels"]
    assert (ready["status"], ready["version"]) == ("ready", "1.0")
    assert [model["default_version"] for model in models] == ["1.0"]
    assert [label["name"] for label in labels][:2] == ["background", "aeroplane"]
    assert labels[PERSON]["name"] == "person"


def test_nothing_listens_beyond_loopback(stack: Stack) -> None:
    """TorchServe's APIs, its two other ports, gateway and page listen on loopback only."""
    listening = {
        connection.laddr.ip
        for process in stack.descendants()
        for connection in process.net_connections(kind="inet")
        if connection.status == "LISTEN"
    }
    assert listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_memory_stays_within_what_is_promised(stack: Stack) -> None:
    """At most 150 MB for the gateway, 2 GB for the product with two workers."""
    gateway = memory_use.gateway(stack)
    end = time.monotonic() + TRIMMED_WITHIN_S
    while gateway.now > 150 * MB and time.monotonic() < end:
        time.sleep(0.2)  # the tests before have sent large images
    assert gateway.now <= 150 * MB
    assert sum(each.memory_info().rss for each in stack.descendants()) <= 2000 * MB
