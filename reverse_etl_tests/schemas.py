"""The schemas that editors have, each made once: making one takes a tenth of a second, and no test changes them."""

from __future__ import annotations

from functools import cache

from reverse_etl.config import schema

sync_schema = cache(schema.sync_schema)
connections_schema = cache(schema.connections_schema)
dictionary_schema = cache(schema.dictionary_schema)
defaults_schema = cache(schema.defaults_schema)
