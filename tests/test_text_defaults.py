"""What a training has when nothing is said but the data: the lesson's settings, or those that suit text of people."""

import pytest
from conftest import Compose


@pytest.mark.parametrize("data", ["data=text_file", "data=trec", "data=sst2", "data=subj"])
def test_text_chooses_its_model_and_early_stopping(config: Compose, data: str) -> None:
    """Every source of text that people wrote does."""
    settings = config(data, "data.train=mine.csv" if data == "data=text_file" else "data.train=train")
    assert (settings["model"]["embedding_dim"], settings["model"]["n_filters"]) == (100, 100)
    assert settings["model"]["embedding_range"] == 0.25
    assert (settings["model"]["dropout"], settings["optimizer"]["lr"]) == (0.5, 0.001)
    assert list(settings["callbacks"]) == ["early_stopping"]


def test_the_lesson_keeps_its_settings(config: Compose) -> None:
    """Generated sentences are trained with the sizes of the lesson, for all epochs."""
    settings = config("data=sentiment")
    assert (settings["model"]["embedding_dim"], settings["model"]["kernel_sizes"]) == (32, [2, 3, 4])
    assert ("callbacks" in settings, settings["optimizer"]["lr"]) == (False, 0.003)


def test_what_a_command_or_an_experiment_says_comes_first(config: Compose) -> None:
    """The choice of the data is a default, which a choice of the command or of an experiment replaces."""
    text = ("data=text_file", "data.train=mine.csv")
    assert config(*text, "model=swem")["model"]["_target_"] == "textpool.model.Swem"
    assert list(config(*text, "callbacks=until_flat")["callbacks"]) == ["until_flat"]
    kim = config(*text, "experiment=kim2014")
    assert (kim["model"]["embedding_dim"], "callbacks" in kim, kim["optimizer"]["lr"]) == (300, False, 1.0)
    assert config(*text, "experiment=kim2014", "optimizer=adam")["optimizer"]["lr"] == 0.003
    fast = config(*text, "experiment=kim2014_fast")
    assert fast["callbacks"]["early_stopping"]["monitor"] == "val/loss"


def test_padding_follows_the_mask_in_the_study_of_it(config: Compose) -> None:
    """Without a mask, all sentences are padded to the longest; with one, each batch to its own."""
    common = ("data=text_file", "data.train=mine.csv", "experiment=masked_average", "study=x", "data.max_length=37")
    for mask, padding in (("valid", "batch"), ("none", "max_length")):
        assert config(*common, f"model.window_mask={mask}")["data"]["pad_to"] == padding
