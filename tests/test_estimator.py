"""`fit` and `TextPoolClassifier`: scikit-learn's conventions, and a message for every wrong argument."""

import copy
import importlib
import pickle
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import textpool
from textpool import TextPoolClassifier, build, fit, inference
from textpool.configuration import CONF, pooling_section
from textpool.data import SentimentData
from textpool.data.in_memory import InMemoryData
from textpool.pooling import Avg, Concat, KMax, Max

POSITIVE, NEGATIVE = "a great film , I loved it", "an awful film , I hated it"
TEXTS, LABELS = [POSITIVE, NEGATIVE] * 30, ["pos", "neg"] * 30
QUICK: dict[str, Any] = {"max_epochs": 4, "accelerator": "cpu", "embedding_dim": 16, "n_filters": 8}


def lesson(n_train: int) -> tuple[list[str], list[str], list[str], list[str]]:
    """Texts and labels of the lesson's sentences: for training, then for testing."""
    data = SentimentData(n_train=n_train, n_test=200)
    data.setup()
    splits = [(data.texts(split), [label for _, label in getattr(data.splits, split)]) for split in ("train", "test")]
    return *splits[0], *splits[1]


@pytest.fixture(scope="module")
def trained() -> TextPoolClassifier:
    """A classifier that has learned its few texts."""
    return fit(TEXTS, LABELS, pooling="kmax", k=2, max_epochs=20, accelerator="cpu")


def test_identical_texts_are_in_one_split() -> None:
    """Validation texts are new ones; where that leaves none, as with one text per class, they need not be."""
    data = InMemoryData([f"text {number // 2}" for number in range(40)], ["a", "a", "b", "b"] * 10, val_fraction=0.2)
    train, val, _ = data.load()
    assert len(val) == 8
    assert not {tuple(words) for words, _ in train} & {tuple(words) for words, _ in val}
    assert [len(split) for split in InMemoryData(TEXTS, LABELS).load()] == [54, 6, 0]


def test_import_of_the_package_imports_no_torch() -> None:
    """`fit` is found when it is asked for; `import textpool` alone stays fast, for commands that need no torch."""
    code = "import sys, textpool; assert not {'torch', 'lightning', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert textpool.fit is fit
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        _ = textpool.train  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.slow
def test_fit_learns_the_lesson() -> None:
    """With default settings a few hundred texts are enough for most of the lesson's sentences."""
    texts, labels, test_texts, test_labels = lesson(600)
    model = fit(texts, labels, pooling="kmax", k=5, accelerator="cpu")
    assert model.score(test_texts, test_labels) > 0.9
    assert model.model_.values_per_filter == 5
    assert model.model_.poolings[0].k == 5
    assert len(model.history_["val/acc"]) <= 20


@pytest.mark.slow
def test_predictions_have_the_conventional_form(trained: TextPoolClassifier) -> None:
    """Classes are sorted, columns of probabilities follow them, rows sum to 1, and any number of texts is allowed."""
    assert trained.classes_.tolist() == ["neg", "pos"]
    assert trained.predict([POSITIVE, NEGATIVE, POSITIVE]).tolist() == ["pos", "neg", "pos"]
    probabilities = trained.predict_proba([POSITIVE, NEGATIVE, "", "unseen"])
    assert (probabilities.shape, probabilities.dtype) == ((4, 2), np.float64)
    assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert probabilities[0, 1] > 0.5 > probabilities[1, 1]
    assert trained.predict([]).shape == (0,)
    assert trained.predict_proba([]).shape == (0, 2)


@pytest.mark.slow
def test_score_is_the_weighted_share_of_correct_labels(trained: TextPoolClassifier) -> None:
    """Two of three are correct; with the weights 1, 1 and 2 it is one half, and one class alone can be scored."""
    texts, labels = [POSITIVE, NEGATIVE, POSITIVE], ["pos", "neg", "neg"]
    assert trained.score(texts, labels) == pytest.approx(2 / 3)
    assert trained.score(texts, labels, sample_weight=[1, 1, 2]) == pytest.approx(1 / 2)
    assert trained.score([POSITIVE], ["pos"]) == 1


