"""Adding a version: archives that fit are loaded, others refused without a change."""

import json
import zipfile
from pathlib import Path

import pytest

from scripts.launch import versions
from scripts.launch.versions import VersionError, add
from tests.unit.scripts.launch.torchserve_double import TWO, TorchServeDouble


def _archive(folder: Path, name: str = "deeplabv3", version: str = "1.2") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}.mar"
    with zipfile.ZipFile(path, "w") as file:
        manifest = {"model": {"modelName": name, "modelVersion": version}}
        file.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An empty model store."""
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


def test_an_archive_of_the_store_is_added_by_its_name(store: Path) -> None:
    """The default version stays the same."""
    _archive(store)
    server = TorchServeDouble()
    said = add(server.management(), "deeplabv3-1.2.mar", store, workers=3)
    assert said == "version 1.2 is loaded with 3 workers"
    assert server.versions == {**TWO, "1.2": 3}
    assert server.default == "1.0"


def test_an_archive_from_elsewhere_is_copied_into_the_store(tmp_path: Path, store: Path) -> None:
    """TorchServe loads from its store only, one file name per version."""
    given = _archive(tmp_path / "downloads").rename(tmp_path / "downloads" / "new.mar")
    add(TorchServeDouble().management(), str(given), store, workers=1)
    assert [path.name for path in store.iterdir()] == ["deeplabv3-1.2.mar"]
    assert (store / "deeplabv3-1.2.mar").read_bytes() == given.read_bytes()


def test_an_archive_whose_workers_do_not_start_is_taken_back(store: Path) -> None:
    """It is unloaded again, and the other versions keep serving."""
    _archive(store)
    server = TorchServeDouble(starts=False)
    with pytest.raises(VersionError, match=r"cannot be served: .*500.*TorchServe's log"):
        add(server.management(), "deeplabv3-1.2.mar", store, workers=2)
    assert server.versions == TWO


def test_a_version_that_is_loaded_is_not_added_again(tmp_path: Path, store: Path) -> None:
    """Nothing is copied, and the error has both remedies."""
    given = _archive(tmp_path / "downloads", version="1.1")
    server = TorchServeDouble()
    with pytest.raises(VersionError, match=r"1\.1 is loaded already.*remove 1\.1"):
        add(server.management(), str(given), store, workers=1)
    assert server.changes() == []
    assert list(store.iterdir()) == []


def test_another_models_archive_is_refused(tmp_path: Path, store: Path) -> None:
    """Before it is copied."""
    given = _archive(tmp_path / "downloads", name="resnet")
    server = TorchServeDouble()
    with pytest.raises(VersionError, match="holds the model resnet, not deeplabv3"):
        add(server.management(), str(given), store, workers=1)
    assert server.changes() == []
    assert list(store.iterdir()) == []


def test_another_archive_of_that_name_is_not_overwritten(tmp_path: Path, store: Path) -> None:
    """It may be in use."""
    _archive(store)
    given = _archive(tmp_path / "downloads")
    with pytest.raises(VersionError, match="is in the model store already"):
        add(TorchServeDouble().management(), str(given), store, workers=1)


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", b"PK\x05\x06" + bytes(18)],
    ids=["empty", "text", "no manifest"],
)
def test_what_is_no_archive_is_refused(store: Path, content: bytes) -> None:
    """Without a request to TorchServe."""
    (store / "bad.mar").write_bytes(content)
    server = TorchServeDouble()
    with pytest.raises(VersionError, match="is not a model archive"):
        add(server.management(), "bad.mar", store, workers=1)
    assert server.calls == []


@pytest.mark.parametrize("manifest", ["{}", '{"model": []}', '{"model": {}}', "[]", "null"])
def test_a_manifest_that_names_no_version_is_refused(store: Path, manifest: str) -> None:
    """Whatever it holds instead."""
    with zipfile.ZipFile(store / "bad.mar", "w") as file:
        file.writestr("MAR-INF/MANIFEST.json", manifest)
    with pytest.raises(VersionError, match="is not a model archive"):
        versions.read_identity(store / "bad.mar")


def test_a_damaged_archive_is_refused(store: Path) -> None:
    """The error says where the damage is."""
    path = _archive(store)
    path.write_bytes(path.read_bytes().replace(b"modelVersion", b"modelversion"))
    with pytest.raises(VersionError, match=r"damaged at MAR-INF/MANIFEST\.json; build it again"):
        versions.read_identity(path)


def test_an_archive_that_is_not_there_is_refused(store: Path) -> None:
    """The error has the command that builds one."""
    with pytest.raises(VersionError, match=r"does not exist; build it with `segserve build`"):
        add(TorchServeDouble().management(), "deeplabv3-7.mar", store, workers=1)
