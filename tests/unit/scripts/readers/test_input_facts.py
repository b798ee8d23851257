"""Facts about a model's input, from flags and from the file beside the weights."""

from pathlib import Path

import pytest

from deeplab.spec import InputSize
from scripts.networks.facts import MEAN, STD, InputFacts
from scripts.networks.given_facts import (
    FactError,
    GivenFacts,
    normalisation,
    parse_size,
    parse_vector,
)
from scripts.readers.input_facts import as_given, beside, resolve, table

FOUND = InputFacts(InputSize(481, grid=16), sources={"size": "config.json"})


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("481", InputSize(481)),
        ("long=640/32", InputSize(640, multiple=32)),
        ("short=520", InputSize(2048, fit="short_side", short_side=520)),
        ("512X384", InputSize(512, fit="fixed", width=512, height=384)),
        (" Native/16 ", InputSize(2048, fit="native", multiple=16)),
        ("short=1024", InputSize(3072, fit="short_side", short_side=1024)),
        ("640/32up", InputSize(640, multiple=32, rounding="up")),
        ("native/16Down", InputSize(2048, fit="native", multiple=16, rounding="down")),
        ("short=512/1nearest", InputSize(2048, 1, "short_side", 512, rounding="nearest")),
    ],
)
def test_a_size_is_read(text: str, size: InputSize) -> None:
    """Long side, short side, fixed or native, in multiples."""
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "12",
        "9000",
        "-5",
        "native/257",
        "64/8192",
        "512x",
        "x512",
        "512x10",
        "big",
        "short=",
        "481/0",
        "481/x",
        "481/32sideways",
        "481/upup",
        "1e3",
    ],
)
def test_what_is_no_size_is_refused(text: str) -> None:
    """With one line that names the flag."""
    with pytest.raises(FactError, match="--size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (GivenFacts(), (MEAN, STD)),
        (GivenFacts(mean="0", std="1"), ((0, 0, 0), (1, 1, 1))),
        (GivenFacts(range="-1..1"), ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))),
        (GivenFacts(range="0..255"), ((0, 0, 0), (1 / 255,) * 3)),
        (GivenFacts(range="0..1"), ((0, 0, 0), (1, 1, 1))),
        (
            GivenFacts(range="255", mean="102, 51 255", std="[51,51,51]"),
            ((0.4, 0.2, 1.0), (0.2, 0.2, 0.2)),
        ),
        (
            GivenFacts(range="0..255", mean="255,51,0", std="255", bgr=True),
            ((0, 0.2, 1.0), (1, 1, 1)),
        ),
    ],
)
def test_the_normalisation_is_kept_for_rgb_in_0_to_1(
    given: GivenFacts, expected: tuple[tuple[float, ...], tuple[float, ...]]
) -> None:
    """Whatever units and order of channels the numbers are in."""
    mean, std = normalisation(given, MEAN, STD)
    assert mean == pytest.approx(expected[0])
    assert std == pytest.approx(expected[1])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (GivenFacts(mean="0.5"), "--mean needs --std"),
        (GivenFacts(mean="0.5", std="0"), "greater than 0"),
        (GivenFacts(mean="1,2", std="1"), "three numbers"),
        (GivenFacts(mean="nan,1,1", std="1"), "three numbers"),
        (GivenFacts(mean="1", std="one"), "three numbers"),
        (GivenFacts(range="-1..1", mean="0", std="1"), "no others"),
        (GivenFacts(range="7"), "none of 0..1"),
    ],
)
def test_what_is_no_normalisation_is_refused(given: GivenFacts, words: str) -> None:
    """With one line that says what would be one."""
    with pytest.raises(FactError, match=words):
        normalisation(given, MEAN, STD)


def test_one_number_is_for_all_channels() -> None:
    """A grey mean, as for medical images."""
    assert parse_vector("0.5", "--mean") == (0.5, 0.5, 0.5)


