"""Target: JSON bodies of other programs' protocols, and the binary tensors behind them.

An input is a byte that selects the protocol, a line with Inference-Header-Content-Length (may be
empty), and the body.
"""

import base64
import json
from collections.abc import Callable

from gateway.errors import ImageTooLargeError, InvalidRequestError, UnreadableImageError
from gateway.protocols.hugging_face.messages import read_inputs
from gateway.protocols.label_studio.messages import check_project, read_tasks
from gateway.protocols.open_inference.requests import HEADER_LENGTH, read_request
from tests.fuzz.target import Target, replay

MAX_IMAGE_BYTES = 1000
PHOTO = base64.b64encode(b"a photograph").decode()
URI = f"data:image/png;base64,{PHOTO}"
XML = (
    '<View><Image name="i" value="$photo"/><BrushLabels name="tag" toName="i">'
    '<Label value="Cat" alias="cat" predicted_values="cat,dog"/></BrushLabels></View>'
)


def check(data: bytes) -> None:
    """Only our errors are raised, and no image exceeds the limit."""
    header, _, body = data[1:].partition(b"\n")
    read = READERS[data[0] % len(READERS)] if data else READERS[0]
    try:
        images = read(body, header.decode("latin-1"))
    except (InvalidRequestError, ImageTooLargeError, UnreadableImageError):
        return
    assert all(len(image) <= MAX_IMAGE_BYTES for image in images)


def _hugging_face(body: bytes, _: str) -> list[bytes]:
    inputs = read_inputs(body, MAX_IMAGE_BYTES)
    assert 0 <= inputs.threshold <= 1
    return [inputs.image]


def _open_inference(body: bytes, header: str) -> list[bytes]:
    return [read_request(body, header or None, MAX_IMAGE_BYTES).image]


def _label_studio(body: bytes, _: str) -> list[bytes]:
    images = read_tasks(body, MAX_IMAGE_BYTES).images
    return [image for image in images if isinstance(image, bytes)]


def _project(body: bytes, _: str) -> list[bytes]:
    check_project(body)
    return []


def _configuration(body: bytes, _: str) -> list[bytes]:
    """Read a labelling configuration alone, so that the fuzzer need not write XML within JSON."""
    return _label_studio(_tasks(URI, body.decode("utf-8", "replace")), "")


def _image_of_task(body: bytes, _: str) -> list[bytes]:
    """Read the field of an image alone."""
    return _label_studio(_tasks(body.decode("utf-8", "replace"), XML), "")


def _tasks(image: str, config: str) -> bytes:
    return json.dumps({"tasks": [{"data": {"photo": image}}], "label_config": config}).encode()


READERS: tuple[Callable[[bytes, str], list[bytes]], ...] = (
    _hugging_face,
    _open_inference,
    _label_studio,
    _project,
    _configuration,
    _image_of_task,
)


def _json(which: int, body: object) -> bytes:
    return bytes([which]) + b"\n" + json.dumps(body).encode()


def _tensor(**more: object) -> dict[str, object]:
    return {"name": "image", "datatype": "BYTES", "shape": [1], **more}


def _binary() -> bytes:
    element = (12).to_bytes(4, "little") + b"a photograph"
    tensor = _tensor(parameters={"binary_data_size": len(element)})
    head = json.dumps({"id": "1", "inputs": [tensor]}).encode()
    return b"\1%d\n%s%s" % (len(head), head, element)


def seeds() -> list[bytes]:
    """Requests as the clients send them."""
    outputs = [{"name": "mask", "parameters": {"binary_data": True}}, {"name": "classes"}]
    task = {"id": 1, "data": {"photo": URI}}
    return [
        _json(0, {"inputs": PHOTO}),
        _json(0, {"inputs": PHOTO, "parameters": {"threshold": 0.5, "subtask": "semantic"}}),
        _json(1, {"inputs": [_tensor(data=[PHOTO])], "outputs": outputs}),
        _json(1, {"inputs": [_tensor(data=[PHOTO])], "parameters": {"binary_data_output": True}}),
        _binary(),
        _json(2, {"tasks": [task, task | {"data": {"photo": 1}}], "label_config": XML}),
        _json(3, {"id": 7, "schema": XML}),
        b"\4\n" + XML.encode(),
        b"\5\n" + URI.encode(),
    ]


WORDS = (
    *(b'"inputs":', b'"parameters":', b'"threshold":', b'"subtask":', b'"mask_threshold":'),
    *(b'"outputs":', b'"shape":', b'"data":', b'"datatype":', b'"binary_data_size":', b'"id":'),
    *(b'"tasks":', b'"label_config":', b'"schema":', b"data:image/png;base64,", b"<Label ", b"=="),
    *(
        b"null",
        b"true",
        b"1e999",
        b"NaN",
        b"-0",
        b"\\ud800",
        b"\\u0000",
        b"<!DOCTYPE",
        b"<![CDATA[",
    ),
    HEADER_LENGTH.encode(),
)
TARGET = Target(check, seeds, WORDS)

if __name__ == "__main__":
    replay(TARGET)
