"""The command line: `headwater COMMAND`. Exit codes: 0 fine, 1 failed, 2 bad usage or configuration.

Each command imports what it needs when it runs, so that `headwater --help` and `config check` answer at once and an
edge never loads the packager.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.loadtest.scenario import arguments as loadtest
from headwater.loadtest.scenario.arguments import COMPARE

from . import purge

if TYPE_CHECKING:
    from .describe import Loaded
    from .ladder import Source
    from .settings import Settings

FINE, FAILED, BAD_USAGE = 0, 1, 2

_SETTINGS_HELP = (
    "Any setting can be given as a flag: --edge.http.port 8090. `headwater config show` lists them all; "
    "docs/configuration.md explains them."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    try:
        code = _main(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough; what is still buffered must not be tried again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return code


def _main(arguments: Sequence[str]) -> int:
    parser = _parser()
    try:
        rest, flags = split_settings(arguments)
    except ValueError as error:
        parser.error(str(error))
    if rest[:2] == COMPARE.split():
        rest = [COMPARE, *rest[2:]]
    options = parser.parse_args(rest)
    if options.command == "publish":
        if flags:
            parser.error(f"--{flags[0][0]}: `publish` takes no settings")
        return _publish(options)
    if options.command == "doctor":
        if flags:
            parser.error(f"--{flags[0][0]}: `doctor` takes no settings")
        return _doctor(options)
    if options.command in ("loadtest", COMPARE):
        if flags:
            parser.error(f"--{flags[0][0]}: `loadtest` takes no settings")
        return _loadtest(options, rest)
    if options.command == "config" and options.action == "show" and options.markdown:
        from .show import markdown

        print(markdown(), end="")
        return FINE
    loaded = _loaded(options.config, flags)
    if loaded is None:
        return BAD_USAGE
    return _with_settings(options, loaded, lambda: _checked(options.config, flags).settings)


def split_settings(arguments: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Take `--some.key VALUE` and `--some.key=VALUE` out of the arguments: what is left, and the (key, text) pairs.

    Raises ValueError for a key without a value. Everything with a dot in its flag's name is a setting.
    """
    rest: list[str] = []
    flags: list[tuple[str, str]] = []
    waiting = iter(arguments)
    for argument in waiting:
        name, equals, text = argument.partition("=")
        if not name.startswith("--") or "." not in name:
            rest.append(argument)
            continue
        if not equals:
            following = next(waiting, None)
            if following is None:
                raise ValueError(f"{name}: a value is missing")
            text = following
        flags.append((name.removeprefix("--"), text))
    return rest, flags


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="headwater",
        description="Live-streaming origin and edge: RTMP and SRT in, Low-Latency HLS out.",
        epilog="`headwater COMMAND --help` tells more about one command.",
    )
    parser.add_argument("--version", action="version", version=f"headwater {version('headwater')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in (
        ("up", "run everything on this machine: ingest, origin and edge"),
        ("origin", "run ingest and origin"),
        ("edge", "run an edge cache in front of an origin or another edge (edge.upstream)"),
    ):
        command = commands.add_parser(name, help=text, description=f"{_sentence(text)}.", epilog=_SETTINGS_HELP)
        _add_config(command)
        if name == "up":
            command.add_argument("--demo", action="store_true", help="also publish a test picture with clock and beep")
    _add_publish(commands)
    _add_doctor(commands)
    _add_token(commands)
    _add_config(purge.add_to(commands))
    loadtest.add_to(commands)
    _add_config_commands(commands)
    return parser


