"""A file that no ordinary client sends, and the statuses that are right for it."""

from dataclasses import dataclass
from functools import cache

from PIL import Image

from tests.stack import ROOT
from tests.unit.handler.files import encode

CAT = ROOT / "ui" / "examples" / "cat.jpg"
SIZE = (320, 240)
OK, TOO_LARGE, UNSUPPORTED, UNREADABLE = 200, 413, 415, 422
ANY_CLEAR = (OK, TOO_LARGE, UNSUPPORTED, UNREADABLE)


@dataclass(frozen=True)
class OddFile:
    """A file and the statuses that are right for it.

    name: "<format>/<what is odd>".
    size: (width, height) of the mask, if there is one and it is known.
    costly: made to take long; it is sent alone, because others would wait for it.
    """

    name: str
    data: bytes
    statuses: tuple[int, ...]
    size: tuple[int, int] | None = None
    costly: bool = False

    @property
    def family(self) -> str:
        """The format that it has or resembles."""
        return self.name.split("/")[0]


def accepted(name: str, data: bytes, size: tuple[int, int] | None = SIZE) -> OddFile:
    """A file that is odd, but an image."""
    return OddFile(name, data, (OK,), size)


def unreadable(name: str, data: bytes, *, costly: bool = False) -> OddFile:
    """A file that is damaged, made to take long, or no image."""
    return OddFile(name, data, (UNREADABLE,), costly=costly)


@cache
def sample(size: tuple[int, int] = SIZE) -> Image.Image:
    """The example image of a cat, small."""
    return Image.open(CAT).convert("RGB").resize(size)


def animated(kind: str, size: tuple[int, int] = SIZE, frames: int = 3) -> bytes:
    """The cat, followed by frames of one colour."""
    others = [Image.new("RGB", size, (index % 256, index // 256, 99)) for index in range(1, frames)]
    return encode(sample(size), kind, save_all=True, append_images=others)
