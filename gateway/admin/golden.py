"""Golden masks: what the nodes compute of an archive's photographs, compared with its masks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gateway.admin.service import Administration
from gateway.archives.golden import GoldenPicture, read_golden
from gateway.errors import GatewayError, InvalidArchiveError, StoreUnavailableError
from gateway.masks.agreement import DifferentSizesError, agreement
from gateway.masks.grey_png import NotAMaskError, decode_mask, size_of
from gateway.registry.promotion import GoldenMasks
from gateway.registry.records import VersionRecord
from gateway.traffic.fan_out import NodeAnswer

NOTHING: Final = "no golden masks in the archive: it was not built by this Segserve"
MOST_PIXELS: Final = 2_000_000
# Together with the nodes' time less than commands wait for an answer.
_READ_S: Final = 12.0


@dataclass(frozen=True)
class GoldenCheck:
    """The masks of a version on each node that was asked.

    sha256: of its archive. photographs: that have a golden mask there. missing: why no node was
    asked, where that proves nothing. fault: why none was, where it should have been.
    """

    sha256: str
    photographs: int = 0
    nodes: tuple[GoldenMasks, ...] = ()
    missing: str = ""
    fault: str = ""


@dataclass(frozen=True)
class KnownMask:
    """A photograph, and its (height, width) uint8 class ids by the archive."""

    picture: GoldenPicture
    ids: NDArray[np.uint8]


async def check_golden_masks(administration: Administration, record: VersionRecord) -> GoldenCheck:
    """Ask every node that serves a version for the masks of its archive's photographs."""
    sha256 = record.sha256
    try:
        pictures = await _pictures(administration, sha256)
        known = await administration.inspect(lambda: [_known(each) for each in pictures])
    except GatewayError as exc:
        return GoldenCheck(sha256, fault=f"golden masks: {exc.detail.removesuffix('.')}")
    if not known:
        return GoldenCheck(sha256, missing=NOTHING)
    images = [each.picture.image for each in known]
    answers = await administration.ask_nodes(record.model, record.version, images)
    nodes = await administration.inspect(lambda: tuple(compared(known, each) for each in answers))
    missing = "" if nodes else "no node could be asked for the golden masks"
    return GoldenCheck(sha256, len(known), nodes, missing)


async def _pictures(administration: Administration, sha256: str) -> tuple[GoldenPicture, ...]:
    reading = asyncio.ensure_future(administration.store.read(sha256, read_golden))
    done, _ = await asyncio.wait({reading}, timeout=_READ_S)
    if not done:
        reading.cancel()  # its thread ends when the store answers
        raise StoreUnavailableError(f"The archive could not be read within {_READ_S:.0f} s.")
    return reading.result()


def _known(picture: GoldenPicture) -> KnownMask:
    where = f"that of {picture.name} in the archive"
    try:
        width, height = size_of(picture.mask)
        if width * height <= MOST_PIXELS:
            return KnownMask(picture, decode_mask(picture.mask))
    except NotAMaskError as exc:
        raise InvalidArchiveError(f"{where} is no mask: {exc}") from exc
    raise InvalidArchiveError(f"{where} has {width} x {height} pixels, {MOST_PIXELS} are the most")


def compared(known: Sequence[KnownMask], answer: NodeAnswer) -> GoldenMasks:
    """Return how far a node's masks agree with those of the archive."""
    shares = {}
    for each, mask in zip(known, answer.masks, strict=not answer.failure):
        try:
            shares[each.picture.name] = _share(each.ids, mask)
        except (NotAMaskError, DifferentSizesError) as exc:
            failure = f"the answer to {each.picture.name} is no mask of it: {exc}"
            return GoldenMasks(answer.node, failure=failure)
    return GoldenMasks(answer.node, shares, answer.failure)


def _share(ids: NDArray[np.uint8], mask: bytes) -> float:
    """Return the share of the pixels of the same class, 0..1."""
    width, height = size_of(mask)
    if (height, width) != ids.shape:  # before it takes memory
        raise DifferentSizesError(f"{width} x {height} pixels")
    found = agreement(ids, decode_mask(mask))
    return found.agreeing / found.pixels
