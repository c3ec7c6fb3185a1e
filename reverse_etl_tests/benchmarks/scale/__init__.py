"""What many syncs cost: to load, in the daemon's tick, in events. ``docs/scale.md`` is written from it."""
