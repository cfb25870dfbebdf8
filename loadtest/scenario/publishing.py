"""Publishers of a scenario file and what goes wrong with them. Sans-IO."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from headwater.config.section import Section, wrong
from headwater.config.srturl import BadSrtUrl, parse_srt_url
from headwater.loadtest.publish.options import BadTarget, PublishOptions, parse_target

NUMBER = "{n}"


class _Fault(Section):
    at_s: float = Field(ge=0, le=86_400)
    """Since the begin of the run."""
    every_s: float | None = Field(None, ge=1, le=86_400)
    """Again and again."""


class Disconnect(_Fault):
    """The encoder is gone without leave, and comes back after so many seconds."""

    kind: Literal["disconnect"]
    for_s: float = Field(gt=0, le=86_400)


class Stall(_Fault):
    """Nothing is sent for so many seconds, the connection stays."""

    kind: Literal["stall"]
    for_s: float = Field(gt=0, le=3_600)


class Jump(_Fault):
    """The timestamps leap, from then on."""

    kind: Literal["jump"]
    by_s: float = Field(ge=-86_400, le=86_400)


class Spike(_Fault):
    """So many times the bit rate (H.264: filler data in the pictures)."""

    kind: Literal["spike"]
    for_s: float = Field(gt=0, le=3_600)
    factor: float = Field(gt=1, le=100)


class Loss(_Fault):
    """SRT: this share of the datagrams to the server is lost."""

    kind: Literal["loss"]
    for_s: float = Field(gt=0, le=86_400)
    percent: float = Field(gt=0, le=100)


Fault = Annotated[Disconnect | Stall | Jump | Spike | Loss, Field(discriminator="kind")]


class Publisher(Section):
    """One encoder or several that are alike. `{n}` in the URL is the number of the encoder, from 1."""

    url: str = Field(min_length=1, max_length=2_000)
    count: int = Field(1, ge=1, le=256)
    file: Path | None = None
    """Pushed over and over, as it is; otherwise the test picture."""
    width: int = Field(640, ge=160, le=3_840, multiple_of=2)
    height: int = Field(360, ge=90, le=2_160, multiple_of=2)
    fps: int = Field(30, ge=1, le=120)
    bitrate: int = Field(800_000, ge=50_000, le=100_000_000)
    gop_s: float = Field(1.0, ge=0.1, le=60)
    audio: bool = True
    tls_verify: bool = True
    faults: tuple[Fault, ...] = Field((), max_length=64)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.count > 1 and NUMBER not in self.url:
            raise wrong("url", f"{self.count} encoders need {NUMBER} in the name of the stream")
        url = self.url_of(1)
        try:
            parse_srt_url(url) if self.over_srt else parse_target(url)
        except (BadTarget, BadSrtUrl) as error:
            raise wrong("url", str(error)) from None
        for number, fault in enumerate(self.faults):
            if (reason := self._impossible(fault)) is not None:
                raise wrong(f"faults.{number}.kind", reason)
        return self

    def _impossible(self, fault: Fault) -> str | None:
        if isinstance(fault, Loss):
            return None if self.over_srt else "RTMP loses nothing: loss is for srt://"
        if self.over_srt and self.file is not None and not isinstance(fault, Disconnect):
            return "a file over SRT is sent by ffmpeg itself: only disconnect and loss are possible"
        if self.over_srt and isinstance(fault, Jump) and fault.by_s < 0:
            return "ffmpeg, which sends the SRT, makes the timestamps go on: only jumps forward are possible"
        return None

    @property
    def over_srt(self) -> bool:
        """Not RTMP."""
        return self.url.lower().startswith("srt:")

    def url_of(self, number: int) -> str:
        """Of the encoder with this number, from 1."""
        return self.url.replace(NUMBER, str(number))

    def shown(self, number: int) -> str:
        """The encoder with this number, for people: without what may be secret."""
        url = self.url_of(number)
        if self.over_srt:
            return f"publisher {parse_srt_url(url).shown}" + (f" #{number}" if self.count > 1 else "")
        return f"publisher {parse_target(url).shown}"

    def options(self) -> PublishOptions:
        """For `loadtest.publish`, of one encoder whose number stands in the URL."""
        names = ("width", "height", "bitrate", "gop_s", "audio", "tls_verify", "file")
        values: dict[str, Any] = {name: getattr(self, name) for name in names}
        return PublishOptions(self.url, fps=Fraction(self.fps), quiet=True, **values)

    def resolved(self, folder: Path) -> Publisher:
        """The same with the file taken from `folder`."""
        return self if self.file is None else self.model_copy(update={"file": folder / self.file})
