"""What is written is read back as the same config, and an override does what the same edit of the file does."""

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dlrun.config.dumping import dump_lines, flow
from dlrun.config.loading import config_from_mapping, dump_config, load_config
from dlrun.config.nodes import dotted, to_plain
from dlrun.config.overrides import parse_override
from dlrun.config.yaml_reader import parse_yaml

quick = settings(max_examples=25, deadline=None)
texts = st.text(max_size=8) | st.sampled_from(
    ["yes", "1e3", "~", "- a", "a: b", "#", "'", '"', "\t", "\x85", "\u2028x"]
)
names = st.text("abcdefghijklmnopqrstuvwxyzABC_-0123456789é", min_size=1, max_size=8)
counts = st.integers(1, 10**6)
shares = st.floats(0, 1, exclude_max=True)
rates = st.floats(0, 1e6, exclude_min=True)


def some(**optional):
    """A mapping with any of the keys, one at least."""
    return st.fixed_dictionaries({}, optional=optional).filter(bool)


def named(name, **optional):
    return st.fixed_dictionaries({"name": st.just(name)}, optional=optional)


layers = st.one_of(
    st.sampled_from(["Flatten", "BatchNormalization"]),
    some(Dense=st.fixed_dictionaries({"units": counts}, optional={"activation": st.sampled_from(["relu", None])})),
    some(Dropout=st.fixed_dictionaries({"rate": shares})),
)
SECTIONS = {
    "name": names.filter(lambda name: name[0] != "-"),
    "description": texts,
    "seed": st.integers(0, 2**31 - 1),
    "split": some(validation=st.floats(0.01, 0.9) | counts, test=shares | counts, seed=st.integers(0, 9)),
    "model": st.one_of(
        named("mlp", hidden=st.lists(counts, max_size=3), dropout=shares, kernel_regularizer=some(L2=some(l2=rates))),
        st.fixed_dictionaries({"name": st.just("layers"), "layers": st.lists(layers, max_size=4)}),
    ),
    "optimizer": st.one_of(
        st.sampled_from(["sgd", "adam"]),
        named("rmsprop", learning_rate=rates, rho=shares, clipnorm=rates),
        named("sgd", learning_rate=some(ExponentialDecay=st.fixed_dictionaries(
            {"initial_learning_rate": rates, "decay_steps": counts, "decay_rate": shares}))),
    ),
    "training": some(
        epochs=counts, batch_size=counts, shuffle=st.booleans(), class_weight=st.dictionaries(texts, rates, max_size=3)
    ),
    "callbacks": st.lists(
        st.just("TerminateOnNaN") | named("EarlyStopping", patience=counts, restore_best_weights=st.booleans()),
        max_size=2,
    ),
    "monitor": st.sampled_from(["val_loss", {"metric": "val_accuracy", "mode": "max"}]),
    "runtime": some(threads=st.integers(1, 64), jit_compile=st.booleans(), device=st.sampled_from(["cpu", "gpu:1"])),
}  # fmt: skip
datasets = st.one_of(
    st.sampled_from(["digits", {"name": "iris"}]),
    st.fixed_dictionaries(
        {"name": st.just("csv"), "path": texts.filter(bool), "target": texts | st.lists(texts, min_size=1, max_size=3)},
        optional={"missing": st.lists(texts, max_size=3), "drop": st.lists(texts, max_size=2)},
    ),
)
configs = st.fixed_dictionaries({"data": datasets}, optional=SECTIONS)


def written(values, folder):
    path = folder / "written.yaml"
    path.write_text("\n".join(dump_lines(values)), encoding="utf-8", newline="")
    return path


@quick
@given(configs)
def test_a_config_that_is_written_is_read_back_as_an_equal_one(tmp_path_factory, values):
    config = config_from_mapping(values)
    path = tmp_path_factory.getbasetemp() / "a.yaml"
    path.write_text(dump_config(config), encoding="utf-8", newline="")
    again = load_config(path)
    assert again.model_dump() == config.model_dump()
    assert dump_config(again) == dump_config(config)
    assert to_plain(parse_yaml(dump_config(config), "")) == yaml.safe_load(dump_config(config))


@quick
@given(configs, st.data())
def test_an_override_does_what_the_same_edit_of_the_file_does(tmp_path_factory, values, data):
    folder = tmp_path_factory.getbasetemp()
    section = data.draw(st.sampled_from([name for name in SECTIONS if name != "name"]))
    new = data.draw(SECTIONS[section])
    overridden = load_config(written({"name": "x", **values}, folder), [f"{section}={flow(new)}"])
    assert overridden.model_dump() == load_config(written({"name": "x", **values, section: new}, folder)).model_dump()
    if section in values:
        dropped = load_config(written({"name": "x", **values}, folder), [f"~{section}"])
        del values[section]
        assert dropped.model_dump() == load_config(written({"name": "x", **values}, folder)).model_dump()


@quick
@given(configs, counts, rates)
def test_an_override_inside_a_section_leaves_the_rest_of_it(tmp_path_factory, values, epochs, rate):
    folder = tmp_path_factory.getbasetemp()
    values = {"name": "x", **values, "optimizer": {"name": "adam", "beta_1": 0.5}}
    overrides = [f"training.epochs={epochs}", f"optimizer.learning_rate={flow(rate)}", "~optimizer.beta_1"]
    edited = {
        **values,
        "training": {**values.get("training", {}), "epochs": epochs},
        "optimizer": {"name": "adam", "learning_rate": rate},
    }
    assert (
        load_config(written(values, folder), overrides).model_dump()
        == load_config(written(edited, folder)).model_dump()
    )


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
any_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)


@quick
@given(names, st.lists(names | st.integers(0, 99), max_size=4), any_values)
def test_an_override_is_read_as_it_was_written(first, parts, value):
    read = parse_override(f"{dotted((first, *parts))}={flow(value)}")
    assert read.key == (first, *parts)
    assert to_plain(read.value) == value
