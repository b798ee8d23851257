"""An image at the pixel limit takes a known amount of memory, and a bomb none."""

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from deeplab.decode import METADATA_BYTES
from deeplab.memory_limit import HEADROOM
from tests.odd_files.containers import DELTA, bmp
from tests.odd_files.metadata import unfolding
from tests.unit.handler.files import CLAIMS, chunk, encode

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
CODE_MB = 50
WIDTH, HEIGHT = 8000, 6250  # the limit: 50,000,000 pixels

# The first image loads the libraries; the growth is measured from there.
PROGRAM = """
import json, sys
from pathlib import Path
import numpy as np
from deeplab import pipeline
from deeplab.render_options import RenderOptions
from deeplab.errors import RejectedImageError
from deeplab.pipeline import segment
from deeplab.spec import InputSize

INPUT = InputSize(513, 16)
pipeline.MAX_DECODE_CPU_S = 30.0  # memory is what is measured, on slow machines too

class Background:
    name, precision, aligned = "background", "f32", True
    def logits(self, pixels):
        return np.zeros((21, 2, 2), dtype=np.float32)

def peak():
    # Not getrusage, whose peak includes the process that started this one.
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return int(line.split()[1]) // 1024

options = RenderOptions(sys.argv[1])
segment(Path(sys.argv[2]).read_bytes(), Background(), INPUT, 50_000_000, options)
before, results = peak(), []
for name in sys.argv[3:]:
    data = Path(name).read_bytes()
    try:
        results.append(segment(data, Background(), INPUT, 50_000_000, options).class_pixels)
    except RejectedImageError as error:
        results.append(error.code)
print(json.dumps({"grown_mb": peak() - before, "results": results}))
"""


def _measure(folder: Path, *files: bytes, render: str = "labels") -> tuple[int, list[object]]:
    """(growth of a worker's peak memory in MB, class pixels or error code of each file)."""
    names = []
    for index, data in enumerate((encode(Image.new("RGB", (64, 64)), "PNG"), *files)):
        names.append(str(folder / str(index)))
        Path(names[-1]).write_bytes(data)
    command = [sys.executable, "-c", PROGRAM, render, *names]
    done = subprocess.run(command, cwd=ROOT / "handler", stdout=subprocess.PIPE, check=True)
    facts = json.loads(done.stdout)
    return facts["grown_mb"], facts["results"]


def _flat_png(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Encoded row by row: the test itself must not take the memory."""
    deflate = zlib.compressobj(1)
    row = b"\0" + b"\x40\x80\xc0" * width
    body = b"".join(deflate.compress(row) for _ in range(height)) + deflate.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", body), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _flat(kind: str) -> bytes:
    if kind == "PNG":
        return _flat_png()
    return encode(Image.new("RGB", (WIDTH, HEIGHT), (64, 128, 192)), kind, quality=80, method=0)


@pytest.mark.parametrize(("kind", "most_mb"), [("JPEG", 100), ("PNG", 350), ("WEBP", 900)])
def test_an_image_at_the_limit_fits(tmp_path: Path, kind: str, most_mb: int) -> None:
    """Measured: JPEG 12 MB, PNG 200 MB, WebP 770 MB (its decoder keeps three copies)."""
    grown, results = _measure(tmp_path, _flat(kind))
    assert results == [{"0": WIDTH * HEIGHT}]
    assert grown < most_mb


def test_bombs_cost_nothing(tmp_path: Path) -> None:
    """Every format's header is enough to reject them."""
    sizes = {"WebP": (16_384, 16_384), "AVIF": (16_000, 16_000)}
    bombs = [make(sizes.get(name, (60_000, 60_000))) for name, make in CLAIMS.items()]
    grown, results = _measure(tmp_path, *bombs)
    assert results == ["too_many_pixels"] * len(CLAIMS)
    assert grown < 20


@pytest.mark.parametrize("carrier", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_metadata_that_unfolds_is_rejected(tmp_path: Path, carrier: str) -> None:
    """One megabyte under six thousand tags is kept six thousand times.

    Between two checks memory grows further, but by no more than the system limit allows, beside the
    code of a decoder that is used for the first time.
    """
    grown, results = _measure(tmp_path, unfolding(carrier))
    assert results == ["unreadable_image"]
    assert grown < (METADATA_BYTES + HEADROOM) // 2**20 + CODE_MB


def test_run_lengths_that_skip_a_gigabyte_cost_nothing(tmp_path: Path) -> None:
    """Four bytes of a BMP skip 255 rows of any length."""
    grown, results = _measure(tmp_path, bmp(40_000_000, 1, DELTA))
    assert results == ["unreadable_image"]
    assert grown < 50


def test_a_long_thin_image_fits(tmp_path: Path) -> None:
    """20,000 pixels wide is a panorama, not an attack."""
    grown, results = _measure(tmp_path, encode(Image.new("RGB", (20_000, 100)), "PNG"))
    assert results == [{"0": 2_000_000}]
    assert grown < 60


@pytest.mark.parametrize("size", [(WIDTH * HEIGHT, 1), (1, WIDTH * HEIGHT)], ids=["wide", "tall"])
def test_the_thinnest_images_cost_no_more_than_others(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    """The network's output has more rows than such an image: they must not be as wide as it is."""
    grown, results = _measure(tmp_path, _flat_png(*size))
    assert results == [{"0": WIDTH * HEIGHT}]
    assert grown < 900


@pytest.mark.parametrize("render", ["overlay", "cutout", "confidence"])
def test_every_form_at_the_limit_fits(tmp_path: Path, render: str) -> None:
    """It is drawn and compressed in bands."""
    grown, results = _measure(tmp_path, _flat("JPEG"), render=render)
    assert results == [{"0": WIDTH * HEIGHT}]
    assert grown < 900
