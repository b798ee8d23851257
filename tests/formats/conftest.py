"""The libraries whose networks are read."""

import sys
from types import ModuleType
from typing import Any

import pytest

from scripts.networks import torchvision_weights
from tests.formats.page import RESULTS, begin


class AbsentOperators(ModuleType):
    """mmcv's compiled operators, which its light package lacks: no DeepLab calls one."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._refuse

    def _refuse(self, *_: object) -> None:
        raise RuntimeError("a compiled operator of mmcv is needed")


sys.modules.setdefault("mmcv._ext", AbsentOperators("mmcv._ext"))
torchvision_weights.declare_operators()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin the table of figures, once for all processes."""
    if not hasattr(session.config, "workerinput"):
        begin()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures."""
    if RESULTS.is_file():
        terminalreporter.write_sep("=", "Bring your model")
        terminalreporter.write(RESULTS.read_text(encoding="utf-8"))
