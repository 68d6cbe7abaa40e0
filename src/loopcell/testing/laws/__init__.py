"""The laws that every cell obeys, by name; a law's docstring is its statement."""

from __future__ import annotations

from collections.abc import Callable

from loopcell.testing.case import Case
from loopcell.testing.laws import forms, gradients, sequences

Law = Callable[[Case], None]
"""A function that tries a `Case`, and raises `CheckFailed` where the law is broken."""

LAWS: dict[str, Law] = {
    law.__name__.replace("_", " "): law
    for law in (
        gradients.gradients_are_numerical_ones,
        gradients.the_derived_backward_is_autograds,
        sequences.chunks_make_the_whole,
        sequences.rows_do_not_see_each_other,
        sequences.padding_changes_nothing,
        sequences.lengths_are_slices,
        sequences.a_reset_is_a_fresh_start,
        sequences.no_steps_change_nothing,
        sequences.directions_are_two_networks,
        sequences.layers_are_networks_in_a_row,
        forms.batch_first_is_transposed,
        forms.a_single_sequence_needs_no_batch,
        forms.a_packed_sequence_is_lengths,
        forms.memory_layout_does_not_matter,
        forms.single_precision_follows_double,
        forms.a_state_dict_is_the_whole_network,
        forms.a_cell_survives_json,
        forms.a_missing_state_is_zero,
        gradients.gradients_have_gradients,
        gradients.vmap_is_a_loop,
        gradients.jacrev_is_rows_of_gradients,
    )
}
"""What every cell obeys: the laws by their names."""

__all__ = ["LAWS", "Law"]
