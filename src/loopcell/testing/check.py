"""check_cell: the laws, for a cell of one's own."""

from __future__ import annotations

from collections.abc import Mapping

from loopcell import cells
from loopcell.equations import Cell
from loopcell.errors import CheckFailed
from loopcell.testing.case import Case
from loopcell.testing.laws import LAWS


def check_cell(
    cell: str | Cell, *, input_size: int = 3, hidden_size: int = 5, sizes: Mapping[str, int] | None = None
) -> None:
    """Check that a cell obeys the laws that every cell of the library obeys; takes some seconds.

    Among them: gradients are numerical ones, and the derived backward's are autograd's; a sequence may be cut into
    chunks; rows, padding and resets are what they are said to be; second derivatives, vmap, saving and loading work.
    Networks are run in evaluation mode, in float64, on random data that is the same at each call.

    Args:
        cell: the cell, or the name of one of the library.
        input_size: I; small, for the sake of time.
        hidden_size: H, likewise.
        sizes: other sizes that the cell names, such as {"proj": 2}.

    Raises:
        CheckFailed: the cell breaks a law; the message says which, in which tensor, where and by how much.
        UsageError: no cell has that name.
        InputError: the cell needs a size that is missing, or other sizes than these.
    """
    cell = cells.get(cell)
    case = Case(cell, input_size, hidden_size, sizes)
    for name, law in LAWS.items():
        try:
            law(case)
        except CheckFailed as failure:
            raise CheckFailed(f"cell `{cell.name}` breaks the law that {name}: {failure}") from None
        except Exception as error:
            error.add_note(f"This happened while cell `{cell.name}` was checked for the law that {name}.")
            raise
