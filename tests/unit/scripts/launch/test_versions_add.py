"""Adding a version: archives that fit are loaded, others refused without a change."""

import json
import shutil
import signal
import zipfile
from pathlib import Path

import httpx
import pytest

from scripts.archives.archive import DamagedArchiveError, read_identity
from scripts.archives.names import InvalidNameError
from scripts.archives.store import StoreError
from scripts.launch import preflight
from scripts.launch.management import ManagementClient
from scripts.launch.preflight import PreflightError
from scripts.launch.settings import Settings
from scripts.launch.versions import VersionError, add
from tests.unit.scripts.launch.torchserve_double import MODEL, TWO, TorchServeDouble


def _archive(folder: Path, name: str = "deeplabv3", version: str = "1.2") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{version}.mar"
    with zipfile.ZipFile(path, "w") as file:
        manifest = {"model": {"modelName": name, "modelVersion": version}}
        file.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
    return path


def of(store: Path) -> Settings:
    """Settings with this model store."""
    return Settings(model_store=store, workers=2)


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
    said = add(server.management(), "deeplabv3-1.2.mar", 3, of(store))
    assert said == "version 1.2 is loaded with 3 workers"
    assert server.versions == {**TWO, "1.2": 3}
    assert server.default == "1.0"


def test_an_archive_from_elsewhere_is_copied_into_the_store(tmp_path: Path, store: Path) -> None:
    """TorchServe loads from its store only, one file name per version."""
    given = _archive(tmp_path / "downloads").rename(tmp_path / "downloads" / "new.mar")
    add(TorchServeDouble().management(), str(given), 1, of(store))
    assert [path.name for path in store.iterdir()] == ["deeplabv3-1.2.mar"]
    assert (store / "deeplabv3-1.2.mar").read_bytes() == given.read_bytes()


def test_an_archive_whose_workers_do_not_start_is_taken_back(store: Path) -> None:
    """It is unloaded again, and the other versions keep serving."""
    _archive(store)
    server = TorchServeDouble(starts=False)
    with pytest.raises(VersionError, match=r"cannot be served: .*500.*TorchServe's log"):
        add(server.management(), "deeplabv3-1.2.mar", 2, of(store))
    assert server.versions == TWO


def test_a_version_that_is_loaded_is_not_added_again(tmp_path: Path, store: Path) -> None:
    """Nothing is copied, and the error has both remedies."""
    given = _archive(tmp_path / "downloads", version="1.1")
    server = TorchServeDouble()
    with pytest.raises(VersionError, match=r"1\.1 is loaded already.*remove 1\.1"):
        add(server.management(), str(given), 1, of(store))
    assert server.changes() == []
    assert list(store.iterdir()) == []


def test_another_models_archive_is_refused(tmp_path: Path, store: Path) -> None:
    """Before it is copied."""
    given = _archive(tmp_path / "downloads", name="resnet")
    server = TorchServeDouble()
    with pytest.raises(VersionError, match="holds the model resnet, not deeplabv3"):
        add(server.management(), str(given), 1, of(store))
    assert server.changes() == []
    assert list(store.iterdir()) == []


def test_another_archive_of_that_name_is_not_overwritten(tmp_path: Path, store: Path) -> None:
    """It may be in use; the line does not advise to load what the caller did not name."""
    there = _archive(store)
    there.write_bytes(there.read_bytes() + b"other")
    given = _archive(tmp_path / "downloads")
    server = TorchServeDouble()
    with pytest.raises(StoreError, match=r"deeplabv3-1\.2\.mar holds other bytes than .*downloads"):
        add(server.management(), str(given), 1, of(store))
    assert there.read_bytes().endswith(b"other")
    assert server.changes() == []


def test_the_same_archive_in_the_store_is_taken(tmp_path: Path, store: Path) -> None:
    """It was added before, and stays when it cannot be loaded now."""
    given = _archive(tmp_path / "downloads")
    shutil.copy(given, store)
    with pytest.raises(VersionError, match="cannot be served"):
        add(TorchServeDouble(starts=False).management(), str(given), 1, of(store))
    assert [path.name for path in store.iterdir()] == ["deeplabv3-1.2.mar"]
    assert "1.2 is loaded" in add(TorchServeDouble().management(), str(given), 1, of(store))


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, None])
def test_a_copy_that_was_not_loaded_is_removed(
    tmp_path: Path, store: Path, end: type[BaseException] | None
) -> None:
    """Whether its workers fail or Ctrl-C comes while they start; the repaired one can be added."""
    given = _archive(tmp_path / "downloads")
    server = TorchServeDouble(starts=False)

    def interrupt() -> None:
        if end is not None:
            raise end

    server.on_scale = interrupt
    with pytest.raises(end or VersionError):
        add(server.management(), str(given), 1, of(store))
    assert list(store.iterdir()) == []
    assert server.versions == TWO


