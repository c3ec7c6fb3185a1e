"""What each guard found, by its name, as JSON."""

from __future__ import annotations

import json

from reverse_etl_tests.ratios import found
from reverse_etl_tests.ratios.guards import GUARDS

if __name__ == "__main__":
    print(json.dumps({guard.__name__: found(guard) for guard in GUARDS}))  # noqa: T201
