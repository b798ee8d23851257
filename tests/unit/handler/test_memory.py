"""A picture at the pixel limit costs a known amount of memory, and a bomb none."""

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

ROOT = Path(__file__).parents[3]
CODE_MB = 50
WIDTH, HEIGHT = 8000, 6250  # the limit: 50,000,000 pixels

# The interpreter and the libraries are measured before, the peak after.
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
pipeline.MAX_DECODE_CPU_S = 30.0  # memory is looked at here, on slow machines too

class Background:
    name, precision, aligned = "background", "f32", True
    def logits(self, pixels):
        return np.zeros((21, 2, 2), dtype=np.float32)

def peak():
    # Not getrusage, whose peak counts what started this program as well.
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x)
    return int(line.split()[1]) // 1024

form = RenderOptions(sys.argv[1])
segment(Path(sys.argv[2]).read_bytes(), Background(), INPUT, 50_000_000, form)
before, seen = peak(), []
for name in sys.argv[3:]:
    data = Path(name).read_bytes()
    try:
        seen.append(segment(data, Background(), INPUT, 50_000_000, form).class_pixels)
    except RejectedImageError as refusal:
        seen.append(refusal.code)
print(json.dumps({"grown_mb": peak() - before, "seen": seen}))
"""


def _measure(folder: Path, *files: bytes, render: str = "labels") -> tuple[int, list[object]]:
    """(MB by which a worker's memory peaked, what became of the files)."""
    names = []
    for index, data in enumerate((encode(Image.new("RGB", (64, 64)), "PNG"), *files)):
        names.append(str(folder / str(index)))
        Path(names[-1]).write_bytes(data)
    command = [sys.executable, "-c", PROGRAM, render, *names]
    done = subprocess.run(command, cwd=ROOT / "handler", stdout=subprocess.PIPE, check=True)
    facts = json.loads(done.stdout)
    return facts["grown_mb"], facts["seen"]


def _flat_png(width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Made row by row: the test itself must not need the memory."""
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
def test_a_picture_at_the_limit_fits(tmp_path: Path, kind: str, most_mb: int) -> None:
    """Measured: JPEG 12 MB, PNG 200 MB, WebP 770 MB (its decoder keeps three copies)."""
    grown, seen = _measure(tmp_path, _flat(kind))
    assert seen == [{"0": WIDTH * HEIGHT}]
    assert grown < most_mb


def test_bombs_cost_nothing(tmp_path: Path) -> None:
    """Every format's header is enough to refuse them."""
    sizes = {"WebP": (16_384, 16_384), "AVIF": (16_000, 16_000)}
    bombs = [make(sizes.get(name, (60_000, 60_000))) for name, make in CLAIMS.items()]
    grown, seen = _measure(tmp_path, *bombs)
    assert seen == ["too_many_pixels"] * len(CLAIMS)
    assert grown < 20


@pytest.mark.parametrize("carrier", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_metadata_that_unfolds_is_refused(tmp_path: Path, carrier: str) -> None:
    """One megabyte under six thousand names is kept six thousand times.

    Between two looks at the memory it grows on, but by no more than the system gives, beside the
    code of a decoder that is used for the first time.
    """
    grown, seen = _measure(tmp_path, unfolding(carrier))
    assert seen == ["unreadable_image"]
    assert grown < (METADATA_BYTES + HEADROOM) // 2**20 + CODE_MB


def test_run_lengths_that_skip_a_gigabyte_cost_nothing(tmp_path: Path) -> None:
    """Four bytes of a BMP move by 255 rows of any length."""
    grown, seen = _measure(tmp_path, bmp(40_000_000, 1, DELTA))
    assert seen == ["unreadable_image"]
    assert grown < 50


def test_a_long_thin_picture_fits(tmp_path: Path) -> None:
    """20,000 pixels wide is a panorama, not an attack."""
    grown, seen = _measure(tmp_path, encode(Image.new("RGB", (20_000, 100)), "PNG"))
    assert seen == [{"0": 2_000_000}]
    assert grown < 60


@pytest.mark.parametrize("size", [(WIDTH * HEIGHT, 1), (1, WIDTH * HEIGHT)], ids=["wide", "tall"])
def test_the_thinnest_pictures_cost_no_more_than_others(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    """The network has more rows than such a picture: they must not be as wide as it is."""
    grown, seen = _measure(tmp_path, _flat_png(*size))
    assert seen == [{"0": WIDTH * HEIGHT}]
    assert grown < 900


@pytest.mark.parametrize("render", ["overlay", "cutout", "confidence"])
def test_every_form_at_the_limit_fits(tmp_path: Path, render: str) -> None:
    """Drawn and compressed in bands."""
    grown, seen = _measure(tmp_path, _flat("JPEG"), render=render)
    assert seen == [{"0": WIDTH * HEIGHT}]
    assert grown < 900
