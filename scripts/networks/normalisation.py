"""Mean and standard deviation of the networks' inputs: ImageNet's, per RGB channel, for 0..1."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
