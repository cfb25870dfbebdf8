"""What is said before a run that the system will not allow."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from headwater.loadtest.generator.plan import Arrival
from headwater.loadtest.records import ViewerClass
from headwater.loadtest.scenario import limits as module
from headwater.loadtest.scenario.limits import most_at_once, ports, unusable, warnings

VIEWER = ViewerClass()


def crowd(count: int, *, stay_s: float | None = None, apart_s: float = 0.0) -> list[Arrival]:
    return [Arrival(number * apart_s, VIEWER, stay_s) for number in range(count)]


def test_most_at_once() -> None:
    assert most_at_once([]) == 0
    assert most_at_once(crowd(10)) == 10
    assert most_at_once(crowd(10, stay_s=3, apart_s=1)) == 3
    assert most_at_once([*crowd(5, stay_s=1), Arrival(2, VIEWER, None), Arrival(3, VIEWER, 1)]) == 5


def test_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 1_000))
    assert not warnings(crowd(400), 1, 0)
    (text,) = warnings(crowd(500), 1, 0)
    assert text.startswith("up to 1,000 connections in a process, and 1,000 open files are allowed")
    assert not warnings(crowd(500), 2, 0)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1"])
def test_an_address_of_this_machine(address: str) -> None:
    assert unusable(address) is None


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_address_of_another_machine(address: str) -> None:
    assert unusable(address) == "Cannot assign requested address"


def test_ports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(module, "PORT_RANGE", tmp_path / "range")
    assert ports() == 28_000
    (tmp_path / "range").write_text("32768\t33767\n")
    assert ports() == 1_000
    assert not warnings(crowd(500), 1, 0)
    (text,) = warnings(crowd(501), 1, 1)
    assert "ports for 1,000: use more --source-addresses" in text
    assert not warnings(crowd(501), 1, 2)
    assert not warnings(crowd(1_000), 1, 0, http2=True)
    assert warnings(crowd(1_001), 1, 0, http2=True)
