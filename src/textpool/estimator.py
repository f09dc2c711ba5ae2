"""A text classifier with scikit-learn's interface: `fit` and `predict` on lists of texts, without Hydra."""

import inspect
import logging
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from secrets import randbelow
from tempfile import TemporaryDirectory
from typing import Any, Self

import numpy as np
import torch
from hydra.utils import instantiate
from lightning import Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping

from textpool.build import CONTENT, build_data, content, load, read_checkpoint
from textpool.checks import integer, one_of, positive
from textpool.classifier import TextClassifier, in_bounded_memory
from textpool.configuration import pooling_section
from textpool.data import SentenceData
from textpool.data.in_memory import InMemoryData
from textpool.inference import silence_lightning
from textpool.model import TextCNN
from textpool.pooling import Pooling
from textpool.run.checkpoint import BestCheckpoint

MakePooling = Callable[[int], Pooling]
log = logging.getLogger(__name__)
OWN = "estimator"  # key in the content of a checkpoint under which `save` puts what only this class needs


class TextPoolClassifier:
    """Text CNN with any pooling, as a classifier of texts in scikit-learn's conventions.

    It works in scikit-learn's `Pipeline`, `cross_val_score`, `GridSearchCV` and `clone`, and can be pickled, but does
    not need scikit-learn. As there, the constructor only stores its parameters, and `fit` checks them.

    Training is that of `scripts/train.py`: Adam and the cross-entropy loss; a share of the texts is held out for
    validation, and the weights are those of the best epoch by validation accuracy. Of epochs with an equal accuracy,
    the one with the lower validation loss is better. No file is left behind.

    Args:
        pooling: name of a file in conf/pooling, such as "kmax"; or a class or function that makes a pooling from a
            number of channels, such as `partial(KMax, k=5)`.
        k: number of kept values, if `pooling` is a name and the strategy has this setting.
        embedding_dim: see `TextCNN`; likewise `kernel_sizes`, `n_filters`, `dropout` and `embedding_range`.
        kernel_sizes: sizes of the convolution kernels, in words.
        n_filters: number of filters per kernel size.
        dropout: fraction of the pooled values that are set to 0 in training.
        tokens: what a word is: `words`, `spaces`, `characters` or a regular expression; see `Tokenizer`.
        lowercase: whether `Great` and `great` are the same word.
        min_freq: words with fewer occurrences in the training texts become `<UNK>`.
        max_size: maximum number of words in the vocabulary; None: no limit.
        max_length: longer texts are cut to this number of words; None: no text is cut.
        batch_size: number of texts in a batch.
        lr: learning rate of Adam.
        max_epochs: maximum number of passes over the training texts.
        patience: training ends when the validation loss has not improved for this number of epochs; None: never early.
        val_fraction: share of the texts for validation, stratified by class; at least one text.
        accelerator: where Lightning trains: `auto`, `cpu`, `gpu`, …; predictions are made on the CPU.
        threads: number of CPU threads of the training; None: torch's choice. Another number sums in another order,
            which changes the last digits; with several processes on a machine, one thread each is fastest.
        random_state: seed of the validation split, the weights, the dropout and the order of the texts. An integer
            gives the same model every time on the same machine; a `numpy.random.RandomState` gives the next of its
            numbers; None: another seed each time. Torch's own generator is left as it was.

    Attributes:
        classes_: the classes, (classes,), sorted; available after `fit`, as all that follow.
        model_: the trained `TextCNN`, on the CPU, in evaluation mode.
        data_: tokenizer, vocabulary and labels, as a `SentenceData` without sentences.
        best_epoch_: the epoch of the weights, counted from 1.
        history_: validation metrics by name, such as `val/acc`, one value per epoch.

    There is no `n_features_in_`: texts have no fixed number of features.
    """

    def __init__(
        self,
        *,
        pooling: str | MakePooling = "max",
        k: int = 3,
        embedding_dim: int = 100,
        kernel_sizes: Sequence[int] = (3, 4, 5),
        n_filters: int = 100,
        dropout: float = 0.5,
        embedding_range: float | None = 0.25,
        tokens: str = "words",
        lowercase: bool = True,
        min_freq: int = 2,
        max_size: int | None = None,
        max_length: int | None = None,
        batch_size: int = 64,
        lr: float = 0.001,
        max_epochs: int = 20,
        patience: int | None = 5,
        val_fraction: float = 0.1,
        accelerator: str = "auto",
        threads: int | None = 1,
        random_state: Any = 42,
    ) -> None:
        self.pooling = pooling
        self.k = k
        self.embedding_dim = embedding_dim
        self.kernel_sizes = kernel_sizes
        self.n_filters = n_filters
        self.dropout = dropout
        self.embedding_range = embedding_range
        self.tokens = tokens
        self.lowercase = lowercase
        self.min_freq = min_freq
        self.max_size = max_size
        self.max_length = max_length
        self.batch_size = batch_size
        self.lr = lr
        self.max_epochs = max_epochs
        self.patience = patience
        self.val_fraction = val_fraction
        self.accelerator = accelerator
        self.threads = threads
        self.random_state = random_state

    def fit(self, X: Collection[str], y: Collection[Any]) -> Self:
        """Train on texts and their labels, from new weights each time.

        Args:
            X: texts, (texts,): a list, an array or a pandas Series of strings.
            y: labels, (texts,): strings, integers or booleans of at least two classes.

        Raises:
            ValueError: if the texts, the labels or a parameter of the constructor are not usable. The message names
                what was expected and what came.
        """
        texts = _checked_texts(X)
        labels = _checked_labels(y, len(texts))
        names = [str(label) for label in labels.tolist()]
        settings = {name: _plain(value) for name, value in self.get_params().items()}
        seed = settings["random_state"] = _seed(settings["random_state"])
        config = _configuration(settings)
        make_pooling = _pooling_maker(settings)
        epochs = integer("max_epochs", settings["max_epochs"], least=1)
        optimizer = partial(torch.optim.Adam, lr=positive("lr", settings["lr"]), fused=True)

        data = InMemoryData(texts, names, **_without_target(config["data"]))
        with _own_torch(seed, settings["threads"]), _quiet_lightning(), TemporaryDirectory() as folder:
            data.setup()
            for note in data.notes:
                log.warning(note)
            model = TextCNN(len(data.vocabulary), len(data.labels), make_pooling, **_without_target(config["model"]))
            classifier = TextClassifier(model, len(data.labels), optimizer, seed=seed)
            checkpoint = BestCheckpoint(Path(folder), "val/acc", "max", content(config, data))
            callbacks: list[Callback] = [checkpoint]
            if settings["patience"] is not None:
                patience = integer("patience", settings["patience"], least=1)
                callbacks.append(EarlyStopping("val/loss", patience=patience))
            trainer = Trainer(
                accelerator=settings["accelerator"],
                devices=1,
                max_epochs=epochs,
                num_sanity_val_steps=0,
                log_every_n_steps=1,
                callbacks=callbacks,
                default_root_dir=folder,
                logger=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            trainer.fit(classifier, datamodule=data)
            best = read_checkpoint(checkpoint.best_model_path)
            classifier.load_state_dict(best["state_dict"])

        self.classes_ = np.unique(labels)
        self.model_ = model.cpu().eval()
        self.data_: SentenceData = build_data(config)  # a new one, which holds neither sentences nor the trainer
        self.data_.restore(data.vocabulary.words, data.labels)
        self.best_epoch_: int = best["epoch"] + 1
        self.history_ = checkpoint.history
        self._config, self._settings = config, settings
        return self

    def predict(self, X: Collection[str]) -> np.ndarray:
        """The most probable class of each text, (texts,)."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X: Collection[str]) -> np.ndarray:
        """The probability of each class, (texts, classes), float64; the columns are in the order of `classes_`.

        Args:
            X: texts, (texts,). Words that did not occur in training are read as `<UNK>`; an empty text is allowed.

        Raises:
            ValueError: if the classifier is not trained (scikit-learn's `NotFittedError`, where that is installed), or
                `X` is not a list of texts.
        """
        self._check_fitted()
        batches = self.data_.loader(self.data_.encode_texts(_checked_texts(X)), batch_size=256)
        with torch.inference_mode():
            rows = [in_bounded_memory(self.model_, batch.tokens).double().softmax(-1) for batch in batches]
        columns = [self.data_.labels.index(str(name)) for name in self.classes_.tolist()]
        return torch.cat([torch.empty(0, len(columns), dtype=torch.float64), *rows])[:, columns].numpy()

    def score(self, X: Collection[str], y: Collection[Any], sample_weight: Collection[float] | None = None) -> float:
        """The share of texts whose predicted class is their label, weighted by `sample_weight` if that is given."""
        predicted = self.predict(X)
        labels = _checked_labels(y, len(predicted), least_classes=1)
        return float(
            np.average(predicted == labels, weights=None if sample_weight is None else np.asarray(sample_weight))
        )

    def save(self, path: str | Path) -> None:
        """Write the trained classifier to one file, from which `load` and `scripts/predict.py` predict.

        Raises:
            ValueError: if the classifier is not trained, or the file cannot name its pooling.
        """
        self._check_fitted()
        if self._config["pooling"] is None:
            raise ValueError(
                "pooling: expected a name, a class that can be imported, or a partial of such a class with plain "
                f"settings, because the file holds names and no code, got {self._settings['pooling']!r}"
            )
        settings = {**self._settings, "pooling": None} if callable(self._settings["pooling"]) else self._settings
        own = {"classes": self.classes_.tolist(), "best_epoch": self.best_epoch_, "history": self.history_}
        found = {**content(self._config, self.data_), OWN: {**own, "settings": settings}}
        classifier = TextClassifier(self.model_, len(self.classes_))
        torch.save({"state_dict": classifier.state_dict(), "epoch": self.best_epoch_ - 1, CONTENT: found}, path)

    @classmethod
    def load(cls, path: str | Path, allow: Sequence[str] = ()) -> Self:
        """The classifier that `save` wrote.

        Args:
            path: path of the file.
            allow: names of modules of your own, such as that of a pooling; see `textpool.build.load`.

        Raises:
            ValueError: if the file does not hold such a classifier; for the checkpoint of a run, use
                `textpool.build.load`.
        """
        trained = load(path, allow)
        found = read_checkpoint(path)[CONTENT]
        if OWN not in found:
            raise ValueError(f"{path}: a checkpoint of a run: use textpool.build.load and textpool.inference.predict")
        own = found[OWN]
        loaded = cls(**own["settings"])
        if loaded.pooling is None:
            loaded.pooling = instantiate(found["config"]["pooling"], _convert_="all")
        model: Any = trained.classifier.model
        loaded.classes_, loaded.model_, loaded.data_ = np.array(own["classes"]), model, trained.data
        loaded.best_epoch_, loaded.history_ = own["best_epoch"], own["history"]
        loaded._config, loaded._settings = found["config"], loaded.get_params()
        return loaded

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters of the constructor, by name; `deep` changes nothing, because none of them is an estimator."""
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self, **params: Any) -> Self:
        """Change parameters of the constructor; they take effect with the next `fit`.

        Raises:
            ValueError: if the constructor has no parameter of this name.
        """
        for name in params:
            one_of("parameter", name, self._defaults())
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        """The class and the parameters that differ from their defaults."""
        changed = [(name, getattr(self, name)) for name, default in self._defaults().items()]
        shown = [f"{name}={value!r}" for name, value in changed if repr(value) != repr(self._defaults()[name])]
        return f"{type(self).__name__}({', '.join(shown)})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn needs to know; only scikit-learn calls it, so that it is installed here."""
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(one_d_array=True, two_d_array=False, string=True),
        )

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        parameters = inspect.signature(cls.__init__).parameters.values()
        return {parameter.name: parameter.default for parameter in parameters if parameter.name != "self"}

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise _not_fitted_error()(f"this {type(self).__name__} is not trained yet: call fit(texts, labels) first")


