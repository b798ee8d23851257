"""An archive is taken if it is ours, whole, and safe to unpack; else one line says why not."""

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deeplab import spec as handlers_spec
from gateway.archives import inspection
from gateway.archives.inspection import inspect, refuse_other_bytes
from gateway.errors import ConflictError, InvalidArchiveError
from gateway.models.parameters import RESERVED
from tests.unit.gateway.archives.zip_files import (
    LABELS,
    SPEC,
    manifest,
    sound_archive,
    sound_files,
    zipped,
)

MANIFEST, LABELS_FILE = "MAR-INF/MANIFEST.json", "deeplab/labels.json"


def refusal(tmp_path: Path, archive: bytes, **about: str) -> str:
    """The line with which an archive is refused."""
    path = tmp_path / "a.mar"
    path.write_bytes(archive)
    with pytest.raises(InvalidArchiveError) as refused:
        inspect(path, **about)  # type: ignore[arg-type]  # texts only
    assert "\n" not in refused.value.detail
    assert len(refused.value.detail) < 300
    return refused.value.detail


def test_a_sound_archive_is_read(tmp_path: Path) -> None:
    """With all that it says about itself."""
    path = tmp_path / "a.mar"
    path.write_bytes(sound_archive())
    facts = inspect(path, file_name="deeplabv3-2.0.mar", model="deeplabv3")
    assert (facts.model, facts.version) == ("deeplabv3", "2.0")
    assert facts.labels == {0: "background", 1: "cat", 2: "dog"}
    assert facts.spec == SPEC
    assert (facts.provenance, facts.card) == ({"weights": "bundled"}, None)
    assert set(facts.files) == set(sound_files())
    assert facts.files["network/network.bin"] == 76_800


def test_a_built_archive_is_read(archive: Path) -> None:
    """As `segserve build` makes it."""
    facts = inspect(archive, file_name=archive.name)
    assert (facts.model, facts.version) == ("deeplabv3", "1.0")
    assert facts.labels == handlers_spec.read_labels(
        Path(handlers_spec.__file__).with_name("labels.json")
    )
    assert facts.spec["version"] == inspection.SPEC_VERSION


def test_the_specification_is_the_handlers() -> None:
    """The newest version that both know is the same."""
    assert inspection.SPEC_VERSION == handlers_spec.SPEC_VERSION