@pytest.mark.slow
def test_weights_are_those_of_the_best_epoch() -> None:
    """The best epoch has the highest validation accuracy and, of those, the lowest loss; it need not be the last."""
    texts, labels, *_ = lesson(200)
    rng = np.random.default_rng(0)
    noisy = [str(rng.choice(["positive", "negative"])) if rng.random() < 0.6 else label for label in labels]
    model = fit(texts, noisy, lr=0.03, max_epochs=8, patience=None, val_fraction=0.3, accelerator="cpu")
    accuracy, loss = model.history_["val/acc"], model.history_["val/loss"]
    assert len(accuracy) == 8
    best = min(range(8), key=lambda epoch: (-accuracy[epoch], loss[epoch]))
    assert accuracy.count(accuracy[best]) > 1  # otherwise this test would not need the loss
    assert model.best_epoch_ == best + 1 < 8
    data = InMemoryData(texts, noisy, val_fraction=0.3)
    data.setup()
    held_out = [sentence.label for sentence in data.splits.val]
    assert model.score(data.texts("val"), held_out) == pytest.approx(accuracy[best])
    columns = [model.classes_.tolist().index(label) for label in held_out]
    of_labels = model.predict_proba(data.texts("val"))[range(len(columns)), columns]
    assert -np.log(of_labels).mean() == pytest.approx(loss[best], rel=1e-5)


@pytest.mark.slow
def test_training_ends_early() -> None:
    """Labels without relation to the texts: the validation loss rises, and `patience` ends the training."""
    rng = np.random.default_rng(0)
    texts, *_ = lesson(200)
    labels = rng.integers(2, size=len(texts))
    model = fit(texts, labels, max_epochs=50, patience=2, lr=0.01, accelerator="cpu")
    loss = model.history_["val/loss"]
    assert len(loss) < 50
    assert len(loss) == loss.index(min(loss)) + 1 + 2


@pytest.mark.slow
def test_one_seed_gives_one_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It depends on `random_state` only; torch's generator, its threads and the folder are as they were before."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(1)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    first = fit(TEXTS, LABELS, random_state=3, **QUICK).predict_proba(TEXTS[:2])
    assert torch.get_rng_state().equal(before)
    assert torch.get_num_threads() == threads
    torch.manual_seed(2)
    assert (fit(TEXTS, LABELS, random_state=np.int64(3), **QUICK).predict_proba(TEXTS[:2]) == first).all()
    assert (fit(TEXTS, LABELS, random_state=4, **QUICK).predict_proba(TEXTS[:2]) != first).any()
    drawn = [fit(TEXTS, LABELS, random_state=np.random.RandomState(0), **QUICK) for _ in range(2)]
    assert (drawn[0].predict_proba(TEXTS) == drawn[1].predict_proba(TEXTS)).all()
    unseeded = [fit(TEXTS, LABELS, random_state=None, **QUICK) for _ in range(2)]
    assert (unseeded[0].predict_proba(TEXTS) != unseeded[1].predict_proba(TEXTS)).any()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([10, 2], [2, 10]),
        (np.array([1, -1], dtype=np.int32), [-1, 1]),
        ([True, False], [False, True]),
        (["10", "2"], ["10", "2"]),  # sorted as text, although the data sort numbers by their value
        (pd.Series(["b", "a"], index=[7, 7]), ["a", "b"]),
        (pd.Categorical(["b", "a"]), ["a", "b"]),
    ],
)
def test_labels_of_every_type(labels: Sequence[Any], classes: list[Any], tmp_path: Path) -> None:
    """Classes have the type of the labels, in `predict` and after `load`, and each column is that of its class."""
    model = fit(pd.Series(TEXTS), np.tile(np.asarray(labels), 30), **{**QUICK, "max_epochs": 20})
    assert model.classes_.tolist() == classes
    assert model.predict([POSITIVE, NEGATIVE]).tolist() == list(labels)
    model.save(tmp_path / "model.ckpt")
    loaded = TextPoolClassifier.load(tmp_path / "model.ckpt")
    assert loaded.predict([POSITIVE, NEGATIVE]).tolist() == list(labels)
    assert type(loaded.predict([POSITIVE])[0]) is type(np.array(classes)[0])


