"""The part of a language model that writes: `generate`, `sample`, and `live_page`, where it writes in a browser."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path

from loopcell.files.atomic import atomic_write
from loopcell.tasks.core.config import SamplingConfig
from loopcell.tasks.language_model.live import page_of
from loopcell.tasks.language_model.network import LanguageModelNetwork
from loopcell.tasks.language_model.sampling import generate
from loopcell.training.config import configure


class WritingModel:
    """A model that writes on after a prime, once it is fitted."""

    @abstractmethod
    def _fitted_network(self) -> LanguageModelNetwork:
        """Return the trained network.

        Raises:
            NotFittedError: there is none yet.
        """

    def generate(
        self,
        prime: str = "",
        *,
        length: int = 500,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: str = "",
        seed: int | None = None,
    ) -> Iterator[str]:
        """Write on after a prime; the pieces of text come as they are drawn, the prime first.

        Args:
            prime: how the text begins; "" draws the first token as often as training saw it.
            length: characters to write after the prime.
            temperature: divides the logits: below 1 safer, above 1 wilder, 0 takes the most probable token.
            top_k: draw from so many most probable tokens only; None for all.
            top_p: draw from the most probable tokens that together have this share; None for all.
            stop: a string that ends the text, itself left out.
            seed: the same seed gives the same text; None draws a fresh one.

        Raises:
            UsageError: the prime has characters that training never saw, or a number is out of its bounds.
        """
        given = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        config = configure(SamplingConfig, given)
        return generate(self._fitted_network(), prime, length=length, config=config, stop=stop, seed=seed)

    def sample(
        self,
        prime: str = "",
        *,
        length: int = 500,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: str = "",
        seed: int | None = None,
    ) -> str:
        """Return what `generate` writes, the prime included, as one text; arguments and errors are the same."""
        pieces = self.generate(
            prime, length=length, temperature=temperature, top_k=top_k, top_p=top_p, stop=stop, seed=seed
        )
        return "".join(pieces)

    def live_page(
        self, path: str | PathLike[str], *, text: str = "", title: str = "", notes: Sequence[str] = ()
    ) -> None:
        """Write a page in which the model runs in the reader's browser, on the text that the reader types.

        One HTML file, with no request to anywhere: every gate at every token from the model's own weights, the next
        token, and what becomes of it, of the gradient and of the memory when a weight or an equation is changed.

        Args:
            path: the file to write, such as "live.html".
            text: what stands in the page before the reader types.
            title: of the page; "" for the estimator's name.
            notes: sentences that the page begins with, such as what the model was trained on.

        Raises:
            InputError: the model has more than 2 million weights, or tokens other than char, byte and jamo; or the text
                has more than 400 characters.
            FileWriteError: the folder is missing or may not be written, or the disk is full.
        """
        page = page_of(self._fitted_network(), title or type(self).__name__, text, notes)
        with atomic_write(Path(path)) as temporary:
            temporary.write_text(page, encoding="utf-8")
