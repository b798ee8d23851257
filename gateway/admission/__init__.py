"""Admission control: slots at TorchServe, the upload budget, the CPU pool."""
