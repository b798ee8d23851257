"""The choice of a model: by flags or by variables of the same names."""

from pathlib import Path

import pytest

from scripts.__main__ import program
from scripts.export.model_options import ExportTarget, ModelFlags
from scripts.networks.architectures import ModelChoice

NAMES = ("MODEL", "WEIGHTS", "LABELS", "DEVICE", "PRECISION")
VALUES = ("deeplabv3_resnet50", "a.pth", "b.json", "cuda", "fp32")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"SEGSERVE_{name}", raising=False)
    monkeypatch.chdir(tmp_path)


def _chosen(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[ModelChoice, ExportTarget]:
    """The choice that `segserve build` would build."""
    built: list[ModelFlags] = []

    def build(flags: ModelFlags, *_rest: object, **_flags: object) -> None:
        built.append(flags)

    monkeypatch.setattr("scripts.build._build", build)
    program.main(["build", *arguments], standalone_mode=False)
    (flags,) = built
    return flags.choice, flags.target


def test_nothing_chosen_is_the_bundled_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every field is None."""
    chosen = _chosen(monkeypatch, "--device", "cpu")
    assert chosen == (ModelChoice(None, None, None), ExportTarget("openvino"))


@pytest.mark.parametrize("prefix", ["SEGSERVE_", ""])
def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """``SEGSERVE_MODEL=... make run`` reaches the builder, and so do the former names."""
    for name, value in zip(NAMES, VALUES, strict=True):
        monkeypatch.setenv(f"{prefix}{name}", value)
    monkeypatch.setenv("SEGSERVE_UNPROVED", "1")
    target = ExportTarget("torch", "f32", is_checked=False)
    choice = ModelChoice("deeplabv3_resnet50", Path("a.pth"), Path("b.json"))
    assert _chosen(monkeypatch) == (choice, target)


@pytest.mark.parametrize("prefix", ["SEGSERVE_", ""])
def test_empty_variables_choose_nothing(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """``SEGSERVE_MODEL= make run`` is the same as ``make run``."""
    for name in NAMES:
        monkeypatch.setenv(f"{prefix}{name}", "")
    assert _chosen(monkeypatch)[0] == ModelChoice()


def test_flags_overrule_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag takes precedence over a variable."""
    monkeypatch.setenv("SEGSERVE_MODEL", "deeplabv3_resnet50")
    monkeypatch.setenv("SEGSERVE_DEVICE", "cuda")
    arguments = ("--model", "deeplabv3_resnet101", "--device", "cpu")
    assert _chosen(monkeypatch, *arguments) == (
        ModelChoice("deeplabv3_resnet101"),
        ExportTarget("openvino"),
    )


@pytest.mark.parametrize("where", ["flag", "environment"])
@pytest.mark.parametrize(
    ("name", "value", "known"),
    [
        ("DEVICE", "gpu", "'auto', 'cpu', 'cuda'"),
        ("PRECISION", "int4", "'auto', 'fp32', 'bf16', 'int8'"),
    ],
)
def test_an_unknown_device_or_precision_is_refused(
    where: str,
    name: str,
    value: str,
    known: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also from the environment: nothing is silently exported as something else."""
    monkeypatch.setenv("SEGSERVE_DEVICE", "cpu")
    flag, variable = f"--{name.lower()}", f"SEGSERVE_{name}"
    if where == "environment":
        monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit):
        program.main(["build", *((flag, value) if where == "flag" else ())])
    line = capsys.readouterr().err
    assert f"Invalid value for '{flag}'" in line
    assert f"'{value}' is not one of {known}" in line
    assert (f"(variable {variable})" in line) == (where == "environment")


def test_the_flags_mean_the_same_in_another_folder(tmp_path: Path) -> None:
    """`segserve serve` passes them to a process with another current folder."""
    flags = ModelFlags("deeplabv3_resnet50", Path("a.pth"), None, "cpu", "fp32", unproved=True)
    assert flags.arguments == [
        *("--weights", str(tmp_path / "a.pth")),
        *("--device", "cpu", "--precision", "fp32", "--model", "deeplabv3_resnet50"),
        "--unproved",
    ]
    ready = ModelFlags(weights=tmp_path / "a.onnx", output_kind="sigmoid", threshold=0.3)
    assert ready.arguments[-4:] == ["--output-kind", "sigmoid", "--threshold", "0.3"]
    assert ModelFlags().arguments == ["--device", "auto", "--precision", "auto"]
