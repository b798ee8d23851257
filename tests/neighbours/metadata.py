"""What turns, scales or recolours beside the pixels, in all formats: only EXIF turns an image."""

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

from tests.neighbours.neighbour import Neighbour, noise
from tests.neighbours.tiff_rare import upright
from tests.odd_files.metadata import exif
from tests.odd_files.tiff_tags import SHORT, Entry
from tests.unit.handler.files import chunk, encode

ORIENTATION, RESOLUTION_UNIT = 0x0112, 0x0128
CARRIERS = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
RIGHT = np.rint(noise(3) * 255).astype(np.uint8)
# Where lossy formats stay close.
SMOOTH = np.asarray(Image.fromarray(RIGHT).resize((6, 4)).resize((48, 32)))
LOSSY = {"JPEG": 3, "AVIF": 6}
DOCUMENT = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"%s</rdf:RDF></x:xmpmeta>'
)
XMP = {
    "attribute": DOCUMENT % ' tiff:Orientation="6"/>',
    "element": DOCUMENT % "><tiff:Orientation>6</tiff:Orientation></rdf:Description>",
}
OTHER_TAG: Entry = (RESOLUTION_UNIT, SHORT, 1, 2)


def metadata_neighbours() -> Iterator[Neighbour]:
    """All of them."""
    yield from _xmp()
    yield from _exif()
    yield from _texts()
    yield from _recoloured()
    yield from _scaled()


def saved(kind: str, **options: object) -> bytes:
    """The smooth pixels in this format, with nothing lost that need not be."""
    return encode(Image.fromarray(SMOOTH), kind, **options)


def _neighbour(name: str, kind: str, data: bytes, turn: int = 1) -> Neighbour:
    return Neighbour(name, data, upright(SMOOTH, turn), LOSSY.get(kind, 0))


def _xmp() -> Iterator[Neighbour]:
    for kind in CARRIERS:
        for form, text in XMP.items():
            block = text.encode()
            yield _neighbour(f"{kind}, XMP {form}", kind, with_xmp(kind, block))
            both = with_xmp(kind, block, exif=exif([OTHER_TAG]))
            yield _neighbour(f"{kind}, XMP {form}, EXIF without orientation", kind, both)
            for turn in (1, 3, 8):
                both = with_xmp(kind, block, exif=exif([(ORIENTATION, SHORT, 1, turn)]))
                name = f"{kind}, XMP {form}, EXIF says {turn}"
                yield _neighbour(name, kind, both, turn)


def with_xmp(kind: str, block: bytes, **options: object) -> bytes:
    """The pixels with a block of XMP, and with EXIF as an option."""
    if kind == "PNG":
        data = saved(kind, **options)
        return data[:33] + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + block) + data[33:]
    if kind != "TIFF":
        return saved(kind, xmp=block, **options)
    found = Image.Exif()
    found.load(options.get("exif", exif([OTHER_TAG])))  # type: ignore[arg-type]
    found[700] = block
    return saved(kind, exif=found)


def _exif() -> Iterator[Neighbour]:
    for kind in CARRIERS:
        for turn in range(1, 9):
            block = Image.Exif()
            block[ORIENTATION] = turn
            data = saved(kind, exif=block)
            yield _neighbour(f"{kind}, EXIF orientation {turn}", kind, data, turn)
    plain, turned = saved("PNG"), exif([(ORIENTATION, SHORT, 1, 6)])
    late = chunk(b"eXIf", turned[6:])
    yield _neighbour("PNG, EXIF after the pixels", "PNG", plain[:-12] + late + plain[-12:], 6)
    sound = exif([OTHER_TAG])
    unheeded = saved("AVIF", exif=sound).replace(sound[6:], turned[6:])
    yield _neighbour("AVIF, EXIF and no rotation of its own", "AVIF", unheeded)


def _texts() -> Iterator[Neighbour]:
    """Old programs put EXIF into a PNG's texts, in hexadecimal; browsers do not look there."""
    plain, block = saved("PNG"), exif([(ORIENTATION, SHORT, 1, 6)])
    profile = b"\nexif\n%8d\n%s\n" % (len(block), block.hex().encode())
    for kind in ("exif", "APP1"):
        keyword = f"Raw profile type {kind}".encode()
        texts = {
            b"zTXt": keyword + b"\0\0" + zlib.compress(profile),
            b"tEXt": keyword + b"\0" + profile,
        }
        for name, content in texts.items():
            for place in (33, len(plain) - 12):
                data = plain[:place] + chunk(name, content) + plain[place:]
                yield _neighbour(f"PNG, {keyword!r} in {name!r} at {place}", "PNG", data)
    data = plain[:33] + chunk(b"tEXt", b"exif\0" + block) + plain[33:]
    yield _neighbour("PNG, a text named exif", "PNG", data)
    gif = encode(Image.fromarray(SMOOTH).convert("L"), "GIF")
    packet = XMP["attribute"].encode()
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    block = b"\x21\xff\x0bXMP DataXMP" + packet + trailer
    frame = gif.index(b",\0\0\0\0")
    seen = np.asarray(Image.fromarray(SMOOTH).convert("L").convert("RGB"))
    yield Neighbour("GIF, XMP", gif[:frame] + block + gif[frame:], seen)


def _recoloured() -> Iterator[Neighbour]:
    """A colour profile is not applied: neither one of Lab, nor one of another RGB."""
    profiles = {
        "sRGB": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        "Lab": ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
        "no profile": b"no profile" * 20,
    }
    for kind in CARRIERS:
        for name, profile in profiles.items():
            data = saved(kind, icc_profile=profile)
            yield _neighbour(f"{kind}, colour profile: {name}", kind, data)


def _scaled() -> Iterator[Neighbour]:
    """Pixels that are not square are taken as they are stored."""
    for kind in ("JPEG", "PNG", "TIFF", "BMP"):
        data = saved(kind, dpi=(72, 144))
        yield _neighbour(f"{kind}, 72 by 144 per inch", kind, data)
    gif = bytearray(encode(Image.fromarray(SMOOTH).convert("L"), "GIF"))
    gif[12] = 255  # the aspect of a pixel
    seen = np.asarray(Image.fromarray(SMOOTH).convert("L").convert("RGB"))
    yield Neighbour("GIF, wide pixels", bytes(gif), seen)
    top_down = saved("BMP")
    rows = [top_down[54 + 144 * row : 54 + 144 * (row + 1)] for row in range(32)]
    flipped = top_down[:22] + struct.pack("<i", -32) + top_down[26:54] + b"".join(rows[::-1])
    yield _neighbour("BMP, rows from the top", "BMP", flipped)
    film = io.BytesIO()
    Image.fromarray(SMOOTH).save(
        film, "PNG", save_all=True, append_images=[Image.new("RGB", (48, 32), "red")]
    )
    yield _neighbour("PNG, animated", "PNG", film.getvalue())
