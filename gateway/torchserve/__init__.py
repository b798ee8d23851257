"""Clients of TorchServe's APIs; no other folder knows them."""
