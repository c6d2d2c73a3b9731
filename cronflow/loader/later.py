"""Keys that are checked and kept, and whose behaviour comes with the daemon. The daemon empties this table."""

PIPELINE = {
    "enabled": "is checked, and has no effect until the daemon is there",
    "schedule": "names the periods of 'run --date'; nothing starts by itself until the daemon is there",
    "start": "is checked, and has no effect until the daemon is there",
    "end": "is checked, and has no effect until the daemon is there",
    "catchup": "is checked, and has no effect until the daemon is there",
    "catchup_window": "is checked, and has no effect until the daemon is there",
    "overlap": "is checked, and has no effect until the daemon is there",
    "max_active_runs": "is checked, and has no effect until the daemon is there",
    "jitter": "is checked, and has no effect until the daemon is there",
    "retention": "is checked, and has no effect until the daemon is there",
    "alerts": "is checked, and has no effect until the daemon is there",
}
CONFIG = {
    "retention": "is checked, and has no effect until the daemon is there",
    "alerts": "is checked, and has no effect until the daemon is there",
    "heartbeat": "is checked, and has no effect until the daemon is there",
}
