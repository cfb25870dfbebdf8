"""The command as a whole, on virtual time and on a real socket."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace

import pytest
from tests.doctor_kit import BASE, URL, WATCH_S, Asked, Fault, Reply, Server, examine
from tests.doctor_records import media, rendition
from tests.virtual_time import run as virtually

from headwater.loadtest.doctor import run as module
from headwater.loadtest.doctor.run import DoctorOptions, NotReachable, UsageError, diagnose, probed, run
from headwater.origin.hls.multivariant import Media


@pytest.mark.parametrize(
    "options",
    [
        DoctorOptions("rtmp://host/live/x"), DoctorOptions("stream.m3u8"), DoctorOptions("http:///x"),
        DoctorOptions("http://h:99999/"), DoctorOptions("http://[x/"), DoctorOptions(URL, seconds=0),
        DoctorOptions(URL, seconds=1e9), DoctorOptions(URL, renditions=0), DoctorOptions(URL, rules=(9_999,)),
        DoctorOptions(URL, ignored=(25,)),
    ],
)  # fmt: skip
def test_bad_usage(options: DoctorOptions) -> None:
    with pytest.raises(UsageError):
        options.check()


def test_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(DoctorOptions("http://127.0.0.1:1/x.m3u8", seconds=1)) == 2
    assert "headwater doctor: http://127.0.0.1:1/x.m3u8: " in capsys.readouterr().err


def test_an_error_is_no_answer() -> None:
    with pytest.raises(NotReachable, match="status 404"):
        virtually(diagnose(Server(), DoctorOptions(BASE + "nothing.m3u8")))


@pytest.mark.parametrize(("as_json", "code"), [(False, 0), (True, 0), (True, 1)])
def test_exit_code_and_output(monkeypatch: pytest.MonkeyPatch, as_json: bool, code: int) -> None:
    report = examine(Fault(set(), text=(lambda a, t: t.replace("HOLD-BACK=12", "HOLD-BACK=2")) if code else None))

    async def told(options: DoctorOptions) -> object:
        return report

    monkeypatch.setattr(module, "_run", told)
    out = io.StringIO()
    assert run(DoctorOptions(URL, json=as_json), out) == code
    if as_json:
        assert json.loads(out.getvalue())["failed"] == bool(code)
    else:
        assert out.getvalue().endswith("2 advice.\n")


def test_one_rule_only() -> None:
    report = virtually(diagnose(Server(), DoctorOptions(URL, WATCH_S, rules=(184,))))
    assert [finding.rule.number for finding in report.findings] == [184]


def test_a_media_playlist_alone() -> None:
    report = virtually(diagnose(Server(), DoctorOptions(BASE + "source/index.m3u8", WATCH_S)))
    assert not report.findings, report.text()


def test_a_page_that_is_no_playlist() -> None:
    def page(asked: Asked, reply: Reply) -> Reply:
        return replace(reply, body=b"<html>\xff</html>", headers={"Content-Type": "text/html"})

    report = examine(Fault(set(), reply=page))
    assert report.failed
    assert 1 in {finding.rule.number for finding in report.findings}


def test_who_is_probed() -> None:
    audio = rendition(media(), name="audio")
    audio.media = Media("AUDIO", "a", "English")
    video = [rendition(media(), name=str(n)) for n in range(3)]
    assert probed([*video, audio]) == [video[0], audio]


def test_the_doctor_can_be_interrupted() -> None:
    async def interrupted() -> None:
        task = asyncio.ensure_future(diagnose(Server(), DoctorOptions(URL, WATCH_S)))
        await asyncio.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    virtually(interrupted())