@pytest.mark.slow
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_predict_the_same(trained: TextPoolClassifier, copied: Any) -> None:
    """A pickle holds the model and no training texts."""
    assert (copied(trained).predict_proba(TEXTS[:2]) == trained.predict_proba(TEXTS[:2])).all()
    assert b"loved it" not in pickle.dumps(trained)


@pytest.mark.slow
def test_saved_file_is_a_checkpoint(trained: TextPoolClassifier, tmp_path: Path) -> None:
    """`load` gives an equal classifier, and the file works with `textpool.build.load`, as `scripts/predict.py` does."""
    path = tmp_path / "model.ckpt"
    trained.save(path)
    loaded = TextPoolClassifier.load(path)
    assert (loaded.predict_proba(TEXTS[:2]) == trained.predict_proba(TEXTS[:2])).all()
    assert loaded.get_params() == trained.get_params()
    assert (loaded.best_epoch_, loaded.history_) == (trained.best_epoch_, trained.history_)
    loaded.save(path)
    [prediction] = inference.predict(build.load(path), [POSITIVE])
    assert prediction.label == "pos"
    assert prediction.probabilities["neg"] == pytest.approx(trained.predict_proba([POSITIVE])[0, 0])
    assert torch.serialization.get_unsafe_globals_in_checkpoint(path) == []
    with pytest.raises(ValueError, match=r"texts: this classifier was trained in Python.*: give a file"):
        build.load(path).data.load()


@pytest.mark.slow
def test_pooling_may_be_an_object(tmp_path: Path) -> None:
    """A class or a partial gives the model of its name, and can be saved; a function gives it too, but cannot."""
    named = fit(TEXTS, LABELS, pooling="max_avg", **QUICK)
    given = fit(TEXTS, LABELS, pooling=partial(Concat, poolings=[Max, partial(Avg)]), **QUICK)
    function = fit(TEXTS, LABELS, pooling=lambda channels: Concat(channels, [Max, Avg]), **QUICK)
    expected = named.predict_proba(TEXTS[:2])
    assert (given.predict_proba(TEXTS[:2]) == expected).all()
    assert (function.predict_proba(TEXTS[:2]) == expected).all()
    for number in range(2):  # the second time, the classifier comes from a file itself
        given.save(tmp_path / f"{number}.ckpt")
        given = TextPoolClassifier.load(tmp_path / f"{number}.ckpt")
        assert (given.predict_proba(TEXTS[:2]) == expected).all()
        assert isinstance(given.fit(TEXTS, LABELS).model_.poolings[0], Concat)
    with pytest.raises(ValueError, match=r"pooling: expected a name, a class that can be imported, .*got <function"):
        function.save(tmp_path / "function.ckpt")


