"""Loads an unpacked archive as a TorchServe worker does, and segments one image.

``python -I loads_like_torchserve.py ARCHIVE_FOLDER IMAGE`` runs in a process of its own and prints
its observations as JSON.
"""

import base64
import importlib
import inspect
import json
import sys
from pathlib import Path
from typing import Any


class Context:
    """The parts of TorchServe's context that a handler may use."""

    def __init__(self, folder: Path):
        self.manifest = json.loads((folder / "MAR-INF" / "MANIFEST.json").read_text())
        self.system_properties = {"model_dir": str(folder), "gpu_id": None}
        self.model_yaml_config: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.status = 200

    def get_request_header(self, _index: int, _key: str) -> None:
        """Return None: the client sent no headers."""

    def get_all_request_header(self, _index: int) -> dict[str, str]:
        """Return no headers: the client sent none."""
        return {}

    def set_response_header(self, _index: int, key: str, value: str) -> None:
        """Store a header of the response."""
        self.headers[key] = value

    def set_response_content_type(self, _index: int, value: str) -> None:
        """Store the media type of the response."""
        self.headers["content-type"] = value

    def set_response_status(self, code: int, phrase: str, idx: int) -> None:
        """Store the status of the response."""
        self.status = code


def main() -> None:
    """Import the module that the manifest names, initialise its one class, segment one image."""
    folder, image = Path(sys.argv[1]), Path(sys.argv[2])
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
    body = handler.handle([{"body": bytearray(image.read_bytes())}], context)[0]
    observations = {
        "classes": [each.__name__ for each in classes],
        "functions": [name for name in ("handle",) if hasattr(module, name)],
        "status": context.status,
        "headers": context.headers,
        "mask": base64.b64encode(body).decode(),
        "modules": sorted(set(sys.modules) - before),
        "path": sys.path,
    }
    print(json.dumps(observations))


if __name__ == "__main__":
    main()
