"""The neighbours in groups, made in memory; those of tests/neighbours/tiff.py are thousands."""

from collections.abc import Callable, Iterator
from typing import Final

from tests.neighbours.metadata import metadata_neighbours
from tests.neighbours.neighbour import Neighbour
from tests.neighbours.png import annotated_neighbours, png_neighbours
from tests.neighbours.tiff_rare import rare_tiffs

GROUPS: Final[dict[str, Callable[[], Iterator[Neighbour]]]] = {
    "rare TIFF": rare_tiffs,
    "PNG": png_neighbours,
    "annotated PNG": annotated_neighbours,
    "metadata": metadata_neighbours,
}
