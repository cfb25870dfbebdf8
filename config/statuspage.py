"""The status page: one HTML page without scripts, which loads itself again. Sans-IO."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from .status import RenditionStatus, Status, StreamStatus, WorkerStatus

REFRESH_S = 5

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Header fields of the page: nothing on it may load or run anything."""

_CSS = """
:root{color-scheme:light dark;--ground:#f6f8fb;--panel:#fff;--line:#d5dce6;--text:#17202c;--quiet:#586577;
--good:#12743c;--warn:#8a5a00;--bad:#b3202a}
@media (prefers-color-scheme:dark){:root{--ground:#0d1117;--panel:#161c26;--line:#2b3444;--text:#e8edf4;
--quiet:#a3b0c2;--good:#3ddc84;--warn:#ffc857;--bad:#ff7a7e}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1120px;padding:0 16px 32px;background:var(--ground);color:var(--text);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header{display:flex;flex-wrap:wrap;align-items:center;gap:4px 14px;padding:16px 0 4px}
h1{margin:0;font-size:1.2rem}h2{margin:22px 0 8px;font-size:1rem;color:var(--quiet);font-weight:600}
.badge{padding:1px 11px;border:1px solid currentcolor;border-radius:999px;font-size:.85rem;font-weight:600}
.good{color:var(--good)}.warn{color:var(--warn)}.bad{color:var(--bad)}.quiet{color:var(--quiet)}
.end{margin-left:auto}
.panel{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:10px 14px;margin:0 0 10px;
overflow-x:auto}
.problem{border-left:5px solid currentcolor}.problem p{margin:0;color:var(--text)}.problem p+p{color:var(--quiet)}
.name{font-weight:600;overflow-wrap:anywhere}
.row{display:flex;flex-wrap:wrap;gap:2px 14px;align-items:baseline}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
th{font-weight:600;color:var(--quiet);text-align:left;font-size:.85rem}
th,td{padding:4px 12px 4px 0;border-top:1px solid var(--line)}tr:first-child>*{border-top:0}
.n{text-align:right;white-space:nowrap}
.row+table{margin-top:6px}
@media (max-width:560px){.wide{display:none}th,td{padding-right:8px}}
"""

_STAGES = {
    "ingest": "from the network to the stream's timeline",
    "encode": "through the ladder",
    "package": "from a part's last sample to its publication",
    "origin": "from publication to the answer of who waited",
    "edge_fill": "from the upstream to this edge",
    "first_byte": "from this edge to the viewers who waited",
}


def render(status: Status) -> str:
    """The page."""
    title = f"Headwater {status.role}"
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}: status</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="refresh" content="{REFRESH_S}"><style>{_CSS}</style></head>\n<body>'
        f"<header><h1>{_text(title)}</h1>{_readiness(status)}"
        f'<span class="quiet end">version {_text(status.version)}, up {_duration(status.uptime_s)}</span></header>\n'
        "<main>"
        + "\n".join((*_problems(status), *_upstream(status), *_workers(status), *_streams(status), *_stages(status)))
        + "\n"
        '<p class="quiet">The same for programs: <a href="status.json">status.json</a>, for Prometheus: '
        '<a href="metrics">metrics</a>. This page loads itself again every '
        f"{REFRESH_S} s.</p></main></body></html>\n"
    )


def _readiness(status: Status) -> str:
    if status.ready is not None:
        return f'<span class="badge bad">not ready: {_text(status.ready)}</span>'
    worst = {problem.severity for problem in status.problems}
    tone = "bad" if "bad" in worst else "warn" if worst else "good"
    words = {"bad": "ready, with problems", "warn": "ready, with warnings", "good": "ready"}[tone]
    return f'<span class="badge {tone}">{words}</span>'


def _problems(status: Status) -> Iterable[str]:
    yield f"<h2>Problems of the last {_duration(status.window_s)}</h2>"
    if not status.problems:
        yield '<div class="panel good">None.</div>'
    for problem in status.problems:
        tone = "bad" if problem.severity == "bad" else "warn"
        yield (
            f'<div class="panel problem {tone}"><p class="name">{_text(problem.what)}</p>'
            f"<p>{_text(problem.do)}</p></div>"
        )


