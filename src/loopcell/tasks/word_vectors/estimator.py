"""WordVectors: one-to-one, a vector for each word, learned from the words that stand around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, NoReturn, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import TransformerMixin

from loopcell.errors import FileFormatError, InputError, UsageError
from loopcell.tasks.core.estimator import Estimator, as_part
from loopcell.tasks.core.inputs.ready_vectors import ReadyVectors
from loopcell.tasks.core.inputs.words import WordInput
from loopcell.tasks.core.model_kind import model_path
from loopcell.tasks.core.score_table import ScoreTable
from loopcell.tasks.core.settings import checked
from loopcell.tasks.word_vectors import foreign_files
from loopcell.tasks.word_vectors.corpus import Corpus, read_corpus
from loopcell.tasks.word_vectors.learning import LearningOutcome, learn
from loopcell.tasks.word_vectors.lookup import WordLookup
from loopcell.tasks.word_vectors.pairs import told_apart
from loopcell.tasks.word_vectors.settings import WordVectorSettings
from loopcell.tasks.word_vectors.subwords import WHOLE_WORDS, Subwords, parts_of
from loopcell.tasks.word_vectors.tables import VectorTables
from loopcell.tasks.word_vectors.task import LearningTask
from loopcell.training.run_folder import RunFolder

Vector = npt.NDArray[np.float32]


class WordVectors(WordVectorSettings, TransformerMixin, Estimator, WordLookup):  # type: ignore[misc]
    """A vector for each word, so that words which stand among the same words have similar ones.

    Skip-gram or CBOW with negative sampling (Mikolov et al.: Distributed Representations of Words and Phrases and their
    Compositionality, 2013), with n-grams of letters where asked for (Bojanowski et al.: Enriching Word Vectors with
    Subword Information, 2017). Its arguments are those of `WordVectorSettings` in
    `loopcell.tasks.word_vectors.settings`.

    X is a list of texts, each a sentence or a line, or of lists of words. A text is cut into words and signs of
    punctuation.

    Attributes:
        words_: the V words that have vectors, the most frequent first.
        network_: the vectors.
        outcome_: how learning ended: the reason, the words of the text that were read, the seconds.
        notes_: sentences about the text that the user should know.
    """

    task: ClassVar[str] = "word-vectors"
    network_: VectorTables
    input_: WordInput
    outcome_: LearningOutcome  # type: ignore[assignment] # there is no loss here
    notes_: list[str]

    # --- learning --------------------------------------------------------------------------------------------------

    def fit(self, X: Sequence[Any], y: object = None) -> Self:
        """Learn vectors from a text.

        Args:
            X: texts, or lists of words; the words around a word are looked for within its example.
            y: nothing; scikit-learn's pipelines pass it.

        Raises:
            DataError: an example is neither, or the text has less than two words.
            UsageError: an argument of the constructor is out of its bounds.
            TrainingError: the vectors are no longer finite.
            KeyboardInterrupt: it was interrupted. The estimator has by then what learning came to, and can be used.
        """
        settings, self.notes_ = checked(self), []
        seed = settings.seed()
        with self._fitting(seed):
            examples = as_part(X, "X")
            self.input_ = WordInput([], settings.vector_size, lower=settings.lower)
            corpus = read_corpus(self.input_.tokenizer.each(examples), settings.min_count, settings.vocabulary_size)
            self._take_words(corpus.words, settings.vector_size)
            self._note(_notes(corpus))
            self.network_ = self._network(settings)
            self.network_.start(corpus.counts, seed)
            parts = parts_of(corpus.words, self._subwords(settings))
            self.outcome_ = learn(LearningTask.of(self.network_, parts, corpus, settings), settings, seed)
        if self.outcome_.reason == "interrupted":
            raise KeyboardInterrupt
        return self

    def fit_in_run(self, run: RunFolder, data: tuple[Any, ...], validation: Any, *, resume: bool) -> None:
        """Learn from texts and keep the vectors, also those that an interruption left; errors as `fit`.

        There are no checkpoints, so such a run does not go on.
        """
        RunFolder.demand_free(run.path)
        try:
            self.fit(*data)
        finally:
            if hasattr(self, "network_"):
                run.make(run.path)
                self.save(run.model)

    def score_held_out(self, *data: Any, validation: Any = None) -> ScoreTable | None:
        """Return the score on texts that were not learned from; None where there are none, or it was interrupted."""
        complete = self.outcome_.reason == "complete"
        return self.evaluate(validation) if validation is not None and complete else None

    # --- texts -----------------------------------------------------------------------------------------------------

    def transform(self, X: Sequence[Any]) -> Vector:
        """Return the mean of the vectors of each example's words, float32 [N, E]; zeros where none of them has one."""
        self._fitted()
        examples = as_part(X, "X")
        found = np.zeros((len(examples), self.vectors_.shape[1]), dtype=np.float32)
        for index, ids in enumerate(self.input_.each(examples)):
            known = ids[ids > 0] - 1
            if len(known):
                found[index] = self.vectors_[known].mean(0)
        return found

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[Any]:
        """Give the numbers of a vector names, [E], for `set_output(transform="pandas")`.

        Args:
            input_features: nothing; scikit-learn's pipelines pass it.
        """
        self._fitted()
        return np.array([f"wordvectors{at}" for at in range(self.vectors_.shape[1])], dtype=object)

    def unknown(self, X: Sequence[Any]) -> int:
        """Count the words of X that have no vector of their own."""
        self._fitted()
        return self.input_.unknown(X)

    def predict_records(self, X: Sequence[Any]) -> Iterator[dict[str, Any]]:
        """Give the vector of each example and the words nearest to it, as JSON values."""
        for vector in self.transform(X):
            near = self.network_.near(torch.from_numpy(vector)).topk(min(10, len(self.words_)))
            words = [self.words_[i] for i in near.indices.tolist()]
            nearest = dict(zip(words, near.values.tolist(), strict=True)) if vector.any() else {}
            yield {"nearest": nearest, "vector": vector.tolist()}

    def evaluate(self, X: Sequence[Any], *, pairs: int = 100_000, seed: int = 0) -> ScoreTable:
        """Measure how often the word that stood beside another is told from one of elsewhere, beside the more frequent.

        Args:
            X: texts, best those that nothing was learned from.
            pairs: the most pairs of words that are looked at.
            seed: of what is drawn.

        Raises:
            DataError: the texts have no two known words beside each other.
            InputError: the vectors came from a file of another program, which has not what words are predicted by.
        """
        self._fitted()
        if not self._predicts:
            raise InputError("these vectors came without those that predict: they can be compared, and not scored")
        sentences = [ids[ids > 0] - 1 for ids in self.input_.each(as_part(X, "X"))]
        return told_apart(self.network_, sentences, checked(self), (pairs, seed))

    # --- files and other networks ----------------------------------------------------------------------------------

    def as_embedding(self, *, frozen: bool = False) -> ReadyVectors:
        """Return the vectors for `embedding=` of another estimator.

        Args:
            frozen: its training leaves them as they are.
        """
        return ReadyVectors(tuple(self.words_), self.vectors_.copy(), self.input_.tokenizer.lower, frozen)

    def inspect(self, x: object) -> NoReturn:
        """Refuse: word vectors have no recurrent layer, so there is no step to look at.

        Raises:
            UsageError: always; the sentence says what to use in its place.
        """
        raise UsageError(
            "word vectors have no recurrent layer to look into: see what a word is near with most_similar(word) or "
            "similarity(one, other), and its numbers with vector(word); a model that reads with these vectors "
            "(embedding=vectors.as_embedding()) can be looked into"
        )

    def save_word2vec(self, path: str | PathLike[str], *, binary: bool | None = None) -> None:
        """Write words and vectors as word2vec, gensim and others read them.

        Args:
            path: the file; one that ends with .gz or .zst is compressed.
            binary: numbers as they are in memory, not as text; None: where the file's name, without the ending of its
                compression, ends with .bin.

        Raises:
            InputError: a word has white space in it, which the format cannot hold.
            FileWriteError: the disk is full, ...
            MissingExtraError: a .zst is asked for, and the zstandard package is not installed.
        """
        foreign_files.write(path, self.words_, self.vectors_, binary=binary)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read vectors from a model file, the folder of its run, or a file of word2vec; errors as these."""
        file = model_path(path)
        return cls.load(file) if file.suffix == ".safetensors" else cls.load_word2vec(file)

    @classmethod
    def load_word2vec(cls, path: str | PathLike[str], *, lower: bool | None = None) -> Self:
        """Read a file in the text or the binary format of word2vec, perhaps compressed; nothing in it is trusted.

        Args:
            path: the file.
            lower: texts are to be taken in lower case; None: where no word of the file has a capital letter.

        Raises:
            FileFormatError: it is truncated, or not such a file; the sentence says where.
            DataError: it cannot be read.
        """
        found = foreign_files.read(path)
        lower = all(word == word.lower() for word in found.words) if lower is None else lower
        made = cls(vector_size=found.vectors.shape[1], lower=lower)
        made._take_words(found.words, found.vectors.shape[1])
        made._predicts = False
        made.network_ = made._network(checked(made))
        made.network_.rows.copy_(torch.from_numpy(found.vectors))
        made.notes_ = found.notes
        return made

    # --- what the base asks for ------------------------------------------------------------------------------------

    _predicts = True  # False where the vectors came from a file of another program

    def _take_words(self, words: list[str], size: int) -> None:
        self.input_ = WordInput(words, size, lower=self.lower)
        self._predicts = True

    def _known_subwords(self) -> Subwords:
        return self._subwords(checked(self))

    def _subwords(self, settings: WordVectorSettings) -> Subwords:
        return Subwords(*settings.ngrams, settings.buckets, settings.jamo) if settings.ngrams else WHOLE_WORDS

    def _network(self, settings: WordVectorSettings) -> VectorTables:
        subwords, words = self._subwords(settings), self.input_.words
        parts = parts_of(words, subwords)
        return VectorTables(len(words), settings.vector_size, subwords.buckets, parts, contexts=self._predicts)

    def _learned(self) -> dict[str, Any]:
        return {"input": self.input_.to_json(), "foretells": self._predicts}  # kept: the key of saved files

    def _restore(self, learned: Mapping[str, Any]) -> None:
        self.input_ = WordInput.from_json(learned["input"])
        self._predicts = learned["foretells"] is True  # kept: the same
        if self.input_.size != self.vector_size or self.input_.tokenizer.lower != self.lower:
            raise FileFormatError("its words and its settings contradict each other")


def _notes(corpus: Corpus) -> list[str]:
    left = f"{corpus.left_out:,} words of the text are too rare for a vector and were left out"
    return [left] if corpus.left_out else []
