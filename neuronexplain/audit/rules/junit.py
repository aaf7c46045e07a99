"""Judged rules as JUnit XML, which CI systems show: a broken rule is a failure, an undecided one is skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from dissection.plain_text import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .rules import JudgedRule


def junit_xml(judgements: Sequence[JudgedRule], *, suite: str) -> bytes:
    """A file of one suite, with a case for each rule.

    Args:
        judgements: the rules.
        suite: what the suite is called.
    """
    counts = {
        "tests": len(judgements),
        "failures": sum(judgement.outcome == "broken" for judgement in judgements),
        "errors": 0,
        "skipped": sum(judgement.outcome == "undecided" for judgement in judgements),
    }
    numbers = {name: str(number) for name, number in counts.items()}
    root = ET.Element("testsuites", {"name": _text(suite), **numbers, "time": "0"})
    cases = ET.SubElement(root, "testsuite", {"name": _text(suite), **numbers, "time": "0"})
    for judgement in judgements:
        rule = judgement.rule
        names = {"classname": _text(f"{rule.target}.{rule.concept}"), "name": _text(rule.name), "time": "0"}
        case = ET.SubElement(cases, "testcase", names)
        message = _text(judgement.message)
        match judgement.outcome:
            case "broken":
                ET.SubElement(case, "failure", {"message": message, "type": rule.way}).text = _text(
                    judgement.reliance.verdict.sentence
                )
            case "undecided":
                ET.SubElement(case, "skipped", {"message": message})
            case _:
                ET.SubElement(case, "system-out").text = message
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _text(text: str) -> str:
    """Text that XML can hold: nothing that steers, and neither of the two characters that are none."""
    return visible(text).translate({0xFFFE: 0xFFFD, 0xFFFF: 0xFFFD})
