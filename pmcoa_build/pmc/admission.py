"""Which article versions a selection admits, and under which licence: JSON and XML heard together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pmcoa_build.errors import UnitLost
from pmcoa_build.licenses import license_of, most_restrictive
from pmcoa_build.pmc.known import Seen
from pmcoa_build.pmc.metadata import Metadata

Wanted = Mapping[str, Any]
"""licenses (codes, or ["any"]), languages (two letters; [] = all), retracted ("drop" or "flag")."""


def admit(one: Seen, wanted: Wanted) -> None:
    """Pass in silence for a version that is wanted, as far as its JSON and, where that has been read, its XML tell.

    The XML is heard only where the JSON lets the version pass, so that it does not matter what was read before. Raises
    UnitLost: retracted, license-not-allowed, language-not-allowed, xml-missing, md5-missing.
    """
    _by_json(one.metadata, wanted)
    if one.text is None:
        return
    if wanted["languages"] and one.text.language and one.text.language not in wanted["languages"]:
        raise UnitLost("language-not-allowed", one.text.language)
    if not _allowed(license_code(one), wanted):
        told = f"the JSON says {_stated(one.metadata)}, the XML {one.text.license_code}"
        raise UnitLost("license-not-allowed", told)


def is_admitted(one: Seen, wanted: Wanted) -> bool:
    """Whether `admit` lets the version pass."""
    try:
        admit(one, wanted)
    except UnitLost:
        return False
    return True


def license_code(one: Seen) -> str | None:
    """The licence of a version: where JSON and XML name two, what both allow; None if neither names one."""
    stated = _stated(one.metadata)
    return most_restrictive(code for code in (stated, one.text and one.text.license_code) if code) or stated


def _by_json(metadata: Metadata, wanted: Wanted) -> None:
    stated = _stated(metadata)
    if metadata.is_retracted and wanted["retracted"] == "drop":
        raise UnitLost("retracted")
    if not _allowed(stated, wanted):
        raise UnitLost("license-not-allowed", stated or "no licence code")
    if metadata.xml is None:
        raise UnitLost("xml-missing")
    if metadata.xml.md5 is None:
        raise UnitLost("md5-missing", metadata.xml.key)


def _allowed(code: str | None, wanted: Wanted) -> bool:
    return "any" in wanted["licenses"] or code in wanted["licenses"]


def _stated(metadata: Metadata) -> str | None:
    """PMC's licence code in its usual spelling."""
    named = license_of(metadata.license_code)
    return named.code if named else metadata.license_code
