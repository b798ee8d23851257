"""Labels for networks whose library saves none."""

import json
from pathlib import Path


def label_file(folder: Path, classes: int) -> Path:
    """Write labels.json with "kind 0", "kind 1", ..."""
    path = folder / "labels.json"
    path.write_text(json.dumps({str(each): f"kind {each}" for each in range(classes)}))
    return path
