"""The catalog: what a directory holds, which pipeline is meant, and a cache that is never more than a quicker start."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cronflow.catalog import Catalog, File, find, load_catalog, split_target
from cronflow.errors import BadPipeline, WrongUse
from cronflow.problem import show


class Places:
    """A pipelines directory, a state directory, and `config.yaml`, all of this test's own."""

    def __init__(self, home: Path) -> None:
        self.pipelines_dir = home / "pipelines"
        self.state_dir = home / "state"
        self.config = home / "config.yaml"
        self.pipelines_dir.mkdir(mode=0o755)

    def write(self, name: str, text: str) -> Path:
        """A file under the pipelines directory."""
        path = self.pipelines_dir / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        return path

    def catalog(self, *, cached: bool = True) -> Catalog:
        return load_catalog(str(self.pipelines_dir), str(self.state_dir) if cached else None)

    def run_of(self, target: object) -> str:
        """The command of the first task of what a target means."""
        found = find(str(target), str(self.pipelines_dir), str(self.state_dir))
        return next(iter(found.pipeline.tasks.values())).run

    def told(self, error: pytest.ExceptionInfo[Exception]) -> list[str]:
        """An error's lines, with short paths."""
        return str(error.value).replace(f"{self.pipelines_dir.parent}/", "").splitlines()

    def cache_files(self) -> list[Path]:
        return sorted(self.state_dir.glob("cache/*"))


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    # What was just written is read again next time; here everything counts as settled.
    monkeypatch.setattr("cronflow.loader.cache.FRESH_NS", -(10**9))
    return Places(tmp_path)


def problems(file: File) -> list[str]:
    return [show(os.path.basename(file.path), problem) for problem in file.problems]


def test_what_a_directory_holds(places: Places) -> None:
    places.write("etl.yaml", "run: x\n")
    places.write("sales/daily.yml", "run: y\n")
    places.write("sales/two.yaml", "name: two\nrun: x\n---\nname: three\nrun: x\n")
    for other in (".hidden.yaml", ".git/config.yaml", "notes.txt", "etl.yaml~"):
        places.write(other, "run: x\n")
    catalog = places.catalog()
    assert list(catalog.pipelines) == ["etl", "sales.daily", "three", "two"]
    assert [os.path.relpath(file.path, places.pipelines_dir) for file in catalog.files] == [
        "etl.yaml",
        "sales/daily.yml",
        "sales/two.yaml",
    ]
    assert [file.names for file in catalog.files] == [("etl",), ("sales.daily",), ("two", "three")]


def test_config_counts_for_all_and_is_one_of_the_files(places: Places) -> None:
    places.write("etl.yaml", "run: x\n")
    places.config.write_text("defaults: {retries: 7}\n")
    places.config.chmod(0o644)
    catalog = places.catalog()
    assert catalog.files[0].path == str(places.config)
    assert catalog.pipelines["etl"].pipeline.tasks["main"].retries == 7
    assert catalog.pipelines["etl"].config == catalog.config


