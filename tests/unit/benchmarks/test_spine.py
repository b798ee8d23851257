"""What is measured is what the targets speak of: one photograph of 640 x 480, in the form."""

import io

from PIL import Image

from benchmarks.spine import BOUNDARY, SIZE, form, photograph


def test_the_photograph_has_the_targets_size() -> None:
    """A JPEG of 640 x 480, the same at each call."""
    picture = Image.open(io.BytesIO(photograph()))
    assert (picture.format, picture.size) == ("JPEG", SIZE)
    assert SIZE == (640, 480)
    assert photograph() == photograph()


def test_the_form_carries_the_bytes_unchanged() -> None:
    """Between two boundaries, in the field of the drop-in endpoint."""
    before, opened, rest = form(b"jpeg").partition(b"\r\n\r\n")
    assert before.startswith(f"--{BOUNDARY}\r\n".encode())
    assert b'name="file"' in before
    assert opened
    assert rest == f"jpeg\r\n--{BOUNDARY}--\r\n".encode()
