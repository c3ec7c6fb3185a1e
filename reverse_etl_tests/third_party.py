"""``python -m reverse_etl_tests.third_party`` writes ``docs/third-party.md``: licences of what is installed with it."""

from __future__ import annotations

from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE: Final = Path(__file__).parents[1] / "docs/third-party.md"
GATHERED: Final = frozenset({"all", "dev"})
_CLASSIFIER: Final = "License :: "
_NOT_NAMES: Final = frozenset({"OSI Approved", "Other/Proprietary License"})
_LONGEST: Final = 60
"""Characters of a licence's name; what is longer is its text."""

_HEAD: Final = """\
<!-- made by `python -m reverse_etl_tests.third_party` from the installed packages; do not edit it -->
# Third-party packages and their licences

reverse-etl is under the Apache License 2.0 and contains no code of others. With it, pip installs the packages below:
those that it needs, and those of its extras. The licence is what each package says of itself. Versions and hashes are
in `requirements.lock`; `make sbom` writes a bill of materials (CycloneDX) with both.

| licence | packages |
|---|---|"""


def packages() -> dict[str, str]:
    """The licence of each package that an installation with all extras has, by name; not those for development."""
    extras = set(distribution("reverse-etl").metadata.get_all("Provides-Extra") or ()) - GATHERED
    found: dict[str, str] = {}
    wanted = [("reverse-etl", frozenset({"", *extras}))]
    seen = set(wanted)
    while wanted:
        name, with_extras = wanted.pop()
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue  # for another system or Python
        if name != "reverse-etl":
            found[name] = licence(package)
        for text in package.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in with_extras):
                entry = (canonicalize_name(needed.name), frozenset({"", *needed.extras}))
                if entry not in seen:
                    seen.add(entry)
                    wanted.append(entry)
    return found


def licence(package: Distribution) -> str:
    """What a package says of its licence; empty where it says nothing."""
    expression = package.metadata.get("License-Expression") or ""
    classified = [text for text in package.metadata.get_all("Classifier") or () if text.startswith(_CLASSIFIER)]
    names = [name for text in classified if (name := text.rpartition(" :: ")[2]) not in _NOT_NAMES]
    written = (package.metadata.get("License") or "").strip()
    named = written if len(written) < _LONGEST and "\n" not in written and written.upper() != "UNKNOWN" else ""
    return expression or " / ".join(sorted(names)) or named


def page() -> str:
    """The page."""
    by_licence: dict[str, list[str]] = {}
    for name, its_licence in sorted(packages().items()):
        by_licence.setdefault(its_licence or "see the package's own files", []).append(name)
    rows = (f"| {its_licence} | {', '.join(names)} |" for its_licence, names in sorted(by_licence.items()))
    return "\n".join([_HEAD, *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
