"""A bag-of-words logistic regression as a row of a study, so that a reader sees what its accuracies are worth.

The reference has the sentences, the splits and the tokens of the runs that it belongs to, and sees neither the order of
the tokens nor what stands beside what: a count of each token of the vocabulary, `<UNK>` included, or tf-idf. It is
trained on the training split alone. The validation split chooses between the two, and the strength of the
regularization, as it chooses the epoch of a run. Wang and Manning 2012, "Baselines and Bigrams: Simple, Good Sentiment
and Topic Classification", show how far such models go.

The model has no seed: with equal data it is the same for all seeds. It is nevertheless recorded once for every seed of
the runs, so that the paired difference from the baseline can be computed. Where the data do not follow the seed, these
runs are copies of one fit, which add no spread over seeds.
"""

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from textpool.build import build_data, check_targets
from textpool.classifier import classification_metrics
from textpool.data import SentenceData
from textpool.facts import SHARED, Facts, compared_apart, config_hash, group_hash, is_own
from textpool.inference import per_class
from textpool.record import (
    CONFIG,
    FACTS,
    PREDICTIONS,
    Result,
    in_words,
    sentences_hash,
    short,
    write_atomic,
    write_predictions,
)
from textpool.run.folder import Run, claim, locked
from textpool.run.provenance import commit, now, versions
from textpool.study.runs import REPETITION, factor_names, read

NAME = "bag_of_words"  # in the place of a pooling
STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)  # C of LogisticRegression: the inverse of the strength of the regularization
LOG = "train.log"


@dataclass(frozen=True)
class Fitted:
    """A logistic regression that was chosen on the validation split.

    Attributes:
        chosen: the weighting of the tokens, `counts` or `tf-idf`, and C of LogisticRegression, in words.
        metrics: of the validation and the test split, by names such as `test/acc`.
        probabilities: of the classes of each test sentence, (sentences, classes).
        n_params: number of weights and biases.
        tried: one line for each model that was tried.
        seconds: that the choice took.
    """

    chosen: str
    metrics: dict[str, float]
    probabilities: Tensor
    n_params: int
    tried: Sequence[str]
    seconds: float


def add_reference(study: Path, allow: Sequence[str] = ()) -> Iterator[str]:
    """Train the reference for all data of a study, and write a run folder for each.

    One run belongs to each set of factors, those of the pooling aside, and each seed with a finished run. A run that
    is finished already is left as it is.

    Args:
        study: folder of the study.
        allow: names of modules of your own, whose classes may load the data; see `textpool.build.load`.

    Yields:
        A line for people about each run, once it is finished.

    Raises:
        ValueError: if scikit-learn is not installed, the study has no finished run, or the data of a run can no longer
            be loaded, or are others than at its time.
    """
    check_installed()
    fits: dict[str, Fitted] = {}
    for base, before in runs_to_refer_to(study):
        config, facts = reference_config(base), reference_facts(base)
        folder = before or unused_folder(study, facts, config)
        if is_reference(folder, config):
            yield f"{folder.name}: finished before, nothing to train"
            continue
        data = load_data(base, config, allow)
        sentences = digest(data)
        if sentences not in fits:
            fits[sentences] = fit(data)
        with locked(folder):
            record(folder, base, config, facts, data, fits[sentences])
        found = ", ".join(in_words(name, fits[sentences].metrics[name]) for name in ("val/acc", "test/acc"))
        yield f"{folder.name}: {fits[sentences].chosen}: {found}"


def check_installed() -> None:
    """Refuse to go on without scikit-learn.

    Raises:
        ValueError: naming the extra that installs it.
    """
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        wanted = "'textpool[reference]', in a clone '.[reference]'"
        raise ValueError(f"scikit-learn is not installed: pip install {wanted}") from error


