"""asynkit.loop: the ready queue of event loops."""
