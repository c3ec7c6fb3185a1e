"""The migrations. Once released, one is never changed: what a later release needs is a further one."""
