"""The corpus of odd files, in groups, made in memory and the same each time."""

from collections.abc import Callable
from typing import Final

from tests.odd_files.claims import claiming_files
from tests.odd_files.containers import container_files
from tests.odd_files.damage import damaged_files
from tests.odd_files.foreign import foreign_files
from tests.odd_files.jpeg_segments import jpeg_files
from tests.odd_files.junk import junk_files
from tests.odd_files.metadata import metadata_files
from tests.odd_files.odd_file import OddFile
from tests.odd_files.png_chunks import png_files
from tests.odd_files.sound import sound_files
from tests.odd_files.tiff_tags import tiff_files

# Functions, because all files together take 300 MB and some seconds.
GROUPS: Final[dict[str, Callable[[], list[OddFile]]]] = {
    "damaged": damaged_files,
    "sound": sound_files,
    "claiming": claiming_files,
    "metadata": metadata_files,
    "png": png_files,
    "jpeg": jpeg_files,
    "tiff": tiff_files,
    "containers": container_files,
    "foreign": foreign_files,
    "junk": junk_files,
}
