"""Sockets and certificates of the listeners, and what to tell the user when they cannot be had."""

from __future__ import annotations

import socket
import ssl

from headwater.config.settings import Ingest, Rtmp


class IngestStartError(Exception):
    """The ingest server cannot start; the message names what and why, in one line for the user."""


def bind_host(settings: Ingest) -> str:
    """The address to listen on; empty: every address."""
    if settings.rtmp.host is not None:
        return settings.rtmp.host
    return "" if settings.publish else "127.0.0.1"


def open_socket(host: str, port: int, key: str) -> socket.socket:
    """A listening socket; `key` is the setting that errors name.

    Raises:
        IngestStartError: the address cannot be used.
    """
    every = host in ("", "*")
    try:
        if every and socket.has_dualstack_ipv6():
            sock = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)
        elif every:
            sock = socket.create_server(("", port), backlog=256)
        else:
            family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            sock = socket.create_server(address[:2], family=family, backlog=256)
    except OSError as error:
        where = host if not every else "every address"
        raise IngestStartError(f"{key} = {port}: cannot listen on {where}: {error.strerror or error}") from error
    sock.setblocking(False)
    return sock


def tls_context(settings: Rtmp) -> ssl.SSLContext | None:
    """The context of the RTMPS listener, TLS 1.2 or newer; None without a certificate.

    Raises:
        IngestStartError: certificate or key cannot be read, or do not belong together.
    """
    if settings.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for key, path in (("certificate", settings.certificate), ("private_key", settings.private_key)):
        if path is not None and not path.is_file():
            raise IngestStartError(f"ingest.rtmp.{key} = {path}: there is no such file")
    try:
        context.load_cert_chain(settings.certificate, settings.private_key, password=_no_password)
    except ssl.SSLError as error:
        raise IngestStartError(_tls_reason(settings, error)) from error
    except OSError as error:
        raise IngestStartError(f"ingest.rtmp.certificate = {settings.certificate}: {error.strerror}") from error
    except ValueError as error:
        key_file = settings.private_key or settings.certificate
        raise IngestStartError(f"ingest.rtmp.private_key = {key_file}: {error}") from error
    return context


def _no_password() -> str:
    raise ValueError("the key has a passphrase; give a key without one")


def _tls_reason(settings: Rtmp, error: ssl.SSLError) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"ingest.rtmp.private_key = {settings.private_key}: the key does not belong to the certificate"
    where = settings.certificate if settings.private_key is None else f"{settings.certificate} or private_key"
    return f"ingest.rtmp.certificate = {where}: not a PEM chain with its key ({error.reason or error})"
