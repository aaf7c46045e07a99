"""What MkDocs calls while it builds the site: pages are generated, and what was built is looked through."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from command_pages import command_pages
from equations import equation
from error_messages import by_subject, error_messages
from markdown_text import escaped, table
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from notebook_page import notebook_page
from outside import outside_resources
from python_pages import python_pages

from neuronexplain.report.glossary import glossary

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

NOTEBOOK = "how-to/notebook.ipynb"


def on_config(config: MkDocsConfig) -> None:
    """Let a fence of math be an equation."""
    fence = {"name": "math", "class": "equation", "format": equation}
    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [fence]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and list those of a folder in the navigation where it names the folder."""
    notebook = {str(Path(NOTEBOOK).with_suffix(".md")): notebook_page(Path(config.docs_dir) / NOTEBOOK)}
    for path, markdown in (command_pages() | python_pages() | notebook).items():
        files.append(File.generated(config, path, content=markdown))
    config.nav = _with_folders(config.nav, [file.src_uri for file in files.documentation_pages()])
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:  # noqa: ANN401 -- as MkDocs calls it
    """Put what is generated in the places for it."""
    if page.file.src_uri == "reference/errors.md":
        return markdown.replace("<!-- the messages -->", _messages())
    if page.file.src_uri == "reference/glossary.md":
        return markdown.replace("<!-- the terms -->", _terms())
    return markdown


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse pages that would load something from elsewhere."""
    if outside := outside_resources(Path(config.site_dir)):
        raise PluginError("these pages would load something from elsewhere:\n" + "\n".join(outside))


def _messages() -> str:
    """The messages of the code, by subject."""
    parts = []
    for subject, messages in by_subject(error_messages()).items():
        rows = [(_with_placeholders(message.text), f"`{message.error}`") for message in messages]
        parts.append(f"## {subject}\n\n{table(('message', 'error'), rows)}")
    return "\n\n".join(parts)


def _with_placeholders(message: str) -> str:
    """A message with what is filled in set apart."""
    pieces = re.split(r"(\{[^{}]*\})", " ".join(message.split()))
    return "".join(f"<i>{escaped(piece)}</i>" if place % 2 else escaped(piece) for place, piece in enumerate(pieces))


def _terms() -> str:
    """The terms of the glossary, each with an anchor."""
    terms = sorted(glossary().items(), key=lambda entry: entry[1].term.casefold())
    return "\n\n".join(f"### {entry.term} {{ #{key} }}\n\n{entry.said_of('neuron')}" for key, entry in terms)


def _with_folders(entries: Any, paths: list[str]) -> Any:  # noqa: ANN401 -- lists, dictionaries and strings, nested
    """The navigation with every folder, written with a slash at its end, replaced by the pages in it."""
    if isinstance(entries, list):
        return [_with_folders(entry, paths) for entry in entries]
    if isinstance(entries, dict):
        return {title: _with_folders(entry, paths) for title, entry in entries.items()}
    if isinstance(entries, str) and entries.endswith("/"):
        return [path for path in paths if path.startswith(entries)]
    return entries
