"""Damaged and hostile files: only our own error comes out, and nothing runs."""

import contextlib
import io
import pickle
import random
import zipfile
from pathlib import Path

import pytest
import torch

from scripts.networks.checkpoints import CheckpointError
from scripts.readers.files import read_content
from scripts.readers.tensor_maps import tensor_maps
from scripts.readers.torch_files.inert import Inert

STATE = {"a": torch.arange(12.0).view(3, 4), "b": torch.ones(2, dtype=torch.int64), "n": 3}


def _read(folder: Path, content: bytes) -> object:
    path = folder / "mine.pth"
    path.write_bytes(content)
    return read_content(path).value


def _bytes(value: object, *, old: bool = False) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not old)
    return buffer.getvalue()


def _zipped(program: bytes) -> bytes:
    """A file of torch.save with another pickle in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/data/0", bytes(16))
    return buffer.getvalue()


@pytest.mark.parametrize("old", [False, True], ids=["zip", "stream"])
def test_damaged_files_give_our_error_only(tmp_path: Path, old: bool) -> None:
    """Two hundred random changes of a file."""
    rng = random.Random(7)  # noqa: S311 - no secret
    sound = _bytes({"net": STATE, "code": Inert}, old=old)
    for _ in range(200):
        content = bytearray(sound)
        for _ in range(rng.choice((1, 3, 20))):
            content[rng.randrange(len(content))] = rng.randrange(256)
        cut = rng.choice((len(content), rng.randrange(len(content))))
        with contextlib.suppress(CheckpointError):
            _read(tmp_path, bytes(content[:cut]))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.pth"]


# Programs in pickle's language, each with a way to a function that must not be called.
HOSTILE = {
    "os.system": b"cos\nsystem\n(S'touch mark'\ntR.",
    "posix.system": b"\x80\x02cposix\nsystem\n(X\x0a\x00\x00\x00touch marktR.",
    "eval": b"\x80\x02c__builtin__\neval\nX\x0c\x00\x00\x00open('mark')\x85R.",
    "getattr of a module": b"\x80\x02cbuiltins\ngetattr\n(cos\npath\nX\x06\x00\x00\x00systemtR.",
    "a class by INST": b"\x80\x02(X\x0a\x00\x00\x00touch markios\nsystem\n.",
    "a class by OBJ": b"\x80\x02(cos\nsystem\nX\x0a\x00\x00\x00touch marko.",
    "torch's own loader": b"\x80\x02ctorch.serialization\nload\n(X\x04\x00\x00\x00marktR.",
    "a dotted name": b"\x80\x04\x8c\x05torch\x8c\x09os.system\x93\x8c\x0atouch mark\x85R.",
}
# Programs that misuse the functions that may be called.
MISUSE = {
    "a state for a function": (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb."
    ),
    "a slot of a function": (
        b"\x80\x02ctorch._utils\n_rebuild_parameter\nN}X\x0c\x00\x00\x00__defaults__K\x01s\x86b."
    ),
    "bytes by another codec": (
        b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x05\x00\x00\x00rot13\x86R."
    ),
    "a tensor without a storage": (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NK\x00K\x01\x85K\x01\x85\x89NtR."
    ),
    "an unknown storage": b"\x80\x02X\x01\x00\x00\x00aQ.",
}


@pytest.mark.parametrize("wrap", [bytes, _zipped], ids=["pickle", "zip"])
@pytest.mark.parametrize("program", HOSTILE.values(), ids=HOSTILE)
def test_no_name_is_imported_or_called(
    program: bytes, wrap: type[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its spelling: in its place stands an inert object, or the file is refused."""
    monkeypatch.chdir(tmp_path)
    value: object = Inert()
    with contextlib.suppress(CheckpointError):
        value = _read(tmp_path, wrap(program))
    assert isinstance(value, Inert)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.pth"]


@pytest.mark.parametrize("program", MISUSE.values(), ids=MISUSE)
def test_known_functions_take_sound_arguments_only(program: bytes, tmp_path: Path) -> None:
    """They cannot be changed, and allocate no more than the file has."""
    with pytest.raises(CheckpointError, match="cut short or damaged"):
        _read(tmp_path, _zipped(program))


@pytest.mark.parametrize(
    "view",
    [("9", "1"), ("2", "-1"), ("-2", "1"), ("1000000000", "0")],
    ids=["too long", "backwards", "negative", "repeated"],
)
def test_a_view_stays_inside_its_storage(view: tuple[str, str], tmp_path: Path) -> None:
    """Sizes are checked before a tensor is made."""
    size, step = view
    program = (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
        b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00"
        + f"(I{size}\nt(I{step}\nt".encode()
        + b"\x89NtR."
    )
    with pytest.raises(CheckpointError, match="cut short or damaged"):
        _read(tmp_path, _zipped(program))


def test_a_bytearray_is_as_long_as_its_bytes(tmp_path: Path) -> None:
    """A number gives its digits, not as many zeros."""
    program = b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R."
    assert _read(tmp_path, _zipped(program)) == bytearray(b"2147483647")


def test_the_programs_are_sound_pickles() -> None:
    """The tests above can fail: Python's own unpickler would call the function."""
    with pytest.raises(FileNotFoundError, match="'mark'"):
        pickle.loads(HOSTILE["eval"])  # noqa: S301 - it opens a file that is not there


@pytest.mark.parametrize("old", [False, True], ids=["zip", "stream"])
def test_tensors_come_back_as_they_were(tmp_path: Path, old: bool) -> None:
    """Types, views of one storage, empty ones, and scalars."""
    base = torch.arange(24.0).view(4, 6)
    value = {
        "view": base[1:3, ::2], "turned": base.t(), "same": base, "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(7), "flag": torch.tensor([True, False]),
        "half": base.half(), "short": torch.tensor([1, -1], dtype=torch.int16),
    }  # fmt: skip
    (found,) = tensor_maps(_read(tmp_path, _bytes(value, old=old)))
    assert found.tensors.keys() == value.keys()
    for name, tensor in value.items():
        given = found.tensors[name]
        assert isinstance(given, torch.Tensor)
        assert given.dtype == tensor.dtype
        assert torch.equal(given, tensor)