def fit(
    texts: Collection[str], labels: Collection[Any], pooling: str | MakePooling = "max", **params: Any
) -> TextPoolClassifier:
    """Train a text CNN on texts and their labels.

    >>> model = fit(texts, labels, pooling="kmax", k=5)  # doctest: +SKIP
    >>> model.predict(["a great film"])  # doctest: +SKIP

    Args:
        texts: a list, an array or a pandas Series of strings.
        labels: the label of each text: strings, integers or booleans of at least two classes.
        pooling: name of a file in conf/pooling, or a function that makes a pooling from a number of channels.
        **params: the other parameters of `TextPoolClassifier`.

    Raises:
        ValueError: if an argument is not usable; the message names what was expected and what came.
    """
    return TextPoolClassifier(pooling=pooling, **params).fit(texts, labels)


def _configuration(settings: dict[str, Any]) -> dict[str, Any]:
    """The sections of a run's configuration that a checkpoint needs; `pooling` is None if it cannot be named."""
    of_data = ("val_fraction", "tokens", "lowercase", "min_freq", "max_size", "max_length", "batch_size")
    of_model = ("embedding_dim", "kernel_sizes", "n_filters", "dropout", "embedding_range")
    seed, pooling = settings["random_state"], settings["pooling"]
    data = {name: settings[name] for name in of_data} | {"seed": seed, "shuffle_seed": seed}
    return {
        "data": {"_target_": "textpool.data.in_memory.InMemoryData", **data},
        "model": {"_target_": "textpool.model.TextCNN", "_partial_": True}
        | {name: settings[name] for name in of_model},
        "pooling": pooling_section(pooling, settings["k"]) if isinstance(pooling, str) else _section_of(pooling),
        "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True, "lr": settings["lr"], "fused": True},
        "monitor": "val/acc",
        "seed": seed,
    }


