"""Small archives in memory, sound ones and ones with one fault."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

SPEC: dict[str, Any] = {
    "version": 2,
    "architecture": "deeplabv3",
    "classes": 3,
    "engine": "openvino",
}
LABELS: dict[str, Any] = {"0": "background", "1": "cat", "2": "dog"}


def manifest(model: object = "deeplabv3", version: object = "2.0", **more: object) -> str:
    """A manifest as torch-model-archiver writes it."""
    named = {"modelName": model, "modelVersion": version, "handler": "segmentation_handler.py"}
    return json.dumps({"runtime": "python", "model": {**named, **more}})


def sound_files() -> dict[str, str | bytes]:
    """The files of a sound archive."""
    return {
        "model.json": json.dumps(SPEC),
        "segmentation_handler.py": "class SegmentationHandler: ...\n" * 20,
        "provenance.json": json.dumps({"weights": "bundled"}),
        "deeplab/__init__.py": "",
        "deeplab/labels.json": json.dumps(LABELS),
        "network/network.bin": bytes(range(256)) * 300,
        "MAR-INF/MANIFEST.json": manifest(),
    }


def zipped(files: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def sound_archive(**changed: str | bytes | None) -> bytes:
    """A sound archive with other files; None removes one."""
    files: dict[str, str | bytes | None] = {**sound_files(), **changed}
    return zipped({name: content for name, content in files.items() if content is not None})


def with_entry(name: str, content: bytes = b"x", *, mode: int = 0o100644, times: int = 1) -> bytes:
    """A sound archive with one more entry of any name and kind."""
    buffer = io.BytesIO(sound_archive())
    with zipfile.ZipFile(buffer, "a") as archive:
        for _ in range(times):
            entry = zipfile.ZipInfo("placeholder")
            entry.filename = name  # the constructor would make it harmless
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    return buffer.getvalue()
