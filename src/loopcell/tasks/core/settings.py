"""The constructor arguments of estimators, with defaults and bounds. No torch here: flags are fast.

A settings class is a dataclass of keyword-only fields, so an estimator that derives from it has a constructor which
stores its arguments as given, as scikit-learn asks. They are checked when `fit` is called.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Protocol, TypeVar

from pydantic import (
    ConfigDict,
    Field,
    PositiveInt,
)

from loopcell.equations import Cell
from loopcell.tasks.core.argument_types import (
    AutoCount,
    AutoFraction,
    AutoPatience,
    AutoRate,
    AutoWarmup,
    CellChoice,
    ClassWeight,
    Level,
    MissingWords,
    NumberLoss,
    PoolingChoice,
    RandomState,
    drawn_seed,
)
from loopcell.tasks.core.config import Probability, Size
from loopcell.tasks.core.number_settings import NumberSettings, StaticSettings
from loopcell.tasks.core.own_functions import OwnFunction, OwnFunctions
from loopcell.tasks.core.pace import AUTO, Pace, pace_of
from loopcell.tasks.core.small_settings import PooledSettings, SmallDataSettings
from loopcell.training.config import (
    DeviceName,
    Fraction,
    Hardware,
    Intervals,
    NotNegative,
    Optimization,
    Positive,
    PrecisionName,
    RunLength,
    ScheduleName,
    TrainingConfig,
    Truncation,
    Updates,
    configure,
)

OPTIMIZATION, HARDWARE, INTERVALS, RUN = Optimization(), Hardware(), Intervals(), TrainingConfig()
"""Where the defaults stand that estimators share with every other run."""


class RecurrentSettings(Protocol):
    """The settings of recurrent layers that estimators of all jobs have."""

    cell: str | Cell
    hidden_size: int
    num_layers: int
    dropout: float
    sizes: dict[str, int] | None


@dataclass(kw_only=True, repr=False, eq=False)
class NetworkSettings:
    """Arguments of the network that reads the sequences.

    Args:
        cell: a name of `loopcell.cells`, or a cell of your own.
        hidden_size: H, the length of the hidden state.
        num_layers: L, cells on top of each other.
        bidirectional: read both ways: not for streams, where the end has not come yet.
        dropout: the probability that a number is dropped, in training: before, between and after the layers.
        token_dropout: the probability that a whole token is dropped, in training: no answer may hang on one token.
        sizes: further sizes that the cell names, such as {"proj": 64}.
        chrono: the longest dependence expected, in steps: the gates that keep the state begin with time scales up to it
            (`loopcell.chrono_`), which is what sequences of hundreds of steps need. None for start values as torch.nn
            has them.
        embedding_size: E, the length of a token's vector: where the input is text or tokens.
        tokens: what one step of a text is: char, byte, jamo, bpe or word.
        ngrams: how many tokens a step reads at once: 3 adds to a token's vector those of the pair and of the triple
            that end with it; not for streams, where a piece does not know the tokens before it.
        vocabulary_size: the most tokens of the vocabulary; None for what is usual for the kind of tokens.
        embedding: vectors of words to begin with, from `WordVectors.as_embedding`; texts are cut into words as those
            were, and `tokens` and `embedding_size` do not count. None learns a vector for each token from the start.
        features: what makes a sequence of a sound or an image, such as `loopcell.data.LogMel(...)`; None takes the
            usual features for the kind of the first file, where the input is paths.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False
    )

    pairs_of_texts: ClassVar[bool] = False
    """Whether two files of lines are sequences and what is known of them, line beside line."""
    labels_each_step: ClassVar[bool] = False
    """Whether the steps of a sequence have a label each, and not all of it one."""

    cell: CellChoice = "lstm"
    hidden_size: Size = 128
    num_layers: Annotated[int, Field(ge=1, le=1000)] = 1
    bidirectional: bool = False
    dropout: Probability = 0.0
    token_dropout: Probability = 0.0
    sizes: dict[str, Size] | None = None
    chrono: Annotated[int, Field(ge=3)] | None = None
    embedding_size: Size = 64
    tokens: str = "char"
    ngrams: Annotated[int, Field(ge=1, le=8)] = 1
    vocabulary_size: PositiveInt | None = None
    embedding: Any = None
    features: Any = None


