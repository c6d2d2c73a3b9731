"""Keys that are checked and kept, and whose behaviour comes with the daemon: `validate` says so.

Each entry is a key and what to say of it. Take a key out once it does what it says.
"""

WAITS = "is checked, and has no effect until the daemon is there"

PIPELINE = {
    "enabled": WAITS,
    "schedule": "gives 'run --date' its periods; nothing starts by itself until the daemon is there",
    "catchup": WAITS,
    "catchup_window": WAITS,
    "overlap": WAITS,
    "jitter": WAITS,
    "retention": WAITS,
    "alerts": WAITS,
}
CONFIG = {
    "retention": WAITS,
    "alerts": WAITS,
    "heartbeat": WAITS,
}
