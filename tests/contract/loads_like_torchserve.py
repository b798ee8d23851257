"""Runs in a process of its own: load an unpacked archive as a worker does, and use it once.

``python -I loads_like_torchserve.py ARCHIVE_FOLDER PHOTOGRAPH`` prints what it found as JSON.
"""

import base64
import importlib
import inspect
import json
import sys
from pathlib import Path
from typing import Any


class Context:
    """As little as a handler may rely on."""

    def __init__(self, folder: Path):
        self.manifest = json.loads((folder / "MAR-INF" / "MANIFEST.json").read_text())
        self.system_properties = {"model_dir": str(folder), "gpu_id": None}
        self.model_yaml_config: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.status = 200

    def get_request_header(self, _index: int, _key: str) -> None:
        """The client sent none."""

    def get_all_request_header(self, _index: int) -> dict[str, str]:
        """The client sent none."""
        return {}

    def set_response_header(self, _index: int, key: str, value: str) -> None:
        """Remember it."""
        self.headers[key] = value

    def set_response_content_type(self, _index: int, value: str) -> None:
        """Remember it."""
        self.headers["content-type"] = value

    def set_response_status(self, code: int, phrase: str, idx: int) -> None:
        """Remember it."""
        self.status = code


def main() -> None:
    """Import by the manifest's name, take the one class, initialise, handle one picture."""
    folder, photograph = Path(sys.argv[1]), Path(sys.argv[2])
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    context = Context(folder)
    module = importlib.import_module(context.manifest["model"]["handler"].removesuffix(".py"))
    classes = [
        each
        for _, each in inspect.getmembers(module, inspect.isclass)
        if each.__module__ == module.__name__
    ]
    handler: Any = classes[0]()
    handler.initialize(context)
    body = handler.handle([{"body": bytearray(photograph.read_bytes())}], context)[0]
    facts = {
        "classes": [each.__name__ for each in classes],
        "functions": [name for name in ("handle",) if hasattr(module, name)],
        "status": context.status,
        "headers": context.headers,
        "mask": base64.b64encode(body).decode(),
        "modules": sorted(set(sys.modules) - before),
        "path": sys.path,
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
