"""Write the OpenAPI document: ``python -m gateway.export_openapi docs/openapi.json``."""

import json
import sys
from pathlib import Path

from gateway.app import create_app
from gateway.settings import Settings


def text() -> str:
    """Return the document as it is checked in, independent of the environment."""
    app = create_app(Settings.model_construct())
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
