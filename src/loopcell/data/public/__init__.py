"""The public data sets of the recipes: a table of them, and `fetch`."""

from loopcell.data.public.download import Fetched, fetch
from loopcell.data.public.table import PublicFile, PublicSet, public_sets

__all__ = ["Fetched", "PublicFile", "PublicSet", "fetch", "public_sets"]
