"""Recipes of a documentation page: the code under each heading, and how to run it."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.stack import ROOT

ADDRESS = "http://127.0.0.1:8000"
RECIPES = ROOT / "docs" / "recipes.md"
RUNNABLE = ("bash", "python", "javascript")


@dataclass(frozen=True)
class Code:
    """A fenced block."""

    language: str
    text: str


def recipes(page: Path = RECIPES) -> dict[str, list[Code]]:
    """Heading -> its blocks, in order."""
    _, *sections = re.split(r"^## (.+)\n", page.read_text(), flags=re.MULTILINE)
    return {
        heading: [Code(*found) for found in re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL)]
        for heading, text in zip(sections[::2], sections[1::2], strict=True)
    }


def workplace(folder: Path) -> Path:
    """A folder for what recipes write, with the repository's files for what they read."""
    for entry in ROOT.iterdir():
        (folder / entry.name).symlink_to(entry)
    return folder


def run(code: Code, address: str, folder: Path, env: Mapping[str, str]) -> str:
    """The output of a block, run as written except for the gateway's address."""
    text = code.text.replace(ADDRESS, address)
    if code.language == "bash":
        text = text.replace("curl ", "curl --fail --silent ")
        text = text.replace("./segserve", f"{sys.executable} -m scripts")
    command = {
        "bash": ["bash", "-eo", "pipefail", "-c"],
        "python": [sys.executable, "-c"],
        "javascript": ["node", "--input-type=module", "--eval"],
    }[code.language]
    done = subprocess.run(
        [*command, text],
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    return done.stdout
