"""Listening addresses and certificates."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from headwater.config.settings import Ingest, Publish, Rtmp
from headwater.ingest.listen import IngestStartError, bind_host, open_socket, tls_context
from headwater.loadtest.bench.certificates import self_signed

KEYS = (Publish(name="*", key=SecretStr("any-name-key")),)


def test_where_to_listen() -> None:
    assert bind_host(Ingest()) == "127.0.0.1"
    assert bind_host(Ingest(publish=KEYS)) == ""
    assert bind_host(Ingest(publish=KEYS, rtmp=Rtmp(host="::1"))) == "::1"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_a_socket_is_bound(host: str) -> None:
    with open_socket(host, 0, "key") as sock:
        port = sock.getsockname()[1]
        assert port > 0
        with pytest.raises(IngestStartError, match=f"a.key = {port}: cannot listen"):
            open_socket(host, port, "a.key")


def test_an_address_that_is_none() -> None:
    with pytest.raises(IngestStartError, match=r"cannot listen on 203\.0\.113\.1"):
        open_socket("203.0.113.1", 0, "ingest.rtmp.port")


def test_tls_is_1_2_or_newer(tmp_path: Path) -> None:
    context = tls_context(Rtmp(certificate=self_signed(tmp_path)))
    assert context is not None and context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert tls_context(Rtmp()) is None


def test_certificate_errors_name_file_and_reason(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    other, locked = tmp_path / "other.pem", tmp_path / "locked.pem"
    plain, secret = serialization.NoEncryption(), serialization.BestAvailableEncryption(b"secret")
    form = serialization.PrivateFormat.PKCS8
    other.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain))
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, secret))
    for settings, text in (
        (Rtmp(certificate=tmp_path / "none.pem"), "certificate = .*none.pem: there is no such file"),
        (Rtmp(certificate=certificate, private_key=tmp_path / "no.key"), "private_key = .*no.key: there is no such"),
        (Rtmp(certificate=certificate, private_key=other), "does not belong to the certificate"),
        (Rtmp(certificate=certificate, private_key=locked), "has a passphrase"),
        (Rtmp(certificate=other), "not a PEM chain"),
    ):
        with pytest.raises(IngestStartError, match=text):
            tls_context(settings)
