"""The state dict in what a file of weights holds."""

import torch

from scripts.readers.libraries.stored import state_of


def test_the_wrapping_with_most_tensors_is_taken() -> None:
    """As float32; what is no tensor is left out."""
    weights = {"a.weight": torch.arange(3.0), "b": torch.ones(2, dtype=torch.float16)}
    state = state_of({"state_dict": weights, "mean": torch.zeros(3), "epoch": 3})
    assert state["a.weight"].tolist() == [0, 1, 2]
    assert state["b"].dtype == torch.float32


def test_what_holds_no_tensors_has_no_state() -> None:
    """No state instead of an error: it may be another reader's."""
    assert state_of(3) == {}
    assert state_of({"a": {"b": 1}}) == {}
