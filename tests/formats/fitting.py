"""Untrained networks made to show regions.

The classes of random weights change from pixel to pixel: then any rounding changes the mask, and
agreement says nothing. Here batch normalisation gets the photographs' statistics, and the last
layer is solved for classes of colour, so that masks have areas with edges, as trained ones do.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.formats.photographs import colour_scores, small_batch

RIDGE = 1e-2  # of the features' mean power: keeps the solution from magnifying roundings


def fit(
    network: nn.Module,
    classifier: nn.Conv2d,
    prepare: Callable[[Tensor], Tensor],
    size: tuple[int, int] = (64, 96),
) -> None:
    """Fit in place. prepare: (n, 3, h, w) RGB, 0..1 -> the network's input. size: (h, w)."""
    images = small_batch(*size)
    torch.manual_seed(0)
    _measure_statistics(network, prepare(images))
    seen: list[Tensor] = []
    handle = classifier.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    with torch.no_grad():
        network.eval()(prepare(images))
    handle.remove()
    _solve(classifier, seen[-1], images)


def _measure_statistics(network: nn.Module, images: Tensor) -> None:
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d)]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        norm.train()
    with torch.no_grad():
        network(images)
    network.eval()


def _solve(classifier: nn.Conv2d, features: Tensor, images: Tensor) -> None:
    """Least squares from features (n, c, h, w) to the scores of colour classes.

    Each class's logits get mean 0 and deviation 1, so that none is hidden by the others.
    """
    outputs = classifier.out_channels
    size = (int(features.shape[2]), int(features.shape[3]))
    wanted = _rows(colour_scores(images, max(outputs, 2), size)[:, :outputs]).double()
    known = _rows(features).double()
    centre = known.mean(dim=0)
    gram = (known - centre).T @ (known - centre)
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram))
    solution = torch.linalg.solve(gram, (known - centre).T @ wanted)
    solution /= ((known - centre) @ solution).std(dim=0)
    middle = classifier.kernel_size[0] // 2
    assert classifier.bias is not None
    with torch.no_grad():
        classifier.weight.zero_()
        classifier.weight[:, :, middle, middle] = solution.T.float()
        classifier.bias.copy_(-(centre @ solution).float())


def _rows(planes: Tensor) -> Tensor:
    return planes.permute(0, 2, 3, 1).reshape(-1, planes.shape[1])
