"""Reading an archive's facts, and the detection of damage."""

import json
import zipfile
from pathlib import Path

import pytest

from scripts.archives.archive import DamagedArchiveError, read_facts, read_identity

MEMBER = "facts.json"


def _archive(folder: Path, content: str = '{"name": "deeplabv3", "numbers": "0123456789"}') -> Path:
    path = folder / "some.mar"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(MEMBER, content)
        file.writestr("weights", bytes(range(256)) * 4)
    return path


def test_facts_are_read(tmp_path: Path) -> None:
    """The member's JSON object is returned."""
    assert read_facts(_archive(tmp_path), MEMBER)["name"] == "deeplabv3"


@pytest.mark.slow
@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_no_flipped_byte_leads_to_another_error(tmp_path: Path, mask: int) -> None:
    """Wherever a byte is flipped, the facts are right or DamagedArchiveError is raised."""
    path = _archive(tmp_path)
    sound, facts = path.read_bytes(), read_facts(path, MEMBER)
    refused = 0
    for position in range(len(sound)):
        damaged = bytearray(sound)
        damaged[position] ^= mask
        path.write_bytes(damaged)
        try:
            assert read_facts(path, MEMBER) == facts
        except DamagedArchiveError:
            refused += 1
    assert refused > len(sound) / 2


@pytest.mark.parametrize("tenths", range(10))
def test_an_archive_cut_short_is_damaged(tmp_path: Path, tenths: int) -> None:
    """An archive is damaged if a full disk or a broken download cut it short."""
    path = _archive(tmp_path)
    sound = path.read_bytes()
    path.write_bytes(sound[: len(sound) * tenths // 10])
    with pytest.raises(DamagedArchiveError, match=r"some\.mar"):
        read_facts(path, MEMBER)


@pytest.mark.parametrize("content", ["", "no JSON", "[]", "null", '"text"'])
def test_facts_must_be_an_object(tmp_path: Path, content: str) -> None:
    """A member with other JSON was written by another program."""
    with pytest.raises(DamagedArchiveError, match="is not a model archive"):
        read_facts(_archive(tmp_path, content), MEMBER)


def test_a_missing_member_is_damage(tmp_path: Path) -> None:
    """An archive without the member is one of something else."""
    with pytest.raises(DamagedArchiveError, match="is not a model archive"):
        read_facts(_archive(tmp_path), "other.json")


def test_a_missing_file_is_another_error(tmp_path: Path) -> None:
    """FileNotFoundError, because the archive may only have to be built."""
    with pytest.raises(FileNotFoundError):
        read_facts(tmp_path / "none.mar", MEMBER)


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", b"PK\x05\x06" + bytes(18)],
    ids=["empty", "text", "no manifest"],
)
def test_what_is_no_archive_has_no_name(tmp_path: Path, content: bytes) -> None:
    """One line says so."""
    (tmp_path / "bad.mar").write_bytes(content)
    with pytest.raises(DamagedArchiveError, match="is not a model archive"):
        read_identity(tmp_path / "bad.mar")


@pytest.mark.parametrize("manifest", ["{}", '{"model": []}', '{"model": {}}', "[]", "null"])
def test_a_manifest_that_names_no_version_is_refused(tmp_path: Path, manifest: str) -> None:
    """Whatever it holds instead."""
    with zipfile.ZipFile(tmp_path / "bad.mar", "w") as file:
        file.writestr("MAR-INF/MANIFEST.json", manifest)
    with pytest.raises(DamagedArchiveError, match="is not a model archive"):
        read_identity(tmp_path / "bad.mar")


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    """The error says where the damage is."""
    path = tmp_path / "deeplabv3-1.2.mar"
    with zipfile.ZipFile(path, "w") as file:
        manifest = {"model": {"modelName": "deeplabv3", "modelVersion": "1.2"}}
        file.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
    path.write_bytes(path.read_bytes().replace(b"modelVersion", b"modelversion"))
    with pytest.raises(DamagedArchiveError, match=r"damaged at MAR-INF/MANIFEST\.json; build"):
        read_identity(path)
