"""Label Studio's requests."""

import base64
from typing import Any

XML = (
    '<View><Image name="image" value="$photo"/><BrushLabels name="tag" toName="image">'
    '<Label value="Person"/><Label value="Pet" predicted_values="cat,dog"/><Label value="Tree"/>'
    "</BrushLabels></View>"
)


def tasks(*images: object) -> dict[str, Any]:
    """A request with these images."""
    return {
        "tasks": [
            {"id": number, "data": {"photo": image}, "annotations": [], "predictions": []}
            for number, image in enumerate(images)
        ],
        "model_version": "deeplabv3:0.9",
        "project": "1.1764000000",
        "label_config": XML,
        "params": {"login": None, "password": None, "context": None},
    }


def uri(content: bytes) -> str:
    """A data URI with an image."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