def test_an_interrupt_during_the_registration_is_undone_too(tmp_path: Path, store: Path) -> None:
    """TorchServe finishes the registration; the signal is delivered once its outcome is known."""
    given = _archive(tmp_path / "downloads")
    server = TorchServeDouble()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            signal.raise_signal(signal.SIGINT)
        return server.answer(request)

    client = ManagementClient("http://torchserve", MODEL, httpx.MockTransport(answer))
    with pytest.raises(KeyboardInterrupt):
        add(client, str(given), 1, of(store))
    assert server.versions == TWO
    assert list(store.iterdir()) == []


def test_a_version_that_another_command_registered_stays(tmp_path: Path, store: Path) -> None:
    """Only what this command registered is undone."""
    given = _archive(tmp_path / "downloads")
    server = TorchServeDouble(conflicts=True)
    with pytest.raises(VersionError, match=r"1\.2 is loaded already"):
        add(server.management(), str(given), 1, of(store))
    assert server.versions == {**TWO, "1.2": 2}
    assert list(store.iterdir()) == []


@pytest.mark.parametrize(
    "version",
    ["", " ", "1.0 ", "-1", "ü", "1.0?x=1", "1.0#x", "1%2e5", "all", "5.0\nX: y", "a/b", "x" * 33],
)
def test_a_version_that_could_not_be_asked_for_is_refused(
    tmp_path: Path, store: Path, version: str
) -> None:
    """By the gateway's pattern; some could not be removed again."""
    given = _archive(tmp_path / "downloads", version="1.2")
    with zipfile.ZipFile(given, "w") as file:
        manifest = {"model": {"modelName": "deeplabv3", "modelVersion": version}}
        file.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
    server = TorchServeDouble()
    with pytest.raises(InvalidNameError, match="is no name of a version"):
        add(server.management(), str(given), 1, of(store))
    assert server.changes() == []
    assert list(store.iterdir()) == []


def test_too_little_memory_is_said_before_anything_is_copied(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers that the machine has no memory for would take the others along."""
    monkeypatch.setattr(preflight, "available_memory_mb", lambda: 100)
    given = _archive(tmp_path / "downloads")
    with pytest.raises(PreflightError, match="100 MB are free"):
        add(TorchServeDouble().management(), str(given), 1, of(store))
    assert list(store.iterdir()) == []


def test_a_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    """In one line."""
    given = _archive(tmp_path / "downloads")
    with pytest.raises(StoreError, match=r"store .*none cannot be read: No such file"):
        add(TorchServeDouble().management(), str(given), 1, of(tmp_path / "none"))


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", b"PK\x05\x06" + bytes(18)],
    ids=["empty", "text", "no manifest"],
)
def test_what_is_no_archive_is_refused(store: Path, content: bytes) -> None:
    """Without a request to TorchServe."""
    (store / "bad.mar").write_bytes(content)
    server = TorchServeDouble()
    with pytest.raises(DamagedArchiveError, match="is not a model archive"):
        add(server.management(), "bad.mar", 1, of(store))
    assert server.calls == []


@pytest.mark.parametrize("manifest", ["{}", '{"model": []}', '{"model": {}}', "[]", "null"])
def test_a_manifest_that_names_no_version_is_refused(store: Path, manifest: str) -> None:
    """Whatever it holds instead."""
    with zipfile.ZipFile(store / "bad.mar", "w") as file:
        file.writestr("MAR-INF/MANIFEST.json", manifest)
    with pytest.raises(DamagedArchiveError, match="is not a model archive"):
        read_identity(store / "bad.mar")


def test_a_damaged_archive_is_refused(store: Path) -> None:
    """The error says where the damage is."""
    path = _archive(store)
    path.write_bytes(path.read_bytes().replace(b"modelVersion", b"modelversion"))
    with pytest.raises(DamagedArchiveError, match=r"damaged at MAR-INF/MANIFEST\.json; build"):
        read_identity(path)


def test_an_archive_that_is_not_there_is_refused(store: Path) -> None:
    """The error has the command that builds one."""
    with pytest.raises(VersionError, match=r"does not exist; build it with `segserve build`"):
        add(TorchServeDouble().management(), "deeplabv3-7.mar", 1, of(store))
