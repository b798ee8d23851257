"""Labels as people write them."""

import json
from pathlib import Path

import pytest

from deeplab.spec import InvalidSpecError
from scripts.networks.checkpoints import CheckpointError, labels_for
from scripts.networks.labels import read_label_file

WANTED = {0: "background", 1: "Straße"}
OBJECT = '{"0": "background", "1": "Straße"}'
MANY = json.dumps({str(index): f"class {index}" for index in range(256)})


def _written(folder: Path, content: str | bytes, name: str = "labels.json") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        OBJECT,
        b"\xef\xbb\xbf" + OBJECT.encode(),
        OBJECT.encode("utf-16"),
        b"\xfe\xff" + OBJECT.encode("utf-16-be"),
        OBJECT.encode("utf-32"),
        '["background", "Straße"]',
        '{"background": 0, "Straße": 1}',
        '{"1": "Straße", "0": "background"}',
        OBJECT.replace(" ", "\r\n"),
    ],
)
def test_the_same_labels_in_other_forms(tmp_path: Path, content: str | bytes) -> None:
    """Encodings by their byte order marks, a list, name to id, any order."""
    assert read_label_file(_written(tmp_path, content)) == WANTED


def test_a_text_file_has_a_name_on_each_line(tmp_path: Path) -> None:
    """With either end of line."""
    path = _written(tmp_path, "background\r\nStraße\r\n\r\n", "classes.txt")
    assert read_label_file(path) == WANTED


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"0": "background", "0": "cat"}', "has the key '0' twice"),
        ('{"0": "background", "2": "cat"}', "without gaps; 1 is missing"),
        ('{"1": "background", "2": "cat"}', "without gaps; 0 is missing"),
        ('{"0": "background", "00": "cat"}', "two entries are class 0"),
        ('{"0": "background", "1": ""}', "class 1 has no name"),
        ('["background", null]', "class 1 has no name"),
        ('["background", 7]', "class 1 has no name"),
        ('["cat", "Cat"]', "two classes have the same name"),
        ('["cat", "dog "]', "blanks before or after the name 'dog '"),
        (json.dumps(["cat\ndog", "c"]), "the name of class 0 is not one line of at most 200"),
        (json.dumps(["c", "a\0"]), "the name of class 1 is not one line"),
        (json.dumps(["c", "a\u2028b"]), "the name of class 1 is not one line"),
        (json.dumps(["\ud800", "c"]), "the name of class 0 is not one line"),
        (json.dumps(["\u200b", "c"]), "the name of class 0 is not one line"),
        (json.dumps(["x" * 201, "c"]), "the name of class 0 is not one line"),
        (json.dumps(["\xe9", "e\u0301"]), "two classes have the same name"),
        ("[]", "names no class"),
        ("{}", "names no class"),
        ("7", "is not JSON such as"),
        ("background, cat", "is not JSON such as"),
        ('{"zero": "background"}', "is not JSON such as"),
        ("", "is not JSON such as"),
        (b"\xff\xd8\xff\xe0", "is not text in utf-8: save it as UTF-8"),
        ("[" * 100_000, "is not JSON such as"),
        (MANY, "names 256 classes; at most 255 work"),
        ('{"background": 0, "cat": 0}', "two entries are class 0"),
    ],
)
def test_other_content_gets_one_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    """The line names the file and the fault."""
    with pytest.raises(InvalidSpecError, match=words) as caught:
        read_label_file(_written(tmp_path, content))
    assert str(tmp_path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_file_gets_one_line(tmp_path: Path) -> None:
    """And so does a folder."""
    with pytest.raises(InvalidSpecError, match="cannot be read: No such file"):
        read_label_file(tmp_path / "none.json")
    with pytest.raises(InvalidSpecError, match="cannot be read: Is a directory"):
        read_label_file(tmp_path)


@pytest.mark.parametrize("content", ['{"0": "crack"}', '["crack"]', '["background", "crack"]'])
def test_one_output_has_two_labels(tmp_path: Path, content: str) -> None:
    """The class that it finds, or both."""
    assert labels_for(_written(tmp_path, content), 1) == {0: "background", 1: "crack"}


@pytest.mark.parametrize("content", ['["background"]', '["a", "b", "c"]'])
def test_one_output_has_no_other_labels(tmp_path: Path, content: str) -> None:
    """The line shows both forms."""
    with pytest.raises(CheckpointError, match=r"the network has one output: name .*crack"):
        labels_for(_written(tmp_path, content), 1)


def test_one_output_needs_labels() -> None:
    """Pascal VOC's do not fit it."""
    with pytest.raises(CheckpointError, match=r'--labels labels\.json with \{"0": "crack"\}'):
        labels_for(None, 1)
