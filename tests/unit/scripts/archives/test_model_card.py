"""model.toml: read, and refused with the key that is wrong."""

from pathlib import Path

import pytest

from scripts.archives.model_card import CardError, read_card

LABELS = {0: "background", 1: "crack"}


def _written(folder: Path, text: str) -> Path:
    path = folder / "model.toml"
    path.write_text(text, encoding="utf-8-sig")
    return path


def test_a_card_is_read(tmp_path: Path) -> None:
    """Texts, examples, and names and colours of classes."""
    text = (
        'name = " Cracks "\nlicence = "CC-BY-4.0"\nexamples = ["https://example.org/a.jpg"]\n'
        '[classes.crack]\nname = "Crack"\ncolour = "#d55e00"\n'
    )
    assert read_card(_written(tmp_path, text), LABELS) == {
        "name": "Cracks",
        "licence": "CC-BY-4.0",
        "examples": ["https://example.org/a.jpg"],
        "classes": {"crack": {"name": "Crack", "colour": "#d55e00"}},
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = ", "not TOML"),
        ("colour = 'red'", "colour is unknown; known are name, purpose"),
        ("name = 1", "name is a text"),
        ("name = ''", "name is a text"),
        ("name = '" + "x" * 5000 + "'", "name is a text of 1 to 4000"),
        ("examples = 'a'", "examples is a list"),
        ("examples = [1]", "examples is a text"),
        ("classes = 3", "classes is a table"),
        ("[classes.car]\nname = 'Car'", "classes.car: the model has no such class"),
        ("[classes.crack]\ncolor = '#fff'", "has the keys name and colour"),
        ("[classes.crack]\ncolour = 'red'", "of the form #rrggbb"),
        ("[classes.crack]\nname = 7", "classes.crack.name is a text"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    """In one line, with the file."""
    path = _written(tmp_path, text)
    with pytest.raises(CardError) as caught:
        read_card(path, LABELS)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """Where the flag names it."""
    with pytest.raises(CardError, match="there is no such file"):
        read_card(tmp_path / "none.toml", LABELS)
