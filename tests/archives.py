"""Archives made from the bundled model's, for tests of versions: faster than building them."""

import json
import zipfile
from pathlib import Path


def renumbered(
    source: Path,
    target: Path,
    version: str,
    *,
    broken: bool = False,
    diverged: bool = False,
    batch: int = 1,
    tile: int | str = "off",
    max_tiles: int = 64,
) -> Path:
    """The same model under another version; the same bytes each time.

    broken: its network is cut short, so that no worker can load it. diverged: the last of its
    numbers are NaN, as after a training that diverged. batch: its batch size.
    tile: how it looks at large images by default, in at most ``max_tiles`` tiles.
    """
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "MAR-INF/MANIFEST.json":
                manifest = json.loads(content)
                manifest["model"]["modelVersion"] = version
                content = json.dumps(manifest).encode()
            if broken and name == "network/network.bin":
                content = content[:1000]
            if diverged and name == "network/network.bin":
                content = content[:-4096] + b"\xff" * 4096
            if batch > 1 and name == "model-config.yaml":
                content = content.replace(b"batchSize: 1", f"batchSize: {batch}".encode())
                content = content.replace(b"maxBatchDelay: 0", b"maxBatchDelay: 200")
            if name == "model.json":
                content = json.dumps({**json.loads(content), "tile": tile}).encode()
            if name == "model-config.yaml":
                content = content.replace(b"maxTiles: 64", f"maxTiles: {max_tiles}".encode())
            entry = zipfile.ZipInfo(name)  # of a fixed time
            entry.external_attr = 0o600 << 16
            new.writestr(entry, content)
    return target
