"""Files, folders and frames as rows that know where they came from.

`kinds.py` is the table of kinds of files and how they are told apart; each kind's reader gives rows one after the
other; `read` puts them together.
"""

from loopcell.data.readers.delimited import Delimited
from loopcell.data.readers.files import pair, read
from loopcell.data.readers.kinds import KINDS, Kind, kind_of, names_sound_or_image
from loopcell.data.readers.on_disk import open_store, store
from loopcell.data.readers.origins import Origin, Origins
from loopcell.data.readers.records import Column, Record, Records, where
from loopcell.data.readers.skipped import Skipped
from loopcell.data.readers.units import Units

__all__ = [
    "KINDS",
    "Column",
    "Delimited",
    "Kind",
    "Origin",
    "Origins",
    "Record",
    "Records",
    "Skipped",
    "Units",
    "kind_of",
    "names_sound_or_image",
    "open_store",
    "pair",
    "read",
    "store",
    "where",
]
