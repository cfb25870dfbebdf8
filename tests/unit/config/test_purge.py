"""`headwater purge` against an edge's admin listener over real HTTP, and against what is none."""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterable, Iterator

import pytest
from aiohttp import web
from tests.admin_kit import AdminApi

from headwater.config import purge
from headwater.config.pinproxy import PinProxy
from headwater.config.settings import Settings
from headwater.edge.purge import Order, Purged, What
from headwater.edge.purgeapi import routes

FOUND = Purged(objects=3, followers=1, flights=2, disk=40)
DONE = "purged: 3 objects, 1 playlists, 2 fetches, 40 disk\n"


def parsed(*arguments: str) -> argparse.Namespace:
    """What the command line says. Raises SystemExit."""
    parser = argparse.ArgumentParser()
    purge.add_to(parser.add_subparsers())
    return parser.parse_args(["purge", *arguments])


def settings_of(port: int, host: str = "127.0.0.1") -> Settings:
    return Settings.model_validate({"edge": {"admin": {"host": host, "port": port}}})


class Edge:
    """An admin listener, of an edge or with other pages; the command is run against it."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.found: Purged | None = FOUND
        self.api: AdminApi | None = None

    async def start(self, pages: Iterable[web.RouteDef] = ()) -> None:
        self.api = AdminApi(tuple(pages) or routes(self._purge))
        await self.api.server.start()

    def _purge(self, order: Order) -> Purged | None:
        self.orders.append(order)
        return self.found

    @property
    def base(self) -> str:
        assert self.api is not None
        return f"http://127.0.0.1:{self.api.server.port}"

    async def run(self, *arguments: str) -> int:
        """The exit code; the settings name this listener."""
        assert self.api is not None
        return await asyncio.to_thread(purge.run, parsed(*arguments), settings_of(self.api.server.port))


@pytest.fixture
async def edge() -> AsyncIterator[Edge]:
    made = Edge()
    yield made
    if made.api is not None:
        await made.api.server.close()


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


# -- what is asked for


@pytest.mark.parametrize(
    ("arguments", "order"),
    [
        (["/a/b.m4s"], Order(What.URL, "/a/b.m4s")),
        (["https://edge.example/a?b=c"], Order(What.URL, "/a?b=c")),
        (["--prefix", "/a/"], Order(What.PREFIX, "/a/")),
        (["--stream", "/live/x/index.m3u8", "--soft"], Order(What.STREAM, "/live/x/index.m3u8", soft=True)),
        (["--soft", "/%7ea"], Order(What.URL, "/~a", soft=True)),
    ],
)
async def test_the_order_that_an_edge_gets(
    edge: Edge, capsys: pytest.CaptureFixture[str], arguments: list[str], order: Order
) -> None:
    await edge.start()
    assert await edge.run(*arguments) == 0
    assert edge.orders == [order]
    assert capsys.readouterr() == (DONE, "")


@pytest.mark.parametrize(
    "arguments",
    [[], ["--soft"], ["/a", "--prefix", "/b/"], ["--prefix", "/a/", "--stream", "/b.m3u8"], ["/a", "/b"]],
)
def test_one_thing_is_purged_at_a_time(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed(*arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


async def test_another_admin_listener_than_that_of_the_settings(edge: Edge, nobody: int) -> None:
    await edge.start()
    for base in (edge.base, edge.base + "/"):
        assert await asyncio.to_thread(purge.run, parsed("/a", "--admin", base), settings_of(nobody)) == 0
    assert edge.orders == [Order(What.URL, "/a")] * 2


@pytest.mark.parametrize(
    ("base", "shown"),
    [
        ("127.0.0.1:9000", "127.0.0.1:9000"),
        ("ftp://edge", "ftp://edge"),
        ("file:///etc/x", "file:///etc/x"),
        ("http://", "http:"),
    ],
)
def test_what_is_no_url_of_an_admin_listener(capsys: pytest.CaptureFixture[str], base: str, shown: str) -> None:
    assert purge.run(parsed("/a", "--admin", base), Settings()) == 2
    assert capsys.readouterr() == ("", f"headwater purge: --admin {shown}: not an http:// or https:// URL\n")


async def test_a_proxy_in_the_environment_is_passed_by(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, nobody: int
) -> None:
    await edge.start()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{nobody}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert await edge.run("/a") == 0


# -- what comes back


async def test_a_bad_order_is_bad_usage_in_the_edges_words(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    await edge.start()
    assert await edge.run("a") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"headwater purge: {edge.base}: 400: the request-target is not a path; the body is")
    assert said.err.endswith(" where wanted\n"), "one line"


async def test_an_edge_that_is_not_running_did_not_do_it(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    await edge.start()
    edge.found = None
    assert await edge.run("/a") == 1
    assert capsys.readouterr() == ("", f"headwater purge: {edge.base}: 503: starting or stopped\n")


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1")])
def test_nobody_there(capsys: pytest.CaptureFixture[str], nobody: int, host: str, shown: str) -> None:
    assert purge.run(parsed("/a"), settings_of(nobody, host)) == 1
    assert capsys.readouterr() == (
        "",
        f"headwater purge: http://{shown}:{nobody}: [Errno 111] Connection refused\n",
    )


def test_an_admin_listener_on_ipv6_is_named_as_a_url_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert purge.run(parsed("/a"), settings_of(1, "::1")) == 1
    assert capsys.readouterr().err.startswith("headwater purge: http://[::1]:1: [Errno ")


@pytest.mark.parametrize("base", ["http://127.0.0.1:port", "http://a b/"])
def test_a_url_that_cannot_be_asked(capsys: pytest.CaptureFixture[str], nobody: int, base: str) -> None:
    assert purge.run(parsed("/a", "--admin", base), settings_of(nobody)) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("headwater purge: " + base.rstrip("/"))
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html>",
        b"[]",
        b"5",
        b"null",
        b'{"done": true}',
        b'{"purged": null}',
        b'{"purged": [1]}',
        b'{"purged": {"objects": null}}',
        b'{"purged": {"objects": "many"}}',
        b'{"purged": {"objects": 1}, "more": "' + b"x" * purge.MAX_ANSWER + b'"}',
    ],
)
async def test_an_answer_that_is_no_edges(edge: Edge, capsys: pytest.CaptureFixture[str], body: bytes) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(body=body)

    await edge.start([web.post("/purge", page)])
    assert await edge.run("/a") == 1
    assert capsys.readouterr() == ("", f"headwater purge: {edge.base}: this is no edge's admin listener\n")


async def test_the_largest_answer_that_is_read(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    body = b'{"purged": {"objects": 1}}'

    async def page(request: web.Request) -> web.Response:
        return web.Response(body=body + b" " * (purge.MAX_ANSWER - len(body)))

    await edge.start([web.post("/purge", page)])
    assert await edge.run("/a") == 0
    assert capsys.readouterr().out == "purged: 1 objects\n"


async def test_a_listener_without_such_a_page(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    await edge.start(PinProxy(lambda: None).routes())
    assert await edge.run("/a") == 1
    assert capsys.readouterr() == ("", f"headwater purge: {edge.base}: 404: 404: Not Found\n")


async def test_an_error_page_is_not_printed_without_end(edge: Edge, capsys: pytest.CaptureFixture[str]) -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(status=500, body=b"\xff" + b"x" * (2 * purge.MAX_ANSWER))

    await edge.start([web.post("/purge", page)])
    assert await edge.run("/a") == 1
    text = capsys.readouterr().err.removeprefix(f"headwater purge: {edge.base}: 500: ")
    assert text == "\ufffd" + "x" * (purge.MAX_ANSWER - 1) + "\n"


async def test_the_request_is_one_that_a_page_of_another_site_cannot_send(edge: Edge) -> None:
    seen: list[tuple[str, object]] = []

    async def page(request: web.Request) -> web.Response:
        seen.append((request.headers["Content-Type"], json.loads(await request.read())))
        return web.json_response({"purged": {}})

    await edge.start([web.post("/purge", page)])
    assert await edge.run("--prefix", "/a/") == 0
    assert seen == [("application/json", {"prefix": "/a/", "soft": False})]


async def raw(answer: bytes, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and what is said without the address, when a server says this and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    code = await asyncio.to_thread(purge.run, parsed("/a"), settings_of(port))
    server.close()
    await server.wait_closed()
    said = capsys.readouterr()
    assert said.out == ""
    return code, said.err.removeprefix(f"headwater purge: http://127.0.0.1:{port}: ")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "Remote end closed connection without response\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "this is no edge's admin listener\n"),
        (b"HTTP/1.1 503 No\r\nContent-Length: 99\r\n\r\nlater", "503: later\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{", "IncompleteRead(0 bytes read)\n"),
        (
            b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nlater",
            "503: No (IncompleteRead(0 bytes read))\n",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60_000, "this is no edge's admin listener\n"),
        (b"SSH-2.0-\x1b[2Jx\r\n", "SSH-2.0- [2Jx\n"),
    ],
)
async def test_a_server_that_breaks_off(capsys: pytest.CaptureFixture[str], answer: bytes, said: str) -> None:
    assert await raw(answer, capsys) == (1, said)
