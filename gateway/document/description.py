"""Title, introduction and tags of the OpenAPI document."""

from typing import Final

TITLE: Final = "DeepLabV3 image segmentation"
DESCRIPTION: Final = """Semantic segmentation with DeepLabV3: which thing is at which pixel.

    curl -F file=@photo.jpg http://127.0.0.1:8000/segmentation -o mask.png

Errors are problem documents (RFC 9457) with a stable `code`. Every answer carries `X-Request-ID`;
send your own (letters, digits, `.`, `_`, `-`, at most 64) to find a request again."""
TAGS: Final = [
    {"name": "segmentation", "description": "Images in, masks out."},
    {"name": "models", "description": "What is served, and what its class ids mean."},
    {
        "name": "protocols",
        "description": "The same results for clients of Hugging Face, Triton and Label Studio.",
    },
    {"name": "health", "description": "Liveness and readiness probes."},
    {"name": "admin", "description": "For operators: routes that need a key with the role admin."},
]
