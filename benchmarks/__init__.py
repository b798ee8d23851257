"""Benchmarks: the product side by side with other servers, its scaling, its handler on a GPU."""