def test_links_are_followed_and_never_in_circles(places: Places, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    elsewhere = tmp_path / "elsewhere" / "linked.yaml"
    elsewhere.write_text("run: x\n")
    elsewhere.chmod(0o644)
    (places.pipelines_dir / "one.yaml").symlink_to(elsewhere)
    (places.pipelines_dir / "again").symlink_to(places.pipelines_dir)
    (places.pipelines_dir / "self").symlink_to("self")
    (places.pipelines_dir / "gone.yaml").symlink_to("nowhere")
    catalog = places.catalog()
    assert list(catalog.pipelines) == ["one"]
    assert [problems(file) for file in catalog.files if file.problems] == [
        ["gone.yaml:1:1: can't be read: No such file or directory"]
    ]


def test_a_bad_file_never_stops_the_others(places: Places) -> None:
    places.write("bad.yaml", "run: x\nretires: 1\n")
    places.write("good.yaml", "run: x\n")
    catalog = places.catalog()
    assert list(catalog.pipelines) == ["good"]
    assert places.run_of("good") == "x"
    with pytest.raises(BadPipeline) as error:
        places.run_of("bad")
    assert places.told(error) == ["pipelines/bad.yaml:2:1: unknown key 'retires'; did you mean 'retries'?"]


def test_all_problems_of_a_bad_file_are_told(places: Places) -> None:
    places.write("bad.yaml", "name: etl\nrun: 1\nretires: 1\n")
    with pytest.raises(BadPipeline) as error:
        places.run_of("etl")
    assert places.told(error) == [
        'pipelines/bad.yaml:2:6: run: expected text; found 1, a number to YAML: quote it, "1"',
        "pipelines/bad.yaml:3:1: unknown key 'retires'; did you mean 'retries'?",
    ]


def test_two_pipelines_of_one_name_are_both_refused(places: Places) -> None:
    places.write("a.yaml", "name: etl\nrun: x\n")
    places.write("b.yaml", "# the same\nname: etl\nrun: x\n")
    places.write("c.yaml", "run: x\n")
    assert list(places.catalog().pipelines) == ["c"]
    with pytest.raises(BadPipeline) as error:
        places.run_of("etl")
    assert places.told(error) == [
        "pipelines/a.yaml:1:7: name: 'etl' is also the name of a pipeline in pipelines/b.yaml",
        "pipelines/b.yaml:2:7: name: 'etl' is also the name of a pipeline in pipelines/a.yaml",
    ]


def test_a_name_that_nobody_has(places: Places) -> None:
    places.write("daily_sales.yaml", "run: x\n")
    places.write("bad.yaml", "run: 1\n")
    with pytest.raises(WrongUse) as error:
        places.run_of("dayly_sales")
    assert places.told(error) == [
        "no pipeline 'dayly_sales' in pipelines; did you mean 'daily_sales'?",
        "files with problems: 1; 'cronflow validate' shows them",
    ]


def test_no_pipelines_directory(tmp_path: Path) -> None:
    for call in (lambda: load_catalog(f"{tmp_path}/none"), lambda: find("etl", f"{tmp_path}/none")):
        with pytest.raises(WrongUse) as error:
            call()
        assert str(error.value) == (
            f"{tmp_path}/none: no such directory; 'cronflow new NAME' makes it, with a first pipeline"
        )


def test_a_bad_config_stops_what_depends_on_it(places: Places) -> None:
    path = places.write("etl.yaml", "run: x\n")
    places.config.write_text("max_tasks: many\n")
    places.config.chmod(0o644)
    for target in ("etl", path):
        with pytest.raises(BadPipeline) as error:
            places.run_of(target)
        assert places.told(error) == [
            "config.yaml:1:12: max_tasks: expected a whole number from 1 to 100000; found 'many'"
        ]
    assert next(problems(file) for file in places.catalog().files) == [
        "config.yaml:1:12: max_tasks: expected a whole number from 1 to 100000; found 'many'"
    ]


def test_a_directory_that_others_may_write(places: Places) -> None:
    path = places.write("sub/etl.yaml", "run: x\n")
    path.parent.chmod(0o777)
    directory = path.parent
    expected = ["pipelines/sub/etl.yaml:1:1: others may write pipelines/sub: chmod o-w pipelines/sub"]
    assert places.catalog().pipelines == {}
    for target in ("sub.etl", path):
        with pytest.raises(BadPipeline) as error:
            places.run_of(target)
        assert places.told(error) == expected
    directory.chmod(0o755)
    assert places.run_of("sub.etl") == "x"


TARGETS = [
    ("etl", ("", "etl")),
    ("sales.daily", ("", "sales.daily")),
    ("etl.yaml", ("etl.yaml", "")),
    ("etl.yml", ("etl.yml", "")),
    ("./etl", ("./etl", "")),
    ("dir/etl.yaml", ("dir/etl.yaml", "")),
    ("etl.yaml:north", ("etl.yaml", "north")),
    ("/srv/a:b/etl.yaml", ("/srv/a:b/etl.yaml", "")),
    ("/srv/a:b/etl.yaml:north", ("/srv/a:b/etl.yaml", "north")),
]


@pytest.mark.parametrize(("target", "parts"), TARGETS)
def test_what_is_a_file_on_the_command_line(target: str, parts: tuple[str, str]) -> None:
    assert split_target(target) == parts


def test_a_file_of_several_pipelines(places: Places) -> None:
    path = places.write("both.yaml", "name: north\nrun: n\n---\nname: south\nrun: s\n")
    assert places.run_of(f"{path}:south") == places.run_of("south") == "s"
    with pytest.raises(WrongUse) as error:
        places.run_of(path)
    assert places.told(error) == [
        "pipelines/both.yaml holds several pipelines: name one, pipelines/both.yaml:north or pipelines/both.yaml:south"
    ]
    with pytest.raises(WrongUse) as error:
        places.run_of(f"{path}:nort")
    assert places.told(error) == ["pipelines/both.yaml has no pipeline 'nort'; did you mean 'north'?"]
    with pytest.raises(WrongUse) as error:
        places.run_of(f"{path}x/none.yaml")
    assert places.told(error) == ["pipelines/both.yamlx/none.yaml: no such file"]


def test_a_file_needs_no_pipelines_directory(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("run: x\n")
    path.chmod(0o644)
    found = find(str(path), str(tmp_path / "none"))
    assert (found.pipeline.name, found.path) == ("job", str(path))


def test_a_file_of_the_pipelines_directory_has_its_name_from_there(places: Places) -> None:
    path = places.write("sales/daily.yaml", "run: x\n")
    assert find(str(path), str(places.pipelines_dir)).pipeline.name == "sales.daily"


def test_cold_and_warm_say_the_same(places: Places) -> None:
    places.write("good.yaml", "run: x\ncatchup: all\n")
    places.write("bad.yaml", "run: 1\n")
    places.write("two.yaml", "name: a\nrun: x\n---\nname: b\nrun: y\n")
    without = places.catalog(cached=False)
    assert places.cache_files() == []
    assert places.catalog() == without
    assert len(places.cache_files()) == 1
    assert places.catalog() == without


CHANGES: list[tuple[str, Callable[[Places], object]]] = [
    ("edited", lambda places: places.write("etl.yaml", "run: y\n")),
    ("replaced", lambda places: os.replace(places.write("new", "run: y\n"), places.pipelines_dir / "etl.yaml")),
    ("config", lambda places: (places.config.write_text("defaults: {shell: y}\n"), places.config.chmod(0o644))),
    ("opened", lambda places: (places.pipelines_dir / "etl.yaml").chmod(0o666)),
    ("removed", lambda places: (places.pipelines_dir / "etl.yaml").unlink()),
    ("doubled", lambda places: places.write("b.yaml", "name: etl\nrun: z\n")),
]


@pytest.mark.parametrize("change", [row[1] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_every_change_is_seen(places: Places, change: Callable[[Places], object]) -> None:
    places.write("etl.yaml", "run: x\n")
    places.write("other.yaml", "run: other\n")
    before = places.catalog()
    change(places)
    assert places.catalog() == places.catalog(cached=False) != before


def test_an_edit_that_keeps_size_and_time_is_seen(places: Places) -> None:
    path = places.write("etl.yaml", "run: x\n")
    before = path.stat()
    assert places.run_of("etl") == "x"
    path.write_text("run: y\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert places.run_of("etl") == "y"


def test_what_has_just_been_written_is_not_kept(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cronflow.loader.cache.FRESH_NS", 10**15)
    places.write("etl.yaml", "run: x\n")
    places.catalog()
    assert all(b"etl.yaml" not in path.read_bytes() for path in places.cache_files())


def test_a_cache_cut_anywhere_is_as_if_there_were_none(places: Places) -> None:
    places.write("etl.yaml", "run: x\n")
    expected = places.catalog()
    (cache,) = places.cache_files()
    content = cache.read_bytes()
    for length in range(0, len(content), 7):
        cache.write_bytes(content[:length])
        assert places.catalog() == expected


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[]", b"{}", b"[" * 100_000, b'{"made_by": 1}', b"null"])
def test_a_cache_of_something_else(places: Places, content: bytes) -> None:
    places.write("etl.yaml", "run: x\n")
    expected = places.catalog()
    (cache,) = places.cache_files()
    cache.write_bytes(content)
    assert places.catalog() == expected


def test_a_cache_that_others_may_write_is_not_believed(places: Places) -> None:
    places.write("etl.yaml", "run: x\n")
    places.catalog()
    (cache,) = places.cache_files()
    cache.write_bytes(cache.read_bytes().replace(b'"run":"x"', b'"run":"evil"'))
    assert places.run_of("etl") == "evil"
    cache.chmod(0o666)
    assert places.run_of("etl") == "x"


def test_where_no_cache_can_be_kept(places: Places) -> None:
    places.write("etl.yaml", "run: x\n")
    places.state_dir.write_text("not a directory")
    assert places.run_of("etl") == "x"


def test_the_cache_is_private(places: Places) -> None:
    places.write("etl.yaml", "run: x\n")
    places.catalog()
    (cache,) = places.cache_files()
    assert [path.stat().st_mode & 0o777 for path in (cache, cache.parent)] == [0o600, 0o700]


def test_a_path_that_is_not_utf8_spoils_nothing(places: Places) -> None:
    places.write("etl.yaml", "run: x\n")
    path = os.fsencode(places.pipelines_dir) + b"/caf\xe9.yaml"
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    catalog = places.catalog()
    assert list(catalog.pipelines) == ["etl"]
    assert [problems(file) for file in catalog.files if file.problems] == [
        [r"caf\udce9.yaml:1:1: the path is not UTF-8: rename the file, or the directory"]
    ]
    assert places.catalog() == catalog


WARM = """
import sys
from cronflow.catalog import find, load_catalog
places = sys.argv[1:3]
find("etl", *places)
load_catalog(*places)
print(sorted({"yaml", "croniter", "difflib", "rich"} & set(sys.modules)))
"""


def test_what_is_in_the_cache_needs_neither_yaml_nor_cron(places: Places) -> None:
    places.write("etl.yaml", 'schedule: "0 3 * * *"\ntimezone: Europe/Berlin\nrun: x\n')
    places.config.write_text("timezone: UTC\n")
    places.config.chmod(0o644)
    places.catalog()
    words = [sys.executable, "-c", WARM, str(places.pipelines_dir), str(places.state_dir)]
    done = subprocess.run(words, check=True, capture_output=True, encoding="utf-8")
    assert done.stdout == "[]\n"
