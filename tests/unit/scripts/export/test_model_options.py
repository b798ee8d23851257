"""What to serve is chosen by options, or by the environment that make hands on."""

import argparse
from pathlib import Path

import pytest

from scripts.export.model_options import ExportTarget, add_model_arguments, choice_from
from scripts.networks.checkpoints import ModelChoice

VARIABLES = ("MODEL", "WEIGHTS", "LABELS", "DEVICE", "PRECISION", "PROVED")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def _chosen(*arguments: str) -> tuple[ModelChoice, ExportTarget]:
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    return choice_from(parser.parse_args(arguments))


def test_nothing_chosen_is_the_bundled_model() -> None:
    """All empty."""
    assert _chosen("--device", "cpu") == (ModelChoice(None, None, None), ExportTarget("openvino"))


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    """``MODEL=... make run`` reaches the builder."""
    for name, value in zip(
        VARIABLES, ("resnet", "a.pth", "b.json", "cuda", "fp32", "0"), strict=True
    ):
        monkeypatch.setenv(name, value)
    target = ExportTarget("torch", "f32", is_checked=False)
    assert _chosen() == (ModelChoice("resnet", Path("a.pth"), Path("b.json")), target)


def test_empty_variables_choose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """``MODEL= make run`` is the same as ``make run``."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    assert _chosen()[0] == ModelChoice()


def test_options_overrule_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was typed last counts."""
    monkeypatch.setenv("MODEL", "resnet")
    monkeypatch.setenv("DEVICE", "cuda")
    assert _chosen("--model", "mobilenet", "--device", "cpu") == (
        ModelChoice("mobilenet"),
        ExportTarget("openvino"),
    )


@pytest.mark.parametrize("where", ["option", "environment"])
@pytest.mark.parametrize(
    ("variable", "value", "known"),
    [("DEVICE", "gpu", "auto, cpu, cuda"), ("PRECISION", "int4", "auto, fp32, bf16, int8")],
)
def test_an_unknown_device_or_precision_is_refused(
    where: str,
    variable: str,
    value: str,
    known: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also where it comes from the environment: nothing is silently exported as something else."""
    monkeypatch.setenv("DEVICE", "cpu")
    if where == "environment":
        monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit):
        _chosen(*((f"--{variable.lower()}", value) if where == "option" else ()))
    assert f"{value} is none of {known} (variable: {variable})" in capsys.readouterr().err
