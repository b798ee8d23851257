"""Files that are no image at all, or several things at once."""

import gzip
from collections.abc import Iterator

import numpy as np

from deeplab.formats import FORMATS
from tests.odd_files.odd_file import (
    ANY_CLEAR,
    UNREADABLE,
    UNSUPPORTED,
    OddFile,
    accepted,
    sample,
    unreadable,
)
from tests.unit.handler.files import encode

NOISE = np.random.default_rng(7).bytes(5000)
TEXTS = {
    "spaces": b" " * 1000,
    "new-lines": b"\r\n" * 1000,
    "text": b"This is no picture.\n" * 50,
    "html": b"<!doctype html><html><title>404</title></html>",
    "json": b'{"image": "cat.jpg"}',
    "base64": b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAUDBAQEAwUEBAQFBQUGBww=",
    "data-url": b"data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD",
    "http": b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n",
    "form": b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n',
    "shell": b"#!/bin/sh\nexit 1\n",
    "a-pointer-instead-of-the-file": b"version https://git-lfs.github.com/spec/v1\nsize 12345\n",
}
MAGICS = {
    "jpeg": b"\xff\xd8\xff\xe0",
    "png": b"\x89PNG\r\n\x1a\n",
    "gif": b"GIF89a",
    "bmp": b"BM",
    "tiff": b"II*\0",
    "tiff-big-endian": b"MM\0*",
    "tiff-big": b"II+\0",
    "webp": b"RIFF\x88\x13\0\0WEBP",
    "avif": b"\0\0\0\x1cftypavif",
}


def junk_files() -> list[OddFile]:
    """What clients send by mistake or on purpose."""
    return [*_nothing(), *_noise(), *_polyglots()]


def _nothing() -> Iterator[OddFile]:
    yield unreadable("nothing/empty", b"")
    for name, data in (("zero", b"\0"), ("zeros", bytes(100_000)), ("ones", b"\xff" * 100_000)):
        yield unreadable(f"nothing/{name}", data)
    for name, data in TEXTS.items():
        yield unreadable(f"text/{name}", data)
    yield OddFile("text/utf-16", "A picture".encode("utf-16"), (UNREADABLE,))


def _noise() -> Iterator[OddFile]:
    for index in range(10):
        yield OddFile(f"noise/{index}", NOISE[index * 300 :], (UNREADABLE, UNSUPPORTED))
    for name, magic in MAGICS.items():
        yield OddFile(f"{name}/magic-then-noise", magic + NOISE, ANY_CLEAR[1:])
        yield unreadable(f"{name}/magic-then-zeros", magic + bytes(5000))
        yield unreadable(f"{name}/magic-alone", magic)


def _polyglots() -> Iterator[OddFile]:
    """The first image counts; what follows it is ignored."""
    whole = {kind.lower(): encode(sample(), kind) for kind in FORMATS}
    for kind, data in whole.items():
        yield accepted(f"{kind}/then-noise", data + NOISE)
        yield accepted(f"{kind}/then-a-zip", data + b"PK\3\4" + NOISE)
        yield unreadable(f"{kind}/after-a-space", b" " + data)
    yield accepted("jpeg/then-a-png", whole["jpeg"] + whole["png"])
    yield accepted("png/then-html", whole["png"] + b"<script>alert(1)</script>")
    yield OddFile("gzip/of-a-jpeg", gzip.compress(whole["jpeg"], mtime=0), (UNSUPPORTED,))
    yield OddFile("pdf/with-a-jpeg", b"%PDF-1.4\n" + whole["jpeg"], (UNSUPPORTED,))
    yield unreadable("jpeg/wrong-magic", b"XX" + whole["jpeg"][2:])
    yield unreadable("png/with-line-ends-of-text", whole["png"].replace(b"\r\n", b"\n"))
