"""The parser of Label Studio's labelling configuration."""

import pytest

from gateway.errors import InvalidRequestError
from gateway.protocols.label_studio.label_config import LabelConfig, read_label_config

IMAGE = '<Image name="photo" value="$url"/>'
BRUSH = '<BrushLabels name="tag" toName="photo"><Label value="Cat"/></BrushLabels>'


def view(*tags: str) -> str:
    """A configuration with these tags."""
    return f"<View>{''.join(tags)}</View>"


@pytest.mark.parametrize(
    "xml",
    [
        view(IMAGE, BRUSH),
        view(BRUSH, IMAGE),
        view("<View><!-- a comment -->", IMAGE, "</View>", "<Style>p {}</Style>", BRUSH),
        view('<Image name="other" value="$other"/>', IMAGE, BRUSH),
        view('<BrushLabels name="b" toName="nothing"/>', '<BrushLabels name="c"/>', IMAGE, BRUSH),
        f'<?xml version="1.0" encoding="UTF-8"?>{view(IMAGE, BRUSH)}',
    ],
)
def test_the_brush_and_its_image_are_found(xml: str) -> None:
    """The brush and its image are identified among other tags."""
    assert read_label_config(xml) == LabelConfig("tag", "photo", "url", {"cat": "Cat"})


def test_a_label_has_many_names() -> None:
    """A class matches a label's value, alias or predicted values."""
    labels = (
        '<BrushLabels name="tag" toName="photo"><Label value="Katze" alias="Cat"/>'
        '<Label value="Vehicle" predicted_values="car, Bus,"/><View><Label value=" Dog "/></View>'
        "<Label/></BrushLabels>"
    )
    assert read_label_config(view(IMAGE, labels)).labels == {
        "katze": "Cat",
        "cat": "Cat",
        "vehicle": "Vehicle",
        "car": "Vehicle",
        "bus": "Vehicle",
        "dog": " Dog ",
    }


@pytest.mark.parametrize(
    "xml",
    [
        view(),
        view(IMAGE),
        view(BRUSH),
        view('<Image name="photo"/>', BRUSH),
        view('<Image name="photo" value="http://elsewhere/a.jpg"/>', BRUSH),
        view(IMAGE, BRUSH.replace("BrushLabels", "PolygonLabels")),
    ],
)
def test_a_configuration_without_brushes_is_refused(xml: str) -> None:
    """The error shows the missing tags."""
    with pytest.raises(InvalidRequestError, match='<BrushLabels name="tag" toName="image">'):
        read_label_config(xml)


@pytest.mark.parametrize("xml", ["", "no XML", "<View>", "<View/><View/>", "<View>\0</View>", "<"])
def test_what_is_no_xml_is_refused(xml: str) -> None:
    """Malformed XML is an InvalidRequestError."""
    with pytest.raises(InvalidRequestError, match="not well-formed"):
        read_label_config(xml)


@pytest.mark.parametrize(
    "declaration",
    [
        "<!DOCTYPE View>",
        '<!DOCTYPE View [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE View [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE View SYSTEM "http://elsewhere/a.dtd">',
    ],
)
def test_entities_are_never_expanded(declaration: str) -> None:
    """Declarations of entities and external files are refused."""
    with pytest.raises(InvalidRequestError, match="document type"):
        read_label_config(declaration + view(IMAGE, BRUSH))


def test_size_is_bounded_and_depth_does_no_harm() -> None:
    """36,000 nested tags are parsed, and more than 256 KiB refused."""
    deep = "<a>" * 36_000 + "</a>" * 36_000
    assert read_label_config(view(deep, IMAGE, BRUSH)).control == "tag"
    with pytest.raises(InvalidRequestError, match="more than 262144 characters"):
        read_label_config(view(deep, deep, IMAGE, BRUSH))
