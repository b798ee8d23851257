"""TorchServe's double with the handler's own decoder: it refuses what the handler refuses."""

import json
from pathlib import Path

import httpx

from deeplab.decode import decode
from deeplab.errors import RejectedImageError
from tests.stack import ROOT
from tests.unit.gateway.doubles import TorchServeDouble, json_answer, mask_answer, mask_png

_LABELS: Path = ROOT / "handler" / "deeplab" / "labels.json"


class DecodingDouble(TorchServeDouble):
    """Answers every image with a mask of its size, and knows the bundled model's classes."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = json.loads(_LABELS.read_text())
        self.predict = self._segment

    async def _segment(self, request: httpx.Request) -> httpx.Response:
        *_, version = request.url.path.split("/")
        if version not in self.versions:
            return json_answer(404, {"code": 404, "type": "ModelVersionNotFoundException"})
        try:
            decoded = decode(request.content, min_long_side=64)
        except RejectedImageError as exc:
            return json_answer(exc.status, {"code": exc.code, "detail": str(exc)})
        answer = mask_answer(mask_png(decoded.size), request.headers.get("X-Segserve-Form", "{}"))
        width, height = decoded.size
        counts = {"0": (width - 1) * height, "15": height}
        answer.headers["X-Class-Pixels"] = ",".join(f"{i}={n}" for i, n in counts.items() if n)
        return answer
