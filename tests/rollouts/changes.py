"""Changes of a product by its administration, each remembered as soon as it is acknowledged."""

from pathlib import Path
from typing import Any

import httpx

from scripts.archives.archive import MODEL
from tests.rollouts.ledger import AVAILABLE, Ledger
from tests.rollouts.points import CANARY
from tests.rollouts.product import Product

PATH = f"/v1/admin/models/{MODEL}"


class Changes:
    """The administration of a product, and the ledger of what it has acknowledged."""

    def __init__(self, product: Product) -> None:
        self.product, self.ledger = product, Ledger()

    @property
    def other(self) -> str:
        """The version beside the stable one; empty if there is none."""
        versions = self.ledger.versions.items()
        others = [name for name, (_, state) in versions if state == AVAILABLE]
        return next((each for each in others if each != self.ledger.stable), "")

    @property
    def next_network(self) -> int:
        """The network that stable has not."""
        return 1 - self.ledger.networks[self.ledger.stable]

    def send(self, archive: Path, version: str, workers: int = 1) -> httpx.Response:
        """Send an archive under an Idempotency-Key of its version."""
        with self.product.admin() as admin:
            return admin.post(
                f"{PATH}/versions",
                params={"workers": workers, "why": f"{version} is added"},
                content=archive.read_bytes(),
                headers={
                    "Content-Type": "application/octet-stream",
                    "Idempotency-Key": f"{version} {workers}".replace(" ", "-"),
                },
            )

    def add(self, archive: Path, version: str, workers: int = 1) -> httpx.Response:
        """Add a version, which has the network that stable has not."""
        answer = self.send(archive, version, workers)
        body = self.ledger.note(answer, f"{version} is added")
        self.ledger.added(body, self.next_network, workers)
        return answer

    def retire(self, version: str) -> None:
        """Retire a version, which is canary no longer."""
        if self.ledger.policy["aliases"].get(CANARY) == version:
            self._change("PATCH", "/traffic", f"{version} is no canary", canary=None)
        why = f"{version} is retired"
        with self.product.admin() as admin:
            answer = admin.delete(f"{PATH}/versions/{version}", params={"why": why})
        self.ledger.note(answer, why)
        self.ledger.retired(version)

    def promote(self, version: str) -> None:
        """Make a version stable."""
        why = f"{version} is promoted"
        self._change("POST", "/promote", why, version=version, force=True)

    def place(self, version: str, workers: int) -> None:
        """Set the workers of a version."""
        path = f"/versions/{version}/placement"
        self._change("PUT", path, f"{version} has {workers}", workers=workers)

    def try_canary(self, version: str) -> None:
        """Let a version answer some clients, whatever becomes of it."""
        limits = {"error_percent": 100, "latency_ratio": None}
        canary = {"version": version, "percent": 40}
        self._change("PATCH", "/traffic", f"{version} is tried", canary=canary, limits=limits)

    def make_key(self, name: str) -> str:
        """Make a key; returns it."""
        with self.product.admin() as admin:
            made = admin.post("/v1/admin/keys", json={"name": name})
        assert made.is_success, made.text
        self.ledger.keys[made.json()["id"]] = made.json()["key"]
        return str(made.json()["key"])

    def _change(self, method: str, path: str, why: str, **body: Any) -> None:
        with self.product.admin() as admin:
            answer = admin.request(method, f"{PATH}{path}", json={**body, "why": why})
        self.ledger.note(answer, why)
