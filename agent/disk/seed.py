"""Archives that came with this node, built here or in its image, and their offer to a gateway."""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.gateway import GatewayError, Gateways, RefusalError
from agent.http_json import CallError

MANIFEST = "MAR-INF/MANIFEST.json"


@dataclass(frozen=True)
class Seed:
    """An archive to offer. is_stable: whether it must be what clients get, whatever was before."""

    path: Path
    model: str
    version: str
    sha256: str
    is_stable: bool


class SeedError(RuntimeError):
    """An archive that cannot be offered; the text is one line."""


def read(paths: Sequence[Path], *, first_is_stable: bool) -> list[Seed]:
    """The archives with their names and digests. Raises SeedError."""
    seeds = []
    for index, path in enumerate(paths):
        try:
            with zipfile.ZipFile(path) as file:
                model = json.loads(file.read(MANIFEST))["model"]
            with path.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            name, version = str(model["modelName"]), str(model["modelVersion"])
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as exc:
            raise SeedError(f"{path} is not an archive ({exc})") from exc
        seeds.append(Seed(path, name, version, digest, first_is_stable and index == 0))
    return seeds


def offer(gateways: Gateways, seed: Seed) -> str | None:
    """Offer an archive; returns why the gateway does not take it, None if it has it now.

    Raises GatewayError if no gateway answers.
    """
    facts = {
        "model": seed.model,
        "version": seed.version,
        "sha256": seed.sha256,
        "stable": seed.is_stable,
    }
    try:
        answer = gateways.post("/v1/agent/seeds", facts)
        if answer.get("needs_archive"):
            answer = gateways.put(f"/v1/agent/seeds/{seed.sha256}", facts, seed.path)
    except RefusalError as exc:
        return str(exc)
    except CallError as exc:
        raise GatewayError(str(exc)) from exc
    refusal = answer.get("refusal")
    return None if refusal is None else str(refusal)
