"""[edge.http.tls]: defaults, bounds, what turns the listener on."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from headwater.config.settings_tls import Certificate, Tls

PEM = {"certificate": "/etc/a.pem"}


def refused(**values: object) -> tuple[str, tuple[int | str, ...]]:
    """Type and place of the one error."""
    with pytest.raises(ValidationError) as caught:
        Tls.model_validate(values)
    (error,) = caught.value.errors()
    return error["type"], error["loc"]


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert Tls().model_dump() == {
        "port": 8443,
        "certificates": (),
        "least_version": "1.2",
        "tickets": True,
        "http2": True,
        "streams": 100,
    }


def test_there_is_a_listener_once_there_is_a_certificate() -> None:
    assert not Tls().enabled
    assert not Tls(port=443).enabled
    assert Tls.model_validate({"certificates": [PEM]}).enabled


def test_a_key_may_be_in_the_file_of_its_certificate() -> None:
    tls = Tls.model_validate({"certificates": [PEM, {**PEM, "private_key": "/etc/a.key"}]})
    assert tls.certificates == (
        Certificate(certificate=Path("/etc/a.pem"), private_key=None),
        Certificate(certificate=Path("/etc/a.pem"), private_key=Path("/etc/a.key")),
    )


def test_so_many_certificates_and_no_more() -> None:
    assert len(Tls.model_validate({"certificates": [PEM] * 64}).certificates) == 64
    assert refused(certificates=[PEM] * 65) == ("too_long", ("certificates",))


@pytest.mark.parametrize("port", [0, 443, 65_535])
def test_ports(port: int) -> None:
    assert Tls(port=port).port == port


@pytest.mark.parametrize(
    ("values", "kind", "where"),
    [
        ({"port": -1}, "greater_than_equal", ("port",)),
        ({"port": 65_536}, "less_than_equal", ("port",)),
        ({"least_version": "1.1"}, "literal_error", ("least_version",)),
        ({"least_version": 1.2}, "literal_error", ("least_version",)),
        ({"tickets": "some"}, "bool_parsing", ("tickets",)),
        ({"http2": "some"}, "bool_parsing", ("http2",)),
        ({"streams": 0}, "greater_than_equal", ("streams",)),
        ({"streams": 10_000_001}, "less_than_equal", ("streams",)),
        ({"certificates": [{"private_key": "/etc/a.key"}]}, "missing", ("certificates", 0, "certificate")),
        ({"certificates": [PEM, {**PEM, "key": "/etc/a.key"}]}, "extra_forbidden", ("certificates", 1, "key")),
        ({"certificate": "/etc/a.pem"}, "extra_forbidden", ("certificate",)),
    ],
)
def test_what_is_refused(values: dict[str, object], kind: str, where: tuple[int | str, ...]) -> None:
    assert refused(**values) == (kind, where)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_the_versions_that_may_be_the_least(version: str) -> None:
    assert Tls.model_validate({"least_version": version}).least_version == version
