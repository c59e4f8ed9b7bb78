"""The command `flowscape`: one module per subcommand; they parse, call and print."""

from flowscape.cli.main import main

__all__ = ["main"]