def _pooling_maker(settings: dict[str, Any]) -> MakePooling:
    pooling: Any = settings["pooling"]
    if isinstance(pooling, str):
        return instantiate(pooling_section(pooling, settings["k"]), _convert_="all")
    if isinstance(pooling, Pooling) or not callable(pooling):
        raise ValueError(
            "pooling: expected the name of a file in conf/pooling, or a class or function that makes a pooling from a "
            f"number of channels, such as partial(KMax, k=5), got {pooling!r}"
        )

    def checked(channels: int) -> Pooling:
        made = pooling(channels)
        if not isinstance(made, Pooling):
            raise ValueError(f"pooling: expected a function that makes a Pooling, got one that makes {_shown(made)}")
        return made

    return checked


def _section_of(pooling: Any) -> dict[str, Any] | None:
    """The configuration of a class, or of a partial of one, as Hydra writes it; None if it cannot be written."""
    kind, settings = pooling, {}
    if isinstance(pooling, partial) and not pooling.args:
        kind, settings = pooling.func, pooling.keywords
    if not isinstance(kind, type) or kind.__module__ == "__main__" or "<locals>" in kind.__qualname__:
        return None
    try:
        plain = {name: _plain_setting(value) for name, value in settings.items()}
    except TypeError:
        return None
    return {"_target_": f"{kind.__module__}.{kind.__qualname__}", "_partial_": True, **plain}


