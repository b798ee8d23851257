"""Metadata of ready graphs, as exporters write it."""

import pytest

from scripts.readers.graphs.metadata import Metadata, read_metadata

CATS = {0: "background", 1: "cat"}
NO_MEAN, NO_STD = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def test_nothing_stated_is_nothing_known() -> None:
    """An exporter that writes no facts leaves all to flags and to what is usual."""
    assert read_metadata({"producer": "pytorch", "stride": "32"}) == Metadata()


@pytest.mark.parametrize(
    "raw",
    [
        {"names": "{0: 'background', 1: 'cat'}"},
        {"names": '{"0": "background", "1": "cat"}'},
        {"labels": '["background", "cat"]'},
        {"labels": "background cat"},
        {"CLASSES": "background, cat"},
        {"id2label": "{'1': 'cat', '0': 'background'}"},
    ],
)
def test_labels_in_every_notation(raw: dict[str, str]) -> None:
    """Dictionaries, lists, and names between commas or blanks."""
    assert read_metadata(raw).labels == CATS


@pytest.mark.parametrize(
    "text", ["{1: 'a', 2: 'b'}", "['cat', 'Cat']", "['', 'cat']", "{'x': 'y'}", "{0: "]
)
def test_labels_that_cannot_be_served_are_not_taken(text: str) -> None:
    """Gaps, equal names, no names, no ids; what is no literal is a name."""
    labels = read_metadata({"names": text}).labels
    assert labels is None or labels == {0: "{0:"}


@pytest.mark.parametrize(
    ("raw", "mean", "std"),
    [
        ({"mean": "[0.5, 0.4, 0.3]", "std": "[0.2, 0.2, 0.1]"}, (0.5, 0.4, 0.3), (0.2, 0.2, 0.1)),
        ({"mean": "127.5", "std": "127.5"}, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ({"mean_values": "51 102 153", "scale_values": "255"}, (0.2, 0.4, 0.6), NO_STD),
        ({"scale_values": "255"}, NO_MEAN, NO_STD),
        ({"author": "Ultralytics"}, NO_MEAN, NO_STD),
        ({"embedded_processing": "True", "scale_values": "255"}, NO_MEAN, (1 / 255,) * 3),
    ],
)
def test_normalisation_is_for_values_in_0_to_1(
    raw: dict[str, str], mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    """Whatever the range that the file means."""
    facts = read_metadata(raw)
    assert facts.mean == pytest.approx(mean)
    assert facts.std == pytest.approx(std)


def test_a_deviation_of_zero_is_no_fact() -> None:
    """Nothing can be divided by it."""
    assert read_metadata({"mean": "0.5", "std": "0"}).std is None


@pytest.mark.parametrize(
    ("raw", "channels"),
    [
        ({"color_mode": "BGR"}, "bgr"),
        ({"channels": "rgb"}, "rgb"),
        ({"reverse_input_channels": "YES"}, "rgb"),
        ({"reverse_input_channels": "False"}, "bgr"),
        ({"reverse_input_channels": "True", "embedded_processing": "True"}, "bgr"),
        ({"channels": "3"}, None),
    ],
)
def test_the_order_of_the_channels(raw: dict[str, str], channels: str | None) -> None:
    """Model API's pictures are BGR before it reverses them."""
    assert read_metadata(raw).channels == channels


def test_means_of_a_bgr_network_are_in_its_order() -> None:
    """Ours are per RGB channel."""
    facts = read_metadata({"mean": "0.3 0.4 0.5", "std": "0.1 0.2 0.3", "channel_order": "bgr"})
    assert (facts.mean, facts.std) == ((0.5, 0.4, 0.3), (0.3, 0.2, 0.1))


@pytest.mark.parametrize(
    ("text", "size"),
    [("[480, 640]", (480, 640)), ("512", (512, 512)), ("[1, 3, 64, 96]", (64, 96))],
)
def test_the_size(text: str, size: tuple[int, int]) -> None:
    """Height and width; one number is both."""
    assert read_metadata({"imgsz": text}).size == size


@pytest.mark.parametrize(
    "raw",
    [
        {"imgsz": "[99999999999, 99999999999]"},
        {"mean": "1e400,0,0", "std": "1e400,1,1"},
        {"input_size": "1e400"},
    ],
)
def test_numbers_that_cannot_be_are_not_stated(raw: dict[str, str]) -> None:
    """No picture has such a size, and no normalisation such a mean."""
    assert read_metadata(raw) == Metadata()
