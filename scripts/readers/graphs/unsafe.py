"""Checks of a file of PyTorch before it is loaded: loading must run nothing that could do harm."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from scripts.readers.graphs.formats import GraphError

# TorchScript runs __setstate__ while it is loaded, and these operators reach files and networks.
FORBIDDEN_CODE = re.compile(
    r"\b(?:torch|ops\.\w+|aten)\.(?:from_file|save|load)\b|\bops\.prim\.rpc|\brpc_\w+\("
)
# Sizes in an exported program are formulas, which SymPy evaluates as Python. Its own classes begin
# with a capital; Python's functions do not.
NAME = re.compile(r"[A-Za-z_]\w*")
ALLOWED_NAME = re.compile(r"[A-Z]\w*|[a-z]+\d+|oo|int_oo|floor|ceiling|true|false|evaluate")
FORMULA = re.compile(r"[\w+\-*/%(), <>=&|~.]*")
SYMBOL = re.compile(r"Symbol\('[a-z]+\d+'(?:, [a-z]+=True)*\)")
LARGEST_FORMULA = 2000  # characters
PICKLED_OBJECTS = ("constants/custom_obj_", "constants/opaque_obj_")


def check_torchscript(path: Path) -> None:
    """Raise GraphError if TorchScript code names an operator that reaches files or networks."""
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            if "/code/" not in name or not name.endswith(".py"):
                continue
            found = FORBIDDEN_CODE.search(file.read(name).decode(errors="replace"))
            if found:
                raise GraphError(
                    f"its TorchScript code calls {found[0]}, which reaches files or networks: "
                    "export the network without it"
                )


def check_program(path: Path) -> None:
    """Raise GraphError if an exported program has pickled objects, or formulas that are code."""
    with zipfile.ZipFile(path) as file:
        for name in file.namelist():
            if any(part in name for part in PICKLED_OBJECTS):
                raise GraphError("it has pickled objects, which could run code: export it without")
            if not name.endswith(".json"):
                continue
            for formula in _formulas(json.loads(file.read(name))):
                _check_formula(formula)


def _formulas(value: object) -> Iterator[str]:
    """Every formula in a program's JSON: the sizes' expressions and the names of the ranges."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "expr_str":
                yield str(inner)
            elif key == "range_constraints" and isinstance(inner, dict):
                yield from inner
            yield from _formulas(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _formulas(inner)


def _check_formula(formula: str) -> None:
    shown, formula = formula, SYMBOL.sub("s0", formula)
    names = NAME.findall(formula)
    is_plain = len(formula) <= LARGEST_FORMULA and FORMULA.fullmatch(formula)
    is_known = all(ALLOWED_NAME.fullmatch(name) for name in names)
    if not is_plain or not is_known or re.search(r"\.\s*[A-Za-z_]", formula):
        raise GraphError(f"a size in it is no formula of sizes: {shown[:80]!r}; export it again")
