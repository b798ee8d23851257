"""The choice of a model and of what it is exported for, from the flags of a command.

Imports no torch, so that a command can show its help without.
"""

from dataclasses import dataclass
from pathlib import Path

from deeplab.spec import EngineName, Output, Precision
from scripts.networks.architectures import ModelChoice
from scripts.networks.given_facts import NOTHING_GIVEN, GivenFacts

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS: dict[str, Precision | None] = {
    "auto": None,
    "fp32": "f32",
    "bf16": "bf16",
    "int8": "int8",
}


@dataclass(frozen=True)
class ExportTarget:
    """What is exported for.

    precision: None for the fastest that gives the eager model's masks. is_checked: whether an
    artefact that does not give them is refused.
    """

    engine: EngineName
    precision: Precision | None = None
    is_checked: bool = True


@dataclass(frozen=True)
class ModelFlags:
    """The flags that choose a model, as they were given."""

    model: str | None = None
    weights: Path | None = None
    labels: Path | None = None
    device: str = "auto"
    precision: str = "auto"
    unproved: bool = False
    like: str | None = None
    card: Path | None = None
    given: GivenFacts = NOTHING_GIVEN
    threshold: float | None = None
    trust_pickle: bool = False
    output_kind: Output | None = None

    @property
    def choice(self) -> ModelChoice:
        """The model to load."""
        return ModelChoice(
            self.model,
            self.weights,
            self.labels,
            self.threshold,
            self.trust_pickle,
            self.given,
            self.like,
            self.card,
            self.output_kind,
        )

    @property
    def target(self) -> ExportTarget:
        """What to export for; on "auto", CUDA where torch finds a device."""
        engine: EngineName = "torch" if self._is_for_cuda() else "openvino"
        precision = PRECISIONS[self.precision]
        return ExportTarget(engine, precision, is_checked=not self.unproved)

    @property
    def arguments(self) -> list[str]:
        """The same flags for another process, which may run in another folder."""
        paths = {"--weights": self.weights, "--labels": self.labels, "--card": self.card}
        given = {flag: str(path.absolute()) for flag, path in paths.items() if path}
        given |= {"--device": self.device, "--precision": self.precision}
        given |= {"--model": self.model} if self.model else {}
        given |= {"--like": self.like} if self.like else {}
        given |= {"--output-kind": self.output_kind} if self.output_kind else {}
        given |= {} if self.threshold is None else {"--threshold": str(self.threshold)}
        facts, switches = self.given.flags
        flags = [part for pair in (given | facts).items() for part in pair]
        on = {"--unproved": self.unproved, "--trust-pickle": self.trust_pickle}
        return [*flags, *switches, *(flag for flag, is_on in on.items() if is_on)]

    def _is_for_cuda(self) -> bool:
        if self.device != "auto":
            return self.device == "cuda"
        import torch

        return torch.cuda.is_available()