@pytest.mark.slow
def test_pooling_of_a_module_of_your_own_is_allowed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the checkpoint of a run, `load` builds no class of a module that was not allowed."""
    (tmp_path / "my_poolings.py").write_text("from textpool.pooling import Max\nclass Mine(Max):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_poolings", raising=False)
    mine = importlib.import_module("my_poolings").Mine
    fit(TEXTS, LABELS, pooling=mine, **QUICK).save(tmp_path / "mine.ckpt")
    with pytest.raises(ValueError, match=r"pooling: my_poolings\.Mine is not of textpool"):
        TextPoolClassifier.load(tmp_path / "mine.ckpt")
    assert type(TextPoolClassifier.load(tmp_path / "mine.ckpt", ["my_poolings"]).model_.poolings[0]) is mine


def test_names_are_the_files_of_the_configuration() -> None:
    """Every name gives a section for Hydra with its `k` inserted; an unknown name lists the known ones."""
    for file in CONF.glob("pooling/*.yaml"):
        section = pooling_section(file.stem, k=7)
        assert section["_target_"].startswith("textpool.pooling.")
        assert section.get("k", 7) == 7
    assert pooling_section("kmax", k=7) == {"_target_": "textpool.pooling.KMax", "_partial_": True, "k": 7}
    with pytest.raises(ValueError, match=r"^pooling: expected one of attention, avg, .*, got 'k_max'$"):
        pooling_section("k_max", k=3)


def wrong(**changes: Any) -> dict[str, Any]:
    return {"texts": TEXTS, "labels": LABELS, **changes}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (wrong(texts=[]), "texts: expected at least one text, got none$"),
        (wrong(texts=[], labels=[]), "texts: expected at least one text, got none$"),
        (wrong(texts="a film"), r"texts: expected a list of strings, got str \('a film'\)$"),
        (wrong(texts=None), r"texts: expected a list of strings, got NoneType \(None\)$"),
        (wrong(texts=["a", float("nan")], labels=[0, 1]), r"texts: expected strings, got float \(nan\) as text 1, "),
        (
            wrong(texts=[["a", "film"]], labels=[0]),
            r"texts: expected strings, got list \(\['a', 'film'\]\) as text 0, ",
        ),
        (wrong(texts=[b"a"], labels=[0]), r"texts: expected strings, got bytes \(b'a'\) as text 0, "),
        (wrong(texts=np.array([["a"]]), labels=[0]), r"texts: expected one string per text, .* shape \(1, 1\)$"),
        (
            wrong(texts=pd.DataFrame({"t": ["a"]}), labels=[0]),
            r"texts: expected one string per text, .* shape \(1, 1\)",
        ),
        (wrong(labels=LABELS[:-1]), "labels: expected one label per text, 60, got 59$"),
        (wrong(labels=None), "labels: fit requires y to be passed, but the target y is None$"),
        (wrong(labels="pos"), r"labels: expected a list of labels, got str \('pos'\)$"),
        (wrong(labels=["pos"] * 60), "labels: expected at least two classes, got one class, 'pos'$"),
        (wrong(labels=["pos", None] * 30), r"labels: .*got NoneType \(None\) as label 1, "),
        (wrong(labels=["pos", float("nan")] * 30), r"labels: .*got float \(nan\) as label 1, "),
        (wrong(labels=[0.0, 0.5] * 30), r"labels: Unknown label type: .*got float \(0.5\) as label 1, "),
        (wrong(labels=["1", 1] * 30), "labels: expected strings only or numbers only, got '1' and 1$"),
        (wrong(labels=np.zeros((60, 1))), r"labels: expected one label per text, got an array of shape \(60, 1\)$"),
        (wrong(texts=["a", "b"], labels=[0, 1]), "texts: expected a class with at least two texts, .*got 2 texts"),
        (wrong(pooling="maks"), "pooling: expected one of attention, avg, .*got 'maks'$"),
        (wrong(pooling=KMax(32, k=5)), r"pooling: expected the name .*partial\(KMax, k=5\), got KMax\(k=5\)$"),
        (wrong(pooling=3), "pooling: expected the name of a file in conf/pooling, .*got 3$"),
        (wrong(pooling=torch.nn.Identity), r"pooling: expected a function that makes a Pooling, .*Identity \(Identity"),
        (wrong(pooling="kmax", k=0), "k: expected an integer of at least 1, got 0"),
        (wrong(max_epochs=0), "max_epochs: expected an integer of at least 1, got 0$"),
        (wrong(patience=0), "patience: expected an integer of at least 1, got 0$"),
        (wrong(lr=-1), "lr: expected a number above 0, .*got -1$"),
        (wrong(val_fraction=0), "val_fraction: expected a number between 0 and 1, got 0$"),
        (wrong(batch_size=0), "batch_size: expected an integer of at least 1, got 0$"),
        (wrong(min_freq=0), "min_freq: expected an integer of at least 1, got 0$"),
        (wrong(tokens="letters"), "tokens: expected .*got 'letters'"),
        (wrong(kernel_sizes=[]), "kernel_sizes: expected at least one"),
        (wrong(threads=0), "threads: expected an integer of at least 1, got 0$"),
        (wrong(random_state="a"), "random_state: expected an integer of at least 0, got 'a'$"),
    ],
)
def test_wrong_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    """The message says what was expected and what came, before any training."""
    with pytest.raises(ValueError, match=f"^(?:{message})"):
        fit(**arguments)


@pytest.mark.slow
def test_wrong_texts_to_predict_are_named(trained: TextPoolClassifier) -> None:
    """One string in place of a list is an error, and not a prediction for each letter."""
    for predict in (trained.predict, trained.predict_proba):
        with pytest.raises(ValueError, match=r"^texts: expected a list of strings, got str \('a great film'\)$"):
            predict("a great film")


def test_use_before_training_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is scikit-learn's NotFittedError where that is installed, and a plain ValueError elsewhere."""
    model = TextPoolClassifier()
    for use in (model.predict, model.predict_proba, model.save):
        with pytest.raises(ValueError, match=r"^this TextPoolClassifier is not trained yet: call fit") as error:
            use(tmp_path / "x")  # pyright: ignore[reportArgumentType]
        assert error.type.__name__ == "NotFittedError"
    monkeypatch.setitem(sys.modules, "sklearn.exceptions", None)  # as if it were not installed
    with pytest.raises(ValueError, match=r"not trained yet") as error:
        model.predict([POSITIVE])
    assert error.type is ValueError


