"""The wheel carries conf/ and runs from any directory."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import vae_lab

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built wheel, unpacked as an installer would."""
    place = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(place), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "hatchling" in done.stderr:
        pytest.skip("the build backend hatchling cannot be fetched: no package index")
    assert done.returncode == 0, done.stderr
    (wheel,) = place.glob("vae_lab-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    return place / "site"


def test_the_wheel_holds_every_config(site):
    held = {str(path.relative_to(site / "vae_lab")) for path in (site / "vae_lab" / "conf").rglob("*.yaml")}
    assert held == {str(path.relative_to(ROOT)) for path in (ROOT / "conf").rglob("*.yaml")}


def test_the_wheel_holds_command_types_and_version(site):
    (about,) = site.glob("vae_lab-*.dist-info")
    assert "vae-lab = vae_lab.__main__:main" in (about / "entry_points.txt").read_text()
    assert f"\nVersion: {vae_lab.__version__}\n" in (about / "METADATA").read_text()
    assert (site / "vae_lab" / "py.typed").is_file()


def test_the_citation_names_this_version():
    assert f"\nversion: {vae_lab.__version__}\n" in (ROOT / "CITATION.cff").read_text()


def test_the_installed_package_runs_from_another_directory(site, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(site)}
    code = "import vae_lab, vae_lab.config.groups as c; print(vae_lab.__file__); print(c.CONF)"
    run = {"capture_output": True, "text": True, "cwd": tmp_path, "env": environment, "check": True}
    said = subprocess.run([sys.executable, "-c", code], **run).stdout.split()
    assert said == [str(site / "vae_lab" / "__init__.py"), str(site / "vae_lab" / "conf")]
    command = [sys.executable, "-m", "vae_lab", "+experiment=smoke", "-m", "model=vae"]
    assert "1 run in multirun/" in subprocess.run(command, **run).stdout
