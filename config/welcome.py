"""What a started server says at the terminal: where to watch, how to publish, what is not open. Sans-IO."""

from __future__ import annotations

from dataclasses import dataclass

from .settings import Settings

_EVERY_ADDRESS = ("", "0.0.0.0", "::")  # noqa: S104  # compared, not bound
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_COLUMN = 20


@dataclass(frozen=True, slots=True)
class OriginPorts:
    """What the origin role is bound to; None: that listener is off."""

    http: int
    admin: int
    rtmp: int | None
    rtmps: int | None
    srt: int | None = None


@dataclass(frozen=True, slots=True)
class EdgePorts:
    """What the edge role is bound to; None: that listener is off."""

    http: int
    admin: int
    tls: int | None = None


def up(settings: Settings, origin: OriginPorts, edge: EdgePorts, *, with_demo: bool) -> str:
    """The text of `headwater up`."""
    base = _base(settings.edge.http.host, edge.http)
    lines = ["Headwater is running.", ""]
    if with_demo:
        lines.append(_row("Watch", f"{base}/live/{settings.demo.name}/", "the demo stream"))
        lines.append(_row("", f"{base}/", "every live stream"))
    else:
        lines.append(_row("Watch", f"{base}/", "every live stream"))
    lines += _over_tls(settings, edge)
    lines += ["", *_publishing(settings, origin, f"{base}/live/NAME/")]
    admin = _base(settings.origin.admin.host, origin.admin)
    lines += ["", _row("Metrics", f"{admin}/metrics", "origin; its status page is at /")]
    lines.append(_row("", f"{_base(settings.edge.admin.host, edge.admin)}/metrics", "edge; the same"))
    return _framed(lines + _openness(settings, origin))


def origin(settings: Settings, ports: OriginPorts) -> str:
    """The text of `headwater origin`."""
    base = _base(settings.origin.http.host, ports.http)
    lines = ["Headwater origin is running.", ""]
    lines += _publishing(settings, ports, f"{base}/live/NAME/")
    lines += ["", _row("For edges", base, "edge.upstream")]
    lines.append(_row("Metrics", f"{_base(settings.origin.admin.host, ports.admin)}/metrics", "status page at /"))
    return _framed(lines + _openness(settings, ports))


def edge(settings: Settings, ports: EdgePorts) -> str:
    """The text of `headwater edge`."""
    lines = ["Headwater edge is running.", ""]
    lines.append(_row("Watch", f"{_base(settings.edge.http.host, ports.http)}/", "every live stream"))
    lines += _over_tls(settings, ports)
    lines.append(_row("Metrics", f"{_base(settings.edge.admin.host, ports.admin)}/metrics", "status page at /"))
    return _framed(lines)


def _over_tls(settings: Settings, ports: EdgePorts) -> list[str]:
    if ports.tls is None:
        return []
    base = _base(settings.edge.http.host, ports.tls).replace("http:", "https:", 1)
    return [_row("or over TLS", f"{base}/", "HTTP/2" if settings.edge.http.tls.http2 else "HTTP/1.1")]


def _publishing(settings: Settings, ports: OriginPorts, watch: str) -> list[str]:
    lines = [*_rtmp(settings, ports), *_srt(settings, ports)]
    if not lines:
        return [_row("Publish", "no listener: ingest.rtmp.enabled and ingest.srt.enabled are false")]
    return [*lines, _row("and watch", watch)]


def _rtmp(settings: Settings, ports: OriginPorts) -> list[str]:
    if ports.rtmp is None:
        return []
    server = f"rtmp://{_host(settings.ingest.rtmp.host or '')}:{ports.rtmp}/{settings.ingest.applications[0]}"
    key = "NAME?key=YOUR-KEY" if settings.ingest.publish else "NAME"
    lines = [
        _row("Publish with OBS", f"server      {server}"),
        _row("", f"stream key  {key}"),
        _row("with ffmpeg", f"ffmpeg -re -i FILE -c copy -f flv '{server}/{key}'"),
    ]
    if ports.rtmps is not None:
        lines.insert(2, _row("or over TLS", f"server      {server.replace('rtmp:', 'rtmps:', 1)}"))
        lines[2] = lines[2].replace(f":{ports.rtmp}/", f":{ports.rtmps}/")
    return lines


def _srt(settings: Settings, ports: OriginPorts) -> list[str]:
    if ports.srt is None:
        return []
    ingest = settings.ingest
    stream_id = f"publish:{ingest.applications[0]}/NAME" + ("?key=YOUR-KEY" if ingest.publish else "")
    secret = "&passphrase=YOUR-PASSPHRASE" if ingest.srt.passphrase is not None else ""
    url = f"srt://{_host(ingest.srt.host or '')}:{ports.srt}?streamid={stream_id}{secret}"
    return [_row("Publish over SRT" if ports.rtmp is None else "or over SRT", url)]


def _openness(settings: Settings, ports: OriginPorts) -> list[str]:
    """Who may publish, where no key is asked for."""
    ingest = settings.ingest
    if ingest.publish:
        return []
    keyless = [(ports.rtmp, ingest.rtmp.host)]
    if ingest.srt.passphrase is None:
        keyless.append((ports.srt, ingest.srt.host))
    bound = [(port, host) for port, host in keyless if port is not None]
    reachable = [str(port) for port, host in bound if host not in (None, *_LOOPBACK)]
    if reachable:
        where = " and ".join(reachable)
        return [
            "",
            f"WARNING: whoever reaches port {where} can publish, because there are no publish keys.",
            *_how_to_open(),
        ]
    if not bound:
        return []
    how = " without the SRT passphrase" if ports.srt is not None and ingest.srt.passphrase is not None else ""
    return ["", f"Only this machine can publish{how}, because there are no publish keys.", *_how_to_open()]


def _how_to_open() -> list[str]:
    return [
        "To let encoders in from elsewhere, add to headwater.toml:",
        "",
        "    [[ingest.publish]]",
        '    name = "*"               # or the name of one stream',
        '    key = "a-long-secret"    # encoders then use the stream key NAME?key=a-long-secret',
    ]


def _row(label: str, text: str, note: str = "") -> str:
    return f"  {label:<{_COLUMN - 2}}{text}" + (f"   ({note})" if note else "")


def _framed(lines: list[str]) -> str:
    return "\n".join(["", *lines, "", "Ctrl-C stops it.", ""])


def _base(host: str, port: int) -> str:
    return f"http://{_host(host)}:{port}"


def _host(bound: str) -> str:
    if bound in _EVERY_ADDRESS or bound in _LOOPBACK:
        return "localhost"
    return f"[{bound}]" if ":" in bound else bound