def test_parameters_are_stored_unchanged() -> None:
    """`get_params` and `set_params` are those of scikit-learn; `repr` shows what differs from the defaults."""
    model = TextPoolClassifier(pooling=Max, k=7, kernel_sizes=(2, 3))
    assert model.get_params()["pooling"] is Max
    assert TextPoolClassifier(**model.get_params()).get_params() == model.get_params()
    assert model.set_params(pooling="kmax", kernel_sizes=(3, 4, 5)) is model
    assert repr(model) == "TextPoolClassifier(pooling='kmax', k=7)"
    with pytest.raises(ValueError, match=r"^parameter: expected one of pooling, k, .*, got 'n_filter'$"):
        model.set_params(n_filter=3)


def test_checkpoint_of_a_run_is_refused(config: Any, tmp_path: Path) -> None:
    """It has no parameters of the constructor; the message names the function that loads it."""
    settings = config("data.n_train=64", "data.n_val=8", "data.n_test=8")
    data = build.build_data(settings)
    data.setup()
    state = build.build_classifier(settings, data).state_dict()
    torch.save({"state_dict": state, "textpool": build.content(settings, data)}, tmp_path / "best.ckpt")
    with pytest.raises(ValueError, match=r"best\.ckpt: a checkpoint of a run: use textpool\.build\.load"):
        TextPoolClassifier.load(tmp_path / "best.ckpt")


