"""The README's pictures, from real runs: `python -m tests.pictures [DIRECTORY]`, by default into `tests/pictures/`.

Some pipelines are really run, in a directory of their own, and `cronflow status` really draws them on a terminal; what
it wrote there becomes the picture. Takes half a minute, most of it the tasks' own.
"""

import io
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.conftest import Cronflow
from tests.terminal import Terminal, on_terminal

COLUMNS = 108
DAYS = 6

DAILY_SALES = """\
    description: "Yesterday's orders: pulled, loaded, cleaned, mailed"
    schedule: "0 1 * * *"
    timezone: Europe/Berlin
    params: {broken: "no"}
    defaults: {retries: 2, retry_delay: 0.3s, retry_backoff: 1}
    tasks:
      pull_orders: {run: "sleep 0.5; test $CRONFLOW_ATTEMPT -gt 1 || test $broken != api"}
      exchange_rates: {run: "sleep 0.3"}
      load: {needs: pull_orders, run: "sleep 0.7"}
      transform:
        needs: [load, exchange_rates]
        retries: 1
        run: |
          sleep 0.4
          if test $broken = table; then
            echo "cleaning the orders of $CRONFLOW_DS"
            echo "Error: in prepare, no such column: discount"
            exit 3
          fi
      refresh_notice: {needs: transform, run: "sleep 0.2"}
"""
BACKUP = """\
    schedule: "30 2 * * *"
    timezone: Europe/Berlin
    run: sleep 0.2
"""
REPORT = """\
    schedule: "0 7 * * 1"
    timezone: Europe/Berlin
    tasks:
      collect: {run: "sleep 0.1"}
      send: {needs: collect, run: "exit 75"}
"""
INVOICES = """\
    schedule: "0 6 1 * *"
    timezone: Europe/Berlin
    enabled: false
    run: "true"
"""


class AtHome(Cronflow):
    """Found by its environment, so that no picture has to name this place."""

    def command_line(self, arguments: Iterable[object]) -> list[str]:
        return ["cronflow", *map(str, arguments)]

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        places = {"CRONFLOW_PIPELINES_DIR": str(self.pipelines_dir), "CRONFLOW_STATE_DIR": str(self.state_dir)}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return super().environment(env) | places | {"PATH": path}


def main(directory: Path) -> None:
    """Run the pipelines, draw them, write the pictures."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        cronflow = AtHome(Path(home))
        run_all(cronflow)
        failed = cronflow.json("status", "daily_sales", "--state", "failed")["runs"][0]["run_id"]
        views = {"status": [], "status-pipeline": ["daily_sales"], "status-run": ["daily_sales", failed]}
        with Terminal(cronflow, "run", "daily_sales") as going_on:
            going_on.read_until(lambda screen: b"running" in screen)
            for name, words in views.items():
                draw(cronflow, words, directory / f"{name}.svg")
            going_on.to_the_end()


def run_all(cronflow: Cronflow) -> None:
    """A few days of each pipeline; two of them with a fault."""
    for name, text in {
        "backup": BACKUP,
        "daily_sales": DAILY_SALES,
        "invoices": INVOICES,
        "weekly_report": REPORT,
    }.items():
        cronflow.pipeline(name, text)
    today = datetime.now(UTC).date()
    for ago in range(DAYS, 0, -1):
        day = today - timedelta(days=ago + 1)
        fault = {4: "api", 2: "table"}.get(ago, "no")
        cronflow("run", "daily_sales", "--date", day, "--param", f"broken={fault}")
        cronflow("run", "backup", "--date", day)
    for _ in range(2):
        cronflow("run", "weekly_report")


def draw(cronflow: Cronflow, words: list[str], path: Path) -> None:
    """What `cronflow status WORDS` writes on a terminal, as a picture that loads nothing from elsewhere."""
    screen = on_terminal(cronflow, "status", *words, columns=COLUMNS)
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(screen), soft_wrap=True)
    picture = console.export_svg(title=" ".join(["cronflow", "status", *words]))
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL).replace("Fira Code", "DejaVu Sans Mono")
    path.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(""))
