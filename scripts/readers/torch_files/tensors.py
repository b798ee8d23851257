"""Tensors rebuilt from the parts that torch.save, pickle and NumPy write, by public functions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

# A tensor may repeat the elements of its storage (stride 0), but not to fill the memory.
MOST_REPEATED = 10_000_000
DTYPES = {name: value for name, value in vars(torch).items() if isinstance(value, torch.dtype)}
STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "QInt8Storage": torch.qint8,
    "QUInt8Storage": torch.quint8,
    "QInt32Storage": torch.qint32,
    "UntypedStorage": torch.uint8,
}


class MalformedError(ValueError):
    """The parts of a tensor do not fit each other."""


class ForeignError(ValueError):
    """The file is sound, but of a kind that is not read; the text says what to do."""


@dataclass(frozen=True)
class StorageType:
    """torch.FloatStorage and its kin, as the type of their elements."""

    dtype: torch.dtype


@dataclass(frozen=True)
class Storage:
    """The bytes that tensors share, and the type of their elements."""

    content: torch.UntypedStorage
    dtype: torch.dtype


@dataclass(frozen=True)
class Unusable:
    """A tensor of a kind that no network here takes. kind: such as "sparse"."""

    kind: str


def empty(size: int) -> torch.UntypedStorage:
    """Zeros, to be filled. size: bytes."""
    return torch.zeros(size, dtype=torch.uint8).untyped_storage()


def storage_of(content: bytearray, dtype: torch.dtype) -> Storage:
    """The storage with these bytes, which are not copied."""
    if not content:
        return Storage(empty(0), dtype)
    return Storage(torch.frombuffer(content, dtype=torch.uint8).untyped_storage(), dtype)


def rebuild_tensor(
    storage: object, offset: int, size: Sequence[int], stride: Sequence[int], *_rest: object
) -> Tensor:
    """The view of a storage; gradients and hooks are dropped. Raises MalformedError."""
    if not isinstance(storage, Storage):
        raise MalformedError("a tensor without a storage")
    size, stride = tuple(map(int, size)), tuple(map(int, stride))
    elements = storage.content.nbytes() // storage.dtype.itemsize
    count = int(np.prod(size, dtype=object)) if size else 1
    if len(size) != len(stride) or min((*size, *stride, int(offset)), default=0) < 0:
        raise MalformedError("a tensor of negative size")
    reach = sum((side - 1) * step for side, step in zip(size, stride, strict=True)) + 1
    if count and (offset + reach > elements or count > max(elements, MOST_REPEATED)):
        raise MalformedError("a tensor that is larger than its storage")
    return torch.empty(0, dtype=storage.dtype).set_(storage.content, int(offset), size, stride)


def rebuild_typed_tensor(
    storage: object,
    offset: int,
    size: Sequence[int],
    stride: Sequence[int],
    _requires_grad: object,
    _hooks: object,
    dtype: torch.dtype,
    *_rest: object,
) -> Tensor:
    """The view of a storage that has no type of its own. Raises MalformedError."""
    if not isinstance(storage, Storage) or not isinstance(dtype, torch.dtype):
        raise MalformedError("a tensor without a storage")
    return rebuild_tensor(Storage(storage.content, dtype), offset, size, stride)


def first_of(value: object, *_rest: object) -> object:
    """The tensor in a parameter."""
    return value


def rebuild_from_type(make: Any, _kind: object, arguments: Sequence[object], *_: object) -> object:
    """The tensor in a subclass of torch.Tensor."""
    return make(*arguments)


@dataclass
class NumpyType:
    """numpy.dtype: a code such as "f4", and its byte order."""

    code: str
    order: str = "="

    def __init__(self, code: object, *_rest: object) -> None:
        self.code = str(code)

    def __setstate__(self, state: Sequence[object]) -> None:
        self.order = str(state[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's own. Raises MalformedError for anything but plain numbers."""
        if self.code[:1] not in ("f", "i", "u", "b") or not self.code[1:].isdigit():
            raise MalformedError(f"a NumPy array of {self.code}")
        order = self.order if self.order in ("<", ">") else "="
        return np.dtype(order + self.code)


@dataclass
class NumpyArray:
    """numpy.ndarray, until its state arrives."""

    tensor: Tensor | None = field(default=None)

    def __init__(self, *_arguments: object) -> None:
        self.tensor = None

    def __setstate__(self, state: tuple[Any, Any, Any, Any, Any]) -> None:
        _version, shape, kind, is_fortran, content = state
        if isinstance(content, (bytes, bytearray, str)):  # not a list: an array of objects
            raw = content.encode("latin1") if isinstance(content, str) else content
            self.tensor = numpy_tensor(raw, kind, shape, "F" if is_fortran else "C")


def numpy_tensor(content: Any, kind: object, shape: Sequence[int], order: Any = "C") -> Tensor:
    """The tensor of a NumPy array's bytes. Raises MalformedError."""
    if not isinstance(kind, NumpyType):
        raise MalformedError("a NumPy array without a type")
    array = np.frombuffer(content, kind.dtype).reshape(tuple(shape), order=order)
    native = array.astype(array.dtype.newbyteorder("="), order="C", copy=True)
    return torch.from_numpy(native)
