"""A portal for each chain."""

from greenback import await_, with_portal_run_sync

from benchmarks.shapes import entered

HOSTS = entered(await_, with_portal_run_sync)
