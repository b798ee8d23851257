"""The facts about a model survive the archive, and anything else is rejected with a reason."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deeplab.spec import (
    SPEC_VERSION,
    InputSize,
    InvalidSpecError,
    ModelSpec,
    read_labels,
    read_spec,
)

SPEC = ModelSpec(
    architecture="deeplabv3_resnet50",
    classes=3,
    input=InputSize(long_side=513, grid=16),
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    engine="openvino",
    precision="bf16",
    artefact="network.xml",
    sha256="0" * 64,
)
LABELS = Path(__file__).parents[3] / "handler" / "deeplab" / "labels.json"


REQUIRED = (
    "architecture",
    "classes",
    "input",
    "mean",
    "std",
    "engine",
    "precision",
    "artefact",
    "sha256",
)


def _written(folder: Path, content: object) -> Path:
    path = folder / "file.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_specification_survives_its_file(tmp_path: Path) -> None:
    """The worker reads what the export wrote, including tuples."""
    assert read_spec(_written(tmp_path, SPEC.to_json())) == SPEC


def test_a_specification_of_version_1_is_read(tmp_path: Path) -> None:
    """Archives of former releases: a long side, a grid, and no number."""
    old = {name: json.loads(SPEC.to_json())[name] for name in REQUIRED}
    old["input"] = {"long_side": 513, "grid": 16}
    assert read_spec(_written(tmp_path, old)) == SPEC


@pytest.mark.parametrize("version", [SPEC_VERSION + 1, 99])
def test_a_newer_specification_says_that_the_archive_is_newer(tmp_path: Path, version: int) -> None:
    """Whatever else it holds: what is not known here could matter."""
    newer = {**json.loads(SPEC.to_json()), "version": version, "moods": ["good"]}
    with pytest.raises(InvalidSpecError, match="the archive is newer"):
        read_spec(_written(tmp_path, newer))


@pytest.mark.parametrize("version", ["two", None, [], {}])
def test_a_version_is_a_number(tmp_path: Path, version: object) -> None:
    """Anything else is a damaged file."""
    with pytest.raises(InvalidSpecError, match="is not a model specification"):
        read_spec(_written(tmp_path, {**json.loads(SPEC.to_json()), "version": version}))


def test_an_input_in_full_survives_its_file(tmp_path: Path) -> None:
    """Every fact of version 2."""
    size = InputSize(
        long_side=1333,
        fit="short_side",
        short_side=520,
        multiple=32,
        interpolation="bicubic",
        antialias=False,
    )
    spec = replace(SPEC, input=size, channels="bgr", output="sigmoid", threshold=0.3, tile=800)
    assert read_spec(_written(tmp_path, spec.to_json())) == spec


def _without(name: str) -> dict[str, object]:
    return {key: value for key, value in json.loads(SPEC.to_json()).items() if key != name}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no JSON",
        [],
        {},
        "null",
        *map(_without, REQUIRED),
        {**_without(""), "colour": 1},
    ],
    ids=repr,
)
def test_anything_else_is_no_specification(tmp_path: Path, content: object) -> None:
    """Missing and unknown facts alike; the message names the file."""
    with pytest.raises(InvalidSpecError, match=r"file\.json is not a model specification"):
        read_spec(_written(tmp_path, content))


def test_a_missing_specification_is_an_error(tmp_path: Path) -> None:
    """The message names model.json."""
    with pytest.raises(InvalidSpecError, match=r"model\.json"):
        read_spec(tmp_path / "model.json")


def test_labels_are_read_in_the_order_of_their_ids(tmp_path: Path) -> None:
    """Keys are text in JSON, and "10" comes before "2" there."""
    names = {str(index): f"class {index}" for index in reversed(range(12))}
    assert list(read_labels(_written(tmp_path, names))) == list(range(12))


def test_the_committed_labels_are_pascal_vocs() -> None:
    """Twenty-one, with the ids that clients rely on."""
    labels = read_labels(LABELS)
    assert len(labels) == 21
    assert (labels[0], labels[1], labels[8], labels[15], labels[20]) == (
        "background",
        "aeroplane",
        "cat",
        "person",
        "tvmonitor",
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not a JSON object"),
        ("[]", "not a JSON object"),
        ({"zero": "background"}, "not a JSON object"),
        ({}, "must be 0, 1, 2"),
        ({"1": "cat"}, "must be 0, 1, 2"),
        ({"0": "background", "2": "cat"}, "must be 0, 1, 2"),
        ({"-1": "background", "0": "cat"}, "must be 0, 1, 2"),
        ({str(index): str(index) for index in range(256)}, "at most 255"),
        ({"0": "background", "1": ""}, "needs a name"),
        ({"0": "background", "1": "  "}, "needs a name"),
        ({"0": "background", "1": 7}, "needs a name"),
        ({"0": "background", "1": ["cat"]}, "needs a name"),
        ({"0": "background", "1": "cat "}, "blanks before or after the name 'cat '"),
        ({"0": "background", "1": "\tcat"}, "blanks before or after"),
        ({"0": "cat", "1": "cat"}, "same name"),
        ({"0": "cat", "1": "Cat"}, "same name"),
        ({"0": "STRASSE", "1": "straße"}, "same name"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_invalid_labels_are_rejected(tmp_path: Path, content: object, words: str) -> None:
    """Each with the reason, because these files are written by hand."""
    with pytest.raises(InvalidSpecError, match=words):
        read_labels(_written(tmp_path, content))


def test_missing_labels_are_an_error(tmp_path: Path) -> None:
    """The message names the path."""
    with pytest.raises(InvalidSpecError, match=r"mine\.json"):
        read_labels(tmp_path / "mine.json")


def test_255_classes_are_the_most(tmp_path: Path) -> None:
    """Ids are bytes and 255 means "ignore"."""
    names = {str(index): f"class {index}" for index in range(255)}
    assert len(read_labels(_written(tmp_path, names))) == 255
