"""The state directory: the only thing that cronflow's processes share (design: the state directory)."""
