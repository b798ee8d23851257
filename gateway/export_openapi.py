"""Write the OpenAPI document: ``python -m gateway.export_openapi docs/openapi.json``."""

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.app import create_app
from gateway.settings import Settings


def text() -> str:
    """Return the document as it is checked in, independent of the environment."""
    with TemporaryDirectory() as folder:
        app = create_app(Settings.model_construct(data_dir=Path(folder)))
        return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the OpenAPI document.")
    parser.add_argument("file", type=Path, help="such as docs/openapi.json")
    parser.parse_args().file.write_text(text(), encoding="utf-8")
