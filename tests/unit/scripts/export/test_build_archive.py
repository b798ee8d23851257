"""The archive builder: complete archives, rebuilt only when an input changed."""

import errno
import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from deeplab.spec import EngineName
from deeplab.torch_engine import LARGEST_BATCH
from scripts.archives.digests import file_sha256
from scripts.export import build_archive
from scripts.export.build_archive import ArchiveError, build
from scripts.export.fingerprint import (
    HANDLER,
    Archive,
    OtherOriginError,
    fingerprint_of,
    recorded_fingerprint,
)
from scripts.export.model_options import ExportTarget
from scripts.networks.architectures import BUNDLED_WEIGHTS, VOC_LABELS, ModelChoice
from tests.unit.tiny import LABELS, tiny_checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """An archive of a real, tiny network, in a store of its own."""
    monkeypatch.setattr(build_archive, "load_checkpoint", lambda _choice: tiny_checkpoint())
    return Archive(ModelChoice(), ExportTarget("openvino"), "tiny", "2.0", tmp_path / "store")


def _only(store: Path) -> list[str]:
    return sorted(path.name for path in store.iterdir())


def test_an_archive_holds_everything_that_a_worker_needs(tiny: Archive) -> None:
    """Handler, nested package, network, labels, specification, operations, provenance."""
    assert build(tiny)
    with zipfile.ZipFile(tiny.path) as file:
        names = set(file.namelist())
        manifest = json.loads(file.read("MAR-INF/MANIFEST.json"))["model"]
        labels = json.loads(file.read("deeplab/labels.json"))
        provenance = json.loads(file.read("provenance.json"))
    sources = {f"deeplab/{path.name}" for path in (HANDLER / "deeplab").glob("*.py")}
    golden = {
        f"golden/{name}{kind}"
        for name in ("moose", "motorcycle", "rocket")
        for kind in (".jpg", ".png")
    }
    assert names == sources | golden | {
        "MAR-INF/MANIFEST.json",
        "deeplab/image_formats.json",
        "deeplab/labels.json",
        "golden/SOURCES.md",
        "model-config.yaml",
        "model.json",
        "network/network.bin",
        "network/network.xml",
        "provenance.json",
        "segmentation_handler.py",
    }
    assert (manifest["modelName"], manifest["modelVersion"]) == ("tiny", "2.0")
    assert labels == {str(index): name for index, name in LABELS.items()}
    assert provenance["weights"]["origin"] == "made for a test"
    assert min(provenance["agreement_with_eager"].values()) > 0.9


@pytest.mark.parametrize(("engine", "batch"), [("openvino", 1), ("torch", LARGEST_BATCH)])
def test_only_an_archive_for_a_gpu_asks_for_batches(
    tiny: Archive, engine: EngineName, batch: int
) -> None:
    """Batches gain nothing on a CPU; all other operations are the same."""
    archive = replace(tiny, target=ExportTarget(engine, "f32"))
    assert build(archive)
    with zipfile.ZipFile(archive.path) as file:
        operations = yaml.safe_load(file.read("model-config.yaml"))
    assert operations["batchSize"] == batch
    assert (operations["maxBatchDelay"] > 0) == (batch > 1)
    written = yaml.safe_load((HANDLER / "model-config.yaml").read_text())
    same = written.keys() - {"batchSize", "maxBatchDelay"}
    assert {key: operations[key] for key in same} == {key: written[key] for key in same}


def test_a_second_build_does_nothing(tiny: Archive) -> None:
    """Unless it is forced."""
    assert build(tiny)
    first = tiny.path.stat().st_mtime_ns
    assert not build(tiny)
    assert tiny.path.stat().st_mtime_ns == first
    assert build(tiny, force=True)
    assert _only(tiny.store) == ["tiny-2.0.mar"]


