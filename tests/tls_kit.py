"""Certificates in files, as the settings name them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from headwater.loadtest.bench.certificates import issued


@dataclass(frozen=True)
class Files:
    """A certificate and its key, each in a file."""

    certificate: Path
    private_key: Path

    @property
    def entry(self) -> dict[str, str]:
        """As the settings name them."""
        return {"certificate": str(self.certificate), "private_key": str(self.private_key)}

    @property
    def ends(self) -> float:
        """Unix seconds."""
        return x509.load_pem_x509_certificate(self.certificate.read_bytes()).not_valid_after_utc.timestamp()

    def become(self, other: Files) -> None:
        """A copy of `other` takes their place at once, as renewals do."""
        for mine, its in ((self.certificate, other.certificate), (self.private_key, other.private_key)):
            beside = mine.with_suffix(".new")
            beside.write_bytes(its.read_bytes())
            os.replace(beside, mine)


def issue(folder: Path, file: str, *names: str, days: int = 30) -> Files:
    """Made for `names`; none: for nobody. Ends in `days`."""
    key, certificate = issued(*names, days=days)
    made = Files(folder / f"{file}.crt", folder / f"{file}.key")
    made.certificate.write_bytes(certificate)
    made.private_key.write_bytes(key)
    return made
