"""Inference in a fitted model: moments, draws, log-likelihoods, completion, posterior collapse."""
