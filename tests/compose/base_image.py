"""The base image of the Dockerfile, built here where no image registry can be reached.

On a machine that has or can pull the image that the Dockerfile names by its digest, none of this
runs. Elsewhere Debian's own packages make one like it under a name of its own, which also carries
this machine's certificates and pip settings, so that an installation inside a build finds the same
packages as one outside.
"""

import ast
import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.compose.commands import CommandError, run, succeeds, which
from tests.compose.engine import ROOT, install

DOCKERFILE = ROOT / "deploy" / "Dockerfile"
MADE_HERE = "segserve-base:bookworm"
SUITE = "bookworm"
PACKAGES = "ca-certificates,python3,python3-venv"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
PINS = ROOT / "deploy" / "requirements" / "constraints.txt"
UNUSED = ("usr/share/doc", "usr/share/locale", "usr/share/man", "var/cache/apt", "var/lib/apt")
LABEL = "segserve.settings"  # of an image that was made here: which settings it carries
PATH = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"


def pinned_image() -> str:
    """The base image that the Dockerfile names."""
    (name,) = re.findall(r"^ARG SEGSERVE_BASE_IMAGE=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    return str(name)


def ensure_base_image() -> tuple[str, str]:
    """Provide a base image, and return its name and its origin.

    One that was made here earlier is made again if this machine's settings changed since.
    """
    pinned = pinned_image()
    if succeeds(["docker", "image", "inspect", pinned], timeout_s=30):
        return pinned, "was there"
    if succeeds(["docker", "image", "inspect", MADE_HERE], timeout_s=30):
        template = '{{index .Config.Labels "' + LABEL + '"}}'
        label = run(["docker", "image", "inspect", "--format", template, MADE_HERE], timeout_s=30)
        if settings_digest() in label:
            return MADE_HERE, "made here earlier"
    if succeeds(["docker", "pull", "--quiet", pinned], timeout_s=300):
        return pinned, "pulled"
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise CommandError(f"{pinned} can neither be pulled nor be made here")
    if shutil.which("debootstrap") is None:
        install(["debootstrap"])
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder) / "root")
    return MADE_HERE, "made from Debian's packages"


def make(root: Path) -> None:
    """Build the root file system, adapt it to this machine, import it."""
    mirror, variant = debian_mirror(), ["--variant=minbase", f"--include={PACKAGES}"]
    run(["debootstrap", *variant, SUITE, str(root), mirror], timeout_s=600)
    for folder in UNUSED:
        shutil.rmtree(root / folder)
        (root / folder).mkdir()
    shutil.copyfile(host_certificates(), root / CERTIFICATES.lstrip("/"))
    (root / "etc/pip.conf").write_text(pip_settings())
    for file in (*pinned_wheels(), *constraints()):
        target = root / str(file).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    import_image(root)


def debian_mirror() -> str:
    """The Debian archive that this machine's own packages come from."""
    form = ["--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {SUITE}"]
    found = run(["apt-get", "indextargets", *form], timeout_s=30).split()
    if not found:
        raise CommandError(f"this machine's package sources have no Debian {SUITE}")
    return found[0]


def host_certificates() -> Path:
    """The certificate authorities that this machine trusts."""
    paths = (os.environ.get("SSL_CERT_FILE"), CERTIFICATES, ssl.get_default_verify_paths().cafile)
    return next(Path(path) for path in paths if path and Path(path).is_file())


def pip_config() -> dict[str, str]:
    """pip's configuration here; as in pip, the environment takes precedence over files."""
    listing = run([sys.executable, "-m", "pip", "config", "list"], timeout_s=60)
    parts = re.findall(r"^([^=\n]*)\.([\w-]+)=(.*)$", listing, re.MULTILINE)
    parts.sort(key=lambda part: part[0] == ":env:")
    return {name: str(ast.literal_eval(value)) for _, name, value in parts}


def pip_settings() -> str:
    """pip.conf for the image: this machine's, without indexes that are folders of this machine."""
    kept = {name: value for name, value in pip_config().items() if name != "cert"}
    for name in ("index-url", "extra-index-url"):
        addresses = [url for url in kept.pop(name, "").split() if not url.startswith("file:")]
        if addresses:
            kept[name] = " ".join(addresses)
    settings = "".join(f"{name} = {value}\n" for name, value in kept.items())
    return f"[global]\ncert = {CERTIFICATES}\n{settings}"


def constraints() -> list[Path]:
    """The constraint files that pip's settings name; without them pip installs nothing."""
    return [
        file
        for name in pip_config().get("constraint", "").split()
        if (file := Path(name)).is_file()
    ]


def settings_digest() -> str:
    """A digest of the settings that an image built here carries."""
    digest = hashlib.sha256(pip_settings().encode())
    for file in (*constraints(), host_certificates()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def pinned_wheels() -> list[Path]:
    """The wheels in pip's local folders that are pinned here; others would only take space."""
    pins = {
        re.split("[+;]", line)[0].strip().lower().replace("-", "_").replace("==", "-")
        for line in PINS.read_text().splitlines()
        if "==" in line
    }
    folders = [Path(place) for place in pip_config().get("find-links", "").split()]
    wheels = [wheel for folder in folders if folder.is_dir() for wheel in folder.glob("*.whl")]
    return [wheel for wheel in wheels if pin_of(wheel) in pins]


def pin_of(wheel: Path) -> str:
    """`name-version` of a wheel, without the local part of the version."""
    name, version = wheel.name.split("-")[:2]
    return f"{name.lower()}-{version.partition('+')[0]}"


def import_image(root: Path) -> None:
    """Import the tree into the engine."""
    tar = subprocess.Popen(
        [which("tar"), "--directory", str(root), "--create", "."], stdout=subprocess.PIPE
    )
    settings = (f"ENV PATH={PATH}", 'CMD ["python3"]', f"LABEL {LABEL}={settings_digest()}")
    change = [part for setting in settings for part in ("--change", setting)]
    imported = subprocess.run(
        [which("docker"), "import", *change, "-", MADE_HERE],
        stdin=tar.stdout,
        capture_output=True,
        timeout=300,
        check=False,
    )
    if tar.wait() != 0 or imported.returncode != 0:
        raise CommandError(f"docker import failed: {imported.stderr.decode(errors='replace')}")
