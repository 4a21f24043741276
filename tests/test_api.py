from dlrun.api import evaluate, load_config, load_run, predict, summarise_config, train


def test_a_notebook_can_load_train_score_and_predict(tmp_path):
    config = load_config("digits", "training.epochs=2", "model.hidden=[8]", "runtime.jit_compile=false")
    run = train(config, outputs=tmp_path)
    assert repr(run) == f"Run(digits/{run.dir.id}, completed)"
    assert len(run.history) == 2
    assert run.metrics["best_epoch"] in (1, 2)
    assert run.config.model == config.model
    assert evaluate(run).reading == 1
    assert len(predict(run, split="validation").rows) == 288
    assert run.model.count_params() == summarise_config(config).parameters
    assert load_run("digits", outputs=tmp_path).dir.id == run.dir.id
