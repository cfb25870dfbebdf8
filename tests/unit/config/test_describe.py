"""The list of settings that everything else reads."""

from __future__ import annotations

import pytest

from headwater.config import describe
from headwater.config.describe import Shape
from headwater.config.settings import Settings

LEAVES = describe.leaves()


def test_every_setting_says_what_it_does() -> None:
    for table in describe.tables():
        for leaf in table.leaves:
            assert leaf.meaning, leaf.key
            assert leaf.meaning.endswith((".", ")", "=")), leaf.key


def test_every_number_has_unit_and_bounds() -> None:
    for leaf in LEAVES.values():
        if leaf.shape in (Shape.WHOLE, Shape.NUMBER):
            assert leaf.unit, leaf.key
            assert leaf.bounds, leaf.key


def test_a_leaf_tells_the_field() -> None:
    leaf = LEAVES["origin.first_playlist_s"]
    assert (leaf.shape, leaf.optional, leaf.unit, leaf.bounds) == (Shape.NUMBER, True, "s", "0 to 120")
    assert leaf.default is None
    assert leaf.reason.startswith("AVPlayer")
    assert LEAVES["ingest.linger_s"].bounds == "above 0 to 86_400"
    assert LEAVES["log.level"].bounds == "one of debug, info, warning, error"


def test_members_of_lists_are_no_settings_of_their_own() -> None:
    assert "ingest.publish" in LEAVES
    assert not any("[]" in key for key in LEAVES)
    members = next(table for table in describe.tables() if table.key == "ingest.publish[]")
    assert [leaf.default for leaf in members.leaves] == ["(required)", "(required)", None]
    assert members.leaves[1].shape is Shape.SECRET


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("edge.http.prot", "edge.http.port"),
        ("edge.port", "edge.http.port"),
        ("origin.http.prt", "origin.http.port"),
        ("ingest.rtmp.certificat", "ingest.rtmp.certificate"),
        ("loglevel", "log.level"),
        ("zzzzzz", None),
    ],
)
def test_the_nearest_key(wrong: str, meant: str | None) -> None:
    assert describe.nearest(wrong, LEAVES) == meant


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("edge.http.port", "8090", 8090),
        ("ingest.linger_s", "1.5", 1.5),
        ("ingest.rtmp.enabled", "No", False),
        ("ingest.rtmp.enabled", "1", True),
        ("edge.node", "", ""),
        ("edge.upstream", "", None),
        ("origin.first_playlist_s", "", None),
        ("ingest.applications", "live, app", ["live", "app"]),
        ("ingest.applications", '["live"]', ["live"]),
        ("ingest.publish", '[{name = "*", key = "k"}]', [{"name": "*", "key": "k"}]),
        ("state.dir", "/data", "/data"),
    ],
)
def test_texts_become_values(key: str, text: str, value: object) -> None:
    assert describe.parse_text(LEAVES[key], text) == value


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("edge.http.port", "80x", "not a whole number"),
        ("edge.http.port", "", "not a whole number"),
        ("ingest.linger_s", "long", "not a number"),
        ("ingest.rtmp.enabled", "maybe", "not true or false"),
        ("ingest.publish", "[{", "not a list as TOML writes it"),
    ],
)
def test_texts_that_are_no_values(key: str, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        describe.parse_text(LEAVES[key], text)


def test_values_as_toml() -> None:
    settings = Settings.model_validate({"ingest": {"publish": [{"name": "a", "key": "long-secret"}]}})
    assert describe.written(settings.ingest.linger_s) == "60"
    assert describe.written(1.25) == "1.25"
    assert describe.written(None) is None
    assert describe.written('a"b') == '"a\\"b"'
    assert describe.written(settings.ingest.publish) == '[{ name = "a", key = (hidden) }]'
    assert describe.value_at(settings, "ingest.rtmp.port") == 1935


def test_lists_and_tables_inside_a_list_of_tables() -> None:
    keys = [table.key for table in describe.tables()]
    assert "ingest.encode.stream[].rungs[]" in keys
    assert "ingest.encode.stream[].thumbnails" in keys
    assert "ingest.encode.rungs" in LEAVES
    assert LEAVES["ingest.encode.rungs"].shape is Shape.LIST
    (members,) = [table for table in describe.tables() if table.key == "ingest.encode.stream[]"]
    assert {leaf.key: leaf.optional for leaf in members.leaves}["ingest.encode.stream[].rungs"]


def test_choices_that_are_numbers() -> None:
    (members,) = [table for table in describe.tables() if table.key == "ingest.encode.audio[]"]
    (rate,) = [leaf for leaf in members.leaves if leaf.key.endswith("sample_rate")]
    assert rate.bounds == "one of 16000, 22050, 24000, 32000, 44100, 48000"


def test_unset_members_are_not_written() -> None:
    settings = Settings.model_validate({"ingest": {"encode": {"stream": [{"rungs": [{"height": 360}]}]}}})
    text = describe.written(settings.ingest.encode.stream)
    assert text == '[{ name = "*", application = "*", rungs = [{ height = 360, codec = "h264", encoder = "auto" }] }]'
