"""Files of a checkout: paths, model archives, digests, atomic writes."""