@dataclass(kw_only=True, repr=False, eq=False)
class TrainingSettings:
    """Arguments of the training, and of its end.

    What is "auto" goes by the number of examples, as `loopcell.tasks.core.pace` says; for 2,400 and more it is the
    usual number: 20 passes in batches of 32, a patience of 5, a learning rate of 0.002 after 100 updates of warm-up.

    Args:
        epochs: passes over the data.
        time_limit: seconds of training; None for as long as it takes.
        patience: evaluations without a lower held-out loss after which training ends: there is one after each pass;
            None for all passes.
        validation_fraction: how much of the data is held out: to choose the best weights by; 0 for nothing.
        batch_size: B, sequences that are read side by side.
        learning_rate: the largest learning rate: of AdamW, after the warm-up.
        schedule: what the learning rate does after the warm-up: constant, linear or cosine.
        warmup: updates in which the learning rate rises; at most half of all.
        weight_decay: decay of the matrices.
        clip: the largest norm of the gradient; 0 for any.
        device: where it runs: auto, cpu, cuda, cuda:N or mps.
        precision: the precision of numbers: 32-true, 64-true, bf16-mixed or bf16-true.
        random_state: a seed, a `numpy.random.RandomState`, or None, which draws a fresh seed; the seed that
            was drawn is `random_state_` after `fit`.
        watch: the fewest updates between looks at gates, units and gradients, for the run folder; 0 for none.
        progress: show a bar and the losses on standard error.
        warm_start: go on in `fit` from the weights, the vocabulary, the labels and the scales that there are, instead
            of beginning anew; the network has to be the same.
        callbacks: a function, or a list of them, called after each pass with a row of `history_`: a dictionary of
            epoch, update, seconds, train_loss, validation_loss, learning_rate, best. One that returns True ends the
            training.
        optimizer: a function from a list of parameters to a `torch.optim.Optimizer`, in place of AdamW; the rates that
            it has follow `schedule` and `warmup`, and `learning_rate` and `weight_decay` do not count. No file keeps
            it.
    """

    usual_pace: ClassVar[Pace] = Pace(RUN.batch_size, 20, 5, OPTIMIZATION.learning_rate, OPTIMIZATION.warmup)

    epochs: AutoCount = AUTO
    time_limit: Positive | None = None
    patience: AutoPatience = AUTO
    validation_fraction: Fraction = 0.1
    batch_size: AutoCount = AUTO
    learning_rate: AutoRate = AUTO
    schedule: ScheduleName = OPTIMIZATION.schedule
    warmup: AutoWarmup = AUTO
    weight_decay: NotNegative = OPTIMIZATION.weight_decay
    clip: NotNegative = OPTIMIZATION.clip
    device: DeviceName = HARDWARE.device
    precision: PrecisionName = HARDWARE.precision
    random_state: RandomState = None
    watch: Updates = INTERVALS.watch
    progress: bool = False
    warm_start: bool = False
    callbacks: OwnFunctions = None
    optimizer: OwnFunction = None

    def seed(self) -> int:
        """Return a number for the random generators."""
        return drawn_seed(self.random_state)

    def pace(self, examples: int) -> Pace:
        """Return the numbers for so many examples to train on: what was given, and the rule for the rest."""
        given = Pace(self.batch_size, self.epochs, self.patience, self.learning_rate, self.warmup)
        return pace_of(given, self.usual(), examples)

    def usual(self) -> Pace:
        """Return the usual numbers of a training, for a large number of examples."""
        return self.usual_pace

    def reading_batch(self) -> int:
        """Return how many examples are read at once where nothing is learned."""
        return self.usual().batch_size if self.batch_size == AUTO else self.batch_size

    def training_config(self, seed: int, examples: int) -> TrainingConfig:
        """Return the same in the words of the training engine; an update takes a batch of whole sequences."""
        pace = self.pace(examples)
        return TrainingConfig(
            truncation=Truncation(k1=1),
            optimization=Optimization(
                learning_rate=pace.learning_rate,
                schedule=self.schedule,
                warmup=pace.warmup,
                weight_decay=self.weight_decay,
                clip=self.clip,
            ),
            length=RunLength(epochs=pace.epochs, time_limit=self.time_limit, patience=pace.patience),
            intervals=Intervals(watch=self.watch),
            hardware=Hardware(device=self.device, precision=self.precision),
            seed=seed,
            batch_size=pace.batch_size,
        )