def _upstream(status: Status) -> Iterable[str]:
    upstream = status.upstream
    if upstream is None:
        return
    yield "<h2>Upstream</h2>"
    tone, words = ("good", "answers") if upstream.well else ("bad", "fails")
    yield (
        f'<div class="panel row"><span class="name">{_text(upstream.url)}</span>'
        f'<span class="badge {tone}">{words}</span><span class="quiet">{_text(upstream.detail)}</span></div>'
    )


def _workers(status: Status) -> Iterable[str]:
    if not status.workers:
        return
    yield "<h2>Processes</h2>"
    rows = "".join(
        f'<tr><td class="name">{_text(one.name)}</td><td>{_worker_state(one)}</td>'
        f'<td class="n">{one.connections:,}</td><td class="n">{one.held:,}</td>'
        f'<td class="n wide">{one.followers:,}</td><td class="n wide">{one.store_bytes / (1 << 20):,.0f} MiB</td>'
        f'<td class="n wide">{one.restarts:,}</td></tr>'
        for one in status.workers
    )
    yield (
        '<div class="panel"><table><tr><th>Worker</th><th>State</th><th class="n">Connections</th>'
        '<th class="n">Held</th><th class="n wide">Playlists</th><th class="n wide">Cache</th>'
        f'<th class="n wide">Restarts</th></tr>{rows}</table></div>'
    )


def _worker_state(worker: WorkerStatus) -> str:
    tone = "good" if worker.state == "ready" else "bad"
    pid = "" if worker.pid is None else f' <span class="quiet">process {worker.pid}</span>'
    return f'<span class="{tone}">{_text(worker.state)}</span>{pid}'


def _streams(status: Status) -> Iterable[str]:
    yield "<h2>Streams</h2>"
    if not status.streams:
        yield '<div class="panel quiet">None now.</div>'
    for stream in status.streams:
        yield _stream(stream)


def _stream(stream: StreamStatus) -> str:
    rows = "".join(_rendition(rendition) for rendition in stream.renditions)
    viewers = "" if stream.viewers is None else f"<span>{stream.viewers:,} viewer{'s' * (stream.viewers != 1)}</span>"
    return (
        f'<section class="panel"><div class="row"><span class="name">{_text(stream.name)}</span>'
        f'{_state(stream.state)}{viewers}<span class="quiet">{_text(stream.detail)}</span></div>'
        '<table><tr><th>Rendition</th><th>State</th><th class="n">Viewers</th><th class="n">Bit rate</th>'
        f'<th class="wide">Details</th></tr>{rows}</table></section>'
    )


def _rendition(rendition: RenditionStatus) -> str:
    viewers = "&ndash;" if rendition.viewers is None else f"{rendition.viewers:,}"
    bitrate = "&ndash;" if rendition.bitrate is None else f"{rendition.bitrate / 1e6:.2f} Mbit/s"
    return (
        f'<tr><td class="name">{_text(rendition.name)}</td><td>{_text(rendition.state)}</td>'
        f'<td class="n">{viewers}</td><td class="n">{bitrate}</td>'
        f'<td class="wide quiet">{_text(rendition.detail)}</td></tr>'
    )


def _stages(status: Status) -> Iterable[str]:
    yield f"<h2>Time in each stage, last {_duration(status.window_s)}</h2>"
    rows = "".join(
        f'<tr><td class="name">{_text(stage.stage)}</td><td class="n">{_milliseconds(stage.p50_s)}</td>'
        f'<td class="n">{_milliseconds(stage.p99_s)}</td><td class="n wide">{stage.count:,}</td>'
        f'<td class="quiet wide">{_text(_STAGES.get(stage.stage, ""))}</td></tr>'
        for stage in status.stages
    )
    yield (
        '<div class="panel"><table><tr><th>Stage</th><th class="n">p50</th><th class="n">p99</th>'
        f'<th class="n wide">Count</th><th class="wide">From where to where</th></tr>{rows}</table></div>'
    )


def _state(state: str) -> str:
    tone = {"live": "good", "following": "good", "starting": "warn", "ended": "quiet"}.get(state, "warn")
    return f'<span class="badge {tone}">{_text(state)}</span>'


def _milliseconds(seconds: float | None) -> str:
    return "&ndash;" if seconds is None else f"{seconds * 1e3:.1f} ms"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if whole >= 2 * length:
            return f"{whole // length} {unit}"
    return f"{whole} s"


def _text(text: str) -> str:
    return escape(text, quote=True)
