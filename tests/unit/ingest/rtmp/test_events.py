"""What events show of a publisher."""

from __future__ import annotations

from headwater.ingest.rtmp.events import PublishRequested, RejectCode


def test_text_form_leaves_the_key_out() -> None:
    assert "s3cret" not in repr(PublishRequested("live", "demo", {"key": "s3cret"}, "OBS"))


def test_reject_codes_are_those_that_encoders_act_on() -> None:
    assert [str(code) for code in RejectCode] == [
        "NetStream.Publish.BadName",
        "NetStream.Publish.Denied",
        "NetConnection.Connect.InvalidApp",
        "NetConnection.Connect.Rejected",
    ]
