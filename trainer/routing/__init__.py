"""What the routers are made of: features, classifiers, calibration and the fine-tuning of the sentence encoder."""
