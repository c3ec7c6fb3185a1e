"""``python -m reverse_etl_tests.reference``: writes the pages of ``docs/reference``."""

from __future__ import annotations

from reverse_etl_tests.reference.pages import pages


def main() -> None:
    """Writes each page."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