class OnRows(TextPoolClassifier):
    """Reads each row of an array of numbers as a text such as "0:1 1:-2", so that scikit-learn's checks can run."""

    def fit(self, X: Any, y: Any) -> "OnRows":
        super().fit(texts_of_rows(X), y)
        self._n_columns = np.asarray(X).shape[1]
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        self._check_fitted()
        if np.asarray(X).shape[1] != self._n_columns:
            raise ValueError(f"expected {self._n_columns} columns")
        return super().predict_proba(texts_of_rows(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = type(tags.input_tags)()  # a numeric array with two axes: otherwise only one check is run
        return tags


def texts_of_rows(rows: Any) -> list[str]:
    return [" ".join(f"{column}:{value:.0f}" for column, value in enumerate(row)) for row in np.asarray(rows)]


NO_FEATURES = "texts have no fixed number of features"
NO_NUMBERS = "the check expects an error for a kind of numeric array; texts are checked to be strings instead"
EXPECTED_FAILURES = {
    "check_n_features_in": NO_FEATURES,
    "check_n_features_in_after_fitting": NO_FEATURES,
    "check_complex_data": NO_NUMBERS,
    "check_dtype_object": NO_NUMBERS,
    "check_estimators_empty_data_messages": NO_NUMBERS,
    "check_estimators_nan_inf": NO_NUMBERS,
    "check_estimator_sparse_tag": NO_NUMBERS,
    "check_estimator_sparse_array": NO_NUMBERS,
    "check_estimator_sparse_matrix": NO_NUMBERS,
    "check_fit1d": NO_NUMBERS,
    "check_fit2d_predict1d": NO_NUMBERS,
    "check_supervised_y_2d": "labels with two axes are an error, where scikit-learn warns and flattens them",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*does not inherit from:UserWarning", "ignore:Can't test estimator")
def test_scikit_learn_finds_its_conventions() -> None:
    """scikit-learn's own checks: all pass except those that need numbers, which are listed with the reason."""
    from sklearn.utils.estimator_checks import check_estimator

    model = OnRows(max_epochs=5, lr=0.01, min_freq=1, accelerator="cpu")
    results: Any = check_estimator(model, expected_failed_checks=EXPECTED_FAILURES, on_fail=None, on_skip=None)  # pyright: ignore
    status = {(result["check_name"], result["status"]) for result in results}
    assert {name for name, outcome in status if outcome == "failed"} == set()
    assert {name for name, outcome in status if outcome == "xfail"} == set(EXPECTED_FAILURES)
    assert {name for name, outcome in status if outcome == "skipped"} <= {"check_array_api_input"}
    assert len(results) > 50
    check_estimator(TextPoolClassifier(**QUICK))  # as it is: scikit-learn has one check for texts


@pytest.mark.slow
def test_it_works_in_scikit_learns_tools() -> None:
    """`cross_val_score`, `GridSearchCV`, `Pipeline` and `clone` treat it as a classifier like their own."""
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    model = TextPoolClassifier(pooling=partial(KMax, k=2), max_epochs=10, accelerator="cpu")
    assert is_classifier(model)
    assert repr(clone(model)) == repr(model)
    assert cross_val_score(model, TEXTS, LABELS, cv=2).tolist() == [1.0, 1.0]
    shout = FunctionTransformer(lambda texts: [text.upper() for text in texts])
    search = GridSearchCV(
        make_pipeline(shout, TextPoolClassifier(**QUICK, lowercase=False)),
        {"textpoolclassifier__pooling": ["max", "kmax"], "textpoolclassifier__k": np.array([1, 2])},
        cv=2,
        scoring="roc_auc",
    ).fit(TEXTS, LABELS)
    assert search.classes_.tolist() == ["neg", "pos"]
    assert "LOVED" in search.best_estimator_[-1].data_.vocabulary.words
    assert "TextPoolClassifier" in search.best_estimator_._repr_html_()


def test_pooling_of_the_users_own_may_not_be_named() -> None:
    """A class that is defined in a function has no name that a file could hold; training needs none."""
    from textpool.estimator import _section_of

    class Local(Max):
        pass

    assert _section_of(Local) is None
    assert _section_of(partial(KMax, 3)) is None
    assert _section_of(partial(KMax, k=torch.tensor(3))) is None  # pyright: ignore[reportArgumentType]
    assert _section_of(partial(KMax, k=3)) == {"_target_": "textpool.pooling.extremes.KMax", "_partial_": True, "k": 3}
