"""A TorchServe double with the handler's decoder, which refuses the same images as the handler."""

import json
from pathlib import Path

import httpx

from deeplab.decode import decode
from deeplab.errors import RejectedImageError
from tests.stack import ROOT
from tests.unit.gateway.doubles import TorchServeDouble, json_response, mask_png, mask_response

_LABELS: Path = ROOT / "handler" / "deeplab" / "labels.json"


class DecodingDouble(TorchServeDouble):
    """A double that responds with a mask of the image's size and has the bundled labels."""

    def __init__(self) -> None:
        super().__init__()
        self.labels = json.loads(_LABELS.read_text())
        self.predict = self._segment

    async def _segment(self, request: httpx.Request) -> httpx.Response:
        *_, version = request.url.path.split("/")
        if version not in self.versions:
            return json_response(404, {"code": 404, "type": "ModelVersionNotFoundException"})
        try:
            decoded = decode(request.content, min_long_side=64)
        except RejectedImageError as exc:
            return json_response(exc.status, {"code": exc.code, "detail": str(exc)})
        response = mask_response(
            mask_png(decoded.size), request.headers.get("X-Segserve-Form", "{}")
        )
        width, height = decoded.size
        counts = {"0": (width - 1) * height, "15": height}
        response.headers["X-Class-Pixels"] = ",".join(f"{i}={n}" for i, n in counts.items() if n)
        return response
