"""Loading a model: known architectures load, others are refused with a reason."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from deeplab.spec import InputSize
from scripts.archives.digests import file_sha256
from scripts.networks.architectures import ARCHITECTURES, BUNDLED, BUNDLED_WEIGHTS, ModelChoice
from scripts.networks.checkpoints import CheckpointError, build_network
from scripts.readers.chain import load_checkpoint
from scripts.readers.parameter_names import architecture_of

MOBILENET = "deeplabv3_mobilenet_v3_large"


@pytest.fixture(scope="module")
def bundled() -> dict[str, Tensor]:
    """The bundled weights."""
    return load_file(BUNDLED_WEIGHTS)


def _saved(folder: Path, content: object, name: str = "mine.pth") -> Path:
    path = folder / name
    torch.save(content, path)
    return path


def _labels(folder: Path, classes: int) -> Path:
    path = folder / "labels.json"
    path.write_text(json.dumps({str(index): f"class {index}" for index in range(classes)}))
    return path


def _with_classes(state: dict[str, Tensor], classes: int) -> dict[str, Tensor]:
    """The same network with another last layer."""
    last = {name: state[name][:classes].clone() for name in state if "classifier" in name}
    return {**state, **last}


def test_nothing_chosen_means_the_bundled_model() -> None:
    """It needs no download, and its provenance is known."""
    checkpoint = load_checkpoint(ModelChoice())
    assert checkpoint.architecture == BUNDLED
    assert checkpoint.labels[15] == "person"
    assert checkpoint.input == InputSize(long_side=481, grid=16)
    assert checkpoint.sha256 == file_sha256(BUNDLED_WEIGHTS)
    assert "bundled" in checkpoint.origin
    assert not checkpoint.network.training


def test_the_bundled_weights_are_those_of_the_model_card() -> None:
    """The digest in the model card is the file's."""
    card = (BUNDLED_WEIGHTS.parent / "README.md").read_text()
    assert file_sha256(BUNDLED_WEIGHTS) in card


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_architecture_is_inferred_from_the_parameters(architecture: str) -> None:
    """Weights alone are enough."""
    with torch.device("meta"):  # shapes and names only
        state = build_network(architecture, 21).state_dict()
    assert architecture_of(state) == architecture


def test_foreign_parameters_are_refused(tmp_path: Path) -> None:
    """The message lists the known architectures, and the names in the file."""
    path = _saved(tmp_path, {"net": {"encoder.weight": torch.zeros(1)}})
    with pytest.raises(CheckpointError, match=rf"{BUNDLED}.*under 'net': encoder\.weight"):
        load_checkpoint(ModelChoice(weights=path))


