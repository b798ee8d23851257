"""TorchServe on this machine: its process, its management API, its memory."""
