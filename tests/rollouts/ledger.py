"""What the product has acknowledged, and what it says now: the two must be the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from scripts.archives.archive import MODEL
from tests.rollouts import torchserve
from tests.rollouts.product import NODE, Product

AVAILABLE, RETIRED = "available", "retired"
_POLICY = ("aliases", "canary_percent", "shadow_percent", "limits")


@dataclass
class Ledger:
    """Everything that was acknowledged.

    versions: name -> (SHA-256, state). networks: which of the two each one has. whys: the reasons
    that were given with changes. entries: of the audit log, by id, as they were seen.
    """

    policy: dict[str, Any] = field(default_factory=dict)
    placements: dict[str, int] = field(default_factory=dict)
    versions: dict[str, tuple[str, str]] = field(default_factory=dict)
    networks: dict[str, int] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    whys: list[str] = field(default_factory=list)
    entries: dict[int, dict[str, Any]] = field(default_factory=dict)

    def note(self, answer: httpx.Response, why: str) -> dict[str, Any]:
        """Remember a change that was acknowledged; returns its answer."""
        assert answer.is_success, answer.text
        self.whys.append(why)
        body: dict[str, Any] = answer.json() if answer.content else {}
        model = body.get("model")
        facts = model if isinstance(model, dict) else body
        if "canary_percent" in facts:
            self.policy = {name: facts[name] for name in _POLICY}
            self.placements = _placed(facts["placements"])
        return body

    def added(self, version: Mapping[str, Any], network: int, workers: int) -> None:
        """Remember a version that was acknowledged."""
        self.versions[version["version"]] = version["sha256"], AVAILABLE
        self.networks[version["version"]] = network
        self.placements[version["version"]] = workers

    def retired(self, version: str) -> None:
        """Remember that a version's end was acknowledged."""
        self.versions[version] = self.versions[version][0], RETIRED
        self.placements.pop(version, None)

    @property
    def stable(self) -> str:
        """The version of clients that name none."""
        return str(self.policy["aliases"]["stable"])

    @property
    def served(self) -> dict[str, int]:
        """Version -> workers that must be ready on the node."""
        return {
            version: self.placements.get(version, 1)
            for version, (_, state) in self.versions.items()
            if state == AVAILABLE and self.placements.get(version, 1)
        }

    def differences(self, product: Product) -> list[str]:
        """What is not as it was acknowledged, or not there yet."""
        try:
            with product.admin() as admin:
                return [
                    *self._of_registry(admin),
                    *self._of_audit(admin),
                    *self._of_node(admin),
                    *self._of_torchserve(product),
                    *_of_disks(product, {sha256 for sha256, _ in self.versions.values()}),
                ]
        except (httpx.TransportError, httpx.HTTPStatusError) as exc:
            return [repr(exc)]

    def _of_registry(self, admin: httpx.Client) -> list[str]:
        model = _json(admin, f"/v1/admin/models/{MODEL}")
        versions = _items(admin, f"/v1/admin/models/{MODEL}/versions")
        keys = _json(admin, "/v1/admin/keys")["keys"]
        return _compared(
            policy=(self.policy, {name: model[name] for name in _POLICY}),
            placements=(self.placements, _placed(model["placements"])),
            versions=(
                self.versions,
                {each["version"]: (each["sha256"], each["state"]) for each in versions},
            ),
            keys=(sorted(self.keys), sorted(each["id"] for each in keys)),
        )

    def _of_audit(self, admin: httpx.Client) -> list[str]:
        now = {each["id"]: each for each in _items(admin, "/v1/admin/audit")}
        lost = [each for each, entry in self.entries.items() if now.get(each) != entry]
        told = {each["why"] for each in now.values()}
        self.entries.update({key: each for key, each in now.items() if key not in lost})
        return [
            *(f"audit entry {self.entries[each]} is {now.get(each)}" for each in lost),
            *(f"no audit entry says {each!r}" for each in self.whys if each not in told),
        ]

    def _of_node(self, admin: httpx.Client) -> list[str]:
        nodes = _items(admin, "/v1/admin/nodes")
        served = {version: ("ready", count, count) for version, count in self.served.items()}
        found = {
            each["version"]: (each["state"], each["ready"], each["wanted"])
            for node in nodes
            if node["fresh"]
            for each in node["versions"]
        }
        names = [node["name"] for node in nodes]
        return _compared(nodes=([NODE], names), reported=(served, found))

    def _of_torchserve(self, product: Product) -> list[str]:
        held = torchserve.held(product)
        served = {
            version: (count, count, f"{MODEL}-{version}-{self.versions[version][0]}.mar")
            for version, count in self.served.items()
        }
        found = {name: (each.wanted, each.ready, each.archive) for name, each in held.items()}
        default = torchserve.default_version(product)
        return _compared(loaded=(served, found), default=(self.stable, default))


def _of_disks(product: Product, known: set[str]) -> list[str]:
    """Files that half a step has left."""
    stored = {path.name for path in (product.data_dir / "archives").iterdir()}
    there = {path.name for path in (product.agent_dir / "archives").iterdir()}
    scratch = [path.name for path in product.scratch.iterdir() if path.name.startswith("segserve-")]
    found = [
        *(name for name in stored if name.removesuffix(".mar") not in known),
        *(name for name in there if not name.endswith(".mar")),
        *(sorted(scratch)[1:]),
    ]
    return [f"left over: {name}" for name in found]


def _compared(**pairs: tuple[object, object]) -> list[str]:
    return [
        f"{name}: {expected} expected, {actual} found"
        for name, (expected, actual) in pairs.items()
        if expected != actual
    ]


def _placed(placements: list[dict[str, Any]]) -> dict[str, int]:
    return {each["version"]: each["workers"] for each in placements}


def _json(admin: httpx.Client, path: str, **query: str) -> dict[str, Any]:
    answer = admin.get(path, params=query)
    answer.raise_for_status()
    body: dict[str, Any] = answer.json()
    return body


def _items(admin: httpx.Client, path: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    query = {"limit": "200"}
    while True:
        page = _json(admin, path, **query)
        items += page["items"]
        if page["next"] is None:
            return items
        query["cursor"] = page["next"]