@pytest.mark.parametrize("wrap", ["model", "state_dict"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_what_training_scripts_wrap_is_unwrapped(
    tmp_path: Path, bundled: dict[str, Tensor], wrap: str, prefix: str
) -> None:
    """DataParallel's prefix, an outer dictionary, and an auxiliary head that is not needed."""
    state = {prefix + name: value for name, value in bundled.items()}
    state[prefix + "aux_classifier.0.weight"] = torch.zeros(1)
    path = _saved(tmp_path, {wrap: state, "epoch": 7, "optimizer": {"lr": 0.1}})
    checkpoint = load_checkpoint(ModelChoice(weights=path))
    assert checkpoint.architecture == BUNDLED
    assert checkpoint.origin == "the user's checkpoint mine.pth"


def test_a_torchvision_checkpoint_loads(tmp_path: Path) -> None:
    """With its auxiliary head, as torchvision's own training script saves it."""
    network = build_network(MOBILENET, 21)
    state = {**network.state_dict(), "aux_classifier.4.weight": torch.zeros(21, 10, 1, 1)}
    checkpoint = load_checkpoint(ModelChoice(weights=_saved(tmp_path, {"model": state})))
    assert checkpoint.architecture == MOBILENET
    assert checkpoint.input == InputSize(
        long_side=1040, fit="short_side", short_side=520, exact=True
    )
    with torch.inference_mode():
        assert checkpoint.network(torch.zeros(1, 3, 64, 64)).shape == (1, 21, 4, 4)


def test_other_classes_need_their_labels(tmp_path: Path, bundled: dict[str, Tensor]) -> None:
    """Two classes with two names load."""
    path = tmp_path / "mine.safetensors"
    save_file(_with_classes(bundled, 2), path)
    checkpoint = load_checkpoint(ModelChoice(weights=path, labels=_labels(tmp_path, 2)))
    assert checkpoint.labels == {0: "class 0", 1: "class 1"}


def test_other_classes_without_labels_are_refused(
    tmp_path: Path, bundled: dict[str, Tensor]
) -> None:
    """The message shows the format of the file."""
    path = _saved(tmp_path, _with_classes(bundled, 2))
    with pytest.raises(
        CheckpointError, match=r"2 classes, but no --labels are given.*--labels labels.json"
    ):
        load_checkpoint(ModelChoice(weights=path))


def test_the_wrong_number_of_labels_is_refused(tmp_path: Path) -> None:
    """The message has both numbers."""
    with pytest.raises(CheckpointError, match=r"21 classes, but --labels .* names 3"):
        load_checkpoint(ModelChoice(labels=_labels(tmp_path, 3)))


def test_damaged_labels_are_refused(tmp_path: Path) -> None:
    """The message names the option."""
    path = tmp_path / "labels.json"
    path.write_text("background, cat")
    with pytest.raises(CheckpointError, match=r"--labels .*labels\.json"):
        load_checkpoint(ModelChoice(labels=path))


def test_an_unknown_architecture_is_refused() -> None:
    """The message lists the known ones."""
    with pytest.raises(CheckpointError, match=f"--model deeplabv9 is unknown.*{MOBILENET}"):
        load_checkpoint(ModelChoice(architecture="deeplabv9"))


def test_a_bundled_architecture_without_weights_needs_ones_own() -> None:
    """Only one of the three has weights in the repository."""
    with pytest.raises(
        CheckpointError, match=r"no weights of .*lite1: pass your own with --weights"
    ):
        load_checkpoint(ModelChoice(architecture="deeplabv3_efficientnet_lite1"))


@pytest.mark.parametrize("name", ["none.pth", "none.safetensors"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    """With either suffix."""
    with pytest.raises(CheckpointError, match=f"--weights .*{name}: there is no such file"):
        load_checkpoint(ModelChoice(weights=tmp_path / name))


@pytest.mark.parametrize("name", ["mine.pth", "mine.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not a checkpoint", bytes(1000)])
def test_an_unreadable_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """Empty, text, zeros."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_checkpoint(ModelChoice(weights=path))


def test_a_pickled_network_is_not_executed(tmp_path: Path) -> None:
    """Code inside a checkpoint is refused and not executed."""
    path = _saved(tmp_path, nn.Linear(2, 2))
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load_checkpoint(ModelChoice(weights=path))


@pytest.mark.parametrize(
    ("content", "words"),
    [([torch.zeros(1)], "no state dict"), ({"epoch": 3}, "no tensors"), ({}, "no tensors")],
    ids=["list", "no tensors", "empty"],
)
def test_a_file_without_weights_is_refused(tmp_path: Path, content: object, words: str) -> None:
    """The message says how to save them."""
    with pytest.raises(CheckpointError, match=rf"{words}; save model\.state_dict\(\)"):
        load_checkpoint(ModelChoice(weights=_saved(tmp_path, content)))


def test_weights_of_another_architecture_are_refused() -> None:
    """Model and weights must match."""
    choice = ModelChoice(architecture=MOBILENET, weights=BUNDLED_WEIGHTS)
    with pytest.raises(
        CheckpointError, match=f"not of {MOBILENET}: classifier.4.weight is missing"
    ):
        load_checkpoint(choice)


def test_incomplete_weights_are_refused(tmp_path: Path, bundled: dict[str, Tensor]) -> None:
    """The message names the first parameter that does not match."""
    state = {name: value for name, value in bundled.items() if not name.startswith("backbone.stem")}
    with pytest.raises(CheckpointError, match=rf"does not fit {BUNDLED}: .*backbone\.stem"):
        load_checkpoint(ModelChoice(weights=_saved(tmp_path, state)))


def test_the_kind_of_output_is_of_ready_graphs(tmp_path: Path, bundled: dict[str, Tensor]) -> None:
    """A checkpoint's own architecture gives logits."""
    path = _saved(tmp_path, bundled)
    with pytest.raises(CheckpointError, match="--output-kind is for ready graphs"):
        load_checkpoint(ModelChoice(weights=path, output_kind="ids"))


def test_a_network_of_no_library_is_refused() -> None:
    """A misspelt --like would leave the weights to another reader."""
    with pytest.raises(CheckpointError, match="--like nonsense: write smp:DeepLabV3Plus:resnet34"):
        load_checkpoint(ModelChoice(like="nonsense"))
