"""The commands around a run. The run itself is Snakemake's: `snakemake -n` lists it.

Each command works on the current folder, as Snakemake does, and takes its config from
--configfile and --config, as Snakemake does. Exit codes: 0 done, 1 something was found,
2 wrong usage.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import BufferedWriter, FileIO, TextIOWrapper

from thinksafe.errors import UserError

# A command's module is imported when the command is given. It has `add_arguments` and `run`; its docstring is the help.
COMMANDS = {
    "plan": ("planning.plan", "count what a run would make; estimate its hours and disk"),
    "explain": ("planning.explain", "what is stale and why, what that reaches and what it costs"),
    "status": ("planning.status", "how far a run is, and what went wrong"),
    "show": ("reporting.show_results", "the first tables of a run, and where its other results are"),
    "trace": ("provenance.trace", "what a number was made of, or what was made of a file"),
    "bundle": ("release.bundle", "pack a finished run, or a part of it, into one archive"),
    "restore": ("release.restore", "check a bundle and put its results in place"),
    "reproduce": ("release.reproduce", "make a bundle's results again and compare them"),
    "publish": ("release.publish", "send training sets and adapters to the hub, with their cards"),
}


class Pipe(FileIO):
    """A standard stream whose reader may leave early, as `head` does; the rest of the output is then dropped."""

    def write(self, data: bytes) -> int | None:
        """Write to the stream, or to nowhere once nobody reads it."""
        try:
            return super().write(data)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return len(data)


def command(given: Sequence[str]) -> int:
    """Run one command and return its exit code; raise SystemExit after ``--help`` and a wrong command line."""
    raw = argparse.RawDescriptionHelpFormatter
    lines = [f"  thinksafe {name:12}{words}" for name, (_, words) in COMMANDS.items()]
    parser = argparse.ArgumentParser("thinksafe", description="\n".join([__doc__, *lines]), formatter_class=raw)
    parsers = parser.add_subparsers(dest="name", required=True, metavar="COMMAND", help="with --help: its options")
    for name, (path, _) in COMMANDS.items():
        if given[:1] == [name]:
            module = import_module(f"thinksafe.{path}")
            module.add_arguments(parsers.add_parser(name, description=module.__doc__, formatter_class=raw))
        else:
            parsers.add_parser(name)
    arguments = parser.parse_args(given)
    try:
        return module.run(arguments)
    except (UserError, OSError) as error:  # OSError: a full disk, a folder that cannot be written
        print(f"{arguments.name}: {error}", file=sys.stderr)
        return getattr(error, "code", 1)


def main() -> int:
    """Run the command that the command line names."""
    for name in ("stdout", "stderr"):
        raw = Pipe(getattr(sys, name).fileno(), "w", closefd=False)
        lines = name == "stderr" or raw.isatty()
        setattr(sys, name, TextIOWrapper(BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=lines))
    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
