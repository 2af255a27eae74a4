"""How long tests wait for what must happen."""

PATIENCE_S = 120.0
"""Far more than ten times what anything awaited takes on a quiet machine: only a failing test waits that long."""
