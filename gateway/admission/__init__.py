"""How much is taken on at once: slots at TorchServe, bytes of uploads, work on pixels."""
