"""The commands of Segserve and their libraries; they share the handler's package deeplab."""

import sys
from pathlib import Path

# The archive's source root, put where TorchServe puts the unpacked archive: on the path.
_HANDLER = str(Path(__file__).resolve().parent.parent / "handler")
if _HANDLER not in sys.path:
    sys.path.append(_HANDLER)
