"""One live line where somebody looks, one plain line per fit in a log, nothing unless asked."""

import io
import re
import sys
from contextlib import redirect_stderr

import numpy as np
import pytest
from conftest import answer, judged_by

from skcvae import CVAERegressor, EnsembleRegressor, NNRegressor, Training, fitted
from skcvae.inference import moments

WORK = {
    "predict": lambda est, X, y: est.predict(X, return_std=True),
    "latent mean": lambda est, X, y: est.predict(X, method="latent_mean"),
    "sample": lambda est, X, y: est.sample(X, n_samples=7, random_state=0),
    "complete": lambda est, X, y: est.complete(X, y, n_samples=7, mask=y > 0, random_state=0),
    "quantiles": lambda est, X, y: est.predict_quantiles(X, n_samples=7),
    "log_prob": lambda est, X, y: est.log_prob(X, y, n_samples=7),
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Notebook(io.StringIO):
    pass


Notebook.__module__ = "ipykernel.iostream"


def test_nothing_is_shown_unless_asked_for(estimator_class, data, capfd):
    est = estimator_class(max_epochs=2, random_state=0).fit(*data)
    for work in WORK.values():
        work(est, *data)
    EnsembleRegressor(est, n_estimators=2).fit(*data)
    assert capfd.readouterr() == ("", "")
    with redirect_stderr(Terminal()) as stream:
        est.fit(*data)
    assert stream.getvalue() == ""


def test_a_log_gets_one_plain_line_for_a_fit(any_class, data, capfd):
    est = any_class(max_epochs=2, verbose=1).fit(*data)
    answer(est, data[0])
    out, err = capfd.readouterr()
    assert out == "" and "\r" not in err and err.count("\n") == 1
    assert err.startswith(f"{any_class.__name__}: 2 epochs in 0")
    assert f"{judged_by(est)}={est.history_[-1][judged_by(est)]:.3f}" in err


def test_each_training_counts_its_own_epochs(capfd):
    rng = np.random.default_rng(0)
    X, noise = rng.normal(size=(60, 4)), rng.normal(size=(60, 2))
    y = X @ rng.normal(size=(4, 2)) + 0.1 * noise
    est = NNRegressor(lr=0.05, training=Training(patience=2), random_state=0, verbose=1)
    est.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    found = re.findall(r"NNRegressor(.*): (\d+) epochs", capfd.readouterr().err)
    assert [stage for stage, _ in found] == ["", ", smaller steps"]
    assert sum(int(number) for _, number in found) == len(est.history_)


@pytest.mark.parametrize("stream", [Terminal, Notebook])
def test_a_fit_has_one_live_line(any_class, data, stream, capfd):
    with redirect_stderr(stream()) as live:
        est = any_class(max_epochs=3, verbose=1).fit(*data)
    shown = live.getvalue()
    assert shown.count("\n") == 1 and "3/3" in shown and any_class.__name__ in shown
    column = judged_by(est)
    assert "\r" in shown and f"{column}={est.history_[-1][column]:.3f}" in shown
    assert capfd.readouterr() == ("", "")


def test_long_work_has_a_live_line_that_changes_no_number(estimator_class, data, monkeypatch):
    monkeypatch.setattr(fitted, "SHOWN_AFTER", 0.0)
    est = estimator_class(max_epochs=1, random_state=0).fit(*data)
    for name, work in WORK.items():
        with redirect_stderr(Terminal()) as silent:
            quiet = work(est.set_params(verbose=0), *data)
        with redirect_stderr(Terminal()) as live:
            shown = work(est.set_params(verbose=1), *data)
        np.testing.assert_array_equal(shown, quiet)
        n_points = 1 if isinstance(est, NNRegressor) else moments.N_POINTS
        total = len(data[0]) * {"predict": n_points, "latent mean": 1}.get(name, 7)
        assert f"{estimator_class.__name__}: 100%" in live.getvalue(), name
        assert f"{total}/{total}" in live.getvalue() and live.getvalue().count("\n") == 1, name
        assert silent.getvalue() == ""


def test_short_work_has_no_line(data):
    est = NNRegressor(max_epochs=1).fit(*data).set_params(verbose=1)
    with redirect_stderr(Terminal()) as stream:
        est.sample(data[0])
        est.log_prob(*data)
    assert stream.getvalue() == ""


def test_without_a_stderr_there_is_no_line(data, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    est = CVAERegressor(max_epochs=1, verbose=1).fit(*data)
    assert est.sample(data[0]).shape == (1, 60, 3)
