"""XML that strangers wrote: parsed without entities, or refused in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from .problems import BadFileError

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element


def read_xml(file: Path) -> Element:
    """The root of an XML file.

    Raises:
        BadFileError: if it cannot be read, is damaged or empty, or declares entities.
    """
    try:
        root: Element | None = ElementTree.parse(file).getroot()
    except OSError as error:
        raise BadFileError(file, f"it cannot be read ({error.strerror}); check the path") from error
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise BadFileError(file, f"this is not readable XML ({error}); get the file again") from error
    if root is None:
        raise BadFileError(file, "this XML is empty; get the file again")
    return root
