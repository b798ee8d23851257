"""`segserve predict`: each image gets a result or a line, and no file is lost."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.setup.ports import free_ports
from scripts.archives.paths import ROOT
from tests.child_process import interruptible
from tests.unit.scripts.commands import command
from tests.unit.scripts.gateway_double import GatewayDouble, gateway_double

pytestmark = pytest.mark.slow

main = command("predict")
Started = subprocess.Popen[str]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayDouble]:
    """A running gateway double, whose address is in the environment."""
    with gateway_double() as double:
        monkeypatch.setenv("SEGSERVE_GATEWAY", double.url)
        yield double


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder's folder ``photos``: two images of one name, and a text."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    for name in ("a.jpg", "2024/a.jpg", "2024/b.PNG", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def _written(folder: str = "masks") -> dict[str, bytes]:
    root = Path(folder)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.*")}


def test_a_folder_keeps_its_tree(
    gateway: GatewayDouble, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images of one name do not overwrite each other; other files are counted."""
    assert main([str(photos), "--out", "masks"]) == 0
    assert _written() == {
        "a.png": b"mask of a.jpg",
        "2024/a.png": b"mask of 2024/a.jpg",
        "2024/b.png": b"mask of 2024/b.PNG",
    }
    output = capsys.readouterr()
    assert output.out.startswith("3 results in masks, 1 files are no images (")
    assert output.err == ""


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["photos/a.jpg"], ["a.png"]),
        (["photos/*.jpg"], ["a.png"]),
        (["photos/**/*.jpg"], ["2024/a.png", "a.png"]),
        (["photos/**"], ["2024/a.png", "2024/b.png", "a.png"]),
        (["photos/2024/*"], ["a.png", "b.png"]),
        (["photos/a.jpg", "photos/2024/a.jpg"], ["2024/a.png", "a.png"]),
        (["photos/2024", "photos/2024/a.jpg"], ["a.png", "b.png"]),
        (["photos/notes.txt"], ["notes.png"]),
    ],
)
def test_files_folders_and_patterns(
    gateway: GatewayDouble, arguments: list[str], names: list[str]
) -> None:
    """Results keep the paths below the common folder, each image once."""
    assert main([*arguments, "--out", "masks"]) == 0
    assert sorted(_written()) == names
    assert len(gateway.asked) == len(names)


def test_images_that_differ_in_their_suffix_only_keep_it(
    gateway: GatewayDouble, photos: Path
) -> None:
    """Each has its own result."""
    (photos / "a.png").write_bytes(b"the other")
    assert main(["photos/a.*", "--out", "masks"]) == 0
    assert _written() == {"a.jpg.png": b"mask of a.jpg", "a.png.png": b"mask of the other"}


