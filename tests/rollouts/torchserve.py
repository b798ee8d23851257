"""What a product's TorchServe holds, by its management API."""

import json
from dataclasses import dataclass
from typing import Any

import httpx

from scripts.archives.archive import MODEL
from tests.rollouts.product import Product


@dataclass(frozen=True)
class Held:
    """A version in TorchServe. wanted, ready: workers. archive: the file's name."""

    wanted: int
    ready: int
    archive: str


def held(product: Product) -> dict[str, Held]:
    """Version -> how it is loaded; empty while TorchServe does not answer."""
    return {
        each["modelVersion"]: Held(
            each["minWorkers"],
            sum(worker["status"] == "READY" for worker in each.get("workers", [])),
            each["modelUrl"],
        )
        for each in _get(product, f"/models/{MODEL}/all")
    }


def default_version(product: Product) -> str | None:
    """TorchServe's default version."""
    found = _get(product, f"/models/{MODEL}")
    return found[0]["modelVersion"] if found else None


def _get(product: Product, path: str) -> list[dict[str, Any]]:
    try:
        tokens = json.loads((product.agent_dir / "torchserve" / "key_file.json").read_text())
        answer = httpx.get(
            f"http://127.0.0.1:{product.ports['MANAGEMENT']}{path}",
            headers={"Authorization": f"Bearer {tokens['management']['key']}"},
            timeout=5.0,
            trust_env=False,
        )
        found: list[dict[str, Any]] = answer.json() if answer.is_success else []
    except (OSError, ValueError, KeyError, httpx.HTTPError):
        return []
    return found
