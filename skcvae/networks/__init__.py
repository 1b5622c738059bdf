"""The layers that architectures build networks of."""
