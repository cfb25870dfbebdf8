"""The parent of an edge with workers: its addresses, its generations, hot restarts that work and that do not."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable

import pytest
from tests.crew_kit import Processes, install

from headwater.config import crew as crew_module
from headwater.config.crew import EdgeCrew
from headwater.config.crewmetrics import Restart
from headwater.config.folder import PathTooLong
from headwater.config.load import ConfigError, Problem
from headwater.config.running import StartError
from headwater.config.settings import Settings


class House:
    """A crew whose settings are read again at SIGHUP from `self.settings`; None: they cannot be used."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.settings: Settings | None = settings()
        self.crew = self.make(self.reload)

    def make(self, reload: Callable[[], Settings] | None) -> EdgeCrew:
        return EdgeCrew(settings(), lambda _: "http://127.0.0.1:9", lambda now: now.edge.workers, reload)

    def reload(self) -> Settings:
        if self.settings is None:
            raise ConfigError([Problem("headwater.toml", "edge.workers", None, "no number")])
        return self.settings

    def count(self, result: Restart) -> float:
        name, labels = "headwater_edge_hot_restarts_total", {"result": result.value}
        families = self.crew._book.collect()
        return next(
            one.value for family in families for one in family.samples if (one.name, one.labels) == (name, labels)
        )

    async def hang_up(self) -> None:
        """One hot restart from beginning to end."""
        before = sum(map(self.count, Restart))
        self.crew.hang_up()
        await until(lambda: sum(map(self.count, Restart)) > before)