def test_a_damaged_archive_is_built_again(tiny: Archive) -> None:
    """A flipped byte in the weights is found before they are served."""
    build(tiny)
    with zipfile.ZipFile(tiny.path) as file:
        weights = file.getinfo("network/network.bin")
    damaged = bytearray(tiny.path.read_bytes())
    damaged[weights.header_offset + 100 + weights.compress_size // 2] ^= 0xFF
    tiny.path.write_bytes(damaged)
    assert recorded_fingerprint(tiny.path) is None
    assert build(tiny)
    assert recorded_fingerprint(tiny.path) == fingerprint_of(tiny)


def test_a_damaged_archive_is_set_aside(tiny: Archive) -> None:
    """Its bytes may be the only copy of the archive."""
    tiny.store.mkdir()
    tiny.path.write_bytes(b"half an archive")
    assert build(tiny)
    assert _only(tiny.store) == ["tiny-2.0.mar", "tiny-2.0.mar.damaged"]
    assert tiny.path.with_name("tiny-2.0.mar.damaged").read_bytes() == b"half an archive"


def _changed(path: Path, member: str, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Change a JSON member of an archive, or leave it out; returns the archive's bytes."""
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    facts = json.loads(members[member])
    members[member] = json.dumps(facts).encode() if change(facts) is not False else b""
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            if content:
                file.writestr(name, content)
    return path.read_bytes()


OTHERS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "other weights": (lambda facts: facts["origin"].update(weights="x"), "with other weights"),
    "other labels": (lambda facts: facts["origin"].update(labels={}), "with other labels"),
    "other options": (
        lambda facts: facts["origin"].update(target={}),
        "with other options of the export",
    ),
    "of a former version": (
        lambda facts: (facts.pop("origin"), facts["weights"].update(sha256="x")),
        "with other weights",
    ),
    "not ours": (lambda _: False, "was not built by Segserve"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_an_archive_of_another_origin_is_never_overwritten_unasked(
    tiny: Archive, other: str
) -> None:
    """The line says what differs; --force overwrites."""
    build(tiny)
    change, words = OTHERS[other]

    def changed(facts: dict[str, Any]) -> object:
        facts["fingerprint"] = "of former code"
        return change(facts)

    before = _changed(tiny.path, "provenance.json", changed)
    with pytest.raises(OtherOriginError, match=words):
        build(tiny)
    assert tiny.path.read_bytes() == before
    assert _only(tiny.store) == ["tiny-2.0.mar"]
    assert build(tiny, force=True)


@pytest.mark.parametrize("is_recorded", [True, False], ids=["recorded", "of a former version"])
def test_an_archive_of_the_same_origin_follows_the_code(tiny: Archive, is_recorded: bool) -> None:
    """It can be built again at any time, so nothing is lost."""
    build(tiny)

    def age(facts: dict[str, Any]) -> None:
        facts["fingerprint"] = "of former code"
        if not is_recorded:
            del facts["origin"]
            facts["weights"]["sha256"] = file_sha256(BUNDLED_WEIGHTS)

    _changed(tiny.path, "provenance.json", age)
    if not is_recorded:
        labels = json.loads(VOC_LABELS.read_text())
        _changed(tiny.path, "deeplab/labels.json", lambda facts: facts.update(labels))
    assert build(tiny)
    assert recorded_fingerprint(tiny.path) == fingerprint_of(tiny)


def test_a_failing_archiver_leaves_what_was_there(
    tiny: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No partial archive or build folder is left; the error is the archiver's last line."""
    tiny.store.mkdir()
    tiny.path.write_bytes(b"the archive before")
    packager = tmp_path / "broken" / "model_archiver" / "model_packaging.py"
    packager.parent.mkdir(parents=True)
    (packager.parent / "__init__.py").touch()
    packager.write_text("raise SystemExit('no space left on device')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    with pytest.raises(ArchiveError, match="torch-model-archiver failed: no space left"):
        build(tiny)
    assert tiny.path.read_bytes() == b"the archive before"
    assert _only(tiny.store) == ["tiny-2.0.mar"]


@pytest.mark.parametrize(
    "failure",
    [
        OSError(errno.ENOSPC, "No space left on device", "network.bin"),
        shutil.Error([("a", "b", "[Errno 28] No space left on device: 'a' -> 'b'")]),
    ],
    ids=["a file", "a folder"],
)
def test_a_full_disk_is_one_line(
    tiny: Archive, monkeypatch: pytest.MonkeyPatch, failure: OSError
) -> None:
    """It names the archive, and no build folder is left."""

    def export(*_: object) -> None:
        raise failure

    monkeypatch.setattr(build_archive, "export", export)
    with pytest.raises(ArchiveError, match=r"tiny-2\.0\.mar cannot be written: .*No space left"):
        build(tiny)
    assert _only(tiny.store) == []


def test_the_bundled_archive_names_its_weights(archive: Path) -> None:
    """The provenance has the file of the weights and its digest."""
    with zipfile.ZipFile(archive) as file:
        weights = json.loads(file.read("provenance.json"))["weights"]
    assert weights["sha256"] == file_sha256(BUNDLED_WEIGHTS)
    assert "bundled" in weights["origin"]