def test_flags_win_over_the_file_and_the_file_over_the_checkpoint(tmp_path: Path) -> None:
    """Each fact keeps its source, and the table shows it."""
    (tmp_path / "segserve.toml").write_text(
        'size = "short=256"\nlabels = "x.json"\n[build]\nmean = [0.5, 0.5, 0.5]\nstd = 0.25\n'
        'interpolation = "bicubic"\nantialias = false\n'
    )
    file = beside(tmp_path / "model.pth")
    facts = resolve(FOUND, GivenFacts(bgr=True, interpolation="nearest"), file)
    assert facts.input == InputSize(
        2048, 16, "short_side", 256, interpolation="nearest", antialias=False
    )
    assert (facts.mean, facts.std) == ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    assert facts.channels == "bgr"
    assert facts.sources == {
        "size": "segserve.toml beside the weights",
        "mean": "segserve.toml beside the weights",
        "std": "segserve.toml beside the weights",
        "channels": "--bgr",
        "interpolation": "--interpolation",
    }
    shown = table(facts)
    assert "short side 256" in shown
    assert "--bgr" in shown


def test_without_anything_the_reader_s_facts_stay() -> None:
    """What no source names is called assumed."""
    facts = resolve(FOUND, GivenFacts())
    assert (facts.input, facts.mean, facts.std) == (FOUND.input, MEAN, STD)
    assert facts.sources["size"] == "config.json"
    assert facts.sources["mean"] == "assumed"


@pytest.mark.parametrize("text", ["size = ", "size = [", "\xff", 'bgr = "yes"'])
def test_a_broken_file_beside_the_weights_is_one_line(tmp_path: Path, text: str) -> None:
    """It names the file."""
    (tmp_path / "segserve.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(FactError, match=r"segserve\.toml"):
        beside(tmp_path / "model.pth")


@pytest.mark.parametrize(
    "facts",
    [
        InputFacts(InputSize(481)),
        InputFacts(InputSize(640, multiple=32), (0.1, 0.2, 0.3), (1 / 255,) * 3, "bgr"),
        InputFacts(InputSize(2048, fit="short_side", short_side=520, antialias=False)),
        InputFacts(InputSize(512, fit="fixed", width=512, height=384, interpolation="nearest")),
        InputFacts(InputSize(2048, fit="native", multiple=16)),
        InputFacts(InputSize(2048, fit="native", multiple=16, rounding="up")),
        InputFacts(InputSize(2048, fit="short_side", short_side=512, rounding="nearest")),
    ],
)
def test_flags_say_what_facts_are(facts: InputFacts) -> None:
    """A calibration is repeated by its flags."""
    other = InputFacts(InputSize(99), (0.9,) * 3, (0.9,) * 3)
    again = resolve(other, as_given(facts))
    assert (again.input, again.channels) == (facts.input, facts.channels)
    assert (again.mean, again.std) == (facts.mean, facts.std)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (GivenFacts(mean="123.7,116.3,103.5", std="58,57,57"), "of values 0..255: add --range"),
        (GivenFacts(mean="0.5", std="1e-30"), "--std '1e-30' is too small"),
        (GivenFacts(mean="0.485", std="0.229", range="0..255"), "leave --range out"),
    ],
)
def test_a_normalisation_of_another_range_is_refused(given: GivenFacts, words: str) -> None:
    """The network would see noise."""
    with pytest.raises(FactError, match=words):
        normalisation(given, MEAN, STD)


def test_a_folder_that_is_a_file_has_no_facts(tmp_path: Path) -> None:
    """The weights' reader says what is wrong with the path."""
    (tmp_path / "mine.pth").write_bytes(b"")
    assert not beside(tmp_path / "mine.pth" / "mine.pth")


@pytest.mark.parametrize("text", ["build = 3", "[[build]]\nsize = 512", "size = {side = 512}"])
def test_a_value_in_the_place_of_a_table_is_refused(text: str, tmp_path: Path) -> None:
    """And a table in the place of a value."""
    (tmp_path / "segserve.toml").write_text(text)
    with pytest.raises(FactError, match=r"write a table \[build\]|size is one value, not a table"):
        beside(tmp_path / "mine.pth")