@dataclass(kw_only=True, repr=False, eq=False)
class MissingSettings:
    """The values that stand for what is not there.

    Args:
        missing: words and numbers that stand for what is not there, beside empty cells and the usual ones (NA, null,
            -, ?), such as -999.
    """

    missing: MissingWords = ()


@dataclass(kw_only=True, repr=False, eq=False)
class ClassifierSettings(
    PooledSettings,
    SmallDataSettings,
    StaticSettings,
    NumberSettings,
    NetworkSettings,
    TrainingSettings,
    MissingSettings,
):
    """Arguments of a `SequenceClassifier` beside the above.

    Args:
        pooling: what the answer is read from, of the outputs of all steps: last, mean, max, max-mean (both) or
            attention. "auto" goes by the length of the training sequences: "max" where half of them or more have 50
            steps, else "last"; with `downsample` "max-mean".
        class_weight: how much an example of a class counts in the loss: a dictionary, "balanced" for rare classes to
            count as much as frequent ones, or None for every example alike. With several labels an example, a class
            counts so much more where it is present.
        calibrate: correct the answers by the held-out part: divide the scores by a temperature that fits it, so that
            probabilities are honest.
        loss: a function of the scores [B, K] and what is true (int64 [B], or of label sets zeros and ones [B, K]) that
            returns the loss of each example, or their mean, in place of cross-entropy. No file keeps it.
    """

    pooling: PoolingChoice = AUTO
    class_weight: ClassWeight = None
    calibrate: bool = True
    loss: OwnFunction = None


@dataclass(kw_only=True, repr=False, eq=False)
class RegressorSettings(
    PooledSettings,
    SmallDataSettings,
    StaticSettings,
    NumberSettings,
    NetworkSettings,
    TrainingSettings,
    MissingSettings,
):
    """Arguments of a `SequenceRegressor` beside the above.

    Args:
        pooling: what the answer is read from, of the outputs of all steps: last, mean, max, max-mean (both) or
            attention. "auto" goes by the length of the training sequences: "max" where half of them or more have 50
            steps, else "last"; with `downsample` "max-mean".
        validation_fraction: how much of the data is held out: to choose the best weights by; 0 for nothing. "auto": a
            tenth, and of fewer than 500 examples 50, or a quarter where that is less.
        calibrate: correct the answers by the held-out part: draw them to the mean of the training part as far as few
            held-out examples (under 240) do not tell them from chance; not with another loss than mse.
        loss: what is made least: mse, mae, huber (at 1) or quantile, on the scale on which the training part's targets
            have mean 0 and deviation 1; None for mse. With it a prediction is a mean, a median, between, or the
            quantile at `quantile`. Or a function of predictions and targets, in the form of y, [B] or [B, K], that
            returns the loss of each number or example, or their mean. No file keeps a function.
        quantile: the level of the quantile that loss="quantile" predicts, between 0 and 1.
    """

    pooling: PoolingChoice = AUTO
    validation_fraction: AutoFraction = AUTO
    calibrate: bool = True
    loss: NumberLoss = None
    quantile: Level = 0.5


@dataclass(kw_only=True, repr=False, eq=False)
class TaggerSettings(SmallDataSettings, NumberSettings, NetworkSettings, TrainingSettings, MissingSettings):
    """Arguments of a `SequenceTagger` beside the above.

    Args:
        crf: put a linear-chain CRF on the scores, which knows which label follows which.
        class_weight: how much a step of a label counts in the loss, as for classes; not with a CRF.
        calibrate: correct the answers by the held-out part: divide the scores by a temperature that fits it; not with a
            CRF.
    """

    labels_each_step: ClassVar[bool] = True

    crf: bool = False
    class_weight: ClassWeight = None
    calibrate: bool = True


SettingsT = TypeVar("SettingsT")


def checked(settings: SettingsT) -> SettingsT:
    """Return the settings of an estimator as plain numbers and strings within their bounds.

    Raises:
        UsageError: one is out of its bounds; the sentence names it.
    """
    kind = settings_class(type(settings))
    found: SettingsT = configure(kind, {field.name: _plain(getattr(settings, field.name)) for field in fields(kind)})
    return found


def settings_class(estimator: type[Any]) -> Any:
    """Return the class that declares an estimator's constructor arguments: its own or its nearest ancestor's."""
    return next(kind for kind in estimator.__mro__ if "__dataclass_fields__" in vars(kind))


def _plain(value: Any) -> Any:
    """Return a NumPy number, as grids of parameters have them, as Python's; anything else as it is."""
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value
