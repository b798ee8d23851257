"""The fuzzers' targets, without a fuzzer: sound and damaged inputs pass, and faults are noticed."""

from collections.abc import Iterable, Iterator
from importlib import import_module

import numpy as np
import pytest

from tests.fuzz.__main__ import TARGETS
from tests.fuzz.target import Target

DAMAGED = 200


def target_of(name: str) -> Target:
    """The target of a module."""
    target: Target = import_module(f"tests.fuzz.{name}").TARGET
    return target


def damaged(inputs: list[bytes]) -> Iterator[bytes]:
    """The same every time: some bytes of an input are others, or its end is missing."""
    chance = np.random.default_rng(7)
    for index in range(DAMAGED):
        data = np.frombuffer(inputs[index % len(inputs)], np.uint8).copy()
        data[chance.integers(0, len(data), 3)] = chance.integers(0, 256, 3)
        yield data[: len(data) if index % 3 else chance.integers(0, len(data))].tobytes()


def check_all(target: Target, inputs: Iterable[bytes]) -> None:
    """One after the other."""
    for data in inputs:
        target.check(data)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about damage
@pytest.mark.parametrize("name", TARGETS)
def test_sound_and_damaged_inputs_pass(name: str) -> None:
    """Nothing but refusals leaves what strangers' bytes reach."""
    target = target_of(name)
    seeds = target.seeds()
    check_all(target, (*seeds, *damaged(seeds), b""))


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("forms", "read_image"),
        ("images", "segment"),
        ("masks", "decode_mask"),
        ("json_bodies", "read_inputs"),
    ],
)
def test_an_unforeseen_exception_is_a_finding(
    name: str, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A target that swallowed it would find nothing."""

    def broken(*_: object, **__: object) -> None:
        raise LookupError("unforeseen")

    monkeypatch.setattr(f"tests.fuzz.{name}.{function}", broken)
    target = target_of(name)
    with pytest.raises(LookupError, match="unforeseen"):
        check_all(target, target.seeds())
