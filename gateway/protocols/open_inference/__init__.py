"""Open Inference Protocol, version 2, as the clients of Triton and KServe speak it."""
