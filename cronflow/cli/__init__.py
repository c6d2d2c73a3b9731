"""The command line: one file a command. Each reads its arguments, calls below, and hands the result to a view."""
