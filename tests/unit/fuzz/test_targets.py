"""The fuzzing targets, without a fuzzer: valid and damaged inputs pass, faults are found."""

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
    """Some bytes of an input changed, or its end removed; the same every time."""
    chance = np.random.default_rng(7)
    for index in range(DAMAGED):
        data = np.frombuffer(inputs[index % len(inputs)], np.uint8).copy()
        data[chance.integers(0, len(data), 3)] = chance.integers(0, 256, 3)
        yield data[: len(data) if index % 3 else chance.integers(0, len(data))].tobytes()


def check_all(target: Target, inputs: Iterable[bytes]) -> None:
    """Check each input."""
    for data in inputs:
        target.check(data)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about damage
@pytest.mark.parametrize("name", TARGETS)
def test_sound_and_damaged_inputs_pass(name: str) -> None:
    """Code that reads untrusted bytes raises only its own errors."""
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
        ("archives", "inspect"),
    ],
)
def test_an_unforeseen_exception_is_a_finding(
    name: str, function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception must leave the target to be found."""

    def broken(*_: object, **__: object) -> None:
        raise LookupError("unforeseen")

    monkeypatch.setattr(f"tests.fuzz.{name}.{function}", broken)
    target = target_of(name)
    with pytest.raises(LookupError, match="unforeseen"):
        check_all(target, target.seeds())
