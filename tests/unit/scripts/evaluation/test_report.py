"""Reports of an evaluation: table, JSON and page have the same figures."""

import base64
import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from scripts.datasets.voc import list_pairs
from scripts.evaluation.measure import Evaluation, evaluate
from scripts.evaluation.report import as_json, colour_of, table, write_json, write_page
from tests.unit.scripts.evaluation.test_measure import SeesRed
from tests.unit.scripts.voc_folder import make

LABELS = {0: "grey", 1: "<red>", 2: "green", 3: "nowhere"}


@pytest.fixture
def found(tmp_path: Path) -> Evaluation:
    """Six squares, predicted by a rule that recognises red only."""
    pairs = list_pairs(make(tmp_path / "data", 6))
    return evaluate(SeesRed(source="a <rule>", labels=LABELS), pairs)


def test_the_table_has_a_row_for_each_class(found: Evaluation) -> None:
    """The last line has the totals."""
    lines = table(found).splitlines()
    assert [line.split()[0] for line in lines[1:5]] == list(LABELS.values())
    assert lines[3].split()[1] == "0.000"
    assert lines[4].split()[1:] == ["-", "0"]
    assert lines[-1] == (
        f"6 pictures, a <rule>: mIoU {found.scores.miou:.4f}, "
        f"pixel accuracy {found.scores.pixel_accuracy:.4f}"
    )


def test_the_json_has_the_documented_keys(found: Evaluation, tmp_path: Path) -> None:
    """Shares are 0..1; a class that never occurs has null."""
    write_json(tmp_path / "out.json", found)
    facts = json.loads((tmp_path / "out.json").read_text())
    assert facts == as_json(found)
    assert {"miou", "pixel_accuracy", "images", "per_class"} <= set(facts)
    assert facts["images"] == 6
    assert facts["miou"] == found.scores.miou
    assert facts["per_class"]["green"] == 0.0
    assert facts["per_class"]["nowhere"] is None
    assert len(facts["pictures"]) == 6
    assert facts["pictures"][0]["name"] in {"p01", "p03", "p05"}


def test_the_page_shows_the_worst_pictures_first(found: Evaluation, tmp_path: Path) -> None:
    """One file has image, truth and prediction of each."""
    write_page(tmp_path / "out.html", found, most=4)
    page = (tmp_path / "out.html").read_text()
    names = re.findall(r"<strong>(p\d\d)</strong>", page)
    assert names == [each.pair.name for each in found.pictures[:4]]
    pictures = re.findall(r'src="data:image/(\w+);base64,([^"]+)"', page)
    assert [kind for kind, _ in pictures[:3]] == ["jpeg", "png", "png"]
    assert len(pictures) == 12
    truth = Image.open(io.BytesIO(base64.b64decode(pictures[1][1])))
    colours = {colour for _, colour in truth.convert("RGB").getcolors() or []}
    assert colours == {colour_of(0), colour_of(2), colour_of(255)}
    assert "http" not in page


def test_names_in_the_page_are_text(found: Evaluation, tmp_path: Path) -> None:
    """Labels are escaped."""
    write_page(tmp_path / "out.html", found, most=1)
    page = (tmp_path / "out.html").read_text()
    assert "&lt;red&gt;" in page
    assert "<red>" not in page
    assert "a &lt;rule&gt;" in page


def test_the_colours_differ() -> None:
    """Background is black, ignored pixels are white, and the first forty classes differ."""
    assert (colour_of(0), colour_of(255)) == ((0, 0, 0), (255, 255, 255))
    assert len({colour_of(index) for index in range(41)}) == 41
