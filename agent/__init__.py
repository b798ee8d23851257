"""The agent beside a TorchServe: it makes what should be served what is served."""
