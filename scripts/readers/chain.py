"""Loading a model: the readers are asked in turn, the first that knows the file's kind answers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from scripts.networks import torchvision_weights
from scripts.networks.architectures import (
    ARCHITECTURES,
    BUNDLED,
    BUNDLED_WEIGHTS,
    LITE_ARCHITECTURES,
    ModelChoice,
)
from scripts.networks.checkpoints import Checkpoint, CheckpointError
from scripts.networks.facts import ReadOptions, facts_of
from scripts.networks.given_facts import NOTHING_GIVEN, FactError, GivenFacts
from scripts.networks.ready_graph import ReadyGraph
from scripts.readers import files, ready_graphs, state_dicts
from scripts.readers.input_facts import beside, overrides, resolve
from scripts.readers.libraries import hugging_face, smp
from scripts.readers.libraries.mmseg import reader as mmseg

Reader = Callable[[Path, ReadOptions], Checkpoint | None]

# The state dicts' reader is the last: what it does not know, it refuses.
READERS: tuple[Reader, ...] = (
    ready_graphs.read,
    hugging_face.read,
    smp.read,
    mmseg.read,
    state_dicts.read,
)


def load_checkpoint(choice: ModelChoice) -> Checkpoint:
    """Load the chosen model with the facts that count about its input.

    Raises CheckpointError or torchvision_weights.DownloadError.
    """
    path, origin = _locate(choice)
    if choice.like and not choice.like.startswith(smp.LIKE):
        raise CheckpointError(f"--like {choice.like}: write smp:DeepLabV3Plus:resnet34, or so")
    try:
        file = beside(choice.weights) if choice.weights else NOTHING_GIVEN
        options = _options(choice, file)
        read = (reader(path, options) for reader in READERS)
        checkpoint = next((each for each in read if each is not None), None)
    except FactError as exc:
        raise CheckpointError(str(exc)) from exc
    finally:
        files.forget()
    if checkpoint is None:
        raise CheckpointError(f"--weights {path}: no reader knows this kind of file")
    if choice.threshold is not None and checkpoint.output != "sigmoid":
        raise CheckpointError("--threshold is for networks with one output; this one has several")
    if choice.output_kind is not None and not isinstance(checkpoint.network, ReadyGraph):
        raise CheckpointError("--output-kind is for ready graphs; what this network gives is known")
    if origin is not None:
        checkpoint = replace(checkpoint, origin=origin, assumption="", is_published=True)
    return _with_facts(checkpoint, choice.given, file)


def _with_facts(checkpoint: Checkpoint, flags: GivenFacts, file: GivenFacts) -> Checkpoint:
    """The checkpoint with the facts that count: of flags and file, before its reader's."""
    try:
        facts = resolve(facts_of(checkpoint), flags, file)
    except FactError as exc:
        raise CheckpointError(str(exc)) from exc
    # Only our own recipe has a grid; others see the pixels that their own library gave them.
    facts = replace(facts, input=replace(facts.input, exact=not facts.input.aligned))
    # Another input than the original's own is compared with the network behind that input.
    original = None if flags or file else checkpoint.original
    return replace(checkpoint, facts=facts, input=facts.input, original=original)


def _options(choice: ModelChoice, file: GivenFacts) -> ReadOptions:
    """The choice in the readers' words. Raises FactError."""
    return ReadOptions(
        architecture=choice.architecture,
        labels=choice.labels,
        threshold=0.5 if choice.threshold is None else choice.threshold,
        trust_pickle=choice.trust_pickle,
        like=choice.like,
        output=choice.output_kind,
        overrides=overrides(choice.given, file),
    )


def _locate(choice: ModelChoice) -> tuple[Path, str | None]:
    """The file of weights, and its origin where it is not the user's."""
    if choice.architecture is not None and choice.architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"--model {choice.architecture} is unknown; choose one of {', '.join(ARCHITECTURES)}"
        )
    if choice.weights is not None:
        return choice.weights, None
    if choice.architecture is None or choice.architecture == BUNDLED:
        return BUNDLED_WEIGHTS, "bundled with Segserve; see model_store/weights/README.md"
    if choice.architecture in LITE_ARCHITECTURES:
        raise CheckpointError(
            f"there are no weights of {choice.architecture}: pass your own with --weights"
        )
    return torchvision_weights.fetch_weights(
        choice.architecture
    ), "published by torchvision (BSD-3-Clause)"
