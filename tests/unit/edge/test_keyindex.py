"""Keys by folder."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headwater.edge.keyindex import KeyIndex, folder_of

KEYS = [
    "/a",
    "/live/x/index.m3u8",
    "/live/x/v/s1.m4s",
    "/live/x/v/s1.m4s?a=1",
    "/live/x/v/s1.m4s#bytes=0-9",
    "/live/y/",
]


def test_a_file_has_its_queries_and_ranges() -> None:
    index = KeyIndex()
    for key in KEYS:
        index.add(key)
        index.add(key)
    assert sorted(index.at("/live/x/v/s1.m4s")) == sorted(KEYS[2:5])
    assert index.at("/live/x/v/") == []
    assert index.at("/live/y/") == ["/live/y/"]
    assert len(index) == 4


def test_below_a_prefix() -> None:
    index = KeyIndex()
    for key in KEYS:
        index.add(key)
    assert sorted(index.below("/live/x/")) == sorted(KEYS[1:5])
    assert sorted(index.below("/live/x/v/s")) == sorted(KEYS[2:5])
    assert index.below("/live/y/") == ["/live/y/"]
    assert sorted(index.below("/")) == sorted(KEYS)
    assert sorted(index.below("/l")) == sorted(KEYS[1:])
    assert index.below("/live/x/w/") == []


def test_what_is_empty_is_gone() -> None:
    index = KeyIndex()
    for key in (*KEYS, *KEYS):
        index.add(key)
    for key in (*KEYS, *KEYS):
        index.discard(key)
    assert len(index) == 0
    assert not index._files
    assert not any(index._folders.values())


PATHS = st.lists(st.sampled_from(["a", "b", "ab", ""]), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(st.lists(st.tuples(st.booleans(), PATHS)), PATHS)
def test_it_finds_what_a_look_at_all_finds(steps: list[tuple[bool, str]], prefix: str) -> None:
    index, known = KeyIndex(), set[str]()
    for add, path in steps:
        if add:
            index.add(path)
            known.add(path)
        else:
            index.discard(path)
            known.discard(path)
    assert sorted(index.below(prefix)) == sorted(path for path in known if path.startswith(prefix))
    assert len(index) == len(known)
    assert folder_of(prefix) in ("/", *(prefix[: at + 1] for at, char in enumerate(prefix) if char == "/"))
