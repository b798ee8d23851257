"""The agents beside the TorchServes: what they report, what they should serve."""
