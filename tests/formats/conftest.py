"""The libraries whose networks are read."""

import sys
from types import ModuleType
from typing import Any

from scripts.networks import torchvision_weights


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
