"""The gate of a promotion on the real product: nodes must compute the masks of the build."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from safetensors.torch import load_file, save_file

from scripts.networks.architectures import BUNDLED_WEIGHTS
from tests.archives import renumbered
from tests.stack import Stack, segserve

HONEST, SWAPPED = "6.0", "6.1"
DIGEST = "6" * 64


def other_weights(stack: Stack, folder: Path) -> Path:
    """An archive of another network: the bundled one with its classes in another order."""
    weights = load_file(BUNDLED_WEIGHTS)
    weights["head.classifier.weight"] = weights["head.classifier.weight"].flip(0).contiguous()
    weights["head.classifier.bias"] = weights["head.classifier.bias"].flip(0).contiguous()
    file = folder / "other.safetensors"
    save_file(weights, file)
    arguments = ("build", str(file), "--precision", "fp32", "--version", SWAPPED)
    done = segserve(*arguments, "--store", str(folder), environment=stack.environment, timeout=240)
    assert done.returncode == 0, done.stderr
    return folder / f"deeplabv3-{SWAPPED}.mar"


def with_golden_masks_of(source: Path, archive: Path, target: Path) -> Path:
    """An archive with the golden masks of another: its weights are not those of its build."""
    with (
        zipfile.ZipFile(source) as measured,
        zipfile.ZipFile(archive) as old,
        zipfile.ZipFile(target, "w") as new,
    ):
        for name in old.namelist():
            file = measured if name.startswith("golden/") else old
            new.writestr(zipfile.ZipInfo(name), file.read(name))
    return target


@pytest.fixture
def versions(stack: Stack, tmp_path: Path) -> Iterator[None]:
    """An honest version and one with other weights; afterwards 1.0 serves alone again."""
    bundled = stack.model_store / "deeplabv3-1.0.mar"
    honest = renumbered(bundled, tmp_path / "honest.mar", HONEST)
    swapped = with_golden_masks_of(bundled, other_weights(stack, tmp_path), tmp_path / "new.mar")
    try:
        for archive in (honest, swapped):
            added = stack.versions("add", str(archive), "--workers", "1")
            assert added.returncode == 0, added.stderr
        yield
    finally:
        stack.versions("default", "1.0")
        for version in (HONEST, SWAPPED):
            stack.versions("remove", version)


def record(stack: Stack, version: str) -> None:
    """Record the same figures for a version."""
    token = (stack.data_dir / "admin-token").read_text()
    body = {"data_name": "val", "data_digest": DIGEST, "figures": {"miou": 0.7, "per_class": {}}}
    path = f"/v1/admin/models/deeplabv3/versions/{version}/evaluations"
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.post(f"{stack.gateway_url}{path}", json=body, headers=headers, timeout=30.0)
    assert answer.status_code == 201, answer.text


@pytest.mark.timeout(900)  # it exports a network
@pytest.mark.usefixtures("versions")
def test_weights_that_are_not_those_of_the_build_are_not_promoted(stack: Stack) -> None:
    """One reason with the node and the photograph; the honest version passes, as measured."""
    for version in ("1.0", HONEST, SWAPPED):
        record(stack, version)

    refused = stack.versions("promote", SWAPPED)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"{SWAPPED} does not become stable: golden masks on local differ: " in refused.stderr
    assert "motorcycle.jpg" in refused.stderr

    promoted = stack.versions("promote", HONEST, "--json")
    assert promoted.returncode == 0, promoted.stderr
    answer = json.loads(promoted.stdout)
    assert (answer["version"], answer["former"], answer["forced"]) == (HONEST, "1.0", False)
    (finding,) = (each for each in answer["verdict"]["findings"] if "golden" in each)
    assert finding.endswith("of the pixels of 3 photographs agree")