async def until(there: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not there():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def settings(**edge: object) -> Settings:
    free = {"host": "127.0.0.1", "port": 0}
    return Settings.model_validate({"edge": {"http": free, "admin": free, "workers": 2, **edge}})


def taken(port: int) -> bool:
    """Somebody has bound it; an edge whose workers are none accepts nothing."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    made = House(install(monkeypatch))
    yield made
    await made.crew.close()
    assert made.processes.running() == {}


async def test_it_has_the_addresses_and_every_worker_a_part_of_them(house: House) -> None:
    await house.crew.start()
    ports = house.crew.listening
    assert taken(ports.http) and taken(ports.admin) and ports.tls is None
    running = house.processes.running()
    assert set(running) == {"node", "0", "1"}
    given = [running[name].orders.post.listening for name in ("0", "1")]
    assert all(len(descriptors) == 1 for descriptors in given) and given[0] != given[1]
    for (descriptor,) in given:
        with socket.socket(fileno=os.dup(descriptor)) as listening:
            assert listening.getsockname()[1] == ports.http
    folder = running["0"].orders.control.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    await house.crew.close()
    await house.crew.close()
    assert not taken(ports.http) and not taken(ports.admin)
    assert not folder.exists()


async def test_what_keeps_a_process_from_starting_ends_it_with_that_code(house: House) -> None:
    house.processes.failing["1"] = 2
    with pytest.raises(StartError, match="edge 1 did not start") as caught:
        await house.crew.start()
    assert caught.value.code == 2
    assert not taken(house.crew.listening.http)


@pytest.mark.parametrize("listener", ["http", "admin"])
async def test_an_address_that_is_taken_is_named(house: House, listener: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = {"host": "127.0.0.1", "port": other.getsockname()[1]}
        crew = EdgeCrew(settings(**{listener: address}), lambda _: "", lambda _: 2, None)
        with pytest.raises(StartError, match=rf"edge\.{listener}\.port: cannot listen"):
            await crew.start()
    assert house.processes.done == []


async def test_a_hot_restart_starts_the_new_ones_before_the_old_ones_make_way(house: House) -> None:
    await house.crew.start()
    before = dict(house.processes.running())
    house.processes.done.clear()
    house.settings = settings(held=77)
    await house.hang_up()
    after = house.processes.running()
    assert {name: one.orders.settings.edge.held for name, one in after.items()}["node"] == 77
    assert not {one.pid for one in after.values()} & {one.pid for one in before.values()}
    what = [what for _, what in house.processes.done]
    assert what.index("SIGUSR1") > max(at for at, one in enumerate(what) if one == "start")
    # The same edge to the world, on the same sockets
    for name, one in after.items():
        old, new = before[name].orders, one.orders
        assert (old.post.cdn_id, old.post.viewer_key) == (new.post.cdn_id, new.post.viewer_key)
        assert name == "node" or old.post.listening == new.post.listening
        assert old.control != new.control
    assert [house.count(result) for result in Restart] == [1, 0, 0]


async def test_settings_that_cannot_be_used_change_nothing(house: House) -> None:
    await house.crew.start()
    before = dict(house.processes.running())
    house.settings = None
    await house.hang_up()
    assert house.processes.running() == before
    assert [house.count(result) for result in Restart] == [0, 1, 0]


async def test_an_error_of_the_server_is_logged_and_the_next_restart_works(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.crew.start()
    before = house.processes.running()

    async def broken() -> Restart:
        raise RuntimeError("nobody thought of it")

    with monkeypatch.context() as patched:
        patched.setattr(house.crew, "_restarted", broken)
        await house.hang_up()
    assert house.count(Restart.FAILED) == 1
    assert house.processes.running() == before
    await house.hang_up()
    assert house.count(Restart.DONE) == 1


async def test_processes_that_do_not_start_change_nothing(house: House) -> None:
    await house.crew.start()
    before = dict(house.processes.running())
    sockets = house.crew._sockets.count
    house.settings = settings(workers=4)
    house.processes.failing["3"] = 1
    await house.hang_up()
    assert house.processes.running() == before
    assert house.crew._sockets.count == sockets, "connections to what was added would wait for nobody"
    assert house.crew._why_not_ready() is None
    assert [house.count(result) for result in Restart] == [0, 0, 1]
    house.processes.failing.clear()
    await house.hang_up()
    assert set(house.processes.running()) == {"node", "0", "1", "2", "3"}


async def test_fewer_workers_serve_the_sockets_of_all(house: House) -> None:
    await house.crew.start()
    every = {
        fd for one in house.processes.running().values() if one.role == "worker" for fd in one.orders.post.listening
    }
    house.settings = settings(workers=1)
    await house.hang_up()
    running = house.processes.running()
    assert set(running) == {"node", "0"}
    assert set(running["0"].orders.post.listening) == every


async def test_addresses_stay_as_they_are_bound(house: House) -> None:
    await house.crew.start()
    ports = house.crew.listening
    other = {"host": "127.0.0.2", "port": 1}
    house.settings = settings(http=other, admin=other)
    await house.hang_up()
    edge = house.processes.running()["0"].orders.settings.edge
    assert (edge.http.host, edge.admin.host) == ("127.0.0.1", "127.0.0.1")
    assert house.crew.listening == ports
    assert house.count(Restart.DONE) == 1


async def test_one_more_during_a_hot_restart_comes_after_it(house: House) -> None:
    await house.crew.start()
    house.processes.held.clear()
    house.crew.hang_up()
    await until(lambda: ("0", "SIGUSR1") in house.processes.done)
    for _ in range(3):
        house.crew.hang_up()
    house.settings = settings(held=99)
    house.processes.held.set()
    await until(lambda: house.count(Restart.DONE) == 2)
    assert house.processes.running()["node"].orders.settings.edge.held == 99
    await asyncio.sleep(0.02)
    assert house.count(Restart.DONE) == 2


async def test_a_stop_during_a_hot_restart_ends_both_generations(house: House) -> None:
    await house.crew.start()
    house.processes.held.clear()
    house.crew.hang_up()
    await until(lambda: ("0", "SIGUSR1") in house.processes.done)
    assert len({id(one) for one in house.processes.every if one.running}) == 6
    draining = asyncio.ensure_future(house.crew.drain())
    await asyncio.wait_for(draining, 5)
    assert [one.name for one in house.processes.every if one.running] == []
    assert house.crew._why_not_ready() == "starting or draining"
    house.crew.hang_up()
    assert house.count(Restart.DONE) == 0


async def test_without_a_way_to_read_settings_again_there_is_no_hot_restart(house: House) -> None:
    house.crew = house.make(None)
    house.crew.hang_up()
    await house.crew.start()
    before = dict(house.processes.running())
    house.crew.hang_up()
    await asyncio.sleep(0.02)
    assert house.processes.running() == before


async def test_readiness_is_that_of_the_processes(house: House) -> None:
    assert house.crew._why_not_ready() is not None
    await house.crew.start()
    assert house.crew._why_not_ready() is None
    house.processes.running()["node"].running = False
    assert house.crew._why_not_ready() == "its processes are starting"


async def test_a_folder_whose_path_is_too_long_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long() -> None:
        raise PathTooLong("/very/long: set TMPDIR to a shorter one")

    monkeypatch.setattr(crew_module, "PrivateFolder", too_long)
    with pytest.raises(StartError, match="TMPDIR"):
        await house.crew.start()
