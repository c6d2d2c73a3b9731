"""What a stranger gets: the wheel, the source archive, and the README's first line on a machine with only Python."""

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.acceptance.test_readme import two_lines
from tests.conftest import clean_environment

SOURCE = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.xdist_group("install")


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source archive, and the wheel that was built from it."""
    directory = tmp_path_factory.mktemp("archives")
    isolation = [] if importlib.util.find_spec("hatchling") is None else ["--no-isolation"]
    build = [sys.executable, "-m", "build", *isolation, "--outdir", str(directory), str(SOURCE)]
    done = subprocess.run(build, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@pytest.fixture(scope="session")
def wheel(archives: Path) -> Path:
    """The one wheel."""
    (path,) = archives.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def machine(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A directory with only the samples, where the README's first line was run, the wheel in place of the source."""
    place = tmp_path_factory.mktemp("machine")
    samples = SOURCE / "sample-pipelines"
    shutil.copytree(samples, place / "sample-pipelines", ignore=shutil.ignore_patterns("out", "__pycache__"))
    line = two_lines()[0].replace("install -q . ", f"install -q '{wheel}' ")
    assert str(wheel) in line
    environment = clean_environment() | {"CRONFLOW_STATE_DIR": str(place / "state")}
    del environment["PYTHONWARNINGS"]  # those of pip and of what it runs are not ours to mend
    shell = ["/bin/sh", "-c", line]
    nothing = subprocess.DEVNULL
    done = subprocess.run(shell, cwd=place, env=environment, stdin=nothing, capture_output=True, text=True, check=False)
    return place, done


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    here = [path for path in (SOURCE / "cronflow").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert "cronflow/py.typed" in names
    assert sorted(names) == sorted(str(path.relative_to(SOURCE)) for path in here)


@pytest.mark.parametrize(
    "name", ["README.md", "LICENSE", "CHANGELOG.md", "pyproject.toml", "tests/conftest.py", "tests/__main__.py"]
)
def test_the_source_archive_holds_what_is_needed_to_test_it(archives: Path, name: str) -> None:
    (path,) = archives.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        assert f"{path.name.removesuffix('.tar.gz')}/{name}" in archive.getnames()


def test_the_main_job_runs_where_only_python_and_the_wheel_are(
    machine: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    place, done = machine
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(place.glob("state/pipelines/daily_sales/runs/*/*/run.json"))


def test_the_other_commands_work_there_too(machine: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    place, _ = machine
    program = place / ".venv" / "bin" / "cronflow"
    places = [f"--state-dir={place / 'state'}", f"--pipelines-dir={place / 'sample-pipelines'}"]
    for arguments in (["--version"], ["status"], ["status", "daily_sales"], ["validate"], ["schema"]):
        done = subprocess.run([program, *places, *arguments], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), arguments


def test_what_the_tests_run_is_this_source() -> None:
    """An install grows old where it is not editable: `pip install .` again after an edit."""
    installed = Path(str(distribution("cronflow").locate_file("cronflow")))
    if installed.exists():
        assert texts(installed) == texts(SOURCE / "cronflow")


def texts(package: Path) -> dict[str, str]:
    """The modules below the directory by path."""
    return {str(path.relative_to(package)): path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
