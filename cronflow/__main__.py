"""`python -m cronflow`, and what the `cronflow` command calls."""

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # Start-up only allocates; collecting meanwhile costs a tenth of it.
    gc.disable()
    try:
        from cronflow.cli.app import invoke

        # A run of a thousand tasks makes a hundred thousand small values and no circles: look for those rarely.
        gc.freeze()
        gc.set_threshold(100_000)
        gc.enable()
        sys.exit(invoke(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