@pytest.mark.parametrize("data", [b"", b"PK", b"no zip at all" * 100, bytes(100_000)])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    """An empty file, and one of any other kind."""
    assert "not a zip" in refusal(tmp_path, data)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_truncation_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Wherever the upload broke off."""
    whole = sound_archive()
    refusal(tmp_path, whole[: data.draw(st.integers(0, len(whole) - 1))])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_changed_byte_is_an_error_of_ours_or_changes_no_content(
    tmp_path: Path, data: st.DataObject
) -> None:
    """Whatever the byte: dates and other fields that nothing reads may change."""
    path, whole = tmp_path / "a.mar", bytearray(sound_archive())
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        facts = inspect(path)
    except InvalidArchiveError:
        return
    assert set(facts.files) == set(sound_files())
    assert facts.labels == {0: "background", 1: "cat", 2: "dog"}


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_any_bytes_are_an_error_of_ours(tmp_path: Path, data: bytes) -> None:
    """No other exception gets out."""
    refusal(tmp_path, data + sound_archive()[-100:])


@pytest.mark.parametrize(
    ("file_name", "words"),
    [
        ("deeplabv3-1.0.mar", "holds deeplabv3 2.0: name it deeplabv3-2.0.mar"),
        ("unet-2.0.mar", "unet-2.0.mar holds deeplabv3 2.0"),
        ("deeplabv3-2.0-1.mar", "holds deeplabv3 2.0"),
    ],
)
def test_a_mislabelled_archive_is_refused(tmp_path: Path, file_name: str, words: str) -> None:
    """Its name says another model or version than its manifest."""
    assert words in refusal(tmp_path, sound_archive(), file_name=file_name)


@pytest.mark.parametrize("file_name", [None, "", "model.mar", f"{'0' * 64}.mar", "blob"])
def test_a_name_that_says_nothing_is_taken(tmp_path: Path, file_name: str | None) -> None:
    """Such as that of an archive in the store."""
    path = tmp_path / "a.mar"
    path.write_bytes(sound_archive())
    assert inspect(path, file_name=file_name).version == "2.0"


def test_an_archive_for_another_model_is_refused(tmp_path: Path) -> None:
    """It is added where it belongs."""
    assert "not a version of unet" in refusal(tmp_path, sound_archive(), model="unet")


@pytest.mark.parametrize("missing", [MANIFEST, LABELS_FILE, "model.json"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    """What every archive of ours has."""
    assert f"has no {missing}" in refusal(tmp_path, sound_archive(**{missing: None}))


@pytest.mark.parametrize("handler", ["missing.py", "missing.py:handle", 3, None, ""])
def test_a_missing_handler_is_named(tmp_path: Path, handler: object) -> None:
    """The file of the manifest, with or without a function."""
    archive = sound_archive(**{MANIFEST: manifest(handler=handler)})
    assert "has no handler" in refusal(tmp_path, archive)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../x", "a/b", "a\\b", "-a", ".a", "a b", "a\n", "a" * 33, "ä", "a\0"),
        *(1, None, *sorted(RESERVED)),
    ],
)
@pytest.mark.parametrize("part", ["modelName", "modelVersion"])
def test_odd_names_are_refused(tmp_path: Path, part: str, name: object) -> None:
    """No request could ask for them, or they mean something else."""
    detail = refusal(tmp_path, sound_archive(**{MANIFEST: manifest(**{part: name})}))
    assert part in detail or "ordinary text" in detail


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("[" * 100_000, "not JSON"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": "\\u0000"}', "not a JSON object of ordinary text"),
        ('{"a": "\\ud800"}', "not JSON"),
        ('{"a": 1e999}', "not JSON"),
        ("1" * 5000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
    ],
)
@pytest.mark.parametrize(
    "file", [MANIFEST, "model.json", LABELS_FILE, "provenance.json", "card.json"]
)
def test_what_is_no_json_object_is_refused(
    tmp_path: Path, file: str, text: str | bytes, words: str
) -> None:
    """Also what a database could not keep."""
    detail = refusal(tmp_path, sound_archive(**{file: text}))
    assert detail.startswith(f"{file} ")
    assert words in detail


def test_a_long_document_is_refused(tmp_path: Path) -> None:
    """It would be kept with the version."""
    card = json.dumps({"purpose": "x" * 5_000_000})
    assert "card.json has 50" in refusal(tmp_path, sound_archive(**{"card.json": card}))


@pytest.mark.parametrize("version", [3, 99, 10**30])
def test_a_newer_specification_is_refused(tmp_path: Path, version: int) -> None:
    """The line says what to do."""
    archive = sound_archive(**{"model.json": json.dumps({**SPEC, "version": version})})
    assert "use a newer Segserve" in refusal(tmp_path, archive)


@pytest.mark.parametrize("version", [0, -1, "2", None, True, 1.5])
def test_an_odd_version_of_the_specification_is_refused(tmp_path: Path, version: object) -> None:
    """It is a number from 1 on."""
    archive = sound_archive(**{"model.json": json.dumps({**SPEC, "version": version})})
    assert "is not a whole number" in refusal(tmp_path, archive)


def test_the_first_specification_has_no_version(tmp_path: Path) -> None:
    """It is known."""
    path = tmp_path / "a.mar"
    path.write_bytes(sound_archive(**{"model.json": json.dumps({"classes": 3})}))
    assert inspect(path).spec == {"classes": 3}


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {"1": "a", "2": "b", "3": "c"},
        {"0": "a", "1": "b", "3": "c"},
        {"00": "a", "1": "b", "2": "c"},
        {"0": "a", "1": "b", "x": "c"},
        {"0": "a", "1": "A", "2": "c"},
        {"0": "a", "1": " b", "2": "c"},
        {"0": "a", "1": "", "2": "c"},
        {"0": "a", "1": 5, "2": "c"},
        {"0": "a", "1": "b"},
        {**LABELS, "3": "bird"},
        {str(class_id): f"class {class_id}" for class_id in range(256)},
    ],
)
def test_odd_labels_are_refused(tmp_path: Path, labels: dict[str, object]) -> None:
    """Ids have no gaps, names are unique, and there is one for each class of the network."""
    archive = sound_archive(**{LABELS_FILE: json.dumps(labels)})
    assert LABELS_FILE in refusal(tmp_path, archive)


def test_the_same_version_with_other_bytes_is_a_conflict(tmp_path: Path) -> None:
    """A version never changes; the same bytes again are no error."""
    path = tmp_path / "a.mar"
    path.write_bytes(sound_archive())
    facts = inspect(path)
    refuse_other_bytes(facts, "a" * 64, None)
    refuse_other_bytes(facts, "a" * 64, "a" * 64)
    with pytest.raises(ConflictError, match=r"has a version 2\.0 with other bytes"):
        refuse_other_bytes(facts, "a" * 64, "b" * 64)


def test_an_unreadable_compression_is_refused(tmp_path: Path) -> None:
    """Of zip's many ways TorchServe knows two."""
    archive = zipped(sound_files(), zipfile.ZIP_BZIP2)
    assert "TorchServe cannot read" in refusal(tmp_path, archive)
