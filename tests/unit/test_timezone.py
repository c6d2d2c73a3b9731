"""Zones by name, and the machine's own: never UTC by mistake."""

import shutil
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import pytest

from cronflow.timezone import ZoneError, label, machine_zone, zone


def zone_file(name: str, path: Path) -> Path:
    """A zone's file, at a path that does not tell its name."""
    path.write_bytes(files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes())
    return path


def test_a_known_name() -> None:
    assert label(zone("Europe/Berlin")) == "Europe/Berlin"


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("Europe/Berln", "; did you mean 'Europe/Berlin'?"),
        ("europe/berlin", "; did you mean 'Europe/Berlin'?"),
        ("Europe/Berlin ", "; did you mean 'Europe/Berlin'?"),
        ("Berlin", "; did you mean 'Europe/Berlin'?"),
        ("New York", "; did you mean 'America/New_York'?"),
        ("utc", "; did you mean 'UTC'?"),
        ("", "; zones are named as in 'Europe/Berlin' or 'UTC'"),
        ("  ", "; zones are named as in 'Europe/Berlin' or 'UTC'"),
        ("../x", "; zones are named as in 'Europe/Berlin' or 'UTC'"),
        ("/etc/passwd", "; zones are named as in 'Europe/Berlin' or 'UTC'"),
        ("Mars/Phobos", "; zones are named as in 'Europe/Berlin' or 'UTC'"),
        ("a\0b", "; zones are named as in 'Europe/Berlin' or 'UTC'"),
        ("z" * 5000, "; zones are named as in 'Europe/Berlin' or 'UTC'"),
    ],
)
def test_an_unknown_name_is_an_error(name: str, ending: str) -> None:
    with pytest.raises(ZoneError) as refusal:
        zone(name)
    assert str(refusal.value) == f"{name!r} is not a time zone{ending}"


@pytest.mark.parametrize("name", ["Europe", "America/Argentina", "tzdata.zi", "zone.tab", ".", "Europe/Berlin/x"])
def test_a_directory_or_another_file_is_no_zone(name: str) -> None:
    with pytest.raises(ZoneError):
        zone(name)


@pytest.mark.parametrize("variable", ["Asia/Tokyo", ":Asia/Tokyo", "/usr/share/zoneinfo/Asia/Tokyo"])
def test_the_machines_zone_is_first_what_tz_names(variable: str, tmp_path: Path) -> None:
    assert label(machine_zone(variable, tmp_path / "absent")) == "Asia/Tokyo"


@pytest.mark.parametrize("variable", [None, "", "CET-1CEST,M3.5.0,M10.5.0/3", "Nowhere/At_All"])
def test_else_what_the_link_leads_to(variable: str | None, tmp_path: Path) -> None:
    target = tmp_path / "zoneinfo" / "Europe" / "Berlin"
    target.parent.mkdir(parents=True)
    zone_file("Europe/Berlin", target)
    link = tmp_path / "localtime"
    link.symlink_to(target)
    assert label(machine_zone(variable, link)) == "Europe/Berlin"
    link.unlink()
    link.symlink_to(target.parent.parent / "Asia" / "Tokyo")
    assert label(machine_zone(variable, link)) == "Asia/Tokyo"


def test_else_the_file_itself_read_anew_when_it_changes(tmp_path: Path) -> None:
    path = zone_file("Europe/Berlin", tmp_path / "localtime")
    first = machine_zone(None, path)
    assert label(first) == "the machine's zone"
    assert datetime(2026, 7, 1, tzinfo=first).isoformat() == "2026-07-01T00:00:00+02:00"
    assert machine_zone(None, path) is first
    shutil.move(zone_file("Asia/Tokyo", tmp_path / "new"), path)
    assert datetime(2026, 7, 1, tzinfo=machine_zone(None, path)).isoformat() == "2026-07-01T00:00:00+09:00"


def test_without_the_file_it_is_utc(tmp_path: Path) -> None:
    assert label(machine_zone(None, tmp_path / "localtime")) == "UTC"


def test_a_file_that_is_no_zone_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "localtime"
    path.write_text("Europe/Berlin\n")
    with pytest.raises(ZoneError) as refusal:
        machine_zone(None, path)
    assert str(refusal.value).startswith(f"{path}: the machine's time zone can't be read (")
    assert str(refusal.value).endswith("); set one, or TZ")


def test_the_machines_zone_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert label(zone(None)) == "Asia/Tokyo"
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert label(zone(None)) == "Europe/Berlin"
