"""Certificates of viewers' TLS: what a handshake gets by name, what cannot be used, what is read again (in memory)."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs
from tests.h2_kit import client_context
from tests.tls_kit import Files, issue

from headwater.config.settings_tls import Tls
from headwater.edge.tls import LOOK_S, CertificateError, Certificates, CertificateSet, check


@dataclass(frozen=True)
class Pki:
    """What is made once for all tests of this module; nobody changes it."""

    one: Files
    """`one.example`."""
    two: Files
    """`Two.example` and all below it."""
    three: Files
    """`three.example` and `one.example`; ends in five days."""
    nobody: Files
    """Without a name."""
    folder: Path


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    folder = tmp_path_factory.mktemp("pki")
    return Pki(
        issue(folder, "one", "one.example"),
        issue(folder, "two", "Two.example", "*.two.example"),
        issue(folder, "three", "three.example", "one.example", days=5),
        issue(folder, "nobody"),
        folder,
    )


def settings(*entries: Files | dict[str, str], **values: object) -> Tls:
    named = [entry.entry if isinstance(entry, Files) else entry for entry in entries]
    return Tls.model_validate({"certificates": named, **values})


class Talk:
    """A handshake in memory. Raises ssl.SSLError where it fails."""

    def __init__(
        self, context: ssl.SSLContext, name: str = "", client: ssl.SSLContext | None = None, *,
        session: ssl.SSLSession | None = None,
    ) -> None:  # fmt: skip
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        viewer = client or client_context("h2", "http/1.1")
        self.viewer = viewer.wrap_bio(back, there, server_hostname=name or None, session=session)
        self.server = context.wrap_bio(there, back, server_side=True)
        for _ in range(3):
            for side in (self.viewer, self.server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
        with contextlib.suppress(ssl.SSLWantReadError):
            self.viewer.read(1)  # session tickets of TLS 1.3 come behind the handshake

    @property
    def shown(self) -> bytes | None:
        """The certificate that the viewer saw, DER."""
        return self.viewer.getpeercert(binary_form=True)


def shows(context: ssl.SSLContext, name: str, expected: Files) -> bool:
    """Whether a viewer who asks for `name` sees this certificate."""
    der = x509.load_pem_x509_certificate(expected.certificate.read_bytes()).public_bytes(serialization.Encoding.DER)
    return Talk(context, name).shown == der


def only(version: ssl.TLSVersion, ciphers: str = "") -> ssl.SSLContext:
    """A viewer that speaks one version."""
    context = client_context("h2", "http/1.1")
    context.minimum_version = context.maximum_version = version
    if ciphers:
        context.set_ciphers(ciphers)
    return context


# -- names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("one.example", "one"),
        ("TWO.Example", "two"),
        ("two.example", "two"),
        ("a.two.example", "two"),
        ("a.b.two.example", "one"),
        ("two.example.a", "one"),
        ("three.example", "three"),
        ("a.three.example", "one"),
        ("other.example", "one"),
        ("localhost", "one"),
        ("", "one"),
    ],
)
def test_who_asks_for_a_name_is_shown_its_certificate_and_all_others_the_first(
    pki: Pki, name: str, expected: str
) -> None:
    context = CertificateSet(settings(pki.one, pki.two, pki.three)).context
    assert shows(context, name, getattr(pki, expected))


def test_of_two_certificates_for_one_name_the_earlier_is_shown(pki: Pki) -> None:
    assert shows(CertificateSet(settings(pki.two, pki.three, pki.one)).context, "one.example", pki.three)
    assert shows(CertificateSet(settings(pki.two, pki.one, pki.three)).context, "one.example", pki.one)


def test_a_name_in_other_letters_or_with_the_dot_of_the_root_is_the_same_name(pki: Pki) -> None:
    found = CertificateSet(settings(pki.one, pki.two))
    assert found.of("TWO.Example") is found.of("A.two.EXAMPLE") is found.loaded[1].context
    assert found.of("two.example.") is found.loaded[1].context
    assert found.of("a.two.example.") is found.loaded[1].context
    assert found.of("*") is found.of(".") is found.of("") is found.loaded[0].context


def test_one_certificate_is_shown_to_everybody(pki: Pki) -> None:
    context = CertificateSet(settings(pki.two)).context
    assert all(shows(context, name, pki.two) for name in ("two.example", "other.example", ""))


def test_names_are_in_lower_case_and_a_certificate_may_have_none(pki: Pki) -> None:
    found = CertificateSet(settings(pki.two, pki.nobody))
    assert [one.names for one in found.loaded] == [["two.example", "*.two.example"], []]
    assert [one.expires for one in found.loaded] == [pki.two.ends, pki.nobody.ends]


def test_a_key_in_the_file_of_its_certificate(pki: Pki, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(pki.one.private_key.read_bytes() + pki.one.certificate.read_bytes())
    assert shows(CertificateSet(settings({"certificate": str(both)})).context, "", pki.one)


def test_the_first_certificate_of_a_chain_is_the_servers(pki: Pki, tmp_path: Path) -> None:
    chain = tmp_path / "chain.crt"
    chain.write_bytes(pki.three.certificate.read_bytes() + pki.two.certificate.read_bytes())
    entry = {"certificate": str(chain), "private_key": str(pki.three.private_key)}
    (one,) = CertificateSet(settings(entry)).loaded
    assert (one.names, one.expires) == (["three.example", "one.example"], pki.three.ends)


# -- what is spoken


@pytest.mark.parametrize(
    ("http2", "offered", "chosen"),
    [
        (True, ("h2", "http/1.1"), "h2"),
        (True, ("http/1.1", "h2"), "h2"),
        (True, ("http/1.1",), "http/1.1"),
        (True, (), None),
        (False, ("h2", "http/1.1"), "http/1.1"),
    ],
)
def test_protocols(pki: Pki, *, http2: bool, offered: tuple[str, ...], chosen: str | None) -> None:
    context = CertificateSet(settings(pki.one, http2=http2)).context
    assert Talk(context, client=client_context(*offered)).server.selected_alpn_protocol() == chosen


def test_every_certificate_is_spoken_with_alike(pki: Pki) -> None:
    context = CertificateSet(settings(pki.one, pki.two, http2=False, least_version="1.3")).context
    talk = Talk(context, "two.example")
    assert (talk.server.selected_alpn_protocol(), talk.server.version()) == ("http/1.1", "TLSv1.3")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_versions_by_default(pki: Pki, version: ssl.TLSVersion) -> None:
    talk = Talk(CertificateSet(settings(pki.one)).context, client=only(version))
    assert talk.server.version() == version.name.replace("_", ".")


def test_the_older_version_can_be_switched_off(pki: Pki) -> None:
    context = CertificateSet(settings(pki.one, least_version="1.3")).context
    with pytest.raises(ssl.SSLError) as caught:
        Talk(context, client=only(ssl.TLSVersion.TLSv1_2))
    assert caught.value.reason == "UNSUPPORTED_PROTOCOL"


def test_rule_153_only_forward_secrecy_and_aead(pki: Pki) -> None:
    context = CertificateSet(settings(pki.one)).context
    names = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"]
    assert names
    assert all(name.startswith("ECDHE-") and ("GCM" in name or "CHACHA20" in name) for name in names)
    with pytest.raises(ssl.SSLError) as caught:
        Talk(context, client=only(ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA"))
    assert caught.value.reason == "NO_SHARED_CIPHER"
    old = only(ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-CHACHA20-POLY1305")
    assert Talk(context, client=old).server.cipher() == ("ECDHE-ECDSA-CHACHA20-POLY1305", "TLSv1.2", 256)


def test_neither_compression_nor_renegotiation(pki: Pki) -> None:
    options = CertificateSet(settings(pki.one)).context.options
    assert options & ssl.OP_NO_COMPRESSION
    assert options & ssl.OP_NO_RENEGOTIATION


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("tickets", [True, False])
def test_sessions_are_taken_up_again_where_there_are_tickets(
    pki: Pki, version: ssl.TLSVersion, *, tickets: bool
) -> None:
    context = CertificateSet(settings(pki.one, tickets=tickets)).context
    client = only(version)
    session = Talk(context, client=client).viewer.session
    assert (session is not None and session.has_ticket) is tickets
    if tickets:
        assert Talk(context, client=client, session=session).viewer.session_reused


# -- what cannot be used


def unusable(pki: Pki, folder: Path) -> list[tuple[dict[str, str], str, str]]:
    """Settings, the one that is named, and why."""
    one, junk, locked = pki.one.entry, folder / "junk.pem", folder / "locked.key"
    junk.write_text("junk")
    key = serialization.load_pem_private_key(pki.one.private_key.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    both = folder / "locked.pem"
    both.write_bytes(locked.read_bytes() + pki.one.certificate.read_bytes())
    bad = "no usable PEM certificate and key: PEM lib"
    return [
        ({**one, "certificate": str(folder / "none.crt")}, "certificate", "there is no such file"),
        ({**one, "certificate": str(folder)}, "certificate", "there is no such file"),
        ({**one, "private_key": str(folder / "none.key")}, "private_key", "there is no such file"),
        ({**one, "private_key": str(pki.two.private_key)}, "private_key", "not the key of the certificate"),
        ({**one, "private_key": str(locked)}, "private_key", "has a passphrase; give one without"),
        ({"certificate": str(both)}, "certificate", "has a passphrase; give one without"),
        ({"certificate": one["certificate"]}, "certificate", bad),
        ({"certificate": str(junk)}, "certificate", bad),
        ({**one, "private_key": str(junk)}, "certificate", bad),
    ]


@pytest.mark.parametrize("case", range(9))
def test_a_certificate_that_cannot_be_used_is_named_with_its_file(pki: Pki, tmp_path: Path, case: int) -> None:
    entry, setting, reason = unusable(pki, tmp_path)[case]
    with pytest.raises(CertificateError) as caught:
        Certificates(settings(pki.two, entry))
    error = caught.value
    assert error.key == f"edge.http.tls.certificates[1].{setting}"
    assert error.file == Path(entry[setting])
    if not error.reason.startswith("no usable PEM"):  # what follows is OpenSSL's
        assert error.reason == reason
    assert reason.startswith("no usable PEM") == error.reason.startswith("no usable PEM certificate and key: ")
    assert str(error) == error.line == f"{error.key} = {error.file}: {error.reason}"


def test_a_check_names_every_certificate_that_cannot_be_used(pki: Pki, tmp_path: Path) -> None:
    bad = unusable(pki, tmp_path)
    found = check(settings(pki.one, *(entry for entry, _, _ in bad), pki.two))
    assert [error.key for error in found] == [
        f"edge.http.tls.certificates[{number}].{setting}" for number, (_, setting, _) in enumerate(bad, start=1)
    ]
    assert check(settings(pki.one, pki.two)) == []


# -- kept current


def break_it(path: Path) -> None:
    path.write_text("no PEM")


@dataclass
class Shop:
    """Certificates whose files change."""

    mine: Files
    certificates: Certificates
    now: float = 1_000.0
    said: list[MutableMapping[str, object]] = field(default_factory=list)
    """What the last look logged."""

    async def look(self, after: float = LOOK_S) -> list[object]:
        """Look at the files `after` seconds later, to the end of the look; the events in the log."""
        self.now += after
        with capture_logs() as self.said:
            self.certificates.look(self.now)
            # The one thread that there is has looked before it comes to this
            await asyncio.get_running_loop().run_in_executor(None, int)
        return [line["event"] for line in self.said]


def one_thread() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))


@pytest.fixture
async def shop(pki: Pki, tmp_path: Path) -> Shop:
    one_thread()
    mine = Files(tmp_path / "mine.crt", tmp_path / "mine.key")
    mine.become(pki.one)
    return Shop(mine, Certificates(settings(mine, pki.two)))


async def test_files_that_have_not_changed_are_not_read(shop: Shop) -> None:
    context = shop.certificates.context
    assert await shop.look() == []
    assert shop.certificates.context is context
    assert shop.certificates.reloads == {"ok": 0, "failed": 0}


async def test_a_renewed_certificate_is_for_the_next_connection(shop: Shop, pki: Pki) -> None:
    old = shop.certificates.context
    shop.mine.become(pki.three)
    assert await shop.look() == ["tls-certificates-read"]
    assert shows(shop.certificates.context, "", pki.three)
    assert shows(old, "", pki.one), "a connection in its handshake goes on as it began"
    assert shop.certificates.reloads == {"ok": 1, "failed": 0}
    assert await shop.look() == [], "read once"


async def test_a_certificate_other_than_the_first_is_renewed_too(pki: Pki, tmp_path: Path) -> None:
    mine = Files(tmp_path / "mine.crt", tmp_path / "mine.key")
    mine.become(pki.two)
    one_thread()
    shop = Shop(mine, Certificates(settings(pki.one, mine)))
    mine.become(pki.three)
    await shop.look()
    assert shows(shop.certificates.context, "three.example", pki.three)
    assert shows(shop.certificates.context, "two.example", pki.one), "nobody has this name now"


@pytest.mark.parametrize("part", ["certificate", "private_key"])
async def test_a_broken_file_leaves_the_last_good_ones_in_use(shop: Shop, pki: Pki, part: str) -> None:
    path: Path = getattr(shop.mine, part)
    break_it(path)
    assert await shop.look() == ["tls-certificates-unusable"]
    assert shows(shop.certificates.context, "", pki.one)
    assert shows(shop.certificates.context, "two.example", pki.two)
    assert await shop.look() == [], "told once"
    assert shop.certificates.reloads == {"ok": 0, "failed": 1}
    shop.mine.certificate.unlink()
    assert await shop.look() == ["tls-certificates-unusable"]
    shop.mine.become(pki.three)
    assert await shop.look() == ["tls-certificates-read"]
    assert shows(shop.certificates.context, "", pki.three)
    assert shop.certificates.reloads == {"ok": 1, "failed": 2}


async def test_a_certificate_that_is_renewed_before_its_key(shop: Shop, pki: Pki) -> None:
    shop.mine.certificate.write_bytes(pki.three.certificate.read_bytes())
    assert await shop.look() == ["tls-certificates-unusable"]
    assert shows(shop.certificates.context, "", pki.one)
    shop.mine.private_key.write_bytes(pki.three.private_key.read_bytes())
    assert await shop.look() == ["tls-certificates-read"]
    assert shows(shop.certificates.context, "", pki.three)


async def test_the_log_says_why_and_names_what_is_used(shop: Shop, pki: Pki) -> None:
    shop.mine.certificate.unlink()
    await shop.look()
    error = f"edge.http.tls.certificates[0].certificate = {shop.mine.certificate}: there is no such file"
    event = {"event": "tls-certificates-unusable", "log_level": "warning"}
    assert shop.said == [{**event, "error": error, "kept": "the last good ones"}]
    shop.mine.become(pki.three)
    await shop.look()
    names = ["three.example", "two.example"]
    assert shop.said == [{"event": "tls-certificates-read", "log_level": "info", "names": names}]


async def test_there_is_a_look_every_two_seconds_and_when_somebody_asks_for_one(shop: Shop, pki: Pki) -> None:
    assert await shop.look() == []
    shop.mine.become(pki.three)
    assert await shop.look(1.9) == []
    assert await shop.look(0.1) == ["tls-certificates-read"]
    shop.mine.become(pki.one)
    assert await shop.look(0.1) == []
    shop.certificates.hurry()
    assert await shop.look(0.1) == ["tls-certificates-read"]
    assert shop.certificates.reloads == {"ok": 2, "failed": 0}


async def test_closing_waits_for_a_look_and_ends_them(shop: Shop, pki: Pki) -> None:
    shop.mine.become(pki.three)
    shop.certificates.look(shop.now)
    assert shop.certificates.reloads["ok"] == 0, "beside the loop"
    await shop.certificates.close()
    assert shop.certificates.reloads["ok"] == 1
    shop.mine.become(pki.one)
    assert await shop.look(1e9) == []
    await shop.certificates.close()


def test_when_each_certificate_ends(pki: Pki) -> None:
    ends = Certificates(settings(pki.nobody, pki.two, pki.three, pki.nobody)).expiries()
    assert ends == {
        "0": pki.nobody.ends,
        "two.example": pki.two.ends,
        "three.example": pki.three.ends,
        "3": pki.nobody.ends,
    }


@pytest.mark.parametrize("first", [True, False])
def test_of_two_with_one_name_the_end_that_comes_first_is_told(pki: Pki, tmp_path: Path, *, first: bool) -> None:
    soon = issue(tmp_path, "soon", "one.example", days=2)
    pair = (soon, pki.one) if first else (pki.one, soon)
    assert Certificates(settings(*pair)).expiries() == {"one.example": soon.ends}
