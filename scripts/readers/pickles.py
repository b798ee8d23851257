"""Whole pickled networks: refused, or with ``--trust-pickle`` exported in a child process."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from deeplab.spec import InputSize
from scripts.archives.digests import file_sha256
from scripts.archives.paths import ROOT
from scripts.networks.checkpoints import FACTS, Checkpoint, CheckpointError, labels_for
from scripts.networks.facts import InputFacts, ReadOptions
from scripts.networks.single_output import LogitsOfProbabilities, TwoClasses
from scripts.networks.soundness import weight_fault
from scripts.readers.files import Content, read_content, unreadable
from scripts.readers.torch_files.inert import Inert

CHILD = Path(__file__).parent / "torch_files" / "whole_module.py"
TIMEOUT_S = 900
DEEPEST = 8
# No recipe says what such a network expects.
ASSUMED = InputSize(long_side=512, multiple=32)


def module_in(content: Content) -> str | None:
    """The full name of a pickled network's class; None if the file holds none."""
    found = next(_modules(content.value, 0, set()), None)
    if found is None and any(name.startswith("torch.fx.graph_module.") for name in content.names):
        return "torch.fx.GraphModule"
    return found


def _modules(value: object, depth: int, seen: set[int]) -> Iterator[str]:
    if depth > DEEPEST or id(value) in seen:
        return
    seen.add(id(value))  # a few lists that hold each other ten times are a thousand million paths
    if isinstance(value, Inert) and isinstance(value.state, dict):
        if "_modules" in value.state:
            yield value.of
            return
        yield from _modules(value.state, depth + 1, seen)
    if isinstance(value, dict):
        for each in dict.values(value):
            yield from _modules(each, depth + 1, seen)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _modules(each, depth + 1, seen)


def refusal(module: str) -> str:
    """The reason why a pickled network is not loaded, and the two ways out."""
    return (
        f"it is a whole pickled network ({module}), whose code would run: save "
        "model.state_dict() instead, or pass --trust-pickle if you trust the file"
    )


def read(
    path: Path, options: ReadOptions, of_state: Callable[[Content], Checkpoint | None]
) -> Checkpoint:
    """Load a pickled network, running its code in a child process, and take what it exports.

    of_state: the checkpoint of a state dict; None if it is of no architecture of ours.

    The child has no network where the system allows that, and the folders of the file and of the
    caller on its path; it is no protection from a file by others (decision record 0047). Raises
    CheckpointError.
    """
    with tempfile.TemporaryDirectory(prefix="segserve-pickle-") as name:
        folder = Path(name)
        facts = _run_child(path, folder, "any")
        if "state" in facts:
            checkpoint = of_state(read_content(folder / "state.pth"))
            if checkpoint is not None:
                return checkpoint
            facts = _run_child(path, folder, "program")
        program = torch.export.load(folder / "network.pt2")
    return _checkpoint(path, options, facts, program)


def _checkpoint(
    path: Path, options: ReadOptions, facts: Mapping[str, Any], program: Any
) -> Checkpoint:
    """The checkpoint of an exported program."""
    if fault := weight_fault(program.state_dict):
        raise CheckpointError(f"--weights {path}: {fault}: the training diverged")
    network: nn.Module = _plain(program)
    if facts["gives_probabilities"]:
        network = LogitsOfProbabilities(network)
    outputs = int(facts["outputs"])
    checkpoint = Checkpoint(
        architecture=str(facts["class"]),
        network=network,
        labels=labels_for(options.labels, outputs),
        input=ASSUMED,
        origin=f"the user's pickled network {path.name}, run as it was trusted",
        sha256=file_sha256(path),
        facts=InputFacts(ASSUMED, sources=dict.fromkeys(FACTS, "assumed")),
    )
    if outputs != 1:
        return checkpoint
    single = TwoClasses(network, options.threshold).eval()
    return replace(checkpoint, network=single, output="sigmoid", threshold=options.threshold)


def _plain(program: Any) -> nn.Module:
    """The graph of a torch.export program as a module that has an eval mode like any other."""
    exported = program.module(check_guards=False)
    return torch.fx.GraphModule(exported, exported.graph).eval()


def _run_child(path: Path, folder: Path, kind: str) -> dict[str, Any]:
    """Let the child write its files and facts.json into ``folder``; returns the facts.

    kind: "program" for network.pt2, "any" for state.pth where that is enough.
    """
    user = [str(path.absolute().parent), str(Path.cwd())]
    command = [*_without_network(), sys.executable, "-P", str(CHILD), str(ROOT)]
    command += [str(path.absolute()), str(folder), kind, *user]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "SEGSERVE_KEY": "", "SEGSERVE_API_KEY": ""},
        start_new_session=True,
    ) as child:
        try:
            _, errors = child.communicate(timeout=TIMEOUT_S)
        except BaseException as exc:
            os.killpg(child.pid, 9)
            if isinstance(exc, subprocess.TimeoutExpired):
                raise _failed(path, f"it took more than {TIMEOUT_S} seconds") from exc
            raise
    report = folder / "facts.json"
    facts = json.loads(report.read_text()) if report.is_file() else {}
    if child.returncode or not facts:
        raise _failed(path, facts.get("error") or _last_line(errors) or "its process died")
    return dict(facts)


def _failed(path: Path, reason: str) -> CheckpointError:
    return unreadable(
        path, f"its network could not be exported ({reason}); save model.state_dict() instead"
    )


def _last_line(errors: bytes) -> str:
    lines = errors.decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:200] if lines else ""


def _without_network() -> Sequence[str]:
    """The command that runs another one without a network; empty where the system has none."""
    program = shutil.which("unshare")
    for flags in (["--net"], ["--map-root-user", "--net"]) if program else ():
        command = [str(program), *flags]
        if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    return ()
