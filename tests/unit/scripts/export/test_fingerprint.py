"""The fingerprint: it changes with every input that decides an archive's content, and no other."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.archives.paths import ROOT
from scripts.export import fingerprint
from scripts.export.fingerprint import (
    HANDLER,
    Archive,
    build_code,
    fingerprint_of,
    recorded_fingerprint,
)
from scripts.export.model_options import ExportTarget
from scripts.networks.architectures import BUNDLED_WEIGHTS, VOC_LABELS, ModelChoice

BUNDLED = Archive(ModelChoice(), ExportTarget("openvino"), "deeplabv3", "1.0", Path("store"))


@pytest.mark.parametrize(
    "other",
    [
        replace(BUNDLED, name="other"),
        replace(BUNDLED, version="1.1"),
        replace(BUNDLED, target=ExportTarget("torch")),
        replace(BUNDLED, target=ExportTarget("openvino", "f32")),
        replace(BUNDLED, choice=ModelChoice(architecture="deeplabv3_resnet50")),
        replace(BUNDLED, choice=ModelChoice(weights=VOC_LABELS)),
        replace(BUNDLED, choice=ModelChoice(labels=BUNDLED_WEIGHTS)),
    ],
    ids=["name", "version", "engine", "precision", "architecture", "weights", "labels"],
)
def test_whatever_decides_the_content_changes_the_fingerprint(other: Archive) -> None:
    """A changed input causes a rebuild."""
    assert fingerprint_of(other) != fingerprint_of(BUNDLED)


def test_the_store_does_not_change_the_fingerprint() -> None:
    """A copy elsewhere is the same archive."""
    assert fingerprint_of(replace(BUNDLED, store=Path("other"))) == fingerprint_of(BUNDLED)


@pytest.mark.parametrize(
    "name",
    [
        "segmentation_handler.py",
        "model-config.yaml",
        "deeplab/spec.py",
        "deeplab/image_formats.json",
    ],
)
def test_a_change_of_the_handler_changes_the_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Code and operations are part of the archive."""
    copy = tmp_path / "handler"
    for source in HANDLER.rglob("*"):
        if source.suffix in (".py", ".yaml", ".json"):
            target = copy / source.relative_to(HANDLER)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    monkeypatch.setattr(fingerprint, "HANDLER", copy)
    same = fingerprint_of(BUNDLED)
    with (copy / name).open("a") as file:
        file.write("# changed\n")
    assert fingerprint_of(BUNDLED) != same


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive_has_no_fingerprint(tmp_path: Path, content: bytes | None) -> None:
    """A missing, empty or foreign file causes a build."""
    path = tmp_path / "some.mar"
    if content is not None:
        path.write_bytes(content)
    assert recorded_fingerprint(path) is None


def _imported(path: Path) -> Iterator[Path]:
    """The files of ``scripts`` that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("scripts."):
            module = ROOT / str(node.module).replace(".", "/")
            named = [module / f"{alias.name}.py" for alias in node.names]
            yield from (each for each in named if each.is_file())
            if module.with_suffix(".py").is_file():
                yield module.with_suffix(".py")


def test_all_code_that_builds_an_archive_is_in_the_fingerprint() -> None:
    """Everything that the builder imports, directly or not: a forgotten file would keep an old
    archive in service."""
    reached, left = set[Path](), [ROOT / "scripts" / "export" / "build_archive.py"]
    while left:
        path = left.pop()
        if path not in reached:
            reached.add(path)
            left += _imported(path)
    assert len(reached) > 12
    assert reached <= set(build_code())
