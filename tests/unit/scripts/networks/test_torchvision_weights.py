"""Download and verification of torchvision's published weights."""

import hashlib
import http.server
import importlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import nn

from scripts.networks import torchvision_weights
from scripts.networks.architectures import TORCHVISION_ARCHITECTURES
from tests.stack import free_ports

MOBILENET = "deeplabv3_mobilenet_v3_large"
CONTENT = b"weights as they were published"
NAME = f"{MOBILENET}-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


class _Site(http.server.BaseHTTPRequestHandler):
    """A server that gives the same content for every path, and counts requests."""

    served = 0

    def do_GET(self) -> None:
        type(self).served += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def site() -> Iterator[str]:
    """A real web server with the weights."""
    _Site.served = 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Site) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _published_at(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = torchvision_weights._segmentation().DeepLabV3_MobileNet_V3_Large_Weights.DEFAULT
    monkeypatch.setattr(weights.value, "url", url)
    monkeypatch.setenv("SEGSERVE_EXPORT_CACHE", str(folder))


def test_weights_are_downloaded_once(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time they come from the cache."""
    _published_at(f"{site}/{NAME}", tmp_path / "cache", monkeypatch)
    first = torchvision_weights.fetch_weights(MOBILENET)
    assert first == torchvision_weights.fetch_weights(MOBILENET)
    assert first.read_bytes() == CONTENT
    assert _Site.served == 1


def test_content_that_was_not_published_is_refused(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash in the file's name must match; otherwise nothing is kept."""
    _published_at(f"{site}/{MOBILENET}-01234567.pth", tmp_path, monkeypatch)
    with pytest.raises(torchvision_weights.DownloadError, match="invalid hash value"):
        torchvision_weights.fetch_weights(MOBILENET)
    assert list(tmp_path.iterdir()) == []


def test_without_a_network_the_message_names_two_ways_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copy the file there by hand, or use the bundled model."""
    (closed,) = free_ports(1)
    _published_at(f"http://127.0.0.1:{closed}/{NAME}", tmp_path, monkeypatch)
    with pytest.raises(torchvision_weights.DownloadError) as caught:
        torchvision_weights.fetch_weights(MOBILENET)
    words = str(caught.value)
    assert f"put {NAME} into {tmp_path} by hand" in words
    assert "leave --model out" in words
    assert list(tmp_path.iterdir()) == []


def test_weights_put_there_by_hand_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was copied into the cache is not downloaded."""
    (closed,) = free_ports(1)
    _published_at(f"http://127.0.0.1:{closed}/{NAME}", tmp_path, monkeypatch)
    (tmp_path / NAME).write_bytes(CONTENT)
    assert torchvision_weights.fetch_weights(MOBILENET) == tmp_path / NAME


def test_wrong_weights_put_there_by_hand_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An incomplete copy is not used."""
    _published_at(f"http://127.0.0.1:9/{NAME}", tmp_path, monkeypatch)
    (tmp_path / NAME).write_bytes(CONTENT[:-1])
    with pytest.raises(torchvision_weights.DownloadError, match="is not what was published"):
        torchvision_weights.fetch_weights(MOBILENET)


@pytest.mark.parametrize("architecture", TORCHVISION_ARCHITECTURES)
def test_every_architecture_has_published_weights(architecture: str) -> None:
    """The file's name contains its hash."""
    weights = (
        torchvision_weights._segmentation()
        .__dict__[torchvision_weights._weights_name(architecture)]
        .DEFAULT
    )
    name = weights.url.rsplit("/", 1)[-1]
    assert name.startswith(architecture)
    assert len(name.removesuffix(".pth").rsplit("-", 1)[-1]) == 8


def _models() -> Any:
    """torchvision.models, which some pairs of builds can only import after our preparation."""
    torchvision_weights._segmentation()
    return importlib.import_module("torchvision.models")


def _backbone_at(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish a file that is in the cache as ImageNet's weights of MobileNet."""
    models = _models()
    weights = models.MobileNet_V3_Large_Weights.DEFAULT
    (closed,) = free_ports(1)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:8]
    published = file.with_name(f"mobilenet_v3_large-{digest}.pth")
    file.rename(published)
    monkeypatch.setattr(weights.value, "url", f"http://127.0.0.1:{closed}/{published.name}")
    monkeypatch.setenv("SEGSERVE_EXPORT_CACHE", str(file.parent))
    # Where torchvision itself looks for it.
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(file.parent))
    (file.parent / "checkpoints").symlink_to(file.parent)


class _Program:
    """An object that leaves a file behind where it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_a_backbone_is_read_as_tensors_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program among the weights does not run."""
    torch.save({"features.0.0.weight": _Program(tmp_path / "mark")}, tmp_path / "new")
    _backbone_at(tmp_path / "new", monkeypatch)
    with pytest.raises(torchvision_weights.DownloadError, match="holds more than tensors"):
        torchvision_weights.backbone_state(MOBILENET)
    assert not (tmp_path / "mark").exists()


def test_a_replaced_backbone_in_the_cache_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash is compared each time, not only after the download."""
    torch.save({}, tmp_path / "new")
    _backbone_at(tmp_path / "new", monkeypatch)
    (published,) = tmp_path.glob("mobilenet*.pth")
    published.write_bytes(CONTENT)
    with pytest.raises(torchvision_weights.DownloadError, match="is not what was published"):
        torchvision_weights.backbone_state(MOBILENET)


@pytest.mark.parametrize("architecture", TORCHVISION_ARCHITECTURES)
def test_a_backbone_is_the_classifiers(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each tensor of torchvision's classifier gets its place in the network."""
    models = _models()
    name = architecture.split("_", 1)[1]
    classifier = getattr(models, name)(weights=None)
    torch.save(classifier.state_dict(), tmp_path / "new")
    digest = hashlib.sha256((tmp_path / "new").read_bytes()).hexdigest()[:8]
    (tmp_path / "new").rename(tmp_path / f"{name}-{digest}.pth")
    weights = models.__dict__[torchvision_weights._backbone_name(architecture)].DEFAULT
    monkeypatch.setattr(weights.value, "url", f"http://127.0.0.1:9/{name}-{digest}.pth")
    monkeypatch.setenv("SEGSERVE_EXPORT_CACHE", str(tmp_path))
    state = torchvision_weights.backbone_state(architecture)
    network = torchvision_weights.build_network(architecture, classes=3)
    cast(nn.Module, network.backbone).load_state_dict(state)
    layers = getattr(classifier, "features", classifier)
    for key, value in layers.state_dict().items():
        assert key not in state or torch.equal(value, state[key])
    assert len(state) >= len(layers.state_dict()) - 2


def test_logits_are_not_scaled_up_by_the_network() -> None:
    """The exported graph leaves upsampling to the handler."""
    network = torchvision_weights.build_network(MOBILENET, classes=5).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 96)).shape == (1, 5, 4, 6)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["lraspp_mobilenet_v3_large", "fcn_resnet50"])
def test_scaled_up_the_logits_are_torchvisions(architecture: str) -> None:
    """LR-ASPP's head takes two levels of the backbone."""
    build = getattr(torchvision_weights._segmentation(), architecture)
    whole = build(weights=None, weights_backbone=None, num_classes=5).eval()
    network = torchvision_weights.build_network(architecture, classes=5).eval()
    network.load_state_dict(whole.state_dict())
    image = torch.rand(1, 3, 97, 129)
    with torch.inference_mode():
        scaled = nn.functional.interpolate(network(image), size=(97, 129), mode="bilinear")
        assert torch.allclose(scaled, whole(image)["out"], atol=1e-5)
