"""Every shipped config loads, says where it comes from, and builds its model."""

import pytest

from dlrun.config.finding import shipped_configs
from dlrun.config.loading import load_config
from dlrun.rehearse import rehearse, summarise

BUNDLED = {"digits", "iris", "wine", "breast_cancer", "diabetes", "social_posts", "question_answers", "digits_sweep"}
BUNDLED |= {"digits_gan", "digits_vae", "digits_convnet"}
ESTIMATORS = {"digits_forest"}
WITH_SAMPLE = {
    *("imdb", "imdb_embedding", "imdb_lstm", "imdb_conv1d", "imdb_raw", "reuters", "boston_housing", "boston_sweep"),
    *("mnist", "mnist_convnet", "fashion_mnist", "cifar10"),
}
NEED_FILES = {"titanic", "adult", "california_housing", "cats_dogs", "jena"}


def test_every_config_outside_the_book_is_in_one_of_the_groups_here():
    assert {name for name in shipped_configs() if "/" not in name} == BUNDLED | ESTIMATORS | WITH_SAMPLE | NEED_FILES


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_a_config_loads_and_opens_with_its_source(name):
    path = shipped_configs()[name]
    config = load_config(path)
    assert config.name == name.removeprefix("book/")
    comments = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert any("Source:" in line for line in comments)
    body = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    assert len(body) <= (20 if name.startswith("book/") else 12)


@pytest.mark.parametrize("name", sorted(BUNDLED | WITH_SAMPLE))
def test_a_config_rehearses_offline(name):
    options = ["runtime.jit_compile=false", "training.batch_size=16"]
    options += ["data.sample=true"] if name in WITH_SAMPLE else []
    assert rehearse(load_config(shipped_configs()[name], options)).model.parameters > 0


@pytest.mark.parametrize("name", sorted(ESTIMATORS))
def test_an_estimator_rehearses_offline(name):
    assert rehearse(load_config(shipped_configs()[name])).rows["training"] > 0


@pytest.mark.realdata
@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("name", sorted(NEED_FILES))
def test_a_config_builds_on_its_real_files(name):
    assert summarise(load_config(shipped_configs()[name])).parameters > 0
