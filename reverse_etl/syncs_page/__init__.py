"""The Syncs page: what runs did and will do, for people who do not live in Dagster."""
