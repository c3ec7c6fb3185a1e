"""``make bench``: every benchmark of the shipped path, one after the other."""

from reverse_etl_tests.benchmarks import (
    comparing,
    end_to_end,
    extraction,
    orchestration,
    services,
    shaping,
    tables,
    validation,
)
from reverse_etl_tests.benchmarks.scale import __main__ as scale
from reverse_etl_tests.benchmarks.whole import __main__ as whole

if __name__ == "__main__":
    whole.main([])
    end_to_end.main()
    comparing.main()
    extraction.main()
    shaping.main()
    validation.main()
    orchestration.main()
    scale.main([])
    tables.main()
    services.main([])
