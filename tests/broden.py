"""Small datasets in Broden's layout, written whole."""

from __future__ import annotations

from contextlib import contextmanager

from dissection.concepts.broden.writer import BrodenWriter
from dissection.files.atomic import new_folder


@contextmanager
def writing_broden(folder, concepts, *, label_size):
    """A writer whose folder appears when the block ends well, and not at all otherwise."""
    with new_folder(folder) as unfinished:
        journal = unfinished / "journal"
        with BrodenWriter(unfinished, concepts, label_size, journal) as writer:
            yield writer
            writer.finish()
        journal.unlink()
