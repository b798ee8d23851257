"""The image formats that the page previews and that its uploader lists.

The handler's policy decides what is accepted: the page reads its data file, and shares no code.
"""

import json
from pathlib import Path

_FILE = Path(__file__).parents[2] / "handler" / "deeplab" / "image_formats.json"

# Pillow's name of each format -> its file extensions. Not derived from Pillow, which lists the
# extensions of animations too; not "image/*", which Streamlit does not check on the server.
EXTENSIONS: dict[str, tuple[str, ...]] = {
    each["pillow_name"]: tuple(each["extensions"]) for each in json.loads(_FILE.read_text())
}
