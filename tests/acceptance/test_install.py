"""What a stranger gets: the wheel, the source archive, and the README's first line on a machine with only Python."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from filelock import FileLock

from tests.acceptance.test_readme import two_lines
from tests.conftest import clean_environment

SOURCE = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source archive, and the wheel that was built from it. Built once for parallel tests too."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "archives"
    with FileLock(f"{directory}.lock"):
        if not directory.exists():
            build(directory)
    return directory


def build(directory: Path) -> None:
    """Both archives, by the build backend that is installed here, or else by one that is fetched for it."""
    isolation = [] if importlib.util.find_spec("hatchling") is None else ["--no-isolation"]
    command = [sys.executable, "-m", "build", *isolation, "--outdir", str(directory), str(SOURCE)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def wheel(archives: Path) -> Path:
    """The one wheel."""
    (path,) = archives.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    here = [path for path in (SOURCE / "cronflow").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert "cronflow/py.typed" in names
    assert sorted(names) == sorted(str(path.relative_to(SOURCE)) for path in here)


def test_the_source_archive_holds_what_its_tests_need(archives: Path) -> None:
    (path,) = archives.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = ["README.md", "LICENSE", "pyproject.toml", ".ci/run", "tests/__main__.py", "tests/conftest.py"]
    assert [name for name in needed if name not in names] == []


def test_the_main_job_runs_where_only_python_and_the_wheel_are(wheel: Path, tmp_path: Path) -> None:
    """The README's first line, the wheel in place of the source."""
    samples = shutil.ignore_patterns("out", "__pycache__")
    shutil.copytree(SOURCE / "sample-pipelines", tmp_path / "sample-pipelines", ignore=samples)
    line = two_lines()[0].replace("install -q . ", f"install -q '{wheel}' ")
    assert str(wheel) in line
    done = shell(line, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(tmp_path.glob("state/pipelines/daily_sales/runs/*/*/run.json"))
    for arguments in ("--version", "status", "status daily_sales", "validate", "schema"):
        done = shell(f".venv/bin/cronflow --pipelines-dir=sample-pipelines {arguments}", tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), arguments


def shell(line: str, place: Path) -> subprocess.CompletedProcess[str]:
    """What a person would paste in that directory; cronflow's state stays in it."""
    environment = clean_environment() | {"CRONFLOW_STATE_DIR": str(place / "state")}
    del environment["PYTHONWARNINGS"]  # those of pip and of what it runs are not ours to mend
    nothing, words = subprocess.DEVNULL, ["/bin/sh", "-c", line]
    return subprocess.run(words, cwd=place, env=environment, stdin=nothing, capture_output=True, text=True, check=False)


def test_what_the_tests_run_is_this_source() -> None:
    """An install grows old where it is not editable: `pip install .` again after an edit."""
    installed = Path(str(distribution("cronflow").locate_file("cronflow")))
    if installed.exists():
        assert texts(installed) == texts(SOURCE / "cronflow")


def texts(package: Path) -> dict[str, str]:
    """The modules below the directory by path."""
    return {str(path.relative_to(package)): path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
