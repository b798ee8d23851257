"""The page: pictures in, segmentations out, everything through the gateway."""
