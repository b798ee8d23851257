"""mmsegmentation's DeepLabV3 and V3+, read without mmsegmentation."""