def runs_to_refer_to(study: Path) -> Iterator[tuple[Path, Path | None]]:
    """The first finished run of each comparison and seed, and the folder of the reference that is there already.

    Raises:
        ValueError: if there is no finished run.
    """
    runs = read(study)
    apart = [name for name in factor_names(runs) if compared_apart(name)]
    own = runs["pooling"] == NAME
    finished = runs[(runs["status"] == "ok") & ~own]
    if finished.empty:
        raise ValueError(f"{study}: no finished run in this study, which the reference could be compared with")
    places = {_place(row, apart): row["folder"] for row in runs[own].to_dict("records")}
    for row in finished.drop_duplicates([*apart, REPETITION]).to_dict("records"):
        yield row["folder"], places.get(_place(row, apart))


def _place(row: Mapping[Any, Any], apart: Sequence[str]) -> tuple[Any, ...]:
    """Comparison, seed and fold of a run."""
    return (*(row[name] for name in apart), row[REPETITION])


def reference_config(base: Path) -> dict[str, Any]:
    """The configuration of a run with the reference in the place of its pooling.

    The sections of the model and of its training remain, although the reference has neither: they are what the runs
    that it is compared with have in common.
    """
    config = yaml.safe_load((base / CONFIG).read_text(encoding="utf-8"))
    return {**config, "pooling": {"_target_": "sklearn.linear_model.LogisticRegression"}}


def reference_facts(base: Path) -> Facts:
    """The facts of a run with the reference in the place of its pooling and without the pooling's own settings."""
    stated = json.loads((base / FACTS).read_text(encoding="utf-8"))
    facts = Facts(**{name: stated[name] for name in Facts.__dataclass_fields__ if name in stated})

    def others(names: Sequence[str]) -> list[str]:
        return [name for name in names if not is_own(name) and name not in SHARED]

    overrides = {name: facts.overrides[name] for name in others(list(facts.overrides))}
    return replace(
        facts,
        factors={name: facts.factors[name] for name in others(list(facts.factors))} | {"pooling": NAME},
        overrides=overrides | ({"pooling": NAME} if "pooling" in overrides else {}),
        choices={**facts.choices, "pooling": NAME},
        follows_seed=others(facts.follows_seed),
        swept=None if facts.swept is None else others(facts.swept),
    )


def unused_folder(study: Path, facts: Facts, config: Mapping[str, Any]) -> Path:
    """A folder for a new run: a hash tells apart what the names of the runs do not."""
    folder = study / facts.folder_name
    return folder if not (folder / CONFIG).exists() else study / f"{folder.name}-{config_hash(config)[:8]}"


