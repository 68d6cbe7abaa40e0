"""Text into sequences: files, vocabularies, token files, lanes.

Files are `Source`s; `split_sources` holds some of them out; a vocabulary's `build_from_sources` learns its
tokens; `tokenize` writes a `TokenFile`; `Lanes` reads that in chunks for truncated backpropagation through
time.
"""

from typing import TYPE_CHECKING

from loopcell.data.text.bpe import BpeVocabulary
from loopcell.data.text.byte import ByteVocabulary
from loopcell.data.text.char import CharVocabulary
from loopcell.data.text.jamo import JamoVocabulary
from loopcell.data.text.kinds import VOCABULARIES, vocabulary_class, vocabulary_from_json
from loopcell.data.text.source import Source, byte_blocks, read_bytes, read_text, text_blocks
from loopcell.data.text.split import TokenStream, split_held_out, split_sources
from loopcell.data.text.tokens import TokenFile, tokenize, write_tokens
from loopcell.data.text.vocabulary import Vocabulary
from loopcell.data.text.word import WordVocabulary
from loopcell.files.when_asked import imported_when_asked

if TYPE_CHECKING:
    from loopcell.data.text.lanes import Chunk as Chunk, Lanes as Lanes

# Reading files does not wait for torch.
__getattr__ = imported_when_asked(__name__, {"lanes": ("Chunk", "Lanes")})

__all__ = [
    "VOCABULARIES",
    "BpeVocabulary",
    "ByteVocabulary",
    "CharVocabulary",
    "Chunk",
    "JamoVocabulary",
    "Lanes",
    "Source",
    "TokenStream",
    "TokenFile",
    "Vocabulary",
    "WordVocabulary",
    "byte_blocks",
    "read_bytes",
    "read_text",
    "split_held_out",
    "split_sources",
    "text_blocks",
    "tokenize",
    "vocabulary_class",
    "vocabulary_from_json",
    "write_tokens",
]
