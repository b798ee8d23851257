"""TorchServe, as the gateway asks it; no other folder knows its APIs."""
