"""READ THIS FIRST: the training, step by step: samples, loss, update, average, validation."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from deeplab.spec import InputSize
from scripts.datasets.sampling import Samples
from scripts.evaluation.scores import Scores
from scripts.networks.facts import MEAN, STD
from scripts.networks.imagenet_backbones import freeze_first_blocks
from scripts.training.depthwise import use_fast_gradients
from scripts.training.interrupt import Interrupted, stop_on_signal
from scripts.training.losses import logit_adjustment, segmentation_loss
from scripts.training.optimiser import average_decay, factor, optimiser_for, warm_up_steps
from scripts.training.options import Plan
from scripts.training.state import Progress, State

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Report:
    """The report of a step.

    loss: of this step. epoch: 1, 2, ... scores: of the validation, at the end of an epoch only.
    """

    step: int
    epoch: int
    loss: float
    scores: Scores | None


class Training:
    """The training of one network.

    samples: ``plan.epochs`` times ``steps_per_epoch`` batches of them.
    """

    def __init__(
        self,
        network: nn.Module,
        samples: Samples,
        steps_per_epoch: int,
        plan: Plan,
        wanted: InputSize,
    ):
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        use_fast_gradients(network)
        freeze_first_blocks(cast(nn.Module, network.backbone), plan.frozen_stride)
        self._network = network.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch documents it
        self._samples, self._plan, self._aligned = samples, plan, wanted.aligned
        mean, std = torch.tensor(MEAN), torch.tensor(STD)
        self._scale = (1 / (255 * std)).view(1, 3, 1, 1).to(self._device)
        self._shift = (mean / std).view(1, 3, 1, 1).to(self._device)
        adjustment = logit_adjustment(samples.class_shares, plan.adjustment)
        self._adjustment = adjustment.to(self._device)
        self.steps_per_epoch = steps_per_epoch
        self.steps = plan.epochs * steps_per_epoch
        self._warm_up = warm_up_steps(self.steps, plan.warm_up)
        self._optimiser = optimiser_for(self._network, plan)
        self.progress = Progress(_copy(self._network.state_dict()))

    def run(
        self,
        validate: Callable[[Weights], Scores],
        tell: Callable[[Report], None],
        keep: Callable[[State], None],
    ) -> None:
        """Train to the end or the early stop. Raises Interrupted after a signal.

        validate: scores of the averaged weights. keep: writes the state.
        """
        with stop_on_signal() as stop:
            for image, ids in self._batches():
                report = self._step(image, ids, validate)
                tell(report)
                asked, ends_epoch = stop.requested, report.scores is not None
                if asked or ends_epoch or report.step % self._plan.save_every == 0:
                    keep(self.state())
                if self.is_finished():
                    return
                if asked:
                    raise Interrupted(f"stopped after step {report.step} of {self.steps}")

    def is_finished(self) -> bool:
        """Whether all steps are done, or the mean IoU has not improved for ``patience`` epochs."""
        epochs = self.progress.step // self.steps_per_epoch
        waited = epochs - self.progress.best_epoch
        return self.progress.step >= self.steps or waited >= self._plan.patience

    def state(self) -> State:
        """The state to resume from."""
        return State(self._network.state_dict(), self._optimiser.state_dict(), self.progress)

    def restore(self, state: State) -> None:
        """Resume from ``state``."""
        self._network.load_state_dict(state.weights)
        self._optimiser.load_state_dict(state.optimiser)
        self.progress = state.progress
        self.progress.average = {
            name: value.to(self._device) for name, value in state.progress.average.items()
        }

    def _step(self, image: Tensor, ids: Tensor, validate: Callable[[Weights], Scores]) -> Report:
        loss = self._update(image, ids)
        self.progress.step += 1
        self.progress.losses.append(loss)
        epoch, rest = divmod(self.progress.step, self.steps_per_epoch)
        scores = None if rest else self._validate(epoch, validate)
        return Report(self.progress.step, epoch + (rest > 0), loss, scores)

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The remaining batches; each depends on the seed and its number only."""
        batch, cuda = self._plan.batch, self._device.type == "cuda"
        left: Any = range(self.progress.step * batch, self.steps * batch)
        # On a CPU the network already uses every core.
        workers = (os.cpu_count() or 1) if cuda else 0
        yield from DataLoader(
            self._samples, batch, sampler=left, num_workers=workers, pin_memory=cuda
        )

    def _update(self, image: Tensor, ids: Tensor) -> float:
        """One step of AdamW; returns the loss before it."""
        self._set_rates()
        # Dropout must be the same after a resumption.
        torch.manual_seed(self._plan.seed + self.progress.step)
        self._network.train()
        image, ids = image.to(self._device), ids.to(self._device)
        normalised = image * self._scale - self._shift
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            logits = self._network(normalised.contiguous(memory_format=torch.channels_last))
        loss = segmentation_loss(logits, ids, aligned=self._aligned, adjustment=self._adjustment)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
        nn.utils.clip_grad_norm_(self._network.parameters(), self._plan.clip)
        self._optimiser.step()
        self._move_average()
        return float(loss.detach())

    def _set_rates(self) -> None:
        share = factor(self.progress.step, self.steps, self._warm_up)
        for group in self._optimiser.param_groups:
            group["lr"] = group["full_rate"] * share

    @torch.no_grad()
    def _move_average(self) -> None:
        decay = average_decay(self.progress.step, self._plan.average)
        for name, value in self._network.state_dict().items():
            if value.is_floating_point():
                self.progress.average[name].lerp_(value, 1 - decay)
            else:
                self.progress.average[name].copy_(value)

    def _validate(self, epoch: int, validate: Callable[[Weights], Scores]) -> Scores:
        progress, found = self.progress, validate(self.progress.average)
        if found.miou > progress.best_miou:
            progress.best_miou, progress.best_epoch = found.miou, epoch
            progress.best = _copy(progress.average)
        progress.curve.append(
            {
                "epoch": epoch,
                "step": progress.step,
                "loss": sum(progress.losses) / len(progress.losses),
                "miou": found.miou,
                "pixel_accuracy": found.pixel_accuracy,
            }
        )
        progress.losses = []
        return found


def _copy(weights: Weights) -> Weights:
    return {name: value.detach().clone() for name, value in weights.items()}
