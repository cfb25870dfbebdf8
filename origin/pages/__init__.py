"""The pages for people: the list of streams and the player. Only files; `headwater.origin.app` serves them.

`index.html` at `/`, `player.html` at `/live/NAME/`, everything else under `/assets/`. All references are relative, so
that the pages also work below a prefix. `vendor/` holds hls.js, put there from npm by `make setup`; without it the
player page says so. No page has inline script or style, and none loads anything from elsewhere.
"""
