"""A server that forks after torch has worked in several threads, by the recipe of the guide."""

import os
import signal

import numpy as np
import pytest
import torch

from skcvae import CVAERegressor
from skcvae.architectures import MLP


def forking():
    """Fit and predict in two threads, and then in a child that sets up torch anew."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 4))
    torch.set_num_threads(2)
    est = CVAERegressor(max_epochs=1, random_state=0, architecture=MLP((256, 256)))
    est.fit(X, X[:, :2])
    expected = est.predict(X[:50])
    process = os.fork()
    if not process:
        signal.alarm(60)  # ends a child that hangs
        torch.set_num_threads(1)
        np.testing.assert_allclose(est.predict(X[:50]), expected)
        assert np.isfinite(est.log_prob(X, X[:, :2])).all()
        assert est.sample(X[:5], 3, 0).shape == (3, 5, 2)
        est.fit(X[:300], X[:300, :2])
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_sets_one_thread_answers(tmp_path, server):
    code, output, errors = server.run(tmp_path, forking)
    assert code == 0 and output.split() == ["0"], output + errors
