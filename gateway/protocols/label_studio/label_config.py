"""Parser of Label Studio's labelling configuration."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from gateway.errors import InvalidRequestError
from gateway.segmentation.options import casefolded

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MAX_CHARACTERS: Final = 256 * 1024
_EXAMPLE: Final = (
    '<Image name="image" value="$image"/> and <BrushLabels name="tag" toName="image"> with a '
    '<Label value="..."/> for each class'
)


@dataclass(frozen=True)
class LabelConfig:
    """The parts of a configuration that predictions need.

    control: name of the BrushLabels; image: name of the Image that they mark.
    field: key of a task's data that holds the image.
    labels: case-folded name of a class -> the label as Label Studio stores it.
    """

    control: str
    image: str
    field: str
    labels: dict[str, str]


def read_label_config(xml: str) -> LabelConfig:
    """Parse the first BrushLabels of a configuration; raises InvalidRequestError without one."""
    root = _parse(xml)
    images = {each.get("name"): each.get("value", "") for each in root.iter("Image")}
    for control in root.iter("BrushLabels"):
        name, image = control.get("name"), control.get("toName")
        if name and image and (field := images.get(image, "")).startswith("$"):
            return LabelConfig(name, image, field[1:], dict(_labels(control)))
    raise InvalidRequestError(f"The labelling configuration lacks what is marked: {_EXAMPLE}.")


def _parse(xml: str) -> "Element":
    if len(xml) > _MAX_CHARACTERS:
        raise InvalidRequestError(
            f"The labelling configuration has more than {_MAX_CHARACTERS} characters."
        )
    try:
        return fromstring(xml, forbid_dtd=True)
    except DefusedXmlException as exc:
        raise InvalidRequestError(
            "The labelling configuration declares a document type or entities. Leave them out."
        ) from exc
    except (ParseError, ValueError) as exc:
        raise InvalidRequestError("The labelling configuration is not well-formed XML.") from exc


def _labels(control: "Element") -> Iterator[tuple[str, str]]:
    """Yield each name that a class may have, and the label that Label Studio stores for it."""
    for label in control.iter("Label"):
        value, alias = label.get("value", ""), label.get("alias", "")
        names = [value, alias, *label.get("predicted_values", "").split(",")]
        for name in filter(None, map(casefolded, names)):
            yield name, alias or value
