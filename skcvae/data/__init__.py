"""From arrays to batches of tensors: coding, row access, omission noise."""
