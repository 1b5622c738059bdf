"""
====================================
Save, load, and serve without skcvae
====================================

A fitted estimator is saved as one file of weights and text, which is safe to load from
untrusted sources. For serving, its networks are exported as a torch program that requires
neither skcvae nor scikit-learn.
"""

# %%
# Fit, save, load
# ---------------
# The file is in the safetensors format: named weights, and the parameters as JSON. It
# contains no pickle. Predictions of the loaded estimator are identical to those of the saved
# one.

import json
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from safetensors import safe_open

import skcvae
from skcvae.datasets import make_two_branches

train = make_two_branches(n_samples=1000, random_state=0)
test = make_two_branches(n_samples=500, random_state=1)
est = skcvae.CVAERegressor(max_epochs=100, random_state=0).fit(train.X, train.y)

folder = Path(tempfile.mkdtemp())
est.save(folder / "branches.skcvae")
again = skcvae.load(folder / "branches.skcvae")
print("same score:", again.score(test.X, test.y) == est.score(test.X, test.y))

with safe_open(folder / "branches.skcvae", framework="numpy") as file:
    print(json.loads(file.metadata()["document"])["versions"])
    print(*list(file.keys())[:4], sep="\n")

# %%
# A damaged file is an error
# --------------------------
# Ten bytes of the weights are overwritten.

damaged = bytearray((folder / "branches.skcvae").read_bytes())
damaged[-1000:-990] = bytes(10)
(folder / "damaged.skcvae").write_bytes(damaged)
try:
    skcvae.load(folder / "damaged.skcvae")
except ValueError as error:
    print(str(error).replace(str(folder), "..."))

# %%
# Export the networks
# -------------------
# ``to_torch`` returns a torch module in the units of X and y. `torch.export` compiles it to a
# program for any number of rows; ``torch.onnx.export`` accepts ``module.float()``. With noise
# as a second input, the program returns one draw per draw of the noise, so the program itself
# is deterministic.

module = est.to_torch()
x = torch.tensor(test.X)
noise = torch.randn(3, len(x), *module.noise_shape)
rows, draws = torch.export.Dim("rows"), torch.export.Dim("draws")
predict = torch.export.export(module, (x,), dynamic_shapes=({0: rows},)).module()
sample = torch.export.export(
    module, (x, noise), dynamic_shapes=({0: rows}, {0: draws, 1: rows})
).module()

difference = np.abs(predict(x[:100]).numpy() - est.predict(test.X[:100])).max()
print("largest difference of a prediction:", difference)

# %%
# Draws of the program
# --------------------
# Most draws fall on the two branches. They are without observation noise, like
# ``est.sample(..., observation_noise=False)``.

draws_of_program = sample(x, torch.randn(1, len(x), *module.noise_shape))[0]
draws_of_estimator = est.sample(test.X, random_state=0, observation_noise=False)[0]
fig, axes = plt.subplots(1, 2, figsize=(7, 3), sharey=True, layout="constrained")
for ax, title, y in zip(
    axes, ("estimator", "exported program"), (draws_of_estimator, draws_of_program), strict=True
):
    ax.scatter(test.X[:, 0], y, s=4)
    ax.set_title(title)
    ax.set_xlabel("x")
axes[0].set_ylabel("draws of E[y|x,z]")
plt.show()
