"""The filter of pseudo-labels: objects that the classifier contradicts are renamed or ignored."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from scripts.datasets.filter_pseudo_labels import (
    Classifier,
    filter_folder,
    filter_mask,
    verdict_on,
)
from scripts.datasets.imagenet_classifier import ANIMALS, BESIDE, OWN, voc_ids
from scripts.datasets.voc import IMAGES, MASKS, list_pairs
from tests.unit.handler.files import EXAMPLES
from tests.unit.scripts.commands import command
from tests.unit.scripts.voc_folder import make, write

main = command("prepare", "filter-pseudo-labels")

BATHTUB, OX, TABBY, BEAGLE, BEAR, PILLOW, SCREEN = 435, 345, 281, 162, 294, 721, 782
GOLDEN = Path(__file__).parents[3] / "e2e" / "golden" / "cat.png"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """The real classifier, from its package."""
    return Classifier()


def _confidence(**shares: float) -> Tensor:
    """Confidences: the given ones, the rest spread over all classes."""
    named = {globals()[name.upper()]: share for name, share in shares.items()}
    rest = (1 - sum(named.values())) / 1000
    confidence = torch.full((1000,), rest)
    for index, share in named.items():
        confidence[index] += share
    return confidence


@pytest.mark.parametrize(
    ("name", "shares", "expected"),
    [
        ("tvmonitor", {"screen": 0.6}, "tvmonitor"),
        ("tvmonitor", {"bathtub": 0.9}, None),
        ("tvmonitor", {"bathtub": 0.3}, "tvmonitor"),
        ("sofa", {"pillow": 0.9}, "sofa"),
        ("sofa", {"beagle": 0.9}, "sofa"),
        ("sofa", {"bathtub": 0.9}, None),
        ("cow", {"ox": 0.2}, "cow"),
        ("cow", {"beagle": 0.9}, "dog"),
        ("cow", {"beagle": 0.5}, None),
        ("cow", {"bear": 0.9}, None),
        ("cat", {"beagle": 0.85, "tabby": 0.12}, "cat"),
        ("dog", {"tabby": 0.95}, "cat"),
    ],
)
def test_the_verdict(name: str, shares: dict[str, float], expected: str | None) -> None:
    """Objects may lie beside others, animals must be recognised, and doubt changes nothing."""
    assert verdict_on(name, _confidence(**shares)) == expected


def test_the_tables_fit_the_labels() -> None:
    """Every name is one of Pascal VOC's; people and tables, which ImageNet lacks, are exempt."""
    assert set(voc_ids()) - set(OWN) == {"background", "person", "diningtable"}
    assert set(BESIDE) < set(OWN)
    assert set(OWN) >= ANIMALS
    indices = [index for classes in OWN.values() for index in classes]
    assert len(indices) == len(set(indices))
    assert all(0 <= index < 1000 for index in indices)


def test_the_classifier_knows_a_cat(classifier: Classifier) -> None:
    """Weights, normalisation and the table of classes agree."""
    photograph = Image.open(EXAMPLES / "cat.jpg").convert("RGB").resize((224, 224))
    confidence = classifier([photograph])
    assert confidence.shape == (1000,)
    assert float(confidence.sum()) == pytest.approx(1, abs=1e-4)
    assert float(confidence[sorted(OWN["cat"])].sum()) > 0.8


@pytest.mark.parametrize("wrong", ["dog", "tvmonitor"])
def test_a_wrong_mask_is_mended(classifier: Classifier, tmp_path: Path, wrong: str) -> None:
    """A cat labelled as a dog becomes a cat; one labelled as a screen is ignored."""
    ids_of = voc_ids()
    truth = np.asarray(Image.open(GOLDEN)) == ids_of["cat"]
    mask = np.where(truth, ids_of[wrong], 0).astype(np.uint8)
    write(tmp_path, "cat", Image.open(EXAMPLES / "cat.jpg").convert("RGB"), mask)
    (pair,) = list_pairs(tmp_path)
    ids, found = filter_mask(pair, classifier, ids_of)
    expected = {"dog": "cat", "tvmonitor": None}[wrong]
    assert found == [(wrong, expected)]
    assert set(np.unique(ids[truth])) == {255 if expected is None else ids_of[expected]}
    assert set(np.unique(ids[~truth])) == {0}


def test_small_objects_are_not_asked_about(classifier: Classifier, tmp_path: Path) -> None:
    """Small objects cannot be recognised, and keep their label."""
    mask = np.zeros((80, 96), dtype=np.uint8)
    mask[:5, :5] = voc_ids()["tvmonitor"]
    write(tmp_path, "p", Image.new("RGB", (96, 80)), mask)
    (pair,) = list_pairs(tmp_path)
    ids, found = filter_mask(pair, classifier, voc_ids())
    assert found == []
    assert np.array_equal(ids, mask)


def test_what_people_drew_stays(tmp_path: Path) -> None:
    """The images in real.txt are copied unchanged, and so is the list."""
    data, output = make(tmp_path / "data", 3), tmp_path / "out"
    (data / "real.txt").write_text("p00\np01\np02\n")
    assert filter_folder(data, output) == {}
    for part in (IMAGES, MASKS):
        for path in (data / part).iterdir():
            copied = np.asarray(Image.open(output / part / path.name))
            assert np.array_equal(copied, np.asarray(Image.open(path)))
    assert (output / "real.txt").read_text() == "p00\np01\np02\n"


def test_the_command_says_what_became_of_the_objects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The output has a row for each class."""
    data = make(tmp_path / "data", 2)
    assert main(["--data", str(data), "--output", str(tmp_path / "out")]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["class", "kept", "ignored", "renamed"]
    assert [row.split()[0] for row in rows[1:]] == list(OWN)


def test_a_missing_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1 and one line on standard error."""
    arguments = ["--data", str(tmp_path / "none"), "--output", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert "none/JPEGImages: there is no such folder" in capsys.readouterr().err