def _add_publish(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "push a test picture with clock and beep, or a file, to an RTMP or SRT server"
    command = commands.add_parser(
        "publish",
        help=text,
        description=f"{_sentence(text)}, in real time. Works with any server.",
        argument_default=argparse.SUPPRESS,
    )
    command.add_argument(
        "url",
        metavar="URL",
        help=(
            "rtmp://HOST/live/NAME, rtmps://..., with ?key=SECRET where asked; srt://HOST:PORT?streamid=publish:live/NAME"
            " with &passphrase=SECRET and &latency=MS where wanted (needs ffmpeg)"
        ),
    )
    command.add_argument("--file", type=Path, metavar="FILE", help="push this file as it is, not the test picture")
    command.add_argument("--size", type=_size, metavar="WxH", help="picture in pixels (default 1280x720)")
    command.add_argument("--fps", type=_fraction, metavar="N", help="frames per second, also 30000/1001 (default 30)")
    command.add_argument("--bitrate", type=int, metavar="BPS", help="of the video, bit/s (default 2500000)")
    command.add_argument("--gop", dest="gop_s", type=float, metavar="S", help="between keyframes, s (default 1)")
    command.add_argument("--codec", metavar="NAME", help="h264, hevc or av1 (default h264)")
    command.add_argument("--no-audio", dest="audio", action="store_false", help="picture only")
    command.add_argument("--duration", dest="duration_s", type=float, metavar="S", help="end after this much media")
    command.add_argument("--reconnect", action="store_true", help="try again whenever the server is not there")
    command.add_argument("--insecure", dest="tls_verify", action="store_false", help="rtmps: take any certificate")
    command.add_argument("--quiet", action="store_true", help="say only what goes wrong")


def _add_doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "watch an HLS stream and say what is wrong with it"
    command = commands.add_parser(
        "doctor",
        help=text,
        description=f"{_sentence(text)}: what breaks the rules, what players do with it, how to mend it. "
        "Reads only HTTP; works with any server, and without low latency too.",
        epilog="Exit codes: 0 no error, 1 errors found, 2 bad usage or no answer. docs/doctor.md lists the rules.",
        argument_default=argparse.SUPPRESS,
    )
    command.add_argument("url", metavar="URL", help="of a multivariant or a media playlist, http:// or https://")
    command.add_argument("--seconds", type=float, metavar="S", help="how long to watch (default 20)")
    command.add_argument("--renditions", type=int, metavar="N", help="follow at most so many playlists (default 8)")
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.add_argument("--rule", dest="rules", type=int, action="append", metavar="N", help="report this rule only")
    command.add_argument("--ignore", dest="ignored", type=int, action="append", metavar="N", help="leave this rule out")
    command.add_argument("--insecure", action="store_true", help="https: take any certificate")


def _add_token(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "mint a playback token and print the URL that carries it"
    command = commands.add_parser(
        "token",
        help=text,
        description=f"{_sentence(text)}. Signed with the key given, else with the first of edge.tokens.",
        argument_default=argparse.SUPPRESS,
    )
    command.add_argument("target", metavar="URL-or-PATH", help="what is watched; the token opens its folder")
    keys = command.add_mutually_exclusive_group()
    keys.add_argument("--key-file", type=Path, metavar="FILE", help="key file: ID SECRET per line")
    keys.add_argument("--key", metavar="ID:SECRET", help="the key itself; seen by everybody on this machine")
    command.add_argument("--key-id", metavar="ID", help="which of several keys (default: the first)")
    command.add_argument("--expires", metavar="TIME", help="90s, 15m, 6h, 30d from when it begins (default 6h)")
    command.add_argument("--not-before", metavar="TIME", help="begins so long from now (default: now)")
    command.add_argument(
        "--path", dest="paths", action="append", metavar="PATH", help="open this and what is below it; may be repeated"
    )
    command.add_argument(
        "--ip",
        dest="addresses",
        action="append",
        metavar="CIDR",
        help="only from here: 203.0.113.7, 2001:db8::/64; may be repeated",
    )
    _add_config(command)


def _add_config_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "check or print the configuration"
    command = commands.add_parser("config", help=text, description=f"{_sentence(text)}.")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    text = "say whether the configuration is valid, and what is wrong with it"
    check = actions.add_parser("check", help=text, description=f"{_sentence(text)}.", epilog=_SETTINGS_HELP)
    _add_config(check)
    ladder = check.add_argument_group(
        "the ladder of a source", "what it would get on this machine; probes the encoders"
    )
    ladder.add_argument("--source", metavar="SOURCE", help="WxH[@FPS][:CODEC[+AUDIO...]], as 1920x1080@30, or a file")
    ladder.add_argument("--stream", default="NAME", metavar="NAME", help="of this stream, whose overrides count")
    ladder.add_argument("--application", metavar="NAME", help="published to this application (default: the first)")
    text = "print the effective settings: value, source, bounds, default and reason"
    show = actions.add_parser("show", help=text, description=f"{_sentence(text)}.", epilog=_SETTINGS_HELP)
    _add_config(show)
    form = show.add_mutually_exclusive_group()
    form.add_argument("--toml", action="store_true", help="as a TOML file, secrets left out")
    form.add_argument("--markdown", action="store_true", help="the reference of all settings and defaults")
    show.add_argument("prefix", nargs="?", default="", metavar="KEY", help="only this setting or table: edge.http")


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config",
        type=Path,
        default=None,
        metavar="FILE",
        help="settings file (default: headwater.toml, when there is one)",
    )


def _loaded(file: Path | None, flags: Sequence[tuple[str, str]]) -> Loaded | None:
    """The effective settings, or None when what is wrong with them has been said."""
    from .load import ConfigError

    try:
        return _checked(file, flags)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return None


def _checked(file: Path | None, flags: Sequence[tuple[str, str]]) -> Loaded:
    """The effective settings. Raises ConfigError."""
    from .load import check_files, load

    loaded = load(file, os.environ, flags)
    check_files(loaded)
    return loaded


def _with_settings(options: argparse.Namespace, loaded: Loaded, reload: Callable[[], Settings]) -> int:
    """`reload` reads the same settings again."""
    match options.command:
        case "up":
            from .roles import serve_up

            return serve_up(loaded.settings, with_demo=options.demo, reload=reload)
        case "origin":
            from .roles import serve_origin

            return serve_origin(loaded.settings)
        case "edge":
            from .edgerole import serve_edge

            return serve_edge(loaded.settings, reload=reload)
        case "token":
            return _token(options, loaded)
        case "purge":
            return purge.run(options, loaded.settings)
        case _:
            return _show(options, loaded) if options.action == "show" else _check(options, loaded)


def _check(options: argparse.Namespace, loaded: Loaded) -> int:
    changed = len(loaded.sources)
    print(f"{loaded.file or 'no settings file'}: fine, {changed} setting{'' if changed == 1 else 's'} not at default")
    return FINE if options.source is None else _check_ladder(options, loaded)


def _check_ladder(options: argparse.Namespace, loaded: Loaded) -> int:
    import asyncio

    from headwater.ingest.encode.capacity import Capacity, wanted

    from . import ladder

    try:
        source = _source(options.source)
    except ValueError as error:
        print(f"headwater config check: --source {error}", file=sys.stderr)
        return BAD_USAGE
    settings = loaded.settings.ingest
    machine = asyncio.run(Capacity(wanted(settings.encode)).get())
    application = options.application or settings.applications[0]
    outlook = ladder.outlook(settings.encode, source, machine, options.stream, application)
    print(f"\n{outlook.text}")
    return FAILED if outlook.refused else FINE


def _source(text: str) -> Source:
    """A file's tracks, or what the text describes. Raises ValueError."""
    from . import ladder

    if not Path(text).is_file():
        return ladder.parse_source(text)
    from headwater.ingest.encode.worker.look import LookError, tracks

    try:
        return ladder.Source(*tracks(Path(text)))
    except LookError as error:
        raise ValueError(str(error)) from error


def _show(options: argparse.Namespace, loaded: Loaded) -> int:
    from . import describe, show

    known = {**describe.leaves(), **dict.fromkeys(describe.table_keys())}
    if options.prefix and options.prefix not in known:
        meant = describe.nearest(options.prefix, known)
        hint = f"; did you mean {meant}?" if meant else ""
        print(f"headwater: {options.prefix}: unknown key{hint}", file=sys.stderr)
        return BAD_USAGE
    print((show.toml if options.toml else show.text)(loaded, options.prefix))
    return FINE


def _publish(options: argparse.Namespace) -> int:
    from headwater.loadtest.publish import PublishOptions, UsageError, run

    given = {name: value for name, value in vars(options).items() if name not in ("command", "size")}
    if "size" in options:
        given["width"], given["height"] = options.size
    try:
        chosen = PublishOptions(**given)
        chosen.check()
    except UsageError as error:
        print(f"headwater publish: {error}", file=sys.stderr)
        return BAD_USAGE
    return run(chosen)


def _doctor(options: argparse.Namespace) -> int:
    from headwater.loadtest.doctor.run import DoctorOptions, UsageError, run

    given = {name: value for name, value in vars(options).items() if name != "command"}
    for name in ("rules", "ignored"):
        if name in given:
            given[name] = tuple(given[name])
    try:
        return run(DoctorOptions(**given))
    except UsageError as error:
        print(f"headwater doctor: {error}", file=sys.stderr)
        return BAD_USAGE


def _token(options: argparse.Namespace, loaded: Loaded) -> int:
    from .token import TokenOptions, run

    given = {name: value for name, value in vars(options).items() if name not in ("command", "config")}
    for name in ("paths", "addresses"):
        if name in given:
            given[name] = tuple(given[name])
    return run(TokenOptions(**given), loaded.settings.edge.tokens)


def _loadtest(options: argparse.Namespace, words: Sequence[str]) -> int:
    from headwater.loadtest.scenario import command

    if options.command == COMPARE:
        return command.run_compare(options.before, options.after)
    return command.run({name: value for name, value in vars(options).items() if name != "command"}, words[1:])


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def _fraction(text: str) -> Fraction:
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise ValueError(text) from error


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    sys.exit(main())
