"""Formats that are not accepted are distinguished from bytes that are no image."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeplab.decode import decode
from deeplab.errors import UnsupportedFormatError
from deeplab.formats import FORMAT_LIST, FORMATS, other_format
from tests.odd_files.foreign import BEGINNINGS, WRITTEN, foreign_files
from tests.odd_files.junk import TEXTS
from tests.odd_files.odd_file import UNSUPPORTED, OddFile
from tests.stack import ROOT
from tests.unit.handler.files import encode, quarters

PACKAGE = ROOT / "handler" / "deeplab"
# Decodes the first argument, tries to decode the second, and prints pixels and message.
PROGRAM = """
import json, sys
from pathlib import Path
from deeplab.decode import decode
from deeplab.errors import UnsupportedFormatError
from deeplab.preprocess import upright
accepted, other = (Path(name).read_bytes() for name in sys.argv[1:])
pixels = upright(decode(accepted, 96)).tolist()
try:
    decode(other, 96)
except UnsupportedFormatError as exc:
    print(json.dumps({"pixels": pixels, "message": str(exc)}))
"""

FOREIGN = [file for file in foreign_files() if file.statuses == (UNSUPPORTED,)]


@pytest.mark.parametrize("file", FOREIGN, ids=lambda file: file.name)
def test_other_formats_are_unsupported(file: OddFile) -> None:
    """415, and the accepted formats are listed."""
    with pytest.raises(UnsupportedFormatError, match=FORMAT_LIST):
        decode(file.data, 96)


def test_every_other_format_that_pillow_reads_is_tested() -> None:
    """The policy decides, not what the library supports; a new release may support more."""
    Image.init()
    assert set(Image.OPEN) - set(FORMATS) == {*WRITTEN, *BEGINNINGS, "PPM"}


@pytest.mark.parametrize("kind", FORMATS)
def test_no_accepted_format_is_mistaken_for_another(kind: str) -> None:
    """A damaged image of an accepted format is unreadable, which is another status."""
    data = encode(quarters(), kind)
    assert not any(other_format(data[:size]) for size in (4, 8, 12, 16, 100, len(data)))


@pytest.mark.slow
def test_an_entry_in_the_table_is_all_that_a_format_needs(tmp_path: Path) -> None:
    """In a copy of the package with one more line its images are decoded and its name is listed."""
    formats = Path(shutil.copytree(PACKAGE, tmp_path / "deeplab")) / "image_formats.json"
    added = {"name": "Quite OK", "pillow_name": "QOI", "extensions": ["qoi"]}
    formats.write_text(json.dumps([added, *json.loads(formats.read_text())]))
    accepted, other = tmp_path / "accepted", tmp_path / "other"
    accepted.write_bytes(encode(quarters(), "QOI"))
    other.write_bytes(encode(quarters(), "PCX"))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(accepted), str(other)],
        env={"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    facts = json.loads(done.stdout)
    assert np.array_equal(facts["pixels"], np.asarray(quarters()))
    assert facts["message"] == f"PCX is not taken. Send Quite OK, {FORMAT_LIST}."


@pytest.mark.parametrize("brand", [b"avif", b"avis", b"a", b""])
def test_a_damaged_avif_is_not_mistaken_for_heic(brand: bytes) -> None:
    """Both begin with the same kind of box."""
    assert not other_format(b"\0\0\0\x18ftyp" + brand)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_is_no_format(text: bytes) -> None:
    """Three of Pillow's formats begin with text, but not with any of these."""
    assert not other_format(text)
