"""Every check, one after the other: `python tests`. The first that fails ends it, with its exit code.

`python tests lint types` does only those. Needs what the `dev` extra installs. What the tools remember from one time
to the next is kept in the virtual environment, so the source may belong to somebody else.
"""

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent

# What answers soonest comes first; the timings while nothing else runs. The tests also build the wheel and the source
# archive and install them, and every warning in them is an error (pyproject.toml).
CHECKS = {
    "format": "ruff format --check cronflow tests sample-pipelines",
    "lint": "ruff check cronflow tests sample-pipelines",
    "types": "mypy",
    "timing": "pytest -m timing tests/benchmarks",
    "tests": "pytest -m 'not timing' -n auto --dist worksteal",
}

MEMORY = Path(sys.prefix) / "cache"
ENVIRONMENT = os.environ | {
    "HYPOTHESIS_STORAGE_DIRECTORY": str(MEMORY / "hypothesis"),
    "MYPY_CACHE_DIR": str(MEMORY / "mypy"),
    "PYTEST_ADDOPTS": f"-o cache_dir={shlex.quote(str(MEMORY / 'pytest'))} {os.environ.get('PYTEST_ADDOPTS', '')}",
    "RUFF_CACHE_DIR": str(MEMORY / "ruff"),
}


def main(wanted: list[str]) -> int:
    """Do the checks named, or all. Returns the first exit code that is not 0."""
    unknown = [name for name in wanted if name not in CHECKS]
    if unknown:
        sys.stderr.write(f"no such check: {', '.join(unknown)}; there are: {', '.join(CHECKS)}\n")
        return 2
    for name in wanted or CHECKS:
        code = check(name, CHECKS[name])
        if code:
            return code
    return 0


def check(name: str, command: str) -> int:
    """Say what is run, run it in the source's top directory, say how it ended. Returns its exit code."""
    print(f"\n== {name}: {command}", flush=True)
    began = time.monotonic()
    words = [sys.executable, "-m", *shlex.split(command)]
    code = subprocess.run(words, cwd=SOURCE, env=ENVIRONMENT, check=False).returncode
    print(f"== {name}: {'ok' if code == 0 else f'failed ({code})'}, {time.monotonic() - began:.0f} s", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
