"""cronflow: pipelines of shell commands, in dependency order, once for each period, with a history."""

__version__ = "0.1.0"
