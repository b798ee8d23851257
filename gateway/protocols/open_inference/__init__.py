"""Open Inference Protocol, version 2, for the clients of Triton and KServe."""
