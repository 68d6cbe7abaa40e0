"""Text into sequences: files, vocabularies, token files, lanes.

Files are `Source`s; `split_sources` holds some of them out; a vocabulary's `build_from_sources` learns its
tokens; `tokenize` writes a `TokenFile`; `Lanes` reads that in chunks for truncated backpropagation through
time.
"""

from loopcell.data.bpe import BpeVocabulary
from loopcell.data.byte import ByteVocabulary
from loopcell.data.char import CharVocabulary
from loopcell.data.jamo import JamoVocabulary
from loopcell.data.kinds import VOCABULARIES, vocabulary_class, vocabulary_from_json
from loopcell.data.lanes import Chunk, Lanes
from loopcell.data.split import Stream, split_held_out, split_sources
from loopcell.data.text import Source, byte_blocks, read_bytes, read_text, text_blocks
from loopcell.data.tokens import TokenFile, tokenize, write_tokens
from loopcell.data.vocabulary import Vocabulary

__all__ = [
    "VOCABULARIES",
    "BpeVocabulary",
    "ByteVocabulary",
    "CharVocabulary",
    "Chunk",
    "JamoVocabulary",
    "Lanes",
    "Source",
    "Stream",
    "TokenFile",
    "Vocabulary",
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
