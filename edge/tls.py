"""Certificates of the viewers' TLS listener: loaded, chosen by name, and loaded again when their files change.

What is there at the start has to be usable. What becomes unusable later leaves the last good ones in use, with a line
in the log and a count.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import structlog
from cryptography import x509

from headwater.config.settings_tls import Certificate, Tls

from .filemark import Mark, mark
from .unusable import Unusable

log = structlog.get_logger("headwater.edge")

LOOK_S = 2.0
"""Between looks at the files."""
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secrecy and AEAD only (rule 153; RFC 9113 section 9.2.2). Those of TLS 1.3 all are."""
MAX_PEM_BYTES = 256 << 10


class CertificateError(Unusable, ValueError):
    """A certificate cannot be used. The message says why; `key` names the setting, below edge.http.tls, and `file`."""

    def __init__(self, key: str, file: Path, reason: str) -> None:
        super().__init__(f"edge.http.tls.{key} = {file}: {reason}")
        self.key = f"edge.http.tls.{key}"
        self.file = file
        self.reason = reason

    @property
    def line(self) -> str:
        """The message names the setting itself."""
        return str(self)


class Loaded:
    """One certificate with its key."""

    def __init__(self, settings: Tls, index: int) -> None:
        """Raises CertificateError."""
        entry = settings.certificates[index]
        self.context = _context(settings, entry, index)
        leaf = _leaf(entry, index)
        self.expires = leaf.not_valid_after_utc.timestamp()
        """Unix seconds."""
        self.names = _names(leaf)
        """DNS names in lower case, as the certificate has them: some begin with `*.`."""


class CertificateSet:
    """All certificates, as they are at one time. Loading reads files: not on a loop that serves."""

    def __init__(self, settings: Tls) -> None:
        """Raises CertificateError."""
        self.loaded = [Loaded(settings, index) for index in range(len(settings.certificates))]
        self.context = self.loaded[0].context
        """What a listener uses."""
        self._by_name: dict[str, ssl.SSLContext] = {}
        for one in self.loaded:
            for name in one.names:
                self._by_name.setdefault(name, one.context)
        if len(self.loaded) > 1:
            self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        """RFC 6066 section 3, with the wildcards of RFC 9525 section 6.3. A name that is not known is no error."""
        chosen = self.of(name or "")
        if chosen is not self.context:
            connection.context = chosen

    def of(self, name: str) -> ssl.SSLContext:
        """For a viewer that asks for `name`."""
        name = name.lower().rstrip(".")
        found = self._by_name.get(name) or self._by_name.get("*." + name.partition(".")[2])
        return found or self.context


class Certificates:
    """Keeps the certificates of a listener current."""

    def __init__(self, settings: Tls) -> None:
        """Loads all of them. Raises CertificateError."""
        self._settings = settings
        self._seen = self._marks()
        self._set = CertificateSet(settings)
        self._next = 0.0
        self._look: asyncio.Future[CertificateSet | None] | None = None
        self.reloads = {"ok": 0, "failed": 0}
        """How often changed files were read, by result."""

    @property
    def context(self) -> ssl.SSLContext:
        """For the next connection."""
        return self._set.context

    def expiries(self) -> dict[str, float]:
        """Unix seconds at which each certificate ends, by its first name (without one: its number)."""
        found: dict[str, float] = {}
        for index, one in enumerate(self._set.loaded):
            name = one.names[0] if one.names else str(index)
            found[name] = min(one.expires, found.get(name, one.expires))
        return found

    def hurry(self) -> None:
        """Have the next `look` be one."""
        self._next = 0.0

    def look(self, now: float) -> None:
        """Read again what changed, beside the loop; to be called often, `now` in monotonic seconds."""
        if now < self._next or self._look is not None:
            return
        self._next = now + LOOK_S
        self._look = asyncio.get_running_loop().run_in_executor(None, self._changed)
        self._look.add_done_callback(self._looked)

    def _changed(self) -> CertificateSet | None:
        """In a thread: the certificates, when a file is another than before. Raises CertificateError."""
        marks = self._marks()
        if marks == self._seen:
            return None
        self._seen = marks
        return CertificateSet(self._settings)

    def _looked(self, look: asyncio.Future[CertificateSet | None]) -> None:
        self._look = None
        if look.cancelled():
            return
        error = look.exception()
        if error is not None:
            self.reloads["failed"] += 1
            log.warning("tls-certificates-unusable", error=str(error), kept="the last good ones")
        elif (fresh := look.result()) is not None:
            self._set = fresh
            self.reloads["ok"] += 1
            log.info("tls-certificates-read", names=sorted(self.expiries()))

    def _marks(self) -> list[Mark]:
        return [
            mark(path)
            for entry in self._settings.certificates
            for path in (entry.certificate, entry.private_key)
            if path is not None
        ]

    async def close(self) -> None:
        """Look no more."""
        self._next = float("inf")
        if self._look is not None:
            await asyncio.gather(self._look, return_exceptions=True)


def check(settings: Tls) -> list[CertificateError]:
    """What is wrong with each certificate."""
    problems = []
    for index in range(len(settings.certificates)):
        try:
            Loaded(settings, index)
        except CertificateError as error:
            problems.append(error)
    return problems


class _PassphraseAsked(Exception):
    """The key is encrypted."""


def _no_passphrase() -> str:
    raise _PassphraseAsked


def _context(settings: Tls, entry: Certificate, index: int) -> ssl.SSLContext:
    where = f"certificates[{index}]"
    for key, path in (("certificate", entry.certificate), ("private_key", entry.private_key)):
        if path is not None and not path.is_file():
            raise CertificateError(f"{where}.{key}", path, "there is no such file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if settings.least_version == "1.3" else ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION  # RFC 9113 section 9.2.1
    context.set_alpn_protocols(["h2", "http/1.1"] if settings.http2 else ["http/1.1"])
    if not settings.tickets:
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    key_key, key_file = ("certificate", entry.certificate)
    if entry.private_key is not None:
        key_key, key_file = "private_key", entry.private_key
    try:
        context.load_cert_chain(entry.certificate, entry.private_key, password=_no_passphrase)
    except _PassphraseAsked:
        raise CertificateError(f"{where}.{key_key}", key_file, "has a passphrase; give one without") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateError(f"{where}.{key_key}", key_file, "not the key of the certificate") from None
        reason = f"no usable PEM certificate and key: {error.reason or error.strerror}"
        raise CertificateError(f"{where}.certificate", entry.certificate, reason) from None
    except OSError as error:
        raise CertificateError(f"{where}.certificate", entry.certificate, f"cannot be read: {error.strerror}") from None
    return context


def _leaf(entry: Certificate, index: int) -> x509.Certificate:
    try:
        with entry.certificate.open("rb") as file:
            return x509.load_pem_x509_certificates(file.read(MAX_PEM_BYTES))[0]
    except (OSError, ValueError) as error:
        raise CertificateError(f"certificates[{index}].certificate", entry.certificate, str(error)) from None


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return [name.lower() for name in names.get_values_for_type(x509.DNSName)]
