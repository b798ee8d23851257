"""What a later start does with the archive that it brings, and with what it cannot load."""

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.archives import renumbered
from tests.faults.test_restarts import line, segment, until
from tests.stack import Stack, bundled_archive, started, started_again, stop, wait_until_ready

ARCHIVE = "deeplabv3-1.0.mar"


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Stack]:
    """A product that is ready."""
    with started(tmp_path / "run", SEGSERVE_SERVE_UI="false") as stack:
        wait_until_ready(stack)
        yield stack


def test_other_bytes_under_a_version_are_refused_in_one_line(product: Stack) -> None:
    """The start goes on with the version as it is, unless this one was chosen for it."""
    assert stop(product)[0] == 0
    target = product.model_store / ARCHIVE
    with zipfile.ZipFile(bundled_archive()) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            if name != "provenance.json":
                new.writestr(name, old.read(name))
    with started_again(product) as again:
        refused = line(again, f"segserve: the gateway does not take {ARCHIVE}")
        assert "has a version 1.0 already, of other bytes" in refused
        assert "Give the archive another version" in refused
        assert segment(again) == 200
        status, output = stop(again)
    assert status == 0
    assert output.count("does not take") == 1
    chosen = replace(product, env={**product.env, "SEGSERVE_VERSION": "1.0"})
    with pytest.raises(RuntimeError) as caught, started_again(chosen):
        pass
    last = str(caught.value).splitlines()[-1]
    assert last.startswith(f"segserve: cannot run: {ARCHIVE} cannot be served: ")
    assert "of other bytes" in last


def test_a_version_that_cannot_be_loaded_ends_no_later_start(
    product: Stack, tmp_path: Path
) -> None:
    """It was kept although no node can serve it; the stable version serves as before."""
    source = product.model_store / ARCHIVE
    broken = renumbered(source, tmp_path / "broken.mar", "7.0", broken=True)
    added = product.versions("add", str(broken), "--keep")
    assert added.returncode == 1
    assert "cannot be served on local" in added.stderr
    assert stop(product)[0] == 0
    with started_again(product) as again:
        line(again, "ready after")
        assert segment(again) == 200
        log = again.run_dir / "logs" / "latest" / "torchserve.log"
        tried = "agent: scaling deeplabv3 7.0 to 2 workers failed: "
        until(lambda: tried in log.read_text(), tried)
        assert segment(again) == 200
        assert stop(again)[0] == 0
