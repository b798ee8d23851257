"""An unpickler that executes nothing: unknown classes become inert containers of their content.

Only the functions in ``_KNOWN`` are called, all of this package or immutable built-in types. What
else a file names, whether a class or ``os.system``, is never imported: in its place stands an
``Inert`` of that name, which keeps its arguments and does nothing (decision record 0047).
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, Any, NoReturn

from scripts.readers.torch_files.tensors import (
    DTYPES,
    STORAGES,
    ForeignError,
    MalformedError,
    NumpyArray,
    NumpyType,
    StorageType,
    Unusable,
    first_of,
    numpy_tensor,
    rebuild_from_type,
    rebuild_tensor,
    rebuild_typed_tensor,
)


class Inert(dict[Any, Any]):
    """An object of a class that was not imported: its items, entries and state, as data."""

    of = ""
    arguments: tuple[object, ...]
    entries: list[object]
    state: object

    def __new__(cls, *arguments: object, **_named: object) -> "Inert":
        made = super().__new__(cls)
        made.arguments, made.entries, made.state = arguments, [], None
        return made

    def __init__(self, *_arguments: object, **_named: object) -> None:
        super().__init__()

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __call__(self, *arguments: object, **_named: object) -> "Inert":
        return Inert(*arguments)

    def __hash__(self) -> int:  # type: ignore[override]  # a key of some other dictionary
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def append(self, entry: object) -> None:
        """A list's."""
        self.entries.append(entry)

    def extend(self, entries: Any) -> None:
        """A list's."""
        self.entries.extend(entries)

    add = append


class _Maker:
    """A function that a file may call, and can neither change nor replace."""

    __slots__ = ("_make",)
    _make: Callable[..., object]

    def __init__(self, make: Callable[..., object]) -> None:
        object.__setattr__(self, "_make", make)

    def __call__(self, *arguments: object) -> object:
        return self._make(*arguments)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise MalformedError("a function with a state")

    def __setstate__(self, state: object) -> NoReturn:
        raise MalformedError("a function with a state")


def _encode(text: str, encoding: str = "latin1", *_: object) -> bytes:
    """bytes, as protocol 2 writes them."""
    if encoding not in ("latin1", "latin-1", "ascii", "utf-8"):
        raise MalformedError(f"bytes by way of {encoding}")
    return text.encode(encoding)


def _bytearray(content: object = b"", encoding: str = "latin1") -> bytearray:
    """A bytearray of given bytes, never of a given length."""
    return bytearray(content if isinstance(content, bytes) else _encode(str(content), encoding))


def _unusable(kind: str) -> Callable[..., object]:
    return lambda *_: Unusable(kind)


_KNOWN: dict[str, object] = {
    "collections.OrderedDict": OrderedDict,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.bytearray": _Maker(_bytearray),
    "_codecs.encode": _Maker(_encode),
    "torch.Size": _Maker(lambda sides=(): tuple(sides)),
    "torch._utils._rebuild_tensor": _Maker(rebuild_tensor),
    "torch._utils._rebuild_tensor_v2": _Maker(rebuild_tensor),
    "torch._utils._rebuild_tensor_v3": _Maker(rebuild_typed_tensor),
    "torch._utils._rebuild_parameter": _Maker(first_of),
    "torch._utils._rebuild_parameter_with_state": _Maker(first_of),
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _Maker(first_of),
    "torch._tensor._rebuild_from_type_v2": _Maker(rebuild_from_type),
    "torch._utils._rebuild_qtensor": _Maker(_unusable("quantised")),
    "torch._utils._rebuild_sparse_tensor": _Maker(_unusable("sparse")),
    "torch._utils._rebuild_nested_tensor": _Maker(_unusable("nested")),
    "torch._utils._rebuild_meta_tensor_no_storage": _Maker(_unusable("without values (meta)")),
    "torch._utils._rebuild_wrapper_subclass": _Maker(_unusable("of a subclass of Tensor")),
    "torch.nn.parameter.Parameter": _Maker(first_of),
    "numpy.dtype": NumpyType,
    **{f"numpy.{core}.multiarray._reconstruct": _Maker(NumpyArray) for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _Maker(numpy_tensor) for core in ("core", "_core")},
}
_FORMER_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # Python 2's, in protocol 2


class InertUnpickler(pickle.Unpickler):
    """Unpickle data and tensors. Raises what a damaged pickle makes Python raise.

    storage: a persistent id -> the object in its place. load_bytes: the bytes of a nested
    torch.save -> its object. names: gets the full name of everything that the file refers to.
    """

    def __init__(
        self,
        file: IO[bytes],
        names: set[str],
        storage: Callable[[Any], object] | None = None,
        load_bytes: Callable[[bytes], object] | None = None,
    ) -> None:
        super().__init__(file, encoding="latin1")
        self._names, self._storage, self._load_bytes = names, storage, load_bytes
        self._classes: dict[str, type[Inert]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The object for a name in the file: one of the known, or an ``Inert`` class."""
        module = _FORMER_MODULES.get(module, module)
        full = f"{module}.{name}"
        self._names.add(full)
        if full == "joblib.numpy_pickle.NumpyArrayWrapper":
            raise ForeignError(
                "joblib wrote it, whose arrays are not read: joblib.load it, and torch.save it"
            )
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        if module.split(".")[0] == "torch" and name in STORAGES:
            return StorageType(STORAGES[name])
        if full == "torch.storage._load_from_bytes" and self._load_bytes:
            return _Maker(self._load_bytes)
        if full in _KNOWN:
            return _KNOWN[full]
        return self._classes.setdefault(full, type(name, (Inert,), {"of": full}))

    def persistent_load(self, pid: Any) -> object:
        """The storage of an id."""
        if self._storage is None:
            raise MalformedError("a storage outside of torch's own format")
        return self._storage(pid)