def is_reference(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a folder holds the finished reference of a configuration."""
    try:
        result = Result.read(folder)
    except (ValueError, OSError):
        return False
    return result.status == "ok" and result.config_hash == config_hash(config)


def load_data(base: Path, config: Mapping[str, Any], allow: Sequence[str]) -> SentenceData:
    """The data of a run, after `setup`.

    Raises:
        ValueError: if they cannot be loaded, or the test sentences are others than in the run.
    """
    try:
        check_targets("data", config["data"], SentenceData, allow)
        data = build_data(config)
        data.setup()
    except ValueError as error:
        raise ValueError(f"{short(base)}: its data cannot be loaded: {error}") from error
    result = Result.read(base)
    if result.test_hash is not None and result.test_hash != hash_test_sentences(data, result.n_test):
        raise ValueError(f"{short(base)}: its test sentences are no longer those of its data: repeat the run")
    return data


def hash_test_sentences(data: SentenceData, n: int | None = None) -> str:
    """The hash of the first `n` test sentences, or of all, as a run records it: a quick try may have tested a few."""
    return sentences_hash(data.texts("test")[:n], [sentence.label for sentence in data.splits.test[:n]])


def documents(data: SentenceData, split: str) -> list[list[int]]:
    """The token numbers of each sentence of a split."""
    return [data.vocabulary.encode(sentence.words) for sentence in getattr(data.splits, split)]


def digest(data: SentenceData) -> str:
    """Equal for data that the reference cannot tell apart."""
    content = [(documents(data, split), data.encoded[split].labels.tolist()) for split in data.splits._fields]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def fit(data: SentenceData) -> Fitted:
    """Fit a logistic regression for each weighting and strength, and keep the one with the best validation accuracy.

    Of equal accuracies, the one with the lower validation loss is better, as with the epochs of a run.
    """
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    clock = time.perf_counter()
    sentences = {split: documents(data, split) for split in data.splits._fields}
    targets = {split: data.encoded[split].labels for split in data.splits._fields}
    best, order, tried = None, (-math.inf, -math.inf), []
    for weighting, vectorizer in (("counts", CountVectorizer), ("tf-idf", TfidfVectorizer)):
        analyzer: Any = list  # what scikit-learn's stubs do not know: a function of a document
        counted = vectorizer(analyzer=analyzer)
        matrix = counted.fit_transform(sentences["train"])  # (sentences, features)
        others = {split: counted.transform(sentences[split]) for split in ("val", "test")}
        for strength in STRENGTHS:
            model = LogisticRegression(C=strength, max_iter=10_000).fit(matrix, targets["train"].numpy())
            logits = {split: _logits(model.decision_function(others[split])) for split in others}
            metrics = {
                f"{split}/{name}": value.item()
                for split in others
                for name, value in classification_metrics(logits[split], targets[split], len(data.labels)).items()
            }
            words = f"{weighting}, C = {strength:g}"
            tried.append(f"{words}: " + ", ".join(in_words(name, metrics[name]) for name in ("val/acc", "val/loss")))
            if (metrics["val/acc"], -metrics["val/loss"]) > order:
                order = (metrics["val/acc"], -metrics["val/loss"])
                best = (words, metrics, logits["test"].softmax(-1), model.coef_.size + model.intercept_.size)
    assert best is not None  # for the type checker
    return Fitted(*best, tried, time.perf_counter() - clock)


def _logits(decision: Any) -> Tensor:
    """Logits of all classes, (sentences, classes): of two classes, scikit-learn gives that of the second alone."""
    values = torch.from_numpy(decision)
    return values if values.ndim == 2 else torch.stack([torch.zeros_like(values), values], dim=1)


def record(
    folder: Path, base: Path, config: Mapping[str, Any], facts: Facts, data: SentenceData, chosen: Fitted
) -> None:
    """Write the folder of a run: what its data are worth is that of the run which it belongs to."""
    started, targets = now(), data.encoded["test"].labels
    claim(folder, Run(folder, facts), config)
    rows = map(Tensor.tolist, chosen.probabilities)  # one at a time: they may have thousands of classes
    write_predictions(folder / PREDICTIONS, data.labels, targets.tolist(), rows, data.texts("test"))
    write_atomic(folder / LOG, "\n".join([*chosen.tried, f"chosen: {chosen.chosen}", ""]))
    replace(
        Result.read(base),
        run=folder.name,
        pooling=NAME,
        started=started,
        seconds=round(chosen.seconds, 3),
        factors=dict(facts.factors),
        choices=dict(facts.choices),
        overrides=dict(facts.overrides),
        follows_seed=list(facts.follows_seed),
        metrics=chosen.metrics,
        per_class=per_class(data.labels, targets, chosen.probabilities.argmax(-1)),
        best_epoch=None,
        n_test=len(targets),
        test_hash=hash_test_sentences(data),
        n_params=chosen.n_params,
        values_per_filter=None,
        config_hash=config_hash(config),
        group_hash=group_hash(config, facts.follows_seed),
        history={},
        command=f"python scripts/reference.py {short(folder.parent)}",
        device="cpu",
        trained_together=1,
        commit=commit(),
        versions=versions() | {"scikit-learn": version("scikit-learn")},
    ).write(folder)
