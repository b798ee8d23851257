"""`segserve evaluate`: metrics and reports, with failures in one line."""

import io
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from scripts.archives.paths import ROOT
from scripts.datasets.voc import IMAGES, MASKS
from tests.unit.handler.files import EXAMPLES
from tests.unit.scripts.commands import command
from tests.unit.scripts.voc_folder import SIZE, make, write

main = command("evaluate")

GOLDEN = ROOT / "tests" / "e2e" / "golden"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photographs with the eager model's masks as truth."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("astronaut", "cat"):
        ids = np.asarray(Image.open(GOLDEN / f"{name}.png"))
        write(folder, name, Image.open(EXAMPLES / f"{name}.jpg").convert("RGB"), ids)
    return folder


def test_an_archive_is_measured(
    archive: Path, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table on the terminal, JSON, and an HTML page."""
    figures, page = tmp_path / "out.json", tmp_path / "out.html"
    arguments = ["--data", str(photographs), "--archive", str(archive)]
    assert main([*arguments, "--json", str(figures), "--report", str(page)]) == 0
    facts = json.loads(figures.read_text())
    assert facts["images"] == 2
    assert facts["pixel_accuracy"] > 0.98
    assert facts["per_class"]["cat"] > 0.95
    assert f"mIoU {facts['miou']:.4f}" in capsys.readouterr().out
    assert page.read_text().startswith("<!doctype html>")


def test_a_checkpoint_is_measured_behind_the_input_that_it_needs(
    photographs: Path, tmp_path: Path
) -> None:
    """The flags of `segserve build` count."""
    from scripts.networks.architectures import BUNDLED_WEIGHTS

    figures = tmp_path / "out.json"
    arguments = ["--data", str(photographs), "--weights", str(BUNDLED_WEIGHTS)]
    assert main([*arguments, "--mean", "0.9", "--std", "0.1", "--json", str(figures)]) == 0
    assert json.loads(figures.read_text())["pixel_accuracy"] < 0.98


def test_facts_about_the_input_are_of_a_checkpoint(
    archive: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An archive and a gateway have their own."""
    arguments = ["--data", str(photographs), "--archive", str(archive), "--size", "256"]
    assert main(arguments) == 2
    assert "--size says how a checkpoint is read" in capsys.readouterr().err


def test_a_checkpoint_is_measured(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own masks are the truth here, up to the JPEG's second compression."""
    from scripts.networks.architectures import BUNDLED_WEIGHTS

    figures = tmp_path / "out.json"
    arguments = ["--data", str(photographs), "--weights", str(BUNDLED_WEIGHTS)]
    assert main([*arguments, "--json", str(figures)]) == 0
    assert json.loads(figures.read_text())["pixel_accuracy"] > 0.98
    assert "checkpoint of deeplabv3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "nowhere", "--archive", "none.mar"], "nowhere/JPEGImages: there is no such"),
        (["--data", "DATA", "--archive", "none.mar"], "none.mar is not a model archive"),
        (["--data", "DATA", "--weights", "none.pth"], "none.pth: there is no such file"),
        (["--data", "DATA", "--gateway", "http://127.0.0.1:1"], "no gateway answers at"),
    ],
)
def test_what_is_missing_is_one_line(
    photographs: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1 and one line on standard error."""
    assert main([each.replace("DATA", str(photographs)) for each in arguments]) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("segserve: ")
    assert words in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("option", ["--json", "--report"])
def test_a_report_without_a_folder_is_refused_before_anything_is_measured(
    photographs: Path, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A measurement may take an hour; even the archive is not read."""
    path = tmp_path / "missing" / "out"
    arguments = ["--data", str(photographs), "--archive", "none.mar", option, str(path)]
    assert main(arguments) == 1
    assert capsys.readouterr().err == f"segserve: {path}: there is no folder {path.parent}\n"


def test_what_cannot_be_written_does_not_cost_the_table(
    archive: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a full disk: exit status 1, one line, and the table on the terminal."""
    arguments = ["--data", str(photographs), "--archive", str(archive), "--json", "/dev/full"]
    assert main(arguments) == 1
    output = capsys.readouterr()
    assert "2 pictures" in output.out
    assert output.err == "segserve: [Errno 28] No space left on device\n"


def test_a_bad_mask_is_found_before_anything_is_predicted(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the mask."""
    mask = make(tmp_path, 2) / MASKS / "p01.png"
    Image.new("L", (3, 3)).save(mask)
    assert main(["--data", str(tmp_path), "--archive", str(archive)]) == 1
    errors = capsys.readouterr().err
    assert errors == f"segserve: {mask}: 3 x 3 pixels, but its picture has 96 x 80\n"


def test_the_key_of_the_environment_is_sent_to_the_gateway(
    photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refusal is printed with the gateway's explanation, without the key."""
    sent = []

    class Gateway(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            sent.append(self.headers["Authorization"])
            self.send_response(401)
            self.end_headers()
            self.wfile.write(b'{"detail": "The key is not valid."}')

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Keep quiet."""

    monkeypatch.setenv("SEGSERVE_API_KEY", "sgs_1_2")
    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        assert main(["--data", str(photographs), "--gateway", url]) == 1
    assert sent == ["Bearer sgs_1_2"]
    assert capsys.readouterr().err == (
        "segserve: the gateway answered 401: The key is not valid.\n"
    )


@pytest.mark.parametrize(
    "asked",
    [
        ["--version", "2.0", "--archive", "a.mar"],
        ["--version", "2.0", "--weights", "w.pth"],
        ["--version", "2.0", "--model", "deeplabv3_resnet50"],
        ["--gateway", "http://127.0.0.1:1", "--model", "deeplabv3_resnet50"],
    ],
)
def test_a_gateway_and_a_file_at_once_are_refused(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkpoint must not be measured in place of the gateway's version."""
    assert main(["--data", "d", *asked]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "--version and --gateway are of a gateway: leave out --archive, --weights" in error
    for variable in ("VERSION", "ARCHIVE", "WEIGHTS", "MODEL"):
        assert variable in error


def test_two_sources_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """It would be unclear which one is measured."""
    assert main(["--data", "d", "--archive", "a.mar", "--weights", "w.pth"]) == 2
    assert "not allowed with" in capsys.readouterr().err


CLASSES = ("grey", "red", "green")


class Gateway(BaseHTTPRequestHandler):
    """A gateway that predicts background, and refuses one image."""

    refused = b"no picture at all"

    def do_GET(self) -> None:  # the name is http.server's
        facts = {"model": "deeplabv3", "version": "1.0"}
        labels = [{"id": index, "name": name} for index, name in enumerate(CLASSES)]
        self._answer(200, json.dumps({"labels": labels, **facts}).encode())

    def do_POST(self) -> None:
        if self.refused in self.rfile.read(int(self.headers["Content-Length"])):
            self._answer(413, b'{"detail": "Too large."}')
            return
        stream = io.BytesIO()
        Image.new("L", SIZE).save(stream, "PNG")
        self._answer(200, stream.getvalue())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


@pytest.fixture
def gateway() -> Iterator[str]:
    """Its address."""
    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_refused_picture_does_not_cost_what_was_measured_before_it(
    gateway: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Status 1, the table so far, and a line with the image; no report that looks complete."""
    data, figures = make(tmp_path / "data", 4), tmp_path / "out.json"
    monkeypatch.setattr(Gateway, "refused", (data / IMAGES / "p02.jpg").read_bytes())
    assert main(["--data", str(data), "--gateway", gateway, "--json", str(figures)]) == 1
    output = capsys.readouterr()
    assert "2 pictures, deeplabv3 1.0 at" in output.out
    assert output.err == (
        f"segserve: {data}/JPEGImages/p02.jpg: the gateway answered 413: Too large.; "
        "the table is of the pictures before it\n"
    )
    assert not figures.exists()


def test_only_the_named_pictures_are_measured(
    gateway: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The images that a training held out."""
    data, names, figures = make(tmp_path / "data", 5), tmp_path / "names", tmp_path / "out.json"
    names.write_text("p03\np01\n")
    arguments = ["--data", str(data), "--gateway", gateway, "--names", str(names)]
    assert main([*arguments, "--json", str(figures)]) == 0, capsys.readouterr().err
    facts = json.loads(figures.read_text())
    assert {each["name"] for each in facts["pictures"]} == {"p01", "p03"}


@pytest.mark.parametrize(
    ("content", "words"),
    [("p01\np99\n", "there is no picture named p99"), ("\n", "holds no names")],
)
def test_a_wrong_list_of_names_is_one_line(
    tmp_path: Path, content: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is measured, with either source."""
    data, names = make(tmp_path / "data", 2), tmp_path / "names"
    names.write_text(content)
    arguments = ["--data", str(data), "--archive", "none.mar", "--names", str(names)]
    assert main(arguments) == 1
    assert capsys.readouterr().err == f"segserve: {names}: {words}\n"


@pytest.mark.parametrize(("classes", "status"), [(CLASSES, 0), (("grey", "red"), 1)])
def test_labels_are_those_of_what_is_measured(
    gateway: str,
    tmp_path: Path,
    classes: tuple[str, ...],
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Ids of one model must not be scored as classes of another."""
    data, labels = make(tmp_path / "data", 2), tmp_path / "labels.json"
    labels.write_text(json.dumps(dict(enumerate(classes))))
    arguments = ["--data", str(data), "--gateway", gateway, "--labels", str(labels)]
    assert main(arguments) == status
    error = f"segserve: --labels {labels}: deeplabv3 1.0 at {gateway} has other classes"
    assert (error in capsys.readouterr().err) == (status == 1)