@pytest.mark.usefixtures("photos")
def test_the_gateway_is_asked_for_what_was_wanted(
    gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Render, palette, classes, version and key are sent."""
    monkeypatch.setenv("SEGSERVE_KEY", "sgs_1_2")
    flags = ["--render", "overlay", "--palette", "voc", "--classes", "cat,dog", "--version", "2.0"]
    assert main(["photos/a.jpg", "--out", "masks", *flags]) == 0
    assert gateway.queries == [
        {"render": ["overlay"], "palette": ["voc"], "classes": ["cat,dog"], "version": ["2.0"]}
    ]
    assert gateway.headers[0]["Authorization"] == "Bearer sgs_1_2"
    assert gateway.headers[0]["Accept"] == "image/png"


@pytest.mark.usefixtures("photos")
def test_a_document_for_each_image(gateway: GatewayDouble) -> None:
    """--json writes a document per image."""
    assert main(["photos/2024", "--out", "facts", "--json"]) == 0
    assert {name: json.loads(text) for name, text in _written("facts").items()} == {
        "a.json": {"size": 10},
        "b.json": {"size": 10},
    }
    assert "render" not in gateway.queries[0]


def test_an_image_that_is_refused_harms_no_other(
    gateway: GatewayDouble, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line with the gateway's explanation, exit status 1, all other results written."""
    (photos / "bad.jpg").write_bytes(gateway.refused)
    assert main(["photos", "--out", "masks"]) == 1
    output = capsys.readouterr()
    assert output.err == (
        "segserve: photos/bad.jpg: the gateway answered 422: The file is no image.\n"
    )
    assert output.out.startswith("3 results in masks, 1 without a result, 1 files are no")
    assert len(_written()) == 3


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("none.jpg", "none.jpg: there is no such file"),
        ("none/*.jpg", "none/*.jpg: no image matches"),
        ("photos/*.txt", "photos/*.txt: no image matches"),
        ("photos/empty", "photos/empty: there is no image in this folder"),
    ],
)
def test_missing_files_are_reported_and_the_rest_is_done(
    gateway: GatewayDouble,
    photos: Path,
    argument: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is skipped silently."""
    (photos / "empty").mkdir()
    assert main([argument, "photos/a.jpg", "--out", "masks"]) == 1
    assert capsys.readouterr().err == f"segserve: {words}\n"
    assert "a.png" in {Path(name).name for name in _written()}
    assert len(gateway.asked) == 1


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("photos/gone.jpg", "photos/gone.jpg: there is no such file"),
        ("photos", "photos/gone.jpg: [Errno 2] No such file or directory: 'photos/gone.jpg'"),
        ("photos/*.jpg", "photos/gone.jpg: [Errno 2] No such file or directory"),
    ],
)
def test_a_broken_link_is_reported(
    gateway: GatewayDouble,
    photos: Path,
    argument: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whether it is named itself, by its folder or by a pattern."""
    (photos / "gone.jpg").symlink_to(photos / "nowhere.jpg")
    assert main([argument, "photos/a.jpg", "--out", "masks"]) == 1
    assert words in capsys.readouterr().err
    assert b"a.jpg" in gateway.asked


@pytest.mark.usefixtures("photos")
def test_a_busy_gateway_is_asked_again_when_it_says_so(gateway: GatewayDouble) -> None:
    """Retry-After is honoured, and every image gets its mask."""
    gateway.busy, gateway.retry_after = 3, "0.3"
    began = time.monotonic()
    assert main(["photos", "--out", "masks", "--concurrency", "1"]) == 0
    assert time.monotonic() - began >= 3 * 0.3
    assert len(_written()) == 3
    assert len(gateway.asked) == 6


@pytest.mark.usefixtures("photos")
def test_a_gateway_that_stays_busy_is_given_up(
    gateway: GatewayDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """After eight tries, with the gateway's explanation."""
    gateway.busy, gateway.retry_after = 1000, "0"
    assert main(["photos/a.jpg", "--out", "masks"]) == 1
    assert "photos/a.jpg: the gateway answered 503: Too many requests." in capsys.readouterr().err
    assert len(gateway.asked) == 8


@pytest.mark.parametrize(("concurrency", "most"), [("1", 1), ("3", 3)])
def test_requests_at_once_are_bounded(
    gateway: GatewayDouble, photos: Path, concurrency: str, most: int
) -> None:
    """The limit is reached and not exceeded."""
    for index in range(9):
        (photos / f"{index}.jpg").write_bytes(b"%d" % index)
    gateway.delay_s = 0.1
    assert main(["photos", "--out", "masks", "--concurrency", concurrency]) == 0
    assert gateway.at_once == most


@pytest.mark.usefixtures("photos")
def test_what_is_there_is_not_overwritten_unasked(
    gateway: GatewayDouble, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused before anything is sent; --resume does the rest, --force everything."""
    Path("masks").mkdir()
    Path("masks/a.png").write_bytes(b"by hand")
    assert main(["photos", "--out", "masks"]) == 1
    assert capsys.readouterr().err == (
        "segserve: masks/a.png is there already: --resume skips such images, --force overwrites\n"
    )
    assert gateway.asked == []
    assert main(["photos", "--out", "masks", "--resume"]) == 0
    assert "2 results in masks, 1 there already" in capsys.readouterr().out
    assert _written()["a.png"] == b"by hand"
    assert main(["photos", "--out", "masks", "--force"]) == 0
    assert _written()["a.png"] == b"mask of a.jpg"
    assert main(["photos", "--out", "masks", "--force", "--resume"]) == 2


def test_an_image_is_never_overwritten_by_a_mask(
    gateway: GatewayDouble, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even with --force."""
    (photos / "c.png").write_bytes(b"precious")
    assert main(["photos/c.png", "--out", "photos", "--force"]) == 1
    assert "photos/c.png is an image itself: choose another --out" in capsys.readouterr().err
    assert (photos / "c.png").read_bytes() == b"precious"
    assert gateway.asked == []


@pytest.mark.usefixtures("photos")
def test_results_in_the_folder_of_the_images_are_no_images(gateway: GatewayDouble) -> None:
    """A second run finds the same images as the first."""
    for flags in ((), ("--resume",)):
        assert main([".", "--out", "masks", *flags]) == 0
    assert len(gateway.asked) == 3


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("address", ["http://127.0.0.1:PORT", "127.0.0.1:8000", "http://[", "x"])
def test_without_a_gateway_there_is_one_line_and_not_one_for_each_image(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever was given as its address."""
    url = address.replace("PORT", str(free_ports(1)[0]))
    assert main(["photos", "--out", "masks", "--gateway", url]) == 1
    line = capsys.readouterr().err
    assert line.startswith(f"segserve: no gateway answers at {url} (")
    assert line.count("\n") == 1
    assert not Path("masks").exists()


def test_a_folder_that_cannot_be_written_is_reported_for_each_image(
    gateway: GatewayDouble, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file has the name of the folder."""
    Path("masks").write_text("a file")
    assert main(["photos/a.jpg", "--out", "masks"]) == 1
    line = capsys.readouterr().err
    assert line.startswith("segserve: photos/a.jpg: [Errno ")
    assert line.count("\n") == 1


def _start(gateway: GatewayDouble, folder: Path, *flags: str, errors: int) -> Started:
    return subprocess.Popen(
        [sys.executable, "-m", "scripts", "predict", str(folder), "--out", "masks", *flags],
        env={**os.environ, "PYTHONPATH": str(ROOT), "SEGSERVE_GATEWAY": gateway.url},
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        preexec_fn=interruptible,
    )


def test_ctrl_c_is_one_line_and_leaves_whole_results(gateway: GatewayDouble, photos: Path) -> None:
    """Exit status 130; --resume continues with the other images."""
    for index in range(20):
        (photos / f"{index:02d}.jpg").write_bytes(b"%d" % index)
    gateway.delay_s = 0.2
    process = _start(gateway, photos, "--concurrency", "2", errors=subprocess.PIPE)
    end = time.monotonic() + 30
    while len(gateway.asked) < 6 and time.monotonic() < end:
        time.sleep(0.02)  # polling another process
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert time.monotonic() - began < 5
    assert process.returncode == 130
    done = len(_written())
    assert errors == (
        f"segserve: stopped; {done} of 23 images are done, --resume goes on with the others\n"
    )
    assert 0 < done < 23
    assert all(content.startswith(b"mask of ") for content in _written().values())
    gateway.delay_s = 0
    assert main([str(photos), "--out", "masks", "--resume"]) == 0
    assert len(_written()) == 23


def test_a_terminal_has_a_progress_bar(gateway: GatewayDouble, photos: Path) -> None:
    """Files and pipes have none."""
    (photos / "bad.jpg").write_bytes(gateway.refused)
    ours, theirs = pty.openpty()
    process = _start(gateway, photos, errors=theirs)
    os.close(theirs)
    process.communicate(timeout=30)
    shown = ""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part.decode()
    os.close(ours)
    assert process.returncode == 1
    assert "segmenting" in shown
    assert "100%" in shown
    assert "segserve: " in shown.replace("\r", "\n")
