"""The viewers' TLS listener over real sockets: names, versions, renewals, what is refused before it costs anything."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import time
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.edge_house import LIST, House, Peer, on_both_loops, until
from tests.h2_kit import Http2Peer, client_context
from tests.tls_kit import issue

from headwater.config.settings_tls import Tls
from headwater.edge import tls
from headwater.edge.core import TICK_S
from headwater.edge.tls import CertificateError, Certificates, CertificateSet, check


def certificate(folder: Path, file: str, *names: str, days: int = 30) -> dict[str, str]:
    """The setting that names the files of a certificate for `names`."""
    return issue(folder, file, *names, days=days).entry


async def gone(writer: asyncio.StreamWriter) -> None:
    """Close, whatever the edge does."""
    writer.close()
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        await writer.wait_closed()


def distrust(port: int) -> None:
    """A viewer who does not take the certificate, and says so."""
    with (
        socket.create_connection(("127.0.0.1", port)) as plain,
        pytest.raises(ssl.SSLError),
        ssl.create_default_context().wrap_socket(plain, server_hostname="a"),
    ):
        pass


def break_it(file: str) -> None:
    Path(file).write_text("no certificate")


async def shown(port: int, name: str | None = None, context: ssl.SSLContext | None = None) -> list[str]:
    """DNS names of the certificate that the edge shows to who asks for `name`."""
    context = context or client_context("h2")
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name or "")
    der = writer.get_extra_info("ssl_object").getpeercert(True)
    await gone(writer)
    names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return names.value.get_values_for_type(x509.DNSName)


@on_both_loops
async def test_certificates_by_name(house: House, tmp_path: Path) -> None:
    entries = [
        certificate(tmp_path, "a", "a.example"),
        certificate(tmp_path, "b", "b.example", "*.b.example"),
        certificate(tmp_path, "c", "c.example", days=5),
    ]
    edge = await house.edge(tls={"port": 0, "certificates": entries})
    for name, expected in (
        ("a.example", "a.example"), ("B.example", "b.example"), ("x.b.example", "b.example"),
        ("x.y.b.example", "a.example"), ("c.example", "c.example"), ("other.example", "a.example"), (None, "a.example"),
    ):  # fmt: skip
        assert (await shown(edge.tls_port, name))[0] == expected
    ends = house.metric("headwater_edge_tls_certificate_expiry_timestamp_seconds", certificate="c.example")
    assert 4.9 * 86_400 < ends - time.time() < 5.1 * 86_400  # noqa: TID251  (certificates end by the wall clock)


@on_both_loops
async def test_protocols_and_versions(house: House) -> None:
    house.front = "h2"
    edge = await house.edge()
    for protocols, version, kind in (
        (("h2", "http/1.1"), ssl.TLSVersion.TLSv1_3, ("h2", "1.3")),
        (("h2",), ssl.TLSVersion.TLSv1_2, ("h2", "1.2")),
        (("http/1.1",), ssl.TLSVersion.TLSv1_3, ("http/1.1", "1.3")),
        ((), ssl.TLSVersion.TLSv1_2, ("http/1.1", "1.2")),
    ):
        context = client_context(*protocols)
        context.minimum_version = context.maximum_version = version
        streams = await asyncio.open_connection("127.0.0.1", edge.tls_port, ssl=context)
        peer = Http2Peer(*streams) if kind[0] == "h2" else Peer(*streams)
        assert (await peer.ask("/healthz")).status == 200
        peer.close()
        name, labels = "headwater_edge_tls_connections_total", {"protocol": kind[0], "version": kind[1]}
        assert house.metric(name, **labels) == 1


@on_both_loops
async def test_http2_can_be_switched_off_and_old_versions_too(house: House) -> None:
    entry = {"certificate": str(house.certificate())}
    edge = await house.edge(tls={"port": 0, "certificates": [entry], "http2": False, "least_version": "1.3"})
    _, writer = await asyncio.open_connection("127.0.0.1", edge.tls_port, ssl=client_context("h2", "http/1.1"))
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    await gone(writer)
    old = client_context()
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", edge.tls_port, ssl=old)
    await until(lambda: house.metric("headwater_edge_tls_handshakes_failed_total", reason="version") == 1)


@on_both_loops
async def test_sessions_are_taken_up_again(house: House) -> None:
    house.front = "h2"
    edge = await house.edge()

    def talk(context: ssl.SSLContext, session: ssl.SSLSession | None) -> tuple[bool | None, ssl.SSLSession | None]:
        with (
            socket.create_connection(("127.0.0.1", edge.tls_port)) as plain,
            context.wrap_socket(plain, session=session) as sock,
        ):
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            sock.recv(1_000)
            return sock.session_reused, sock.session

    loop = asyncio.get_running_loop()
    context = client_context()
    _, session = await loop.run_in_executor(None, talk, context, None)
    assert (await loop.run_in_executor(None, talk, context, session))[0]


@on_both_loops
async def test_a_renewed_certificate_is_used_and_a_broken_one_is_not(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_S", 0.0)
    entry = certificate(tmp_path, "a", "old.example")
    edge = await house.edge(tls={"port": 0, "certificates": [entry]})
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.tls_port, ssl=client_context())
    assert await shown(edge.tls_port) == ["old.example"]
    break_it(entry["certificate"])
    await until(lambda: house.metric("headwater_edge_tls_reloads_total", result="failed") >= 1)
    assert await shown(edge.tls_port) == ["old.example"]
    certificate(tmp_path, "b", "new.example")
    for kind in ("crt", "key"):
        os.replace(tmp_path / f"b.{kind}", tmp_path / f"a.{kind}")
    await until(lambda: house.metric("headwater_edge_tls_reloads_total", result="ok") >= 1)
    assert await shown(edge.tls_port) == ["new.example"]
    still = Peer(reader, writer)
    assert (await still.ask("/healthz")).status == 200, "connections go on"
    still.close()


@on_both_loops
async def test_a_renewed_certificate_is_used_at_once_when_somebody_asks_for_it(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_S", 3_600.0)
    edge = await house.edge(tls={"port": 0, "certificates": [certificate(tmp_path, "a", "old.example")]})
    await asyncio.sleep(5 * TICK_S)
    certificate(tmp_path, "b", "new.example")
    for kind in ("crt", "key"):
        os.replace(tmp_path / f"b.{kind}", tmp_path / f"a.{kind}")
    await asyncio.sleep(5 * TICK_S)
    assert await shown(edge.tls_port) == ["old.example"]
    edge.reread()
    await until(lambda: house.metric("headwater_edge_tls_reloads_total", result="ok") == 1)
    assert await shown(edge.tls_port) == ["new.example"]


@on_both_loops
async def test_what_does_no_handshake(house: House) -> None:
    house.front = "h2"
    edge = await house.edge()

    def failed(reason: str) -> float:
        return house.metric("headwater_edge_tls_handshakes_failed_total", reason=reason)

    plain = Peer(*await asyncio.open_connection("127.0.0.1", edge.tls_port))
    plain.get("/")
    await until(lambda: failed("not-tls") == 1)
    gone = Peer(*await asyncio.open_connection("127.0.0.1", edge.tls_port))
    gone.send(b"\x16\x03\x01")
    await gone.writer.drain()
    gone.close()
    await until(lambda: failed("reset") == 1)
    await asyncio.get_running_loop().run_in_executor(None, distrust, edge.tls_port)
    await until(lambda: failed("certificate") == 1)
    assert house.metric("headwater_edge_connections") == 0
    assert (await (await house.peer()).ask("/healthz")).status == 200
    hasty = await house.edge(header_s=0.3)
    silent = Peer(*await asyncio.open_connection("127.0.0.1", hasty.tls_port))
    await until(lambda: failed("timeout") == 1)
    for peer in (plain, silent):
        peer.close()


@on_both_loops
async def test_who_is_refused_is_refused_before_the_handshake(house: House) -> None:
    house.front = "h2"
    await house.edge(limits={"unlimited": [], "connections_per_address": 2})
    first, _ = await house.peer(), await house.peer()
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await house.peer()
    assert house.metric("headwater_edge_refused_total", reason="address-connections") == 1
    assert (await (await house.peer(address="127.0.0.2")).ask("/healthz")).status == 200
    first.close()
    await until(lambda: house.metric("headwater_edge_connections") == 2)
    assert (await (await house.peer()).ask("/healthz")).status == 200


@on_both_loops
async def test_one_connection_too_many(house: House) -> None:
    house.front = "h2"
    await house.edge(connections=1)
    first = await house.peer()
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await house.peer()
    assert house.metric("headwater_edge_refused_total", reason="connections") == 1
    assert (await first.ask("/healthz")).status == 200


@on_both_loops
async def test_the_proxy_header_comes_before_the_handshake(house: House) -> None:
    house.front = "h2"
    limits = {"unlimited": [], "connections_per_address": 1}
    edge = await house.edge(proxy={"trusted": ["127.0.0.0/8"], "protocol": True}, limits=limits)
    loop = asyncio.get_running_loop()

    async def through(header: bytes, *, slowly: bool = False) -> Http2Peer:
        sock = socket.create_connection(("127.0.0.1", edge.tls_port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        for piece in [header[i : i + 1] for i in range(len(header))] if slowly else [header]:
            await loop.sock_sendall(sock, piece)
            if slowly:
                await asyncio.sleep(0.002)
        streams = await asyncio.open_connection(sock=sock, ssl=client_context("h2"), server_hostname="edge")
        peer = Http2Peer(*streams)
        house.peers.append(peer)  # type: ignore[arg-type]
        return peer

    one = await through(b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n", slowly=True)
    two = await through(b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x08\xc6\x33\x64\x01\x10\x00\x01\xbb")
    assert (await one.ask(LIST)).status == (await two.ask(LIST)).status == 200
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await through(b"PROXY TCP4 192.0.2.7 198.51.100.1 4712 443\r\n")
    assert house.metric("headwater_edge_refused_total", reason="address-connections") == 1
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await through(b"")
    assert house.metric("headwater_edge_refused_total", reason="proxy-header") == 1


@on_both_loops
async def test_closing_while_somebody_shakes_hands(house: House) -> None:
    house.front = "h2"
    edge = await house.edge()
    peer = Peer(*await asyncio.open_connection("127.0.0.1", edge.tls_port))
    await asyncio.sleep(0.05)
    await edge.close()
    assert await peer.ended()
    peer.close()


def settings(*entries: dict[str, str]) -> Tls:
    return Tls.model_validate({"certificates": list(entries)})


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    good, other = certificate(tmp_path, "a", "a.example"), certificate(tmp_path, "b", "b.example")
    locked = tmp_path / "locked.key"
    key = ec.generate_private_key(ec.SECP256R1())
    secret = serialization.BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    (tmp_path / "junk.pem").write_text("junk")
    bad = [
        ({**good, "certificate": str(tmp_path / "none.crt")}, "certificate", "no such file"),
        ({**good, "private_key": str(tmp_path / "none.key")}, "private_key", "no such file"),
        ({**good, "private_key": other["private_key"]}, "private_key", "not the key"),
        ({**good, "private_key": str(locked)}, "private_key", "passphrase"),
        ({"certificate": good["certificate"]}, "certificate", "no usable PEM"),
        ({"certificate": str(tmp_path / "junk.pem")}, "certificate", "no usable PEM"),
    ]
    for entry, key_name, words in bad:
        with pytest.raises(CertificateError, match=words) as caught:
            CertificateSet(settings(good, entry))
        assert caught.value.key == f"edge.http.tls.certificates[1].{key_name}"
        assert str(caught.value.file) in entry.values()
        assert "\n" not in str(caught.value)
    assert len(check(settings(*[entry for entry, _, _ in bad]))) == len(bad)
    assert check(settings(good, other)) == []


def test_names_and_ends(tmp_path: Path) -> None:
    nobody = certificate(tmp_path, "n")
    certificates = Certificates(settings(nobody, certificate(tmp_path, "a", "a.example", days=3)))
    assert set(certificates.expiries()) == {"0", "a.example"}


@on_both_loops
async def test_a_slow_reader_over_tls_gets_all_of_a_large_answer(house: House) -> None:
    house.front = "tls"
    size = 6 << 20
    body = os.urandom(size)
    house.upstream.files["/large.mp4"] = lambda: web.Response(body=body, headers={"Cache-Control": "max-age=60"})
    edge = await house.edge()
    await (await house.peer()).ask("/large.mp4")
    assert edge._core is not None
    tally, before = edge._core.tally, edge._core.tally.bytes_sent

    def read_slowly() -> int:
        with socket.socket() as plain:
            plain.settimeout(10)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
            plain.connect(("127.0.0.1", edge.tls_port))
            with client_context("http/1.1").wrap_socket(plain) as sock:
                sock.sendall(b"GET /large.mp4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                time.sleep(2.0)
                sent.append(tally.bytes_sent - before)
                got = b""
                while b"\r\n\r\n" not in got:
                    got += sock.recv(1 << 16)
                count = len(got.partition(b"\r\n\r\n")[2])
                while count < size and (piece := sock.recv(1 << 16)):
                    count += len(piece)
                return count

    sent: list[int] = []
    assert await asyncio.get_running_loop().run_in_executor(None, read_slowly) == size
    assert sent[0] < size, "no more is encrypted than is read"
