"""The names of the image formats that the handler accepts, for the OpenAPI document.

The handler decides what is accepted: the document reads its data file, and shares no code.
"""

import json
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).parents[2] / "handler" / "deeplab" / "image_formats.json"

_NAMES: Final = [str(each["name"]) for each in json.loads(_FILE.read_text())]


def listed(conjunction: str) -> str:
    """The names in words: "JPEG, PNG and GIF"."""
    return f"{', '.join(_NAMES[:-1])} {conjunction} {_NAMES[-1]}"
