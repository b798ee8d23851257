"""The kind of an output is told by its values, and gives logits."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from deeplab.spec import Output
from scripts.readers.graphs.formats import GraphError
from scripts.readers.graphs.outputs import Meaning, check_values, kind_of
from scripts.readers.graphs.signature import MaskOutput

RNG = np.random.default_rng(7)
NOISE = RNG.normal(size=(3, 5, 6)).astype(np.float32)
SHARES = np.exp(NOISE) / np.exp(NOISE).sum(axis=0)
SIGMOIDS = 1 / (1 + np.exp(-NOISE))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (NOISE, "logits"),
        (NOISE[:1], "logits"),
        (SHARES, "probabilities"),
        (SHARES.astype(np.float16), "probabilities"),
        (SIGMOIDS, "sigmoid"),
        (SIGMOIDS[:1], "sigmoid"),
        (np.arange(6).reshape(1, 2, 3), "ids"),
        (np.arange(6.0).reshape(1, 2, 3), "ids"),
    ],
)
def test_the_kind_is_told_by_the_values(values: NDArray[np.float32], kind: Output) -> None:
    """Sums of one, a range of 0..1, whole numbers."""
    assert kind_of([values, values]) == kind


def test_several_planes_of_whole_numbers_are_refused() -> None:
    """No kind of output is like that."""
    with pytest.raises(GraphError, match="3 channels are of type int64"):
        kind_of([np.zeros((3, 2, 2), dtype=np.int64)])


@pytest.mark.parametrize(
    ("kind", "values"), [("logits", NOISE), ("probabilities", SHARES), ("sigmoid", SIGMOIDS)]
)
@pytest.mark.parametrize("channels_last", [False, True])
def test_logits_keep_the_largest_class(
    kind: Output, values: NDArray[np.float32], channels_last: bool
) -> None:
    """In either layout, with the same order of the classes."""
    meaning = Meaning(MaskOutput(0, "", channels_last), kind, 3, 3)
    output = (values.transpose(1, 2, 0) if channels_last else values)[np.newaxis]
    logits = meaning.logits([output])
    assert np.array_equal(logits.argmax(axis=0), values.argmax(axis=0))


def test_one_channel_is_compared_with_the_threshold() -> None:
    """A share above it is class 1."""
    meaning = Meaning(MaskOutput(0, "", channels_last=False), "sigmoid", 1, 2, threshold=0.7)
    shares = np.array([[[[0.0, 0.69, 0.71, 1.0]]]], dtype=np.float32)
    logits = meaning.logits([shares])
    assert logits.argmax(axis=0).tolist() == [[0, 0, 1, 1]]
    assert np.isfinite(logits).all()
    assert meaning.offset == pytest.approx(math.log(0.7 / 0.3))


def test_ids_are_certain_and_must_have_names() -> None:
    """One class of 20, the others of 0; an id without a name is an error."""
    meaning = Meaning(MaskOutput(0, "", channels_last=False), "ids", 1, 3)
    logits = meaning.logits([np.array([[[0, 2]]])])
    assert logits.tolist() == [[[20, 0]], [[0, 0]], [[0, 20]]]
    with pytest.raises(GraphError, match="gives the class id 3, but has 3 classes"):
        meaning.logits([np.array([[[0, 3]]])])


def test_values_that_cannot_be_served() -> None:
    """NaN, infinity, and more classes than ids."""
    with pytest.raises(GraphError, match=r"NaN or infinite in 50% of the values for cat\.jpg"):
        check_values("cat.jpg", np.array([[[np.inf, 1.0]]]))
    with pytest.raises(GraphError, match="256 classes: at most 255"):
        check_values("cat.jpg", np.zeros((256, 1, 1)))