def _plain_setting(value: Any) -> Any:
    """A setting of a pooling as plain data; poolings inside it, as `Concat` has, become sections."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain_setting(each) for each in value]
    section = _section_of(value)
    if section is None:
        raise TypeError
    return section


def _checked_texts(texts: Any) -> list[str]:
    if hasattr(texts, "__array__"):
        texts = np.asarray(texts)
    if isinstance(texts, str) or not hasattr(texts, "__len__") or not hasattr(texts, "__iter__"):
        raise ValueError(f"texts: expected a list of strings, got {_shown(texts)}")
    if getattr(texts, "ndim", 1) != 1:
        raise ValueError(f"texts: expected one string per text, got an array of shape {texts.shape}")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"texts: expected strings, got {_shown(text)} as text {number}, counted from 0")
    return [str(text) for text in texts]


def _checked_labels(labels: Any, n_texts: int, least_classes: int = 2) -> np.ndarray:
    """The labels as an array, (texts,)."""
    if labels is None:
        raise ValueError("labels: fit requires y to be passed, but the target y is None")
    if hasattr(labels, "__array__"):
        labels = np.asarray(labels)
    if isinstance(labels, str) or not hasattr(labels, "__len__"):
        raise ValueError(f"labels: expected a list of labels, got {_shown(labels)}")
    if n_texts == 0:
        raise ValueError("texts: expected at least one text, got none")
    if len(labels) != n_texts:
        raise ValueError(f"labels: expected one label per text, {n_texts}, got {len(labels)}")
    if getattr(labels, "ndim", 1) != 1:
        raise ValueError(f"labels: expected one label per text, got an array of shape {labels.shape}")
    kinds = {}
    for number, label in enumerate(map(_plain, labels)):
        whole = isinstance(label, float) and label.is_integer()
        if not isinstance(label, str | int) and not whole:
            raise ValueError(
                f"labels: Unknown label type: expected strings, integers or booleans, got {_shown(label)} as label "
                f"{number}, counted from 0"
            )
        kinds[isinstance(label, str)] = label
    if len(kinds) > 1:
        raise ValueError(f"labels: expected strings only or numbers only, got {kinds[True]!r} and {kinds[False]!r}")
    array = np.asarray(labels)
    if len(np.unique(array)) < least_classes:
        raise ValueError(f"labels: expected at least two classes, got one class, {array.tolist()[0]!r}")
    return array


def _shown(value: Any) -> str:
    """A wrong value for a message: its type, and the start of its repr."""
    text = repr(value)
    return f"{type(value).__name__} ({text if len(text) <= 40 else text[:40] + '…'})"


def _plain(value: Any) -> Any:
    """A NumPy number as a Python number, an array as a list; anything else as it is."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _seed(random_state: Any) -> int:
    if random_state is None:
        return randbelow(2**31)
    if hasattr(random_state, "randint"):
        return int(random_state.randint(2**31 - 1))
    return integer("random_state", random_state, least=0)


def _without_target(section: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name not in ("_target_", "_partial_")}


def _not_fitted_error() -> type[ValueError]:
    """scikit-learn's NotFittedError, which is a ValueError, where scikit-learn is installed."""
    try:
        from sklearn.exceptions import NotFittedError
    except ImportError:
        return ValueError
    return NotFittedError


@contextmanager
def _own_torch(seed: int, threads: int | None) -> Iterator[None]:
    """Seed torch and set its number of threads, and leave both afterwards as they were before."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        if threads is not None:
            torch.set_num_threads(integer("threads", threads, least=1))
        try:
            yield
        finally:
            torch.set_num_threads(before)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Silence Lightning, and let it afterwards say what it said before."""
    loggers = [logging.getLogger(name) for name in ("lightning", "lightning.pytorch", "lightning.fabric")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    with warnings.catch_warnings():
        silence_lightning()
        try:
            yield
        finally:
            for logger, level, handlers in before:
                logger.setLevel(level)
                logger.handlers[:] = handlers
