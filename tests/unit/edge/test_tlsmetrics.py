"""The TLS listener's metrics: as the listener and its certificates are when somebody looks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography import x509
from prometheus_client import CollectorRegistry
from tests.edge_kit import Script, make_callers, make_core

from headwater.config.settings import EdgeHttp
from headwater.config.settings_tls import Tls
from headwater.edge.listener import Limits, Shared
from headwater.edge.tls import Certificates
from headwater.edge.tlsmetrics import TlsMetrics
from headwater.edge.tlsserver import TlsServer
from headwater.edge.wire import Wire
from headwater.loadtest.bench.certificates import issued

CONNECTIONS = "headwater_edge_tls_connections_total"
FAILED = "headwater_edge_tls_handshakes_failed_total"
RELOADS = "headwater_edge_tls_reloads_total"
EXPIRY = "headwater_edge_tls_certificate_expiry_timestamp_seconds"

Shown = dict[tuple[str, ...], float]
"""Values by name and the labels' values, in the order of the labels' names."""


def shown(registry: CollectorRegistry) -> Shown:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in registry.collect()
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A certificate for two names, and one for none, each with its key."""
    made = []
    for number, names in enumerate((("a.example", "b.example"), ())):
        path = tmp_path_factory.mktemp("pems") / f"{number}.pem"
        path.write_bytes(b"".join(issued(*names)))
        made.append(path)
    return made


def certificates_of(pems: list[Path]) -> Certificates:
    return Certificates(Tls.model_validate({"certificates": [{"certificate": str(path)} for path in pems]}))


def ends(path: Path) -> float:
    (certificate,) = x509.load_pem_x509_certificates(path.read_bytes())
    return certificate.not_valid_after_utc.timestamp()


def server_of(certificates: Certificates) -> TlsServer:
    """A listener without a socket."""
    core, limits = make_core(Script()), Limits.of(EdgeHttp())
    shared = Shared(limits, Wire("e"), core.tally, asyncio.get_running_loop(), make_callers(core.tally))
    return TlsServer(core, shared, limits, certificates, ())


async def test_a_listener_that_nobody_has_come_to(pems: list[Path]) -> None:
    certificates, registry = certificates_of(pems), CollectorRegistry()
    TlsMetrics(server_of(certificates), certificates, registry)
    assert shown(registry) == {
        (RELOADS, "ok"): 0,
        (RELOADS, "failed"): 0,
        (EXPIRY, "a.example"): ends(pems[0]),
        (EXPIRY, "1"): ends(pems[1]),
    }


async def test_what_is_counted_since_is_told_at_the_next_look(pems: list[Path]) -> None:
    certificates, registry = certificates_of(pems[:1]), CollectorRegistry()
    server = server_of(certificates)
    TlsMetrics(server, certificates, registry)
    shown(registry)
    server.connections.update({("h2", "1.3"): 5, ("h2", "1.2"): 2, ("http/1.1", "1.3"): 1})
    server.failed.update({"timeout": 3, "not-tls": 4})
    certificates.reloads.update({"ok": 6, "failed": 7})
    assert shown(registry) == {
        (CONNECTIONS, "h2", "1.3"): 5,
        (CONNECTIONS, "h2", "1.2"): 2,
        (CONNECTIONS, "http/1.1", "1.3"): 1,
        (FAILED, "timeout"): 3,
        (FAILED, "not-tls"): 4,
        (RELOADS, "ok"): 6,
        (RELOADS, "failed"): 7,
        (EXPIRY, "a.example"): ends(pems[0]),
    }


async def test_labels_have_their_names(pems: list[Path]) -> None:
    certificates, registry = certificates_of(pems), CollectorRegistry()
    server = server_of(certificates)
    TlsMetrics(server, certificates, registry)
    server.connections["h2", "1.3"], server.failed["reset"] = 5, 3
    assert registry.get_sample_value(CONNECTIONS, {"protocol": "h2", "version": "1.3"}) == 5
    assert registry.get_sample_value(FAILED, {"reason": "reset"}) == 3
    assert registry.get_sample_value(RELOADS, {"result": "ok"}) == 0
    assert registry.get_sample_value(EXPIRY, {"certificate": "1"}) == ends(pems[1])


def test_without_a_listener_there_are_families_and_no_series() -> None:
    registry = CollectorRegistry()
    TlsMetrics(None, None, registry)
    assert [(family.name, family.type) for family in registry.collect()] == [
        (CONNECTIONS.removesuffix("_total"), "counter"),
        (FAILED.removesuffix("_total"), "counter"),
        (RELOADS.removesuffix("_total"), "counter"),
        (EXPIRY, "gauge"),
    ]
    assert shown(registry) == {}
