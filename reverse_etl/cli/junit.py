"""Tests of syncs as a JUnit report, which CI systems show.

A suite for each sync, with elements and attributes that the schemas of Ant and of Jenkins both allow or need. Source:
JUnit.xsd of windyroad/JUnit-Schema, junit-10.xsd of jenkinsci/xunit-plugin, read 2026-11-28.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree

if TYPE_CHECKING:
    from reverse_etl.run.sync_tests import Tried

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Source: XML 1.0, fifth edition, 2.2."""


def junit(results: Sequence[Tried], *, at: datetime) -> bytes:
    """The report, UTF-8.

    Args:
        results: Those of one sync follow each other.
        at: When the tests began.
    """
    root = ElementTree.Element("testsuites")
    for number, (sync, group) in enumerate(groupby(results, lambda each: each.sync)):
        tests = list(group)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            id=str(number),
            package=sync,
            name=sync,
            tests=str(len(tests)),
            failures=str(sum(bool(each.differences) for each in tests)),
            errors=str(sum(bool(each.error) for each in tests)),
            skipped="0",
            time=_seconds(sum(each.duration_s for each in tests)),
            timestamp=f"{at:%Y-%m-%dT%H:%M:%S}",
            hostname=_text(platform.node() or "localhost"),
        )
        ElementTree.SubElement(suite, "properties")
        for each in tests:
            _case(suite, each)
        ElementTree.SubElement(suite, "system-out")
        ElementTree.SubElement(suite, "system-err")
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _case(suite: ElementTree.Element, test: Tried) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", name=_text(test.name), classname=test.sync, time=_seconds(test.duration_s)
    )
    if test.passed:
        return
    what = "error" if test.error else "failure"
    message = test.error or f"{test.where}: not as expected"
    lines = [test.where, *([test.error] if test.error else [])]
    for each in test.differences:
        lines += [
            f"{each.where}: {each.key}" if each.key else each.where,
            f"  expected: {each.expected}",
            f"  found:    {each.found}",
        ]
    problem = ElementTree.SubElement(case, what, message=_text(message), type=what)
    problem.text = _text("\n".join(lines))


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"


def _text(text: str) -> str:
    return _NOT_XML.sub("·", text)
