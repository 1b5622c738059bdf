"""Training: options, the skorch net, callbacks, checkpoints, devices and precision."""
